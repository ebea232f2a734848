//! What a channel's handles and its driver share, behind one lock.
//!
//! It is three things: the [`Outbox`], what waits to go out; the [`Inbox`], what has come in; and the
//! [`Lifecycle`], how far the connection has come and how it ended. Handles and driver meet here, and
//! nobody holds the lock while foreign code runs: wakers and callbacks are called after it is released,
//! and dropped then, as messages are.

mod queueing;
mod shown;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::task::{Context, Waker};

use talkback_proto::{CloseCause, CloseFrame, CloseInfo};
#[cfg(not(browser))]
use tokio::runtime;

use crate::channel::inbox::{Inbox, Reading};
use crate::channel::lifecycle::{ChannelState, Lifecycle};
use crate::channel::link::{Reconnection, Wish};
use crate::channel::outbox::Outbox;
#[cfg(not(browser))]
use crate::channel::pings::Pings;
#[cfg(not(browser))]
use crate::channel::polling::Polling;
#[cfg(not(browser))]
use crate::channel::pump_slot::{Placed, PumpSlot};
use crate::channel::queue::QueueLimits;
use crate::channel::sync::{Arc, AtomicBool, AtomicUsize, Mutex, MutexGuard, Ordering};
use crate::channel::wait_list::{WaitFor, WaitList};
use crate::channel::wakes::Wakes;
use crate::error::send::{SendError, Unsent};
use crate::error::why::Why;
use crate::error::{ConnectError, Error};

/// A channel's shared half.
pub(crate) struct Shared {
    /// Whether the driver waits for its waker: while it runs, it looks here before it sleeps. It is changed
    /// under the lock.
    is_driver_asleep: AtomicBool,
    /// How many handles keep the channel open.
    handles: AtomicUsize,
    state: Mutex<State>,
    /// The connection, once it is open. Its lock is hardly ever waited for, and may be held when the one of the
    /// state is taken, not the other way round.
    #[cfg(not(browser))]
    pub(crate) pump: PumpSlot,
    /// Whether something has happened to the connection since it was last polled.
    #[cfg(not(browser))]
    pub(crate) is_pump_due: AtomicBool,
    /// Whether the background thread drives it.
    #[cfg(not(browser))]
    pub(crate) is_background: AtomicBool,
    /// The process that has its driver.
    #[cfg(not(browser))]
    process: u32,
}

/// What the lock guards.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) outbox: Outbox,
    pub(crate) inbox: Inbox,
    pub(crate) lifecycle: Lifecycle,
    /// What only a channel that reconnects has.
    pub(crate) reconnection: Option<Box<Reconnection>>,
    #[cfg(not(browser))]
    pub(crate) pings: Pings,
    #[cfg(not(browser))]
    pub(crate) polling: Polling,
    /// Counts what snapshots show.
    version: u64,
    driver: Option<Waker>,
    /// That of its driver.
    #[cfg(not(browser))]
    runtime: Option<runtime::Id>,
    waits: WaitList,
}

/// A guard that wakes, after the lock is gone, whoever has to know what was changed under it.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    /// The first to be dropped.
    state: MutexGuard<'a, State>,
    is_driver_asleep: &'a AtomicBool,
    wakes: Wakes,
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
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Shared {
    /// A channel that connects, with bounds for what is sent and for what is received.
    pub(crate) fn new(send: QueueLimits, recv: QueueLimits) -> Arc<Self> {
        Self::reconnecting(send, recv, None)
    }

    /// One that reconnects, if there is a place for what that takes.
    pub(crate) fn reconnecting(
        send: QueueLimits,
        recv: QueueLimits,
        reconnection: Option<Box<Reconnection>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            is_driver_asleep: AtomicBool::new(false),
            handles: AtomicUsize::new(0),
            state: Mutex::new(State {
                outbox: Outbox::new(send),
                inbox: Inbox::new(recv),
                reconnection,
                ..State::default()
            }),
            #[cfg(not(browser))]
            pump: PumpSlot::default(),
            #[cfg(not(browser))]
            is_pump_due: AtomicBool::new(false),
            #[cfg(not(browser))]
            is_background: AtomicBool::new(false),
            #[cfg(not(browser))]
            process: std::process::id(),
        })
    }

    /// One with the default bounds.
    #[cfg(test)]
    pub(crate) fn with_defaults() -> Arc<Self> {
        Self::new(QueueLimits::default(), QueueLimits::default())
    }

    /// Whether this process was forked from the one that has the driver.
    #[cfg(not(browser))]
    pub(crate) fn is_inherited(&self) -> bool {
        self.process != std::process::id()
    }

    /// Locks the state for what is dropped. In a process that was forked from the one that has the driver
    /// nothing is left to be told, and another thread of that one may have held the lock at the fork: it
    /// is never released there.
    pub(crate) fn lock_to_leave(&self) -> Option<Locked<'_>> {
        #[cfg(not(browser))]
        if self.is_inherited() {
            return None;
        }
        Some(self.lock())
    }

    /// Counts a handle. Each holds the `Arc` too, whose own count ends the program before this one wraps.
    pub(crate) fn add_handle(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the last handle goes.
    pub(crate) fn remove_handle(&self) -> bool {
        self.handles.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether the driver sleeps and nobody has woken it, or is about to: the channel wants nothing of it.
    #[inline]
    pub(crate) fn is_driver_asleep(&self) -> bool {
        self.is_driver_asleep.load(Ordering::Acquire)
    }

    /// Locks the state. No code of others runs under the lock, so a poisoned one is whole.
    pub(crate) fn lock(&self) -> Locked<'_> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Locked {
            state,
            is_driver_asleep: &self.is_driver_asleep,
            wakes: Wakes::default(),
        }
    }
}

