//! The place of an open connection's pump, where whoever has something to do for it finds it.

use std::cell::Cell;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

use talkback_proto::{Compression, Message};
use tokio::runtime::{self, Handle};
use tokio::task;

use crate::channel::sync::{Mutex, try_lock};

thread_local! {
    /// Whether this thread polls a pump.
    static POLLS: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread polls a channel's connection, so that nobody else can: it was called by a callback.
pub(crate) fn polls() -> bool {
    POLLS.get()
}

/// The pump of a channel that is open.
#[derive(Debug, Default)]
pub(crate) struct PumpSlot(Mutex<Option<Box<Placed>>>);

/// A pump, beside what is needed to poll it. It lies in a box, so that the task behind the channel stays
/// small.
pub(crate) struct Placed<P: ?Sized = dyn Pumped> {
    /// Always the same, whoever polls: a transport remembers one waker.
    waker: Waker,
    home: Home,
    /// A task that is known to run at home.
    task: Option<task::Id>,
    pump: P,
}

/// A pump, whatever its connection is.
pub(crate) trait Pumped: Send {
    /// Polls it, for the call of the program in the first place, until it has ended.
    fn poll(&mut self, call: &mut Call, cx: &mut Context<'_>) -> Poll<()>;

    /// The channel gives its connection up, and does not poll it any more.
    fn give_up(&mut self);
}

/// On whose behalf a pump is polled. What a call of the program is about need not pass through the channel's
/// queues, which are empty then.
#[derive(Debug)]
pub(crate) enum Call {
    /// The task behind the channel's.
    Drive,
    /// `recv`'s, which gets the first message that comes.
    Receive(First),
    /// `send`'s, whose message is taken if it can be written at once.
    Send(Option<(Message, Compression)>),
}

/// Where the first message goes that comes to a channel without any.
#[derive(Debug)]
pub(crate) struct First {
    /// How often messages had come when there was none; `None` where each is to pass through the queue.
    pub(crate) appended: Option<u32>,
    pub(crate) message: Option<Message>,
}

/// Where a program's own calls may poll a pump: its timers and its transport are of one runtime.
#[derive(Clone, Debug, Default)]
pub(crate) enum Home {
    /// Anywhere: there is no runtime.
    #[default]
    Anywhere,
    /// On this runtime.
    Runtime(runtime::Id),
    /// Outside of runtimes, with that of the background thread, and not in a process that was forked from
    /// this one.
    Background(Handle, u32),
}

/// Somebody else polls it at this moment.
#[derive(Debug)]
pub(crate) struct Busy;

impl Placed {
    /// The channel gives the connection up.
    pub(crate) fn give_up(&mut self) {
        self.pump.give_up();
    }

    /// Polls what is left of a connection that its channel knows nothing of any more.
    pub(crate) fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.pump.poll(&mut Call::Drive, cx)
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Polled {
    Pending,
    /// It has ended, or there is none.
    Ended,
    /// Somebody else polls it at this moment.
    Busy,
    /// It is not at home here.
    NotHere,
}

impl<P> Placed<P> {
    pub(crate) fn new(pump: P) -> Box<Self> {
        Box::new(Self {
            waker: Waker::noop().clone(),
            home: Home::default(),
            task: None,
            pump,
        })
    }
}

impl PumpSlot {
    /// Puts a pump in its place, with the waker that it is polled with.
    pub(crate) fn place(&self, mut placed: Box<Placed>, waker: Waker, home: Home) {
        placed.waker = waker;
        placed.home = home;
        // Whoever has it now has found nothing, and lets go at once.
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(placed);
    }

    /// Takes out the pump, to be dropped outside of the lock. While somebody polls it, it stays.
    pub(crate) fn take(&self) -> Option<Box<Placed>> {
        try_lock(&self.0)?.take()
    }

    /// Takes out the pump, if there is one, for who polls it on; or tells that somebody polls it just now.
    pub(crate) fn try_take(&self) -> Result<Option<Box<Placed>>, Busy> {
        try_lock(&self.0).map(|mut slot| slot.take()).ok_or(Busy)
    }

    /// Polls the pump, if nobody else does and it is at home here.
    ///
    /// One that panics is dropped while that unwinds.
    #[inline]
    pub(crate) fn poll(&self, call: &mut Call) -> Polled {
        let Some(mut slot) = try_lock(&self.0) else {
            return Polled::Busy;
        };
        let Some(placed) = &mut *slot else {
            return Polled::Ended;
        };
        let background = match call {
            Call::Drive => None,
            Call::Receive(_) | Call::Send(_) => match placed.home.find(&mut placed.task) {
                Found::NotHere => return Polled::NotHere,
                Found::Here => None,
                Found::Background(handle) => Some(handle),
            },
        };
        let _entered = background.as_ref().map(Handle::enter);
        if Running::new(&mut slot).poll(call).is_pending() {
            return Polled::Pending;
        }
        let ended = slot.take();
        drop(slot);
        drop(ended);
        Polled::Ended
    }
}

/// Whether a pump is at home here.
enum Found {
    Here,
    /// Once this runtime is entered.
    Background(Handle),
    NotHere,
}

impl Home {
    /// Looks whether it is here; asks less where this `task` was found before.
    #[inline]
    fn find(&self, task: &mut Option<task::Id>) -> Found {
        match self {
            Self::Anywhere => Found::Here,
            Self::Runtime(id) => {
                let own = task::try_id();
                if own.is_some() && own == *task {
                    return Found::Here;
                }
                if Handle::try_current().is_ok_and(|here| here.id() == *id) {
                    *task = own;
                    return Found::Here;
                }
                Found::NotHere
            }
            Self::Background(handle, process) => {
                let is_outside =
                    Handle::try_current().is_err_and(|error| error.is_missing_context());
                match is_outside && process::id() == *process {
                    true => Found::Background(handle.clone()),
                    false => Found::NotHere,
                }
            }
        }
    }
}

/// A pump that is being polled.
struct Running<'a> {
    slot: &'a mut Option<Box<Placed>>,
    /// Whether the thread polls another one, whose callback sends on this one.
    is_nested: bool,
}

impl<'a> Running<'a> {
    #[inline]
    fn new(slot: &'a mut Option<Box<Placed>>) -> Self {
        let is_nested = POLLS.replace(true);
        Self { slot, is_nested }
    }

    #[inline]
    fn poll(self, call: &mut Call) -> Poll<()> {
        let Some(placed) = &mut *self.slot else {
            return Poll::Ready(());
        };
        let Placed { waker, pump, .. } = &mut **placed;
        let polled = pump.poll(call, &mut Context::from_waker(waker));
        POLLS.set(self.is_nested);
        mem::forget(self);
        polled
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // It has panicked. Its end tells so, as this unwinds; a second panic would abort.
        let broken = self.slot.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(broken)));
        POLLS.set(self.is_nested);
    }
}

/// Shows nothing of the pump, which holds the program's messages.
impl fmt::Debug for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placed").finish_non_exhaustive()
    }
}
