//! Staying connected: how a connection is lost, and when the next one is tried.
//!
//! This is the pure part, the same on every platform: it knows no clock and no socket. The loop that tries
//! hands in what happened, the time since a start of its own choosing, and a seed.

#![expect(dead_code, reason = "the loop that uses all of it is not built yet")]

pub(crate) mod backoff;
pub(crate) mod draw;
pub(crate) mod event;
pub(crate) mod hook_error;
pub(crate) mod link;
pub(crate) mod lost;
#[cfg(not(browser))]
mod retry_after;
pub(crate) mod schedule;
pub(crate) mod verdict;
