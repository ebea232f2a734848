//! Waiting in a plain thread, for programs without a runtime.

use std::future::Future;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::channel::state::Shared;
use crate::channel::sync;
use crate::driver::port::Port;
use crate::runtime::{runs_tasks, shuts_down};

/// Wakes a thread that is parked.
struct ThreadWaker(Thread);

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
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
            !runs_tasks(),
            "a thread that runs the tasks of a tokio runtime must not wait for a channel, whose driver may be one of them: use `.await`, or `spawn_blocking`"
        );
        if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            // Of several threads that drive it one runs its tasks, but any may have to: tokio panics.
            runtime.block_on(async {});
        }
    }
    if shared.is_inherited() {
        // Its driver stayed in the parent at the fork.
        end(shared);
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(ThreadWaker(thread::current())));
    let mut cx = Context::from_waker(&waker);
    // This thread may be about to drop the driver, after what blocks here.
    let shuts_driver_down =
        |own: &Handle| shared.lock().runtime() == Some(own.id()) && shuts_down(own);
    let mut is_first = true;
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending
                if mem::take(&mut is_first) && runtime.as_ref().is_some_and(shuts_driver_down) =>
            {
                end(shared);
            }
            // Another's unpark only costs one more poll.
            Poll::Pending => thread::park(),
        }
    }
}

/// Ends a channel that nothing will drive while this thread waits.
fn end(shared: &sync::Arc<Shared>) {
    drop(Port::new(sync::Arc::clone(shared)));
}
