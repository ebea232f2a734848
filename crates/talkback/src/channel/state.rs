//! What a channel's handles and its driver share, behind one lock.
//!
//! It is three things: the [`Outbox`], what waits to go out; the [`Inbox`], what has come in; and the
//! [`Lifecycle`], how far the connection has come and how it ended. Handles and driver meet here, and
//! nobody holds the lock while foreign code runs: wakers are called after it is released.

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use talkback_proto::{CloseFrame, CloseInfo, Compression, Message, SendError};

use crate::channel::inbox::{Inbox, Reading};
use crate::channel::lifecycle::{ChannelState, Lifecycle};
use crate::channel::outbox::{Outbox, Outgoing};
use crate::channel::sync::{Arc, Mutex, MutexGuard};
use crate::channel::wait_list::{WaitFor, WaitList};
use crate::error::{Error, TrySendError};

/// A channel's shared half.
pub(crate) struct Shared {
    state: Mutex<State>,
}

/// What the lock guards.
#[derive(Debug, Default)]
pub(crate) struct State {
    outbox: Outbox,
    inbox: Inbox,
    lifecycle: Lifecycle,
    /// Counts what snapshots show.
    version: u64,
    driver: Option<Waker>,
    waits: WaitList,
}

/// A guard that wakes, after the lock is gone, whoever has to know what was changed under it.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    state: Option<MutexGuard<'a, State>>,
    wake: VecDeque<Waker>,
}

/// Shows no message: one may be a secret.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock().channel_state();
        f.debug_struct("Shared")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.state
            .as_ref()
            .expect("the lock is held until the guard is dropped")
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.state
            .as_mut()
            .expect("the lock is held until the guard is dropped")
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.state = None;
        for waker in self.wake.drain(..) {
            waker.wake();
        }
    }
}

impl Shared {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::default()),
        })
    }

    /// Locks the state. No code of others runs under the lock, so a poisoned one is whole.
    pub(crate) fn lock(&self) -> Locked<'_> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Locked {
            state: Some(state),
            wake: VecDeque::new(),
        }
    }
}

impl Locked<'_> {
    fn wake_driver(&mut self) {
        let waker = self.driver.take();
        self.wake.extend(waker);
    }

    /// Wakes everyone who waits to send, or for what was sent.
    fn wake_senders(&mut self) {
        let wakers = self.waits.take(WaitFor::Sending);
        self.wake.extend(wakers);
    }

    /// Wakes everyone who looks at the channel from outside.
    fn wake_observers(&mut self) {
        self.version += 1;
        let receiver = self.inbox.take_receiver();
        let wakers = self.waits.take(WaitFor::Change);
        self.wake.extend(receiver);
        self.wake.extend(wakers);
    }

    // ── For the handles ──────────────────────────────────────────────────────────────────────

    /// Queues a message, if the channel takes it.
    pub(crate) fn try_send(
        &mut self,
        message: Message,
        compression: Compression,
    ) -> Result<(), TrySendError> {
        if self.is_send_refused() {
            return Err(TrySendError::Closed(message));
        }
        if !self.outbox.has_capacity() {
            return Err(TrySendError::Full(message));
        }
        self.outbox.push(message, compression);
        self.wake_driver();
        Ok(())
    }

    /// Queues a message, capacity or not, for a sink that has found some before.
    pub(crate) fn push_outgoing(&mut self, message: Message) -> Result<(), Error> {
        if self.is_send_refused() {
            return Err(self.send_error());
        }
        self.outbox.push(message, Compression::Auto);
        self.wake_driver();
        Ok(())
    }

    /// Begins to close, unless that has happened before.
    pub(crate) fn close(&mut self, frame: Option<CloseFrame>) {
        if self.is_send_refused() {
            return;
        }
        self.outbox.request_close(frame);
        self.wake_senders();
        self.wake_observers();
        self.wake_driver();
    }

    /// Changes what becomes of messages that arrive.
    pub(crate) fn set_reading(&mut self, reading: Reading) {
        self.inbox.set_reading(reading);
        self.wake_driver();
    }

    /// The next message, or the end: the error first, once.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        let was_full = !self.inbox.has_capacity();
        if let Some(message) = self.inbox.pop() {
            if was_full {
                self.wake_driver();
            }
            return Poll::Ready(Some(Ok(message)));
        }
        if !self.is_ended() {
            self.inbox.set_receiver(cx);
            return Poll::Pending;
        }
        Poll::Ready(self.lifecycle.read_error().map(Err))
    }

    // ── For the driver's port ────────────────────────────────────────────────────────────────

    /// The connection is open.
    pub(crate) fn open(&mut self, protocol: Option<Box<str>>) {
        self.lifecycle.open(protocol);
        self.wake_observers();
    }

    /// Takes what the socket is to send next.
    pub(crate) fn take_outgoing(&mut self) -> Option<Outgoing> {
        let outgoing = self.outbox.take();
        if matches!(outgoing, Some(Outgoing::Message(..))) {
            self.wake_senders();
        }
        outgoing
    }

    /// Learns how far what was taken has got; see [`Outbox::report`].
    pub(crate) fn report_offsets(&mut self, end: u64, written: u64, socket_bytes: usize) {
        let before = self.outbox.written();
        self.outbox.report(end, written, socket_bytes);
        if self.outbox.written() != before {
            self.wake_senders();
        }
    }

    /// What was taken and not written cannot be written any more.
    pub(crate) fn lose_in_flight(&mut self) {
        self.outbox.lose_in_flight();
    }

    /// The peer has closed or the connection is failing: what is queued cannot be sent any more.
    pub(crate) fn stop_sending(&mut self) {
        if self.lifecycle.stop_sending() {
            self.outbox.discard_queue();
            self.wake_senders();
            self.wake_observers();
        }
    }

    /// Gives out a message that arrived.
    ///
    /// After a local close data is discarded, though the close frame may still wait behind others.
    pub(crate) fn deliver(&mut self, message: Message) {
        if !self.is_close_requested() {
            self.inbox.push(message);
            self.wake_observers();
        }
    }

    pub(crate) fn set_latency(&mut self, latency: Duration) {
        self.lifecycle.set_latency(latency);
    }

    /// The channel has ended: what is still queued is lost, and everyone learns it.
    pub(crate) fn end(&mut self, info: CloseInfo) {
        self.end_by(|lifecycle| lifecycle.end(info));
    }

    /// The connection could not be made, or without an error was closed before it was.
    pub(crate) fn end_unopened(&mut self, error: Option<Error>) {
        self.end_by(|lifecycle| lifecycle.end_unopened(error));
    }

    fn end_by(&mut self, end: impl FnOnce(&mut Lifecycle)) {
        if self.is_ended() {
            return;
        }
        end(&mut self.lifecycle);
        self.outbox.end();
        self.driver = None;
        self.wake_senders();
        self.wake_observers();
    }
}

