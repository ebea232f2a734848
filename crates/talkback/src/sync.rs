//! The one alias for the types that tasks and threads share state through.
//!
//! Under `--cfg shuttle` they are those of the schedule checker.

#[cfg(not(shuttle))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard};

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard};
