//! What a served connection is told from outside: that it is to close, or is cut.

use std::mem;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU32;
use std::task::{Poll, Waker};

use talkback_proto::CloseFrame;
use tokio::task::AbortHandle;

use crate::channel::sync::{Arc, AtomicBool, Mutex, MutexGuard, Ordering};
use crate::server::per_address::AddressPlace;

/// What the socket has to do.
pub(crate) enum Order {
    /// To begin the closing handshake.
    Close(Arc<CloseFrame>),
    /// To let the transport go now, with a close frame if it takes one at once.
    Cut(Option<Arc<CloseFrame>>),
}

/// How far a connection's end has been ordered; only ever further.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    #[default]
    Nothing,
    /// To its handler, which awaits that: it may have something to say first.
    Noticed,
    Close,
    Cut,
}

/// The orders to one connection, and whom they wake.
///
/// The socket looks at the flag where it is about to wait. Whoever orders sets the flag, and then wakes by the
/// waker that the socket has left; it leaves another only when the task that polls it changes, and when it finds
/// the flag.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// Whether there is an order that the socket has not taken.
    is_waiting: AtomicBool,
    /// Whether it is one to a handler that was given notice of it, and may send until it waits for a message.
    is_after_notice: AtomicBool,
    /// Whether it was counted how the connection has ended.
    is_counted: AtomicBool,
    /// Where the connection stands in its list, whose lock guards it: here, where it takes no room of its own.
    pub(crate) index: AtomicU32,
    slot: Mutex<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    /// Of the task or the tasks that poll the socket.
    waker: Option<Waker>,
    /// The task of the handler, if it is ours.
    task: Option<AbortHandle>,
    ending: Option<Box<Ending>>,
}

/// What a connection has only once something is to be done at its end.
#[derive(Debug, Default)]
struct Ending {
    /// Its place among those of its address, which is given back then.
    address: Option<AddressPlace>,
    told: Told,
    frame: Option<Arc<CloseFrame>>,
    /// Those who await the notice: a key and, once it has polled, a waker of each.
    listeners: Vec<(usize, Option<Waker>)>,
}

impl Slot {
    fn order(&self) -> Option<Order> {
        let ending = self.ending.as_ref()?;
        match ending.told {
            Told::Nothing | Told::Noticed => None,
            Told::Close => ending.frame.clone().map(Order::Close),
            Told::Cut => Some(Order::Cut(ending.frame.clone())),
        }
    }

    fn told(&self) -> Told {
        self.ending.as_ref().map_or(Told::Nothing, |e| e.told)
    }
}

impl Orders {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        // No code under it panics half way.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the place among those of an address until the connection has ended.
    pub(crate) fn keep(&self, address: AddressPlace) {
        self.lock().ending.get_or_insert_default().address = Some(address);
    }

    // ── The socket's side ────────────────────────────────────────────────────────────────────

