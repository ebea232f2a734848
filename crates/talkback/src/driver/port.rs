//! All that a driver sees of a channel.

pub(crate) mod reconnecting;

use std::mem;
use std::task::{Context, Poll};
use std::time::Duration;

#[cfg(not(browser))]
use bytes::Bytes;
use http::Response;

#[cfg(all(feature = "server", not(browser)))]
use talkback_proto::CloseFrame;
use talkback_proto::{CloseCause, CloseCode, CloseInfo, Initiator};

use crate::channel::buffers::Messages;
use crate::channel::lifecycle::Lifecycle;
use crate::channel::outbox::Outgoing;
#[cfg(not(browser))]
use crate::channel::outbox::Progress;
use crate::channel::queue::Load;
use crate::channel::state::{Locked, Shared, State};
use crate::channel::sync::Arc;
#[cfg(not(browser))]
use crate::channel::sync::Ordering;
use crate::error::Error;
use crate::panicking::is_panicking;
use crate::reconnect::lost::LostCause;
#[cfg(not(browser))]
use crate::runtime::Runtime;
use crate::socket::{Backlog, PeerClose, SendProgress};
#[cfg(not(browser))]
use crate::timer;

/// A channel, as its driver sees it.
///
/// A driver that is dropped, as when a runtime shuts down, drops its port, which ends the channel.
#[derive(Debug)]
pub(crate) struct Port {
    shared: Arc<Shared>,
}

/// What a driver passes to its channel and gets from it, each time that it crosses the lock.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// What came. What is left of it afterwards nobody wants.
    pub(crate) received: Messages,
    /// A pong that came behind it.
    #[cfg(not(browser))]
    pub(crate) pong: Option<Bytes>,
    /// Whether what was taken and not written cannot be written any more.
    pub(crate) is_lost: bool,
    /// The payloads of pings that the socket is to send first.
    #[cfg(not(browser))]
    pub(crate) pings: Vec<Bytes>,
    /// What it is to send then.
    pub(crate) outgoing: Outgoing,
}

/// What a driver tells of its socket.
#[derive(Debug)]
pub(crate) struct Told {
    /// How far what was taken has got.
    pub(crate) progress: SendProgress,
    /// How many bytes the socket takes now.
    pub(crate) send_capacity: usize,
    pub(crate) takes: Takes,
    /// How long the last ping took to be answered.
    pub(crate) latency: Option<Duration>,
}

