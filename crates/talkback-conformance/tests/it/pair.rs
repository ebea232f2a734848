//! The scenarios in memory: everything but the network and the opening handshake is real.

use std::time::Duration;

use futures_util::future::{BoxFuture, LocalBoxFuture};
use talkback::{Connect, Error, Limits, Role, WebSocket, WebSocketChannel};
use talkback_conformance::server::Server;
use talkback_conformance::{
    Backend, Behaviour, Capabilities, Exception, Expected, Options, SCENARIOS, SocketStage,
    Summary, check_exceptions, for_each_scenario, run_all, run_named,
};
use tokio::io::{DuplexStream, duplex};

/// How many bytes are on the way in each direction before a sender waits.
const BUFFER_SIZE: usize = 64 * 1024;

const NO_URL: &str = "`pair()` and a socket over a duplex stream are open from the beginning: \
                      there is no URL, no opening handshake and no subprotocol in memory";
const NO_RESET: &str = "a stream in memory ends, but knows no reset";

/// What `talkback::pair()` cannot do, each with the reason.
const EXCEPTIONS: &[Exception] = &[
    no_url("connecting::refuses_a_url_of_https"),
    no_url("connecting::refuses_what_is_no_url"),
    no_url("connecting::fails_on_200_in_place_of_101"),
    no_url("connecting::tells_the_status_and_body_of_404"),
    no_url("connecting::tells_the_status_and_body_of_401"),
    no_url("connecting::reports_a_failure_to_all_who_wait_and_on_the_stream_once"),
    no_url("connecting::tells_all_who_wait_that_it_is_open"),
    no_url("connecting::times_out"),
    no_url("connecting::queues_what_is_sent_before"),
    no_url("connecting::closes_at_once_if_nothing_is_queued"),
    no_url("connecting::delivers_what_is_queued_though_it_is_closed_before"),
    no_url("connecting::keeps_what_comes_with_the_101"),
    no_url("connecting::passes_through_the_states"),
    Exception {
        scenario: "connecting::then_a_reset_is_one_error",
        reason: NO_RESET,
        expected: Expected::Either,
    },
    no_url("subprotocols::none_is_offered"),
    no_url("subprotocols::one_is_offered_and_chosen"),
    no_url("subprotocols::several_are_offered_in_order"),
    no_url("subprotocols::the_last_of_several_is_chosen"),
    no_url("subprotocols::one_that_was_not_offered_fails"),
    no_url("subprotocols::one_chosen_though_none_was_offered_fails"),
    no_url("subprotocols::none_chosen_opens_without"),
    no_url("subprotocols::a_name_that_is_no_token_is_refused"),
    no_url("subprotocols::the_same_name_twice_is_refused"),
    no_url("handles::drop_before_it_is_open_does_so_too"),
    no_url("snapshots::show_a_failed_connect"),
    no_url("wrapping::a_socket_that_connects"),
];

const fn no_url(scenario: &'static str) -> Exception {
    Exception {
        scenario,
        reason: NO_URL,
        expected: Expected::Either,
    }
}

/// Channels in memory. The other end is the test server, or for a plain echo the other channel of
/// `talkback::pair()`.
#[derive(Default)]
struct InMemory {
    server: Server,
    /// In place of its own.
    exceptions: Option<&'static [Exception]>,
}

impl InMemory {
    fn socket(&self, behaviour: &Behaviour, limits: Limits) -> WebSocket<DuplexStream> {
        let (client, server_io) = duplex(BUFFER_SIZE);
        let (server, behaviour) = (self.server.clone(), behaviour.clone());
        tokio::spawn(async move { server.serve_opened(server_io, behaviour).await });
        WebSocket::from_upgraded(client, Role::Client).with_limits(limits)
    }
}

impl Backend for InMemory {
    fn capabilities(&self) -> Capabilities {
        Capabilities::IN_MEMORY
    }

    fn exceptions(&self) -> &[Exception] {
        self.exceptions.unwrap_or(EXCEPTIONS)
    }

