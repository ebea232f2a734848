//! What a channel's handles and its driver share: two bounded queues and how far it has come.

use std::collections::VecDeque;
use std::fmt;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use talkback_proto::{
    CloseCause, CloseCode, CloseFrame, CloseInfo, Compression, Initiator, Message,
};

use crate::channel::queue::Queue;
use crate::channel::sync::{Arc, Mutex, MutexGuard};
use crate::channel::waiters::Waiters;
use crate::error::{Error, TrySendError};

/// How far a channel has come.
///
/// ```text
///  Connecting ──▶ Open ──▶ Closing ──▶ Closed
///      │            └─────────────────────▲
///      └──────────────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelState {
    /// The connection is being made; messages are queued.
    Connecting,
    /// Messages pass in both directions.
    Open,
    /// This end has begun to close; nothing can be sent any more.
    Closing,
    /// The connection has ended, or could not be made.
    Closed,
}

/// What becomes of messages that arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// They wait in the queue for the receiver.
    Queue,
    /// Only the newest is kept, for snapshots.
    Latest,
    /// Nobody wants them.
    Discard,
}

/// A channel's shared half.
pub(crate) struct Shared {
    state: Mutex<State>,
}

/// Shows no message: one may be a secret.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock().connection();
        f.debug_struct("Shared")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

/// What the lock guards.
#[derive(Debug)]
pub(crate) struct State {
    connection: ChannelState,
    outgoing: Queue,
    /// How many messages were ever queued, handed to the socket, and written by it.
    queued: u64,
    taken: u64,
    written: u64,
    /// Whether a message was taken that could not be sent.
    is_lost: bool,
    /// Bytes that the socket holds.
    socket_bytes: usize,
    incoming: Queue,
    reading: Reading,
    /// The close frame to send once the queue is empty.
    close: Option<Option<CloseFrame>>,
    /// Whether the driver has the close frame.
    is_close_taken: bool,
    /// Handles that keep the channel open.
    handles: usize,
    protocol: Option<Box<str>>,
    /// Whether the connection was ever open.
    was_open: bool,
    end: Option<CloseInfo>,
    error: Option<Error>,
    is_error_reported: bool,
    latency: Option<Duration>,
    latest: Option<Message>,
    /// Whether a message ever came.
    has_data: bool,
    /// How many look at snapshots.
    watchers: usize,
    /// Whether the connection takes no more messages, by the peer's doing.
    is_refusing: bool,
    version: u64,
    driver: Option<Waker>,
    receiver: Option<Waker>,
    /// Those who wait for a change of state, a snapshot or the end.
    changes: Waiters,
    /// Those who wait for room in the queue, or for it to be written.
    senders: Waiters,
}

/// What the driver is to do next.
#[derive(Debug)]
pub(crate) enum Order {
    /// Send this.
    Send(Message, Compression),
    /// Begin the closing handshake.
    Close(Option<CloseFrame>),
    /// Nothing.
    Wait,
}

/// A guard that wakes, after the lock is gone, whoever has to know what was changed under it.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    state: Option<MutexGuard<'a, State>>,
    wake: VecDeque<Waker>,
}

impl std::ops::Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.state
            .as_ref()
            .expect("the lock is held until the guard is dropped")
    }
}

