//! Who pumps a channel: a task behind its handles, which owns the connection.
//!
//! [`pump`](self::pump) is that task on every platform. It sees the channel through its
//! [`port`](self::port) and the connection as a [`socket`](self::socket): `native` is that of
//! [`WebSocket`](crate::WebSocket), `browser` that of a page.

#[cfg(browser)]
pub(crate) mod browser;
#[cfg(not(browser))]
pub(crate) mod native;
pub(crate) mod port;
pub(crate) mod pump;
mod socket;
mod timer;
