//! Waiting in a plain thread, for programs without a runtime.

use std::cell::Cell;
use std::future::Future;
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::channel::pump_slot::polls;
use crate::channel::state::Shared;
use crate::channel::sync;
use crate::driver::port::Port;
use crate::runtime::{runs_tasks, shuts_down};

/// What a call sleeps on.
///
/// It is not the thread's own `park`: an executor that called from one of its futures may wait by that
/// itself, and would lose a wake that is meant for it.
#[derive(Default)]
struct Alarm {
    rings: Mutex<bool>,
    rang: Condvar,
}

thread_local! {
    /// The thread's own, while no call sleeps on it. A late ring has a call look once more, and no more.
    static ALARM: Cell<Option<Arc<Alarm>>> = const { Cell::new(None) };
}

impl Alarm {
    fn sleep(&self) {
        let rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        let rings = self.rang.wait_while(rings, |rings| !*rings);
        *rings.unwrap_or_else(PoisonError::into_inner) = false;
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.rang.notify_one();
    }
}

/// Blocks this thread until a future of a channel is ready.
///
/// Its driver runs elsewhere, so nothing has to be driven here. Where that is not so any more, the channel
/// ends.
///
/// # Panics
/// On a thread that runs the tasks of a runtime: what it waits for may be one of them.
#[track_caller]
pub(crate) fn wait<F: Future>(shared: &sync::Arc<Shared>, future: F) -> F::Output {
    let runtime = Handle::try_current().ok();
    if let Some(runtime) = &runtime {
        assert!(
            !runs_tasks() && !polls(),
            "a thread that runs the tasks of a tokio runtime must not wait for a channel, whose driver may be one of them: use `.await`, or `spawn_blocking`"
        );
        if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            // Of several threads that drive it one runs its tasks, but any may have to: tokio panics.
            runtime.block_on(async {});
        }
    }
    let mut future = pin!(future);
    // A thread that is ending keeps none.
    let kept = ALARM.try_with(Cell::take).ok().flatten();
    let alarm = kept.unwrap_or_default();
    let waker = Waker::from(Arc::clone(&alarm));
    let mut cx = Context::from_waker(&waker);
    // This thread may be about to drop the driver, after what blocks here.
    let shuts_driver_down =
        |own: &Handle| shared.lock().runtime() == Some(own.id()) && shuts_down(own);
    let mut is_first = true;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            let _ = ALARM.try_with(|kept| kept.set(Some(alarm)));
            return output;
        }
        // Its driver may have stayed in the parent at a fork.
        if mem::take(&mut is_first)
            && (shared.is_inherited() || runtime.as_ref().is_some_and(shuts_driver_down))
        {
            end(shared);
        } else {
            alarm.sleep();
        }
    }
}

/// Ends a channel whose driver stayed in the parent at a fork, before a message is queued that nobody takes.
///
/// Asking the operating system costs more than the message: only where its driver sleeps, and would have to
/// be woken, it is asked.
pub(crate) fn end_if_inherited(shared: &sync::Arc<Shared>) {
    if shared.is_driver_asleep() && shared.is_inherited() {
        end(shared);
    }
}

/// Ends a channel that nothing will drive while this thread waits.
fn end(shared: &sync::Arc<Shared>) {
    Port::new(sync::Arc::clone(shared)).abandoned();
}