impl Locked<'_> {
    /// Has the driver do what is wanted of it, unless somebody is at it.
    #[inline]
    pub(crate) fn wake_driver(&mut self) {
        if self.is_driver_asleep.load(Ordering::Relaxed) {
            self.note_driver_awake();
            self.wake_driver_task();
        }
    }

    /// Wakes the task of the driver, unless that has happened before.
    #[inline]
    pub(crate) fn wake_driver_task(&mut self) {
        let driver = self.state.driver.take();
        self.wakes.add(driver);
    }

    /// Wakes whoever reads; whether somebody does.
    #[cfg(not(browser))]
    #[inline]
    pub(crate) fn wake_reader(&mut self) -> bool {
        let reader = self.state.inbox.take_receiver();
        let is_there = reader.is_some();
        self.wakes.add(reader);
        is_there
    }

    /// Whoever read has gone, and perhaps was to poll.
    pub(crate) fn forget_reader(&mut self) {
        let reader = self.state.inbox.take_receiver();
        self.wakes.spend(reader);
        #[cfg(not(browser))]
        if std::mem::take(&mut self.state.polling.is_reader_awaited) {
            self.wake_driver_task();
        }
    }

    /// Has a pump dropped.
    #[cfg(not(browser))]
    pub(crate) fn drop_later(&mut self, pump: Option<Box<Placed>>) {
        if pump.is_some() {
            self.wakes.more().pump = pump;
        }
    }

    /// Sets whom to wake when there is something for the driver to do.
    #[inline]
    pub(crate) fn set_driver(&mut self, cx: &Context<'_>) {
        match &mut self.state.driver {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.state.driver = Some(cx.waker().clone()),
        }
    }

    /// The driver sleeps, until there is something for it to do.
    #[inline]
    pub(crate) fn note_driver_asleep(&mut self) {
        self.is_driver_asleep.store(true, Ordering::Release);
    }

    /// The driver runs: whoever has something for it need not wake it.
    #[inline]
    pub(crate) fn note_driver_awake(&mut self) {
        self.is_driver_asleep.store(false, Ordering::Release);
    }

    /// There is no driver any more.
    pub(crate) fn forget_driver(&mut self) {
        self.note_driver_awake();
        let driver = self.state.driver.take();
        self.wakes.spend(driver);
    }

    /// Wakes everyone who waits to send, or for what was sent.
    #[inline]
    pub(crate) fn wake_senders(&mut self) {
        let waiters = self.state.waits.take(WaitFor::Sending);
        self.wakes.add_all(waiters);
    }

    /// Wakes everyone who looks at the channel from outside.
    pub(crate) fn wake_observers(&mut self) {
        let Self { state, wakes, .. } = self;
        wakes.add(state.inbox.take_receiver());
        wakes.add_all(state.waits.take(WaitFor::Change));
        let version = state.version;
        if let Some(watchers) = state.inbox.watchers() {
            wakes.more().calls.extend(watchers.called_after(version));
        }
        state.version += 1;
    }

    /// Has a future woken at the next change of this kind.
    pub(crate) fn wait(&mut self, key: &mut WaitKey, what: WaitFor, cx: &Context<'_>) {
        let before = self.state.waits.register(&mut key.key, what, cx);
        self.wakes.spend(before);
    }

    /// Has whoever reads woken when there is something to read.
    pub(crate) fn set_receiver(&mut self, cx: &Context<'_>) {
        let before = self.state.inbox.set_receiver(cx);
        self.wakes.spend(before);
        #[cfg(not(browser))]
        self.state.polling.note_wait();
    }

    /// Changes what becomes of messages that arrive; those that wait are thrown away.
    pub(crate) fn set_reading(&mut self, reading: Reading) {
        let receiver = self.state.inbox.set_reading(reading);
        self.wakes.spend(receiver);
        if let Some(reconnection) = &mut self.state.reconnection {
            reconnection.marks.forget_messages();
        }
        self.wake_driver();
    }

    /// Begins to close, unless that has happened before.
    pub(crate) fn close(&mut self, frame: Option<CloseFrame>) {
        if self.is_send_refused() {
            #[cfg(all(feature = "server", not(browser)))]
            if self.outbox.complete_half_close() {
                self.wake_driver();
            }
            return;
        }
        self.outbox.request_close(frame);
        self.wake_closing();
    }

    /// Begins to close for a server that wants it, unless that has happened before: what comes before the peer's close
    /// frame is received.
    #[cfg(all(feature = "server", not(browser)))]
    pub(crate) fn half_close(&mut self, frame: Box<CloseFrame>) {
        if !self.is_send_refused() {
            self.outbox.request_half_close(frame);
            self.wake_closing();
        }
    }

    fn wake_closing(&mut self) {
        self.wake_senders();
        self.wake_observers();
        self.wake_driver();
    }

    /// Has the loop do something about the connection; `false` where there is none, or no more.
    pub(crate) fn wish(&mut self, wish: Wish) -> bool {
        let now = self.channel_state();
        let Some(reconnection) = &mut self.state.reconnection else {
            return false;
        };
        if matches!(now, ChannelState::Closing | ChannelState::Closed) {
            return false;
        }
        if reconnection.wish(wish, now) {
            self.note_driver_awake();
            self.wake_driver_task();
        }
        true
    }
}