impl std::ops::DerefMut for Locked<'_> {
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
        let state = State {
            connection: ChannelState::Connecting,
            outgoing: Queue::default(),
            queued: 0,
            taken: 0,
            written: 0,
            is_lost: false,
            socket_bytes: 0,
            incoming: Queue::default(),
            reading: Reading::Queue,
            close: None,
            is_close_taken: false,
            handles: 0,
            protocol: None,
            was_open: false,
            end: None,
            error: None,
            is_error_reported: false,
            latency: None,
            latest: None,
            has_data: false,
            watchers: 0,
            is_refusing: false,
            version: 0,
            driver: None,
            receiver: None,
            changes: Waiters::default(),
            senders: Waiters::default(),
        };
        Arc::new(Self {
            state: Mutex::new(state),
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

    fn wake_senders(&mut self) {
        let wakers = self.senders.take();
        self.wake.extend(wakers);
    }

    /// Wakes everyone who looks at the channel from outside.
    fn wake_observers(&mut self) {
        self.version += 1;
        let receiver = self.receiver.take();
        let changes = self.changes.take();
        self.wake.extend(receiver);
        self.wake.extend(changes);
    }

    // ── For the handles ──────────────────────────────────────────────────────────────────────

    /// Queues a message, if the channel takes it.
    pub(crate) fn try_send(
        &mut self,
        message: Message,
        compression: Compression,
    ) -> Result<(), TrySendError> {
        if self.is_closing() {
            return Err(TrySendError::Closed(message));
        }
        if !self.outgoing.has_room() {
            return Err(TrySendError::Full(message));
        }
        self.outgoing.push(message, compression);
        self.queued += 1;
        self.wake_driver();
        Ok(())
    }

    /// Queues a message, room or not, for a sink that has found room before.
    pub(crate) fn push_outgoing(&mut self, message: Message) -> Result<(), Error> {
        if self.is_closing() {
            return Err(self.send_error());
        }
        self.outgoing.push(message, Compression::Auto);
        self.queued += 1;
        self.wake_driver();
        Ok(())
    }

    /// Begins to close, unless that has happened before.
    pub(crate) fn close(&mut self, frame: Option<CloseFrame>) {
        if self.is_closing() {
            return;
        }
        self.close = Some(frame);
        if self.connection == ChannelState::Open {
            self.connection = ChannelState::Closing;
        }
        self.wake_senders();
        self.wake_observers();
        self.wake_driver();
    }

    pub(crate) fn add_handle(&mut self) {
        self.handles += 1;
    }

    /// Drops a handle; the last one closes.
    pub(crate) fn drop_handle(&mut self) {
        self.handles -= 1;
        if self.handles == 0 {
            self.close(None);
        }
    }

    /// Changes what becomes of messages that arrive.
    pub(crate) fn set_reading(&mut self, reading: Reading) {
        self.reading = reading;
        self.incoming.clear();
        self.receiver = None;
        self.wake_driver();
    }

    /// The next message, or the end: the error first, once.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        let was_full = !self.incoming.has_room();
        if let Some((message, _)) = self.incoming.pop() {
            if was_full {
                self.wake_driver();
            }
            return Poll::Ready(Some(Ok(message)));
        }
        if self.end.is_none() {
            self.receiver = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let is_first = !std::mem::replace(&mut self.is_error_reported, true);
        let error = self.error.clone().filter(|_| is_first);
        Poll::Ready(error.map(Err))
    }

    // ── For the driver ───────────────────────────────────────────────────────────────────────

    pub(crate) fn open(&mut self, protocol: Option<&str>) {
        self.protocol = protocol.map(Into::into);
        self.was_open = true;
        self.connection = match self.close {
            Some(_) => ChannelState::Closing,
            None => ChannelState::Open,
        };
        self.wake_observers();
    }

    /// Tells how many of the messages taken are written, and what the socket still holds.
    pub(crate) fn note_written(&mut self, written: u64, socket_bytes: usize) {
        self.socket_bytes = socket_bytes;
        if self.written != written && !self.is_lost {
            self.written = written;
            self.wake_senders();
        }
    }

    /// How many messages were handed to the driver.
    #[cfg(not(browser))]
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// A message could not be sent; nothing counts as written any more.
    pub(crate) fn note_lost(&mut self) {
        self.is_lost = true;
    }

    /// The next thing to do for the driver, which has room for a message.
    pub(crate) fn next_order(&mut self) -> Order {
        if let Some((message, compression)) = self.outgoing.pop() {
            self.taken += 1;
            self.socket_bytes += message.len();
            self.wake_senders();
            return Order::Send(message, compression);
        }
        match self.close.take() {
            Some(frame) => {
                // It stays set, for it is what closes the channel to senders.
                self.close = Some(frame.clone());
                self.is_close_taken = true;
                Order::Close(frame)
            }
            None => Order::Wait,
        }
    }

    /// Gives out a message that arrived.
    ///
    /// After a local close data is discarded, though the close frame may still wait behind others.
    pub(crate) fn push_incoming(&mut self, message: Message) {
        if self.close.is_some() {
            return;
        }
        self.has_data = true;
        // The last message is kept for those who draw it, and for nobody else.
        let is_drawn = self.watchers > 0 || self.reading == Reading::Latest;
        self.latest = is_drawn.then(|| message.clone());
        if self.reading == Reading::Queue {
            self.incoming.push(message, Compression::Auto);
        }
        self.wake_observers();
    }

    /// The peer has closed or the connection is failing: what is queued cannot be sent any more.
    pub(crate) fn note_not_open(&mut self) {
        if self.is_refusing || self.end.is_some() {
            return;
        }
        self.is_refusing = true;
        self.connection = ChannelState::Closing;
        if self.has_outgoing() {
            self.is_lost = true;
            self.outgoing.clear();
        }
        self.wake_senders();
        self.wake_observers();
    }

    /// Counts those who look at snapshots. The first sees the newest message that is still unread.
    pub(crate) fn add_watcher(&mut self) {
        self.watchers += 1;
        if self.latest.is_none() {
            self.latest = self.incoming.newest().cloned();
        }
    }

    pub(crate) fn drop_watcher(&mut self) {
        self.watchers -= 1;
        if self.watchers == 0 {
            self.latest = None;
        }
    }

    /// A browser sends no pings of ours, and times none.
    #[cfg(not(browser))]
    pub(crate) fn set_latency(&mut self, latency: Duration) {
        self.latency = Some(latency);
    }

    /// The channel has ended: what is still queued is lost, and everyone learns it.
    pub(crate) fn end(&mut self, info: CloseInfo, error: Option<Error>) {
        if self.end.is_some() {
            return;
        }
        self.connection = ChannelState::Closed;
        self.end = Some(info);
        self.error = error;
        self.outgoing.clear();
        self.socket_bytes = 0;
        self.driver = None;
        self.wake_senders();
        self.wake_observers();
    }

    /// The connection could not be made, or was closed before it was.
    pub(crate) fn end_unopened(&mut self, error: Option<Error>) {
        let (initiator, what) = match &error {
            Some(error) => (error.initiator(), error.to_string()),
            None => (
                Initiator::Local,
                "it was closed before it was open".to_owned(),
            ),
        };
        let cause = CloseCause::NotOpened(what.into());
        let info = CloseInfo::abnormal(CloseCode::ABNORMAL, initiator, cause);
        self.end(info, error);
    }
}

impl State {
    /// Whether messages are refused: this end has begun to close, or the channel has ended.
    pub(crate) fn is_closing(&self) -> bool {
        self.close.is_some() || self.end.is_some() || self.is_refusing
    }

    pub(crate) fn is_close_requested(&self) -> bool {
        self.close.is_some()
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.end.is_some()
    }

    pub(crate) fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether [`next_order`](Locked::next_order) has something that was not handed out before.
    #[cfg(not(browser))]
    pub(crate) fn has_order(&self) -> bool {
        self.has_outgoing() || (self.close.is_some() && !self.is_close_taken)
    }

    /// Whether messages may come: there is room for them, or nobody waits for them.
    pub(crate) fn may_read(&self) -> bool {
        self.reading != Reading::Queue || self.incoming.has_room() || self.close.is_some()
    }

    pub(crate) fn set_driver(&mut self, cx: &Context<'_>) {
        match &mut self.driver {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.driver = Some(cx.waker().clone()),
        }
    }

    pub(crate) fn connection(&self) -> ChannelState {
        match self.connection {
            ChannelState::Connecting if self.close.is_some() => ChannelState::Closing,
            connection => connection,
        }
    }

    pub(crate) fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    pub(crate) fn close_info(&self) -> Option<&CloseInfo> {
        self.end.as_ref()
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        self.latency
    }

    /// The bytes of payload that wait to be written, and what the socket holds of them.
    pub(crate) fn buffered_amount(&self) -> usize {
        self.outgoing.bytes() + self.socket_bytes
    }

    pub(crate) fn has_room(&self) -> bool {
        self.outgoing.has_room()
    }

    /// The number of messages queued so far, and how many of them were written.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.queued, self.written)
    }

    /// How `ready` ends, once it is known.
    pub(crate) fn readiness(&self) -> Option<Result<(), Error>> {
        if self.was_open {
            return Some(Ok(()));
        }
        self.end.as_ref().map(|info| {
            let closed = || Error::Closed(info.clone());
            Err(self.error.clone().unwrap_or_else(closed))
        })
    }

    /// Why nothing can be sent any more.
    pub(crate) fn send_error(&self) -> Error {
        let error = self.error.clone();
        error.unwrap_or(Error::Send(talkback_proto::SendError::Closed))
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn has_data(&self) -> bool {
        self.has_data
    }

    /// The newest message, while somebody looks at snapshots.
    pub(crate) fn latest(&self) -> Option<&Message> {
        self.latest.as_ref()
    }

    /// What went wrong, if something did.
    pub(crate) fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    pub(crate) fn wait_for_change(&mut self, key: &mut WaitKey, cx: &Context<'_>) {
        self.changes.register(&mut key.change, cx);
    }

    pub(crate) fn wait_to_send(&mut self, key: &mut WaitKey, cx: &Context<'_>) {
        self.senders.register(&mut key.sender, cx);
    }
}

/// A future's place among those who wait; given up when it is dropped.
#[derive(Debug)]
pub(crate) struct WaitKey {
    shared: Arc<Shared>,
    change: Option<u64>,
    sender: Option<u64>,
}

impl WaitKey {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            change: None,
            sender: None,
        }
    }
}

impl Drop for WaitKey {
    fn drop(&mut self) {
        if self.change.is_some() || self.sender.is_some() {
            let mut state = self.shared.lock();
            let (change, sender) = (self.change, self.sender);
            state.changes.remove(change);
            state.senders.remove(sender);
        }
    }
}
