//! All that a driver sees of a channel.

use std::task::Context;
use std::time::Duration;
#[cfg(not(browser))]
use std::time::Instant;

#[cfg(not(browser))]
use bytes::Bytes;
use http::Response;

use talkback_proto::{CloseCause, CloseCode, CloseInfo, Initiator, Message};
#[cfg(not(browser))]
use tokio::runtime;

use crate::channel::lifecycle::Lifecycle;
use crate::channel::outbox::Outgoing;
use crate::channel::state::{Shared, State};
use crate::channel::sync::Arc;
use crate::error::Error;
use crate::socket::{Backlog, PeerClose, SendProgress};

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
    /// There is something to take: messages, the close frame, or a ping.
    pub(crate) send: bool,
    /// There is a ping to take.
    #[cfg(not(browser))]
    pub(crate) ping: bool,
    /// What waits for the program, if its queue is full: no more may be [delivered](Port::deliver) than
    /// what the socket reads ahead.
    pub(crate) backlog: Option<Backlog>,
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
        Wanted::of(&state)
    }

    /// As [`poll_wanted`](Self::poll_wanted), before the connection is open.
    pub(crate) fn poll_unopened(&self, cx: &Context<'_>) -> Unopened {
        let mut state = self.shared.lock();
        state.set_driver(cx);
        match (
            state.outbox.is_close_requested(),
            state.outbox.has_messages(),
        ) {
            (false, _) => Unopened::Wanted,
            (true, true) => Unopened::Closing,
            (true, false) => Unopened::GivenUp,
        }
    }

    /// The connection is open.
    pub(crate) fn opened(
        &self,
        subprotocol: Option<Box<str>>,
        response: Option<Box<Response<()>>>,
    ) {
        let mut state = self.shared.lock();
        state.lifecycle.open(subprotocol, response);
        state.wake_observers();
    }

    /// Takes what the socket is to send next.
    pub(crate) fn take(&self) -> Option<Outgoing> {
        let mut state = self.shared.lock();
        let outgoing = state.outbox.take();
        if matches!(outgoing, Some(Outgoing::Message(..))) {
            state.wake_senders();
        }
        outgoing
    }

    /// Takes the payload of a ping that the socket is to send, before messages.
    #[cfg(not(browser))]
    pub(crate) fn take_ping(&self) -> Option<Bytes> {
        self.shared.lock().pings.take()
    }

    /// Tells those who wait for this pong.
    #[cfg(not(browser))]
    pub(crate) fn answer_ping(&self, pong: &[u8], now: Instant) {
        let mut state = self.shared.lock();
        if state.pings.answer(pong, now) {
            state.wake_senders();
        }
    }

    /// What was taken and not written cannot be written any more.
    pub(crate) fn lose_in_flight(&self) {
        self.shared.lock().outbox.lose_in_flight();
    }

    /// Tells how far what was taken has got, and says what is wanted now.
    pub(crate) fn report(&self, progress: SendProgress, takes: Takes) -> Wanted {
        // Dropped after the lock.
        let _lost;
        let mut state = self.shared.lock();
        let written = state.outbox.written();
        state.outbox.report(progress);
        if state.outbox.written() != written {
            state.wake_senders();
        }
        if let Takes::Nothing(peer_close) = takes
            && !state.outbox.is_close_requested()
            && state.lifecycle.stop_sending(peer_close)
        {
            // What is queued cannot be sent any more.
            _lost = state.outbox.discard_queue();
            state.wake_senders();
            state.wake_observers();
        }
        Wanted::of(&state)
    }

    /// Gives out a message that arrived.
    ///
    /// After a local close data is discarded, though the close frame may still wait behind others.
    pub(crate) fn deliver(&self, message: Message) {
        let mut state = self.shared.lock();
        if !state.outbox.is_close_requested() {
            state.inbox.push(message);
            state.wake_observers();
        }
    }

    /// Tells how long the last ping took to be answered.
    pub(crate) fn set_latency(&self, latency: Duration) {
        self.shared.lock().lifecycle.set_latency(latency);
    }

    /// What closes the channel as its handles do, from a callback.
    #[cfg(browser)]
    pub(crate) fn closer(&self) -> impl Fn() + use<> {
        let shared = Arc::clone(&self.shared);
        move || shared.lock().close(None)
    }

    /// The connection could not be made, or without an error was closed before it was.
    pub(crate) fn not_opened(&self, error: Option<Error>) {
        self.end(|state| state.lifecycle.end_unopened(error));
    }

    /// The connection has ended, and what was taken has got so far.
    pub(crate) fn ended(&self, info: CloseInfo, progress: SendProgress) {
        self.end(|state| {
            state.outbox.report(progress);
            state.lifecycle.end(info);
        });
    }

    /// The driver is about to be started on this runtime.
    #[cfg(not(browser))]
    pub(crate) fn driven_by(&self, runtime: Option<runtime::Id>) {
        self.shared.lock().set_runtime(runtime);
    }

    /// There is nothing that could drive the channel.
    #[cfg(not(browser))]
    pub(crate) fn undriven(&self, why: String) {
        self.end_abnormally(why.into());
    }

    /// The connection had ended before it came to the channel, and its reader was told how.
    #[cfg(not(browser))]
    pub(crate) fn ended_before(&self, info: CloseInfo) {
        self.end(|state| state.lifecycle.end_reported(info));
    }

    /// Whatever drives the channel is gone.
    fn end_abnormally(&self, why: std::sync::Arc<str>) {
        self.end(|state| {
            let cause = match state.lifecycle {
                Lifecycle::Connecting => CloseCause::NotOpened(why),
                _ => CloseCause::Transport(why),
            };
            let info = CloseInfo::abnormal(CloseCode::ABNORMAL, Initiator::Local, cause);
            state.lifecycle.end(info);
        });
    }

    /// What is still queued is lost, and everyone learns it.
    fn end(&self, end: impl FnOnce(&mut State)) {
        // Dropped after the lock.
        let _lost;
        let mut state = self.shared.lock();
        if state.lifecycle.is_ended() {
            return;
        }
        end(&mut state);
        _lost = state.outbox.end();
        state.forget_driver();
        state.wake_senders();
        state.wake_observers();
    }
}

impl Wanted {
    fn of(state: &State) -> Self {
        let close = state.outbox.is_close_requested();
        Self {
            send: state.outbox.has_outgoing() || state.has_pings(),
            #[cfg(not(browser))]
            ping: state.has_pings(),
            // After a local close nobody waits for messages, but they have to pass.
            backlog: state.inbox.backlog().filter(|_| !close),
            close,
        }
    }
}

/// Whether the socket still takes messages.
#[derive(Debug)]
pub(crate) enum Takes {
    Messages,
    /// The peer has closed, as told if it is known how, or the connection fails.
    Nothing(Option<PeerClose>),
}

impl Drop for Port {
    fn drop(&mut self) {
        // A panic is that of a transport or of a callback.
        self.end_abnormally(match std::thread::panicking() {
            true => "the channel's driver panicked".into(),
            false => "there is no runtime any more to drive the channel".into(),
        });
    }
}