impl State {
    /// Whether messages are refused: an end has begun to close, or the channel has ended.
    pub(crate) fn is_send_refused(&self) -> bool {
        let is_connected = matches!(self.lifecycle, Lifecycle::Connecting | Lifecycle::Open(_));
        self.outbox.is_close_requested() || !is_connected
    }

    /// Why nothing can be sent any more.
    pub(crate) fn why(&self) -> Why {
        match (self.lifecycle.close_info(), self.lifecycle.peer_close()) {
            (Some(info), _) => {
                let below = self.connect_error().map(|error| Arc::new(error) as _);
                Why::Ended(info.clone(), below)
            }
            (None, Some((code, reason))) => Why::PeerCloses(*code, reason.clone()),
            (None, None) => Why::Closing,
        }
    }

    /// How the channel ended, to whoever waits for that.
    pub(crate) fn outcome(&self) -> Option<Result<CloseInfo, Error>> {
        let info = self.lifecycle.close_info()?;
        if let (CloseCause::NotOpened(_), Some(error)) = (&info.cause, self.lifecycle.error()) {
            return Some(Err(error.clone()));
        }
        Some(match self.outbox.queued() - self.outbox.written() {
            0 => Ok(info.clone()),
            lost => Err(SendError::new(Unsent::Queued(lost), self.why()).into()),
        })
    }

    /// Why the connection could not be made.
    fn connect_error(&self) -> Option<ConnectError> {
        match self.lifecycle.error() {
            Some(Error::Connect(error)) => Some(error.clone()),
            _ => None,
        }
    }

    /// How far the channel has come, as its handles tell it.
    pub(crate) fn channel_state(&self) -> ChannelState {
        match self.lifecycle {
            Lifecycle::Ended(_) => ChannelState::Closed,
            Lifecycle::Closing(_) => ChannelState::Closing,
            _ if self.outbox.is_close_requested() => ChannelState::Closing,
            Lifecycle::Connecting => {
                let reconnection = self.reconnection.as_ref();
                reconnection.map_or(ChannelState::Connecting, |state| state.state())
            }
            Lifecycle::Open(_) => ChannelState::Open,
        }
    }

    /// Whether anybody waits for something else than a message.
    #[cfg(not(browser))]
    pub(crate) fn has_waiters(&self) -> bool {
        self.waits.has_waiters()
    }

    /// Grows with each change that a snapshot shows.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Which runtime drives the channel.
    #[cfg(not(browser))]
    pub(crate) fn runtime(&self) -> Option<runtime::Id> {
        self.runtime
    }

    #[cfg(not(browser))]
    pub(crate) fn set_runtime(&mut self, runtime: Option<runtime::Id>) {
        self.runtime = runtime;
    }

