//! Staying connected: what a program wants, how a connection is lost, and when the next one is tried.
//!
//! The loop that tries is `driver/reconnect.rs`. What decides, `schedule` and `verdict`, knows no clock and no socket:
//! it is handed what happened, the time since a start of the loop's own choosing, and a seed.

pub(crate) mod backoff;
pub(crate) mod connected;
pub(crate) mod draw;
pub(crate) mod event;
pub(crate) mod fate;
pub(crate) mod heartbeat;
pub(crate) mod hook_error;
pub(crate) mod hooks;
pub(crate) mod link;
pub(crate) mod lost;
pub(crate) mod plan;
pub(crate) mod reconnecting;
#[cfg(not(browser))]
mod retry_after;
pub(crate) mod schedule;
pub(crate) mod verdict;
