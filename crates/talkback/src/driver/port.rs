//! All that a driver sees of a channel.

use std::task::Context;
use std::time::Duration;

use talkback_proto::{CloseCause, CloseCode, CloseInfo, Initiator, Message};

use crate::channel::outbox::Outgoing;
use crate::channel::state::Shared;
use crate::channel::sync::Arc;
use crate::driver::socket::SendProgress;
use crate::error::Error;

/// A channel, as its driver sees it.
///
/// A driver that is dropped, as when a runtime shuts down, drops its port, which ends the channel.
#[derive(Debug)]
pub(crate) struct Port {
    shared: Arc<Shared>,
}

/// What a channel wants of a driver now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// There is something to [`take`](Port::take).
    pub(crate) send: bool,
    /// A message may be [delivered](Port::deliver).
    pub(crate) receive: bool,
    /// This end closes, though its close frame may still wait.
    pub(crate) close: bool,
}

/// What becomes of a channel that is not open yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// It is to be opened.
    Wanted,
    /// It was closed, and has messages to be sent within the close timeout.
    Closing,
    /// It was closed, and nothing is left to be done.
    GivenUp,
}

impl Port {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Has the driver woken when the channel wants something of it, and says what it wants now.
    pub(crate) fn poll_wanted(&self, cx: &Context<'_>) -> Wanted {
        let mut state = self.shared.lock();
        state.set_driver(cx);
        Wanted {
            send: state.has_outgoing(),
            receive: state.may_receive(),
            close: state.is_close_requested(),
        }
    }

    /// As [`poll_wanted`](Self::poll_wanted), before the connection is open.
    pub(crate) fn poll_unopened(&self, cx: &Context<'_>) -> Unopened {
        let mut state = self.shared.lock();
        state.set_driver(cx);
        match (state.is_close_requested(), state.has_queued()) {
            (false, _) => Unopened::Wanted,
            (true, true) => Unopened::Closing,
            (true, false) => Unopened::GivenUp,
        }
    }

    /// The connection is open.
    pub(crate) fn opened(&self, subprotocol: Option<Box<str>>) {
        self.shared.lock().open(subprotocol);
    }

    /// Takes what the socket is to send next.
    pub(crate) fn take(&self) -> Option<Outgoing> {
        self.shared.lock().take_outgoing()
    }

    /// What was taken and not written cannot be written any more.
    pub(crate) fn lose_in_flight(&self) {
        self.shared.lock().lose_in_flight();
    }

    /// Tells how far what was taken has got, and says what is wanted now.
    pub(crate) fn report(&self, progress: SendProgress, takes: Takes) -> Wanted {
        let mut state = self.shared.lock();
        state.report_offsets(progress.end, progress.written, progress.buffered);
        if takes == Takes::Nothing && !state.is_close_requested() {
            state.stop_sending();
        }
        Wanted {
            send: state.has_outgoing(),
            receive: state.may_receive(),
            close: state.is_close_requested(),
        }
    }

    /// Gives out a message that arrived.
    pub(crate) fn deliver(&self, message: Message) {
        self.shared.lock().deliver(message);
    }

    /// Tells how long the last ping took to be answered.
    pub(crate) fn set_latency(&self, latency: Duration) {
        self.shared.lock().set_latency(latency);
    }

    /// What closes the channel as its handles do, from a callback.
    #[cfg(browser)]
    pub(crate) fn closer(&self) -> impl Fn() + use<> {
        let shared = Arc::clone(&self.shared);
        move || shared.lock().close(None)
    }

    /// The connection could not be made, or without an error was closed before it was.
    pub(crate) fn not_opened(&self, error: Option<Error>) {
        self.shared.lock().end_unopened(error);
    }

    /// The connection has ended.
    pub(crate) fn ended(&self, info: CloseInfo) {
        self.shared.lock().end(info);
    }
}

/// Whether the socket still takes messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Messages,
    /// The peer has closed, or the connection fails.
    Nothing,
}

impl Drop for Port {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if !state.is_ended() {
            let cause =
                CloseCause::Transport("there is no runtime any more to drive the channel".into());
            let info = CloseInfo::abnormal(CloseCode::ABNORMAL, Initiator::Local, cause);
            state.end(info);
        }
    }
}
