//! The one alias for what tasks and threads share state through: under `--cfg shuttle`, that of the schedule checker.

use std::sync::PoisonError;

#[cfg(not(shuttle))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
#[cfg(not(shuttle))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};

/// No code under a lock of this crate panics half way, and no foreign code runs under one.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a task: on the runtime of this thread, if it has one.
#[cfg(not(shuttle))]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> bool {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return false;
    };
    runtime.spawn(task);
    true
}

/// Where the tasks of a hub run, whoever begins one.
#[cfg(not(shuttle))]
pub(crate) struct Runtime(tokio::runtime::Handle);

#[cfg(not(shuttle))]
impl Runtime {
    /// That of this thread.
    pub(crate) fn current() -> Self {
        Self(tokio::runtime::Handle::current())
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
    }
}

#[cfg(shuttle)]
pub(crate) struct Runtime;

#[cfg(shuttle)]
impl Runtime {
    pub(crate) fn current() -> Self {
        Self
    }

    /// A schedule is over once all of these are, which a hub's are with it: none is dropped while it holds a lock.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        std::mem::forget(shuttle::future::spawn(task));
    }
}

#[cfg(not(shuttle))]
pub(crate) use tokio::task::yield_now;
#[cfg(not(shuttle))]
pub(crate) use tokio::time::sleep;

#[cfg(shuttle)]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> bool {
    shuttle::future::spawn(task);
    true
}

#[cfg(shuttle)]
pub(crate) use shuttle::future::yield_now;

/// No time passes under the checker.
#[cfg(shuttle)]
pub(crate) async fn sleep(_: std::time::Duration) {
    yield_now().await;
}