    /// Whether there is an order that the socket has not taken.
    #[inline]
    pub(crate) fn are_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Acquire)
    }

    /// Whether the handler has had notice of it, and may send until it waits for a message.
    pub(crate) fn is_after_notice(&self) -> bool {
        self.is_after_notice.load(Ordering::Acquire)
    }

    /// Leaves whom an order is to wake.
    pub(crate) fn register(&self, waker: Waker) {
        let before = self.lock().waker.replace(waker);
        drop(before);
    }

    /// The order that waits, if it is wanted. Whoever found the flag set leaves another waker, at the same time: the one
    /// before was used up, and an order that comes in between would wake nobody.
    pub(crate) fn take_if(
        &self,
        waker: Option<Waker>,
        is_wanted: impl FnOnce(&Order) -> bool,
    ) -> Option<Order> {
        let mut slot = self.lock();
        let before = mem::replace(&mut slot.waker, waker);
        let order = slot.order().filter(is_wanted);
        if order.is_some() {
            self.is_waiting.store(false, Ordering::Release);
        }
        drop(slot);
        drop(before);
        order
    }

    /// The close frame of the order that it has, taken or not.
    pub(crate) fn frame(&self) -> Option<Arc<CloseFrame>> {
        match self.lock().order()? {
            Order::Close(frame) => Some(frame),
            Order::Cut(frame) => frame,
        }
    }

    /// Whether it was ordered to close, and is not cut.
    pub(crate) fn is_to_close(&self) -> bool {
        self.lock().told() == Told::Close
    }

    /// Whether its end is to be counted: the first time that this is asked.
    pub(crate) fn is_to_be_counted(&self) -> bool {
        !self.is_counted.swap(true, Ordering::SeqCst)
    }

    /// Forgets whom to wake, once the socket is gone; whoever awaits the notice waits no longer.
    pub(crate) fn end(&self) {
        let mut slot = self.lock();
        let whom = (slot.waker.take(), slot.task.take());
        let (mut address, mut listeners) = (None, Vec::new());
        if let Some(ending) = &mut slot.ending {
            ending.told = Told::Cut;
            address = ending.address.take();
            listeners = mem::take(&mut ending.listeners);
        }
        drop(slot);
        drop((whom, address));
        let wakers = listeners.into_iter().filter_map(|(_, waker)| waker);
        wakers.for_each(Waker::wake);
    }

    // ── The side of those who order ──────────────────────────────────────────────────────────

    /// Orders to close; `false` if that was ordered before.
    pub(crate) fn close(&self, frame: &Arc<CloseFrame>) -> bool {
        self.order(Told::Close, Some(frame))
    }

    /// As [`close`](Self::close), but to a handler that awaits the notice, which then has its turn first.
    pub(crate) fn close_with_notice(&self, frame: &Arc<CloseFrame>) -> bool {
        let mut slot = self.lock();
        let ending = slot.ending.get_or_insert_default();
        if ending.listeners.is_empty() {
            drop(slot);
            return self.close(frame);
        }
        if ending.told >= Told::Noticed {
            return false;
        }
        ending.told = Told::Noticed;
        ending.frame = Some(Arc::clone(frame));
        let listeners = ending.listeners.iter_mut();
        let wakers: Vec<_> = listeners.filter_map(|(_, waker)| waker.take()).collect();
        drop(slot);
        wakers.into_iter().for_each(Waker::wake);
        true
    }

    /// Cuts the connection and drops its handler, if that is ours; `false` if it was cut before.
    pub(crate) fn cut(&self, frame: Option<&Arc<CloseFrame>>) -> bool {
        let is_new = self.order(Told::Cut, frame);
        let task = self.lock().task.take();
        if let Some(task) = task {
            task.abort();
        }
        is_new
    }

    fn order(&self, told: Told, frame: Option<&Arc<CloseFrame>>) -> bool {
        let mut slot = self.lock();
        let ending = slot.ending.get_or_insert_default();
        if ending.told >= told {
            return false;
        }
        ending.told = told;
        self.is_after_notice.store(false, Ordering::Release);
        if let Some(frame) = frame {
            ending.frame.get_or_insert_with(|| Arc::clone(frame));
        }
        // One that is no WebSocket has no socket to be woken.
        let listeners = ending.listeners.iter_mut();
        let mut wakers: Vec<_> = listeners.filter_map(|(_, waker)| waker.take()).collect();
        wakers.extend(self.set_waiting(&mut slot));
        drop(slot);
        wakers.into_iter().for_each(Waker::wake);
        true
    }

    /// Has the socket look for an order; whom to wake, once the lock is released.
    fn set_waiting(&self, slot: &mut Slot) -> Option<Waker> {
        self.is_waiting.store(true, Ordering::Release);
        // A socket that it has woken registers another before it waits again.
        slot.waker.take()
    }

    /// Whether an end was ordered, be it by a notice alone.
    pub(crate) fn is_ending(&self) -> bool {
        self.lock().told() > Told::Nothing
    }

    /// Takes the handler's task, to drop it when the connection is cut: now, if that has happened.
    pub(crate) fn set_task(&self, task: AbortHandle) {
        let mut slot = self.lock();
        if slot.told() < Told::Cut {
            slot.task = Some(task);
            return;
        }
        drop(slot);
        task.abort();
    }

    // ── The handler's side ───────────────────────────────────────────────────────────────────

    /// Listens for the notice: from now on, and until [`ignore`](Self::ignore), it comes before an order to close.
    pub(crate) fn listen(&self) -> usize {
        let mut slot = self.lock();
        let ending = slot.ending.get_or_insert_default();
        let listeners = &mut ending.listeners;
        let key = listeners.last().map_or(0, |(key, _)| key + 1);
        listeners.push((key, None));
        key
    }

    /// Ready once the connection is to end. What the socket does next ends it: this listener has had its turn.
    pub(crate) fn poll_notice(&self, key: usize, waker: &Waker) -> Poll<()> {
        let waker = waker.clone();
        let mut slot = self.lock();
        let ending = slot.ending.get_or_insert_default();
        match ending.told {
            Told::Nothing => {
                let mut listeners = ending.listeners.iter_mut();
                let kept = listeners.find(|(other, _)| *other == key);
                let before = kept.and_then(|(_, kept)| kept.replace(waker));
                drop(slot);
                drop(before);
                Poll::Pending
            }
            Told::Noticed => {
                ending.told = Told::Close;
                self.is_after_notice.store(true, Ordering::Release);
                // Nobody is woken: its handler may have more to say, and goes on by itself.
                self.is_waiting.store(true, Ordering::Release);
                Poll::Ready(())
            }
            Told::Close | Told::Cut => Poll::Ready(()),
        }
    }

    /// Listens no more. Where the notice has come, the connection closes now, whoever polls it.
    pub(crate) fn ignore(&self, key: usize) {
        let mut slot = self.lock();
        let Some(ending) = &mut slot.ending else {
            return;
        };
        let is_it = |(other, _): &(usize, Option<Waker>)| *other == key;
        let at = ending.listeners.iter().position(is_it);
        let listener = at.map(|at| ending.listeners.remove(at));
        if ending.told == Told::Noticed && ending.listeners.is_empty() {
            ending.told = Told::Close;
            self.is_waiting.store(true, Ordering::Release);
        }
        let is_waiting = self.are_waiting();
        let waker = is_waiting.then(|| slot.waker.take()).flatten();
        drop(slot);
        drop(listener);
        waker.into_iter().for_each(Waker::wake);
    }
}