    /// Whether there is a driver that attends to an open connection.
    pub(crate) fn is_attended(&self) -> bool {
        #[cfg(not(browser))]
        return self.polling.is_attended;
        #[cfg(browser)]
        return false;
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
        if let Some(key) = self.key
            && let Some(mut state) = self.shared.lock_to_leave()
        {
            let wakers = state.waits.remove(key);
            drop(state);
            // Not under the lock.
            drop(wakers);
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::future::Future;
    use std::task::Wake;

    use bytes::Bytes;
    use talkback_proto::{Compression, Message};

    use super::*;
    use crate::channel::WebSocketChannel;
    use crate::channel::handle::Handle;
    use crate::channel::receiver::Receiver;
    use crate::channel::to_send::ToSend;
    use crate::channel::waiting::Closing;
    use crate::driver::attendant::Attendant;
    use crate::driver::port::Port;

    #[test]
    fn re126_what_only_some_channels_need_takes_no_space_in_the_others() {
        let size = size_of::<Shared>();
        assert!(size <= 352, "{size} bytes");
        let size = size_of::<crate::driver::pump::Driver<(), (), Attendant>>();
        // Besides its socket.
        assert!(size <= 64, "{size} bytes");
        let shared = Shared::with_defaults();
        let sender = WebSocketChannel::new(&shared).sender();
        let size = size_of_val(&sender.send("Hello!"));
        assert!(size <= 160, "{size} bytes");
    }

    /// Foreign code that uses the channel when it is dropped: a task with its handles, or memory that is
    /// given back. Under the lock it would wait for ever.
    struct Foreign(Arc<Shared>);

    impl Drop for Foreign {
        fn drop(&mut self) {
            self.0.lock();
        }
    }

    impl Wake for Foreign {
        fn wake(self: std::sync::Arc<Self>) {}
    }

    impl AsRef<[u8]> for Foreign {
        fn as_ref(&self) -> &[u8] {
            b"foreign"
        }
    }

    fn waker(shared: &Arc<Shared>) -> Waker {
        Waker::from(std::sync::Arc::new(Foreign(Arc::clone(shared))))
    }

    #[test]
    fn the_waker_of_a_task_that_is_gone_is_not_dropped_under_the_lock() {
        let shared = Shared::with_defaults();
        let mut closing = Closing::new(Arc::clone(&shared));
        let receiver = Receiver::new(Handle::new(Arc::clone(&shared)));
        for _ in 0..2 {
            let waker = waker(&shared);
            let mut cx = Context::from_waker(&waker);
            assert!(std::pin::Pin::new(&mut closing).poll(&mut cx).is_pending());
            assert!(receiver.handle().poll_recv(&cx).is_pending());
        }
        drop((closing, receiver));
    }

    #[test]
    fn a_message_that_is_lost_is_not_dropped_under_the_lock() {
        let shared = Shared::with_defaults();
        let handle = Handle::new(Arc::clone(&shared));
        let lost = || Bytes::from_owner(Foreign(Arc::clone(&shared)));
        let message = Message::from(lost());
        let message = ToSend::Message(message, Compression::Auto);
        handle.try_send(message).unwrap();
        let port = Port::new(Arc::clone(&shared));
        drop(port);
        #[cfg(not(browser))]
        {
            let key = shared.lock().pings.push(lost(), crate::timer::now());
            let payload = shared.lock().pings.remove(key);
            drop(payload);
        }
    }

    #[cfg(not(browser))]
    #[test]
    fn l5_what_a_forked_process_drops_waits_for_no_lock() {
        use std::sync::mpsc;
        use std::time::Duration;

        let mut shared = Shared::with_defaults();
        let in_child = Arc::get_mut(&mut shared).expect("there is no handle yet");
        in_child.process = in_child.process.wrapping_add(1);
        let channel = WebSocketChannel::new(&shared);
        let mut closing = channel.closed();
        let sender = channel.sender();
        let mut ping = Box::pin(async move { sender.ping("there?").await });
        let mut cx = Context::from_waker(Waker::noop());
        assert!(std::pin::Pin::new(&mut closing).poll(&mut cx).is_pending());
        assert!(ping.as_mut().poll(&mut cx).is_pending());
        let snapshots = channel.snapshots();
        // As by a thread that stayed in the parent.
        std::mem::forget(shared.lock());
        let (dropped, drops) = mpsc::channel();
        std::thread::spawn(move || {
            drop((closing, ping, snapshots));
            drop(channel);
            let _ = dropped.send(());
        });
        let in_time = drops.recv_timeout(Duration::from_secs(20));
        assert!(in_time.is_ok(), "it hangs");
    }
}
