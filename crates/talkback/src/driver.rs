//! Who pumps a channel: a task behind its handles, which owns the connection.
//!
//! `pump` is that task on every platform. It sees the channel through its `port`, and the connection as
//! a [`Socket`](crate::socket::Socket): on a machine that is a `WebSocket`, in a page the browser's own.

#[cfg(not(browser))]
pub(crate) mod attendant;
#[cfg(browser)]
pub(crate) mod browser;
pub(crate) mod heart;
#[cfg(not(browser))]
pub(crate) mod native;
pub(crate) mod port;
pub(crate) mod pump;
pub(crate) mod reconnect;
mod trace;
mod wait;
