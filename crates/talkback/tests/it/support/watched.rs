//! Code that might hang, or panic.

use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

/// How long nothing here takes, unless it hangs.
const WATCHDOG: Duration = Duration::from_secs(20);

/// What it gives on a thread of its own, or the message of its panic.
///
/// # Panics
/// If it hangs.
pub(crate) fn watched<T: Send + 'static>(
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(run));
        let _ = sender.send(result.map_err(|payload| {
            let message = payload.downcast_ref::<String>().cloned();
            message.unwrap_or_else(|| (*payload.downcast::<&str>().unwrap()).to_owned())
        }));
    });
    match receiver.recv_timeout(WATCHDOG) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(RecvTimeoutError::Disconnected) => panic!("the thread ended without a word"),
    }
}

/// An executor without anything: no runtime, no timers, no I/O.
pub(crate) fn bare_block_on<F: IntoFuture>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let mut future = pin!(future.into_future());
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
