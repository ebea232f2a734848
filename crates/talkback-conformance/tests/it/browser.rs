//! The backend of a page: the server is in another process.

use std::sync::LazyLock;
use std::time::Duration;

use futures_util::future::{BoxFuture, LocalBoxFuture};
use gloo_timers::future::TimeoutFuture;
use talkback::{Connect, Error, WebSocketChannel};
use talkback_conformance::{
    Backend, Behaviour, Capabilities, Exception, Expected, Options, SocketStage,
};

/// The browsers' rules for a page, by the scenarios that do not hold for them.
const EVERYWHERE: &[Exception] = &[
    hidden("connecting::fails_on_200_in_place_of_101"),
    hidden("connecting::tells_the_status_and_body_of_404"),
    hidden("connecting::tells_the_status_and_body_of_401"),
    Exception {
        scenario: "queue::makes_the_peer_wait_for_a_reader",
        reason: "a browser hands out messages as they come: a page cannot make the server wait. \
                 `resources::more_than_a_page_may_keep_ends_the_channel` holds what happens",
        expected: Expected::Either,
    },
    Exception {
        scenario: "queue::tells_of_a_close_behind_unread_messages",
        reason: "a browser tells the code once the connection has ended; until then a send is refused \
                 without it. `hostile::an_end_is_told_to_one_who_does_not_read` holds the rest",
        expected: Expected::Either,
    },
    Exception {
        scenario: "reconnecting_queue::re71_flush_tells_of_what_was_in_flight",
        reason: "a browser tells a page how much it has taken off its hands, which may be all of a large message \
                 that never left the machine",
        expected: Expected::Either,
    },
];

/// Chromium's own.
const CHROMIUM: &[Exception] = &[fails(
    "subprotocols::none_chosen_opens_without",
    "Chromium fails a connection whose server chose none of the subprotocols offered",
)];

/// Firefox's own.
const FIREFOX: &[Exception] = &[
    fails(
        "peer_errors::masked_frame",
        "Firefox takes a server's frame that is masked",
    ),
    fails(
        "peer_errors::close_body_of_one_byte",
        "Firefox takes a close frame with a body of one byte for one without a code",
    ),
    fails(
        "subprotocols::one_chosen_though_none_was_offered_fails",
        "Firefox looks at a server's choice only if something was offered, and does not tell a page of it",
    ),
    stalls("reconnecting_handles::re36_dropped_while_it_tries_it_closes_the_socket"),
    stalls("reconnecting_handles::re81_a_pause_lasts_until_it_is_ended"),
];

/// One whose server never answers a try, which the channel then gives up.
const fn stalls(scenario: &'static str) -> Exception {
    Exception {
        scenario,
        reason: "Firefox goes on with a connection that the page has closed before it was open, and has the next \
                 ones to that address wait behind it (RFC 6455 §4.1)",
        expected: Expected::Either,
    }
}

const fn hidden(scenario: &'static str) -> Exception {
    fails(
        scenario,
        "a browser hides from a page whether and how the server answered: no status, no headers, no body",
    )
}

const fn fails(scenario: &'static str, reason: &'static str) -> Exception {
    Exception {
        scenario,
        reason,
        expected: Expected::Failure,
    }
}

/// Those of the browser that this runs in.
static EXCEPTIONS: LazyLock<Vec<Exception>> = LazyLock::new(|| {
    let own = if is_firefox() { FIREFOX } else { CHROMIUM };
    [EVERYWHERE, own].concat()
});

/// Whether this runs in Firefox, on a page or in a worker.
pub(crate) fn is_firefox() -> bool {
    let is_firefox = js_sys::eval("navigator.userAgent.includes('Firefox/')");
    is_firefox.is_ok_and(|is_firefox| is_firefox.is_truthy())
}

/// Where the server listens: `ws://127.0.0.1:port/`, told when this is compiled, as a page has no
/// environment. `cargo xtask test browser` does.
const SERVER: Option<&str> = option_env!("TALKBACK_CONFORMANCE_URL");

/// Channels of this page.
pub(crate) struct Page;

impl Page {
    /// The way to a server that behaves so.
    pub(crate) fn connect(behaviour: &Behaviour) -> Connect {
        talkback::connect(Self::url(behaviour))
    }

    /// Its URL.
    pub(crate) fn url(behaviour: &Behaviour) -> String {
        let server =
            SERVER.expect("TALKBACK_CONFORMANCE_URL, the conformance-server's, was not set");
        format!("{}{}", server.trim_end_matches('/'), behaviour.target())
    }
}

impl Backend for Page {
    fn capabilities(&self) -> Capabilities {
        match is_firefox() {
            true => Capabilities::FIREFOX,
            false => Capabilities::CHROMIUM,
        }
    }

    fn exceptions(&self) -> &[Exception] {
        &EXCEPTIONS
    }

    fn connect(&self, behaviour: &Behaviour) -> Connect {
        Self::connect(behaviour)
    }

    fn open(&self, behaviour: &Behaviour, options: Options) -> WebSocketChannel {
        let mut connect = Self::connect(behaviour).limits(options.limits);
        for name in options.subprotocols {
            connect = connect.subprotocol(name);
        }
        if let Some(timeout) = options.timeout {
            connect = connect.timeout(timeout);
        }
        connect.channel()
    }

    /// There is no bare socket on a page: the channel itself is brought to the stage.
    fn wrap<'a>(
        &'a self,
        behaviour: &'a Behaviour,
        stage: SocketStage,
    ) -> LocalBoxFuture<'a, Result<WebSocketChannel, Error>> {
        Box::pin(async move {
            let channel = Self::connect(behaviour).channel();
            if stage != SocketStage::Connecting {
                channel.ready().await?;
            }
            if stage == SocketStage::Closed {
                channel.close().await?;
            }
            Ok(channel)
        })
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        wasm_bindgen_futures::spawn_local(task);
    }

    fn sleep(&self, time: Duration) -> LocalBoxFuture<'static, ()> {
        let milliseconds = u32::try_from(time.as_millis()).expect("less than 24 days");
        Box::pin(TimeoutFuture::new(milliseconds))
    }
}