/// What a channel wants of a driver.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    /// How full the program's queue is, if it has one.
    pub(crate) load: Option<Load>,
    /// This end closes, though its close frame may still wait.
    pub(crate) close: bool,
    /// It discards what comes.
    pub(crate) discard: bool,
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

    /// Whether the channel wants nothing of its driver, which sleeps for all that it knows: an exchange that
    /// passes on nothing can be spared. If that changes meanwhile, the driver is woken.
    #[inline]
    pub(crate) fn is_content(&self) -> bool {
        self.shared.is_driver_asleep()
    }

    /// Whether something may have happened to the socket since this was asked last.
    #[inline]
    pub(crate) fn take_due(&self) -> bool {
        #[cfg(not(browser))]
        return self.shared.take_pump_due();
        // Its callbacks wake the driver, and so does the channel.
        #[cfg(browser)]
        return true;
    }

    /// Passes on what came, takes what is to be sent, and says what is wanted now.
    ///
    /// A driver that has done what was `wanted` before, and can do no more, `is_done`. `Pending` says that
    /// nothing else is wanted by now, and that it is woken once something is.
    pub(crate) fn poll_exchange(
        &self,
        exchange: &mut Exchange,
        told: Told,
        wanted: &mut Wanted,
        is_done: bool,
    ) -> Poll<()> {
        // Dropped after the lock.
        let mut _lost;
        let mut state = self.shared.lock();
        if Self::is_given_up(&state) {
            // Its loop takes it away, once nobody polls it.
            return Poll::Pending;
        }
        if mem::take(&mut exchange.is_lost) {
            state.outbox.lose_in_flight();
        }
        let written = state.outbox.written();
        state.outbox.report(told.progress);
        let mut wakes_senders = state.outbox.written() != written;
        if wakes_senders {
            let connection = state.connections();
            state.outbox.settle_written(connection);
        }
        let mut send_capacity = told.send_capacity;
        if let Takes::Nothing(peer_close) = told.takes
            && !state.outbox.is_close_requested()
        {
            if state.reconnection.is_some() {
                // What is queued is for the next connection.
                send_capacity = 0;
            } else if state.lifecycle.stop_sending(peer_close) {
                // What is queued cannot be sent any more.
                _lost = state.outbox.discard_queue();
                wakes_senders = true;
                state.wake_observers();
            }
        }
        state.deliver(&mut exchange.received);
        if let Some(latency) = told.latency {
            state.lifecycle.set_latency(latency);
        }
        #[cfg(not(browser))]
        if exchange.pong.is_some() || state.pings.has_queued() {
            wakes_senders |= state.exchange_pings(exchange, send_capacity);
        }
        wakes_senders |= state.take_outgoing(send_capacity, &mut exchange.outgoing);
        if wakes_senders {
            state.wake_senders();
        }
        let before = std::mem::replace(wanted, Wanted::of(&state));
        if exchange.has_outgoing() || !is_done || wanted.differs(before) {
            state.note_driver_awake();
            return Poll::Ready(());
        }
        state.note_driver_asleep();
        Poll::Pending
    }

    /// Whom to wake when there is something for the driver to do.
    #[cfg(browser)]
    pub(crate) fn set_driver(&self, cx: &Context<'_>) {
        self.shared.lock().set_driver(cx);
    }

    /// A message of this size went to the socket without passing through the queue.
    #[cfg(not(browser))]
    #[inline]
    pub(crate) fn note_sent(&self, size: usize, progress: Progress) {
        let mut state = self.shared.lock();
        let progress = match progress {
            // The loop takes the connection away just now, and nobody reports of it any more.
            Progress::Unwritten | Progress::Lost if Self::is_given_up(&state) => Progress::Written,
            progress => progress,
        };
        state.outbox.note_sent(size, progress);
    }

    /// Passes on what came before the end.
    pub(crate) fn exchange_last(&self, exchange: &mut Exchange) {
        let mut state = self.shared.lock();
        if Self::is_given_up(&state) {
            return;
        }
        if exchange.is_lost {
            state.outbox.lose_in_flight();
        }
        state.deliver(&mut exchange.received);
    }

    /// Has the driver woken when something changes before the connection is open, and says what is wanted
    /// now.
    pub(crate) fn poll_unopened(&self, cx: &Context<'_>) -> Unopened {
        let mut state = self.shared.lock();
        state.set_driver(cx);
        state.note_driver_asleep();
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
        if state.lifecycle.is_ended() {
            return;
        }
        if let Some(reconnection) = &mut state.reconnection {
            reconnection.open(subprotocol.clone());
        }
        state.lifecycle.open(subprotocol, response);
        state.wake_observers();
    }

    /// What closes the channel as its handles do, from a callback.
    #[cfg(browser)]
    pub(crate) fn closer(&self) -> impl Fn() + use<> {
        let shared = Arc::clone(&self.shared);
        move || shared.lock().close(None)
    }

    /// Closes the channel, which receives on until its peer has closed.
    #[cfg(all(feature = "server", not(browser)))]
    pub(crate) fn half_close(&self, frame: Box<CloseFrame>) {
        self.shared.lock().half_close(frame);
    }

    /// The connection could not be made, or without an error was closed before it was.
    pub(crate) fn not_opened(&self, error: Option<Error>) {
        self.end(|state| state.lifecycle.end_unopened(error));
    }

    /// The connection has ended, and what was taken has got so far.
    pub(crate) fn ended(&self, info: CloseInfo, progress: SendProgress) {
        if self.reconnects() && self.lose(LostCause::Closed(info.clone()), Some(progress)) {
            return;
        }
        self.end(|state| {
            state.outbox.report(progress);
            state.lifecycle.end(info);
        });
    }

    /// The driver is about to be started on this runtime.
    #[cfg(not(browser))]
    pub(crate) fn driven_by(&self, runtime: &Runtime) {
        let is_background = runtime.is_background();
        self.shared
            .is_background
            .store(is_background, Ordering::Relaxed);
        self.shared.lock().set_runtime(runtime.id());
    }

    /// The channel itself, for the task that attends to it.
    #[cfg(not(browser))]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
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

    /// What drives the channel was dropped.
    fn end_dropped(&self) {
        // A panic is that of a transport or of a callback.
        self.end_abnormally(match is_panicking() {
            true => "the channel's driver panicked".into(),
            false => "there is no runtime any more to drive the channel".into(),
        });
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
        let connection = state.connections();
        state.outbox.settle_taken(connection);
        _lost = state.outbox.end();
        if !state.is_attended() {
            state.forget_driver();
        }
        state.wake_senders();
        state.wake_observers();
    }
}

