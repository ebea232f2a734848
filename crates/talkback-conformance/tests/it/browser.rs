//! The backend of a page: the server is in another process.

use std::time::Duration;

use futures_util::future::{BoxFuture, LocalBoxFuture};
use gloo_timers::future::TimeoutFuture;
use talkback::{Connect, Error, WebSocketChannel};
use talkback_conformance::{Backend, Behaviour, Capabilities, Exception, Options, SocketStage};

/// Chromium's rules for a page, by the scenarios that they keep from running.
const EXCEPTIONS: &[Exception] = &[
    hidden("connecting::fails_on_200_in_place_of_101"),
    hidden("connecting::tells_the_status_and_body_of_404"),
    hidden("connecting::tells_the_status_and_body_of_401"),
    Exception {
        scenario: "connecting::then_a_reset_is_one_error",
        reason: "a reset, which the system may report before the 101 that came with it, is to a \
                 page a connection that ended; `then_losing_the_peer_is_one_error` holds that",
    },
    Exception {
        scenario: "subprotocols::none_chosen_opens_without",
        reason: "Chromium fails a connection whose server chose none of the subprotocols offered",
    },
    Exception {
        scenario: "queue::makes_the_peer_wait_for_a_reader",
        reason: "a browser hands out messages as they come: a page cannot make the server wait",
    },
    Exception {
        scenario: "queue::tells_of_a_close_behind_unread_messages",
        reason: "a browser tells the code when TCP has ended; until then a send is refused without \
                 it. `hostile::an_end_is_told_to_one_who_does_not_read` holds the rest",
    },
];

const fn hidden(scenario: &'static str) -> Exception {
    Exception {
        scenario,
        reason: "a browser hides from a page whether and how the server answered: no status, no \
                 headers, no body",
    }
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
        Capabilities::CONNECT
    }

    fn exceptions(&self) -> &[Exception] {
        EXCEPTIONS
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
