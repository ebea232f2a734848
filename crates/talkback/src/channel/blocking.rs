//! Waiting in a plain thread, for programs without a runtime.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::runtime::Handle;

use crate::channel::state::Shared;
use crate::channel::sync;
use crate::driver::port::Port;

/// Wakes a thread that is parked.
struct ThreadWaker(Thread);

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks this thread until a future of a channel is ready.
///
/// Its driver runs elsewhere, so nothing has to be driven here. In a process that was forked nothing
/// drives what was there before, and the channel ends.
///
/// # Panics
/// In tokio's words, on a thread that drives a runtime: what it waits for may be a task of this thread.
#[track_caller]
pub(crate) fn wait<F: Future>(shared: &sync::Arc<Shared>, future: F) -> F::Output {
    if let Ok(runtime) = Handle::try_current() {
        // Nothing else of tokio's tells whether this thread may block.
        runtime.block_on(async {});
    }
    if shared.is_inherited() {
        drop(Port::new(sync::Arc::clone(shared)));
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(ThreadWaker(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            // Another's unpark only costs one more poll.
            Poll::Pending => thread::park(),
        }
    }
}
