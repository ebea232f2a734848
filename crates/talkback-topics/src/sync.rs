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

#[cfg(not(shuttle))]
pub(crate) use tokio::task::yield_now;

#[cfg(shuttle)]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> bool {
    shuttle::future::spawn(task);
    true
}

#[cfg(shuttle)]
pub(crate) use shuttle::future::yield_now;
