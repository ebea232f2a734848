//! Who pumps a channel: a task behind its handles, which owns the connection.

#[cfg(browser)]
pub(crate) mod browser;
#[cfg(not(browser))]
pub(crate) mod native;