impl State {
    /// Whether messages are refused: an end has begun to close, or the channel has ended.
    pub(crate) fn is_send_refused(&self) -> bool {
        let is_connected = matches!(self.lifecycle, Lifecycle::Connecting | Lifecycle::Open(_));
        self.is_close_requested() || !is_connected
    }

    /// Whether this end has begun to close.
    pub(crate) fn is_close_requested(&self) -> bool {
        self.outbox.is_close_requested()
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.lifecycle.is_ended()
    }

    pub(crate) fn has_queued(&self) -> bool {
        self.outbox.has_messages()
    }

    /// Whether there is something for the driver to take.
    pub(crate) fn has_outgoing(&self) -> bool {
        self.outbox.has_outgoing()
    }

    /// Whether messages may come: there is capacity for them, or nobody waits for them.
    pub(crate) fn may_receive(&self) -> bool {
        self.inbox.has_capacity() || self.is_close_requested()
    }

    /// Sets who is woken when there is something for the driver to do.
    pub(crate) fn set_driver(&mut self, cx: &Context<'_>) {
        match &mut self.driver {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.driver = Some(cx.waker().clone()),
        }
    }

    /// How far the channel has come, as its handles tell it.
    pub(crate) fn channel_state(&self) -> ChannelState {
        match self.lifecycle {
            Lifecycle::Ended(_) => ChannelState::Closed,
            Lifecycle::Closing(_) => ChannelState::Closing,
            _ if self.is_close_requested() => ChannelState::Closing,
            Lifecycle::Connecting => ChannelState::Connecting,
            Lifecycle::Open(_) => ChannelState::Open,
        }
    }

    pub(crate) fn protocol(&self) -> Option<&str> {
        self.lifecycle.protocol()
    }

    pub(crate) fn close_info(&self) -> Option<&CloseInfo> {
        self.lifecycle.close_info()
    }

    /// What went wrong, if something did.
    pub(crate) fn error(&self) -> Option<&Error> {
        self.lifecycle.error()
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        self.lifecycle.latency()
    }

    /// The bytes of payload that wait to be written, and what the socket holds of them.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.outbox.buffered_bytes()
    }

    pub(crate) fn has_send_capacity(&self) -> bool {
        self.outbox.has_capacity()
    }

    /// How many messages were ever queued.
    pub(crate) fn queued(&self) -> u64 {
        self.outbox.queued()
    }

    /// How many of them are written.
    pub(crate) fn written(&self) -> u64 {
        self.outbox.written()
    }

    /// How `ready` ends, once it is known.
    pub(crate) fn readiness(&self) -> Option<Result<(), Error>> {
        self.lifecycle.readiness()
    }

    /// Why nothing can be sent any more.
    pub(crate) fn send_error(&self) -> Error {
        let error = self.error().cloned();
        error.unwrap_or(Error::Send(SendError::Closed))
    }

    /// Grows with each change that a snapshot shows.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Whether a message ever came.
    pub(crate) fn has_data(&self) -> bool {
        self.inbox.has_data()
    }

    /// The newest message, while somebody looks at snapshots.
    pub(crate) fn latest(&self) -> Option<&Message> {
        self.inbox.latest()
    }

    pub(crate) fn add_watcher(&mut self) {
        self.inbox.add_watcher();
    }

    pub(crate) fn remove_watcher(&mut self) {
        self.inbox.remove_watcher();
    }

    /// Has a future woken at the next change of this kind.
    pub(crate) fn wait(&mut self, key: &mut WaitKey, what: WaitFor, cx: &Context<'_>) {
        self.waits.register(&mut key.key, what, cx);
    }
}

/// A future's place among those who wait; given up when it is dropped.
#[derive(Debug)]
pub(crate) struct WaitKey {
    shared: Arc<Shared>,
    key: Option<u64>,
}

impl WaitKey {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, key: None }
    }
}

impl Drop for WaitKey {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.shared.lock().waits.remove(key);
        }
    }
}
