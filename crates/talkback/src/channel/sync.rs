//! The one alias for the types that tasks and threads share state through.
//!
//! Under `--cfg shuttle` they are those of the schedule checker. Under `--cfg visible_locks` the lock is
//! one that is compiled with this crate: the thread sanitizer does not see what happens inside a
//! standard library that was compiled without it.

#[cfg(not(shuttle))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[cfg(not(any(shuttle, visible_locks)))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard};

#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard};

#[cfg(visible_locks)]
pub(crate) use std::sync::Arc;

#[cfg(visible_locks)]
pub(crate) use visible::{Mutex, MutexGuard};

/// The lock, unless somebody has it. No code under it leaves what it guards half done, so one that was
/// poisoned is whole.
#[cfg(not(any(browser, visible_locks)))]
#[inline]
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

#[cfg(not(any(browser, visible_locks)))]
use std::sync::TryLockError;

#[cfg(visible_locks)]
pub(crate) use visible::try_lock;

#[cfg(visible_locks)]
mod visible {
    use std::sync::PoisonError;

    pub(crate) use parking_lot::MutexGuard;

    /// With the interface of the standard library's.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(parking_lot::Mutex<T>);

    type Locked<'a, T> = MutexGuard<'a, T>;

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(parking_lot::Mutex::new(value))
        }

        /// Never fails: these locks are not poisoned.
        pub(crate) fn lock(&self) -> Result<Locked<'_, T>, PoisonError<Locked<'_, T>>> {
            Ok(self.0.lock())
        }
    }

    /// The lock, unless somebody has it.
    pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
        mutex.0.try_lock()
    }
}