impl Locked<'_> {
    /// Gives out what arrived, in order, and leaves what nobody wants.
    ///
    /// After the program's own close data is discarded, though the close frame may still wait behind others.
    fn deliver(&mut self, received: &mut Messages) {
        if !received.is_empty() && !self.outbox.is_discarding() {
            let is_queued = self.inbox.load().is_some();
            if let Some(reconnection) = &mut self.reconnection
                && is_queued
            {
                reconnection.marks.note_queued(received.iter().count());
            }
            self.inbox.append(received);
            self.wake_observers();
        }
    }

    /// Passes on a pong and takes the pings that are to be sent; whether somebody waits for that pong.
    #[cfg(not(browser))]
    #[cold]
    fn exchange_pings(&mut self, exchange: &mut Exchange, send_capacity: usize) -> bool {
        let pong = exchange.pong.take();
        let is_answer = pong.is_some_and(|pong| self.pings.answer(&pong, timer::now()));
        if send_capacity > 0 {
            exchange
                .pings
                .extend(std::iter::from_fn(|| self.pings.take()));
        }
        is_answer
    }
}

impl Exchange {
    /// Whether there is more for the socket than messages.
    #[inline]
    pub(crate) fn is_unusual(&self) -> bool {
        #[cfg(not(browser))]
        if !self.pings.is_empty() {
            return true;
        }
        self.is_lost || self.outgoing.close.is_some()
    }

    /// Whether there is nothing to be passed on.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        #[cfg(not(browser))]
        if self.pong.is_some() {
            return false;
        }
        self.received.is_empty() && !self.is_lost
    }

    fn has_outgoing(&self) -> bool {
        #[cfg(not(browser))]
        if !self.pings.is_empty() {
            return true;
        }
        !self.outgoing.is_empty()
    }
}

impl Wanted {
    fn of(state: &State) -> Self {
        let discard = state.outbox.is_discarding();
        Self {
            // Nobody waits for messages then, but they have to pass.
            load: state.inbox.load().filter(|_| !discard),
            close: state.outbox.is_close_requested(),
            discard,
        }
    }

    /// Whether the channel closes, or is held up by its reader.
    #[inline]
    pub(crate) fn is_unusual(&self) -> bool {
        self.close || self.backlog().is_some()
    }

    /// What waits for the program, if its queue is full.
    pub(crate) fn backlog(&self) -> Option<Backlog> {
        self.load.as_ref().and_then(Load::backlog)
    }

    /// Whether a driver that has done what was wanted `before` has more to do.
    fn differs(&self, before: Self) -> bool {
        (self.close, self.discard) != (before.close, before.discard)
            || (before.backlog().is_some() && self.backlog() != before.backlog())
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
        // The loop drops a connection when it has done with it, and ends the channel itself.
        if self.reconnects() && !is_panicking() {
            return;
        }
        self.end_dropped();
    }
}