    /// Here the opening handshake is real, too.
    fn connect(&self, behaviour: &Behaviour) -> Connect {
        let server = self.server.clone();
        let url = format!("ws://memory.example{}", behaviour.target());
        talkback::connect(url).connector(move |_| {
            let (client, server_io) = duplex(BUFFER_SIZE);
            let server = server.clone();
            tokio::spawn(async move { server.serve(server_io).await });
            std::future::ready(Ok(client))
        })
    }

    fn open(&self, behaviour: &Behaviour, options: Options) -> WebSocketChannel {
        if *behaviour != Behaviour::ECHO || options.limits != Limits::default() {
            return self.socket(behaviour, options.limits).into();
        }
        let (client, server) = talkback::pair();
        tokio::spawn(echo(server));
        client
    }

    fn wrap<'a>(
        &'a self,
        behaviour: &'a Behaviour,
        stage: SocketStage,
    ) -> LocalBoxFuture<'a, Result<WebSocketChannel, Error>> {
        Box::pin(async move {
            let mut socket = self.socket(behaviour, Limits::default());
            if stage == SocketStage::Closed {
                socket.close().await;
            }
            Ok(socket.into())
        })
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn sleep(&self, time: Duration) -> LocalBoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

async fn echo(mut channel: WebSocketChannel) {
    while let Ok(Some(message)) = channel.recv().await {
        if channel.send(message).await.is_err() {
            return;
        }
    }
}

/// A test for each scenario that needs no network; the others are exceptions.
macro_rules! tests {
    ($($module:ident { $($name:ident $needs:tt;)* })*) => {$(
        mod $module {
            $(tests!(@one $module $name $needs);)*
        }
    )*};
    (@one $module:ident $name:ident []) => {
        #[tokio::test]
        async fn $name() {
            let path = concat!(stringify!($module), "::", stringify!($name));
            let backend = super::InMemory::default();
            super::run_named(&backend, path).await.unwrap();
        }
    };
    (@one $module:ident $name:ident [BACKPRESSURE]) => {
        tests!(@one $module $name []);
    };
    (@one $module:ident $name:ident [STRICT]) => {
        tests!(@one $module $name []);
    };
    (@one $module:ident $name:ident [$($need:ident)+]) => {};
}

for_each_scenario!(tests);

#[tokio::test]
async fn the_exceptions_are_those_that_need_a_network() {
    check_exceptions(&InMemory::default()).unwrap();
}

/// A backend with this one exception.
fn excepted(scenario: &'static str, expected: Expected) -> InMemory {
    let reason = "the platform's rule";
    let exception = Exception {
        scenario,
        reason,
        expected,
    };
    InMemory {
        exceptions: Some(vec![exception].leak()),
        ..InMemory::default()
    }
}

#[tokio::test]
async fn an_exception_that_holds_is_an_error() {
    let backend = excepted("payload::text", Expected::Failure);
    let holds = run_named(&backend, "payload::text").await;
    let told = format!("{:?}", holds.unwrap_err());
    assert!(
        told.contains("an exception still: the platform's rule"),
        "{told}"
    );
    // Nothing follows from one that may be either.
    let either = excepted("payload::text", Expected::Either);
    run_named(&either, "payload::text").await.unwrap();
}

#[tokio::test]
async fn an_exception_that_fails_is_none() {
    // No server chooses a subprotocol where there is no opening handshake.
    const SCENARIO: &str = "subprotocols::one_is_offered_and_chosen";
    let backend = excepted(SCENARIO, Expected::Failure);
    run_named(&backend, SCENARIO).await.unwrap();
    let without = excepted("payload::text", Expected::Failure);
    assert!(run_named(&without, SCENARIO).await.is_err());
}

/// As a page in a browser runs them, which has no test harness.
#[tokio::test]
async fn all_in_one_run() {
    let mut lines = 0;
    let mut report = |line: &str| {
        println!("{line}");
        lines += 1;
    };
    let summary = run_all(&InMemory::default(), &mut report).await;
    let excepted = EXCEPTIONS.len();
    let all_hold = Summary {
        passed: SCENARIOS.len() - excepted,
        failed: 0,
        excepted,
    };
    assert_eq!(summary, all_hold);
    assert_eq!(lines, SCENARIOS.len() + 1);
}
