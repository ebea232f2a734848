//! What is shown of a channel, whether its connections follow one another or it has one.

use http::Response;

use crate::channel::lifecycle::{Lifecycle, Opened};
use crate::channel::state::State;
use crate::error::Error;
use crate::reconnect::link::Link;

impl State {
    /// How `ready` ends that was called when so many connections had been open, once it is known.
    pub(crate) fn readiness(&self, opened: u64) -> Option<Result<(), Error>> {
        match &self.reconnection {
            Some(reconnection) if reconnection.connection() > opened => Some(Ok(())),
            _ => self.lifecycle.readiness(),
        }
    }

    /// How many connections were open before the one that is.
    pub(crate) fn connections_before(&self) -> u64 {
        let is_open = matches!(self.lifecycle, Lifecycle::Open(_));
        self.connections() - u64::from(is_open)
    }

    /// How many connections were open.
    pub(crate) fn connections(&self) -> u64 {
        match &self.reconnection {
            Some(reconnection) => reconnection.connection(),
            None => u64::from(self.lifecycle.was_opened()),
        }
    }

    /// What is known of the last connection that was open.
    fn last_opened(&self) -> Option<&Opened> {
        let last = || self.reconnection.as_ref()?.last.as_ref();
        self.lifecycle.opened().or_else(last)
    }

    pub(crate) fn subprotocol(&self) -> Option<&str> {
        self.last_opened()?.subprotocol()
    }

    pub(crate) fn response(&self) -> Option<&Response<()>> {
        self.last_opened()?.response()
    }

    /// What went wrong: for good, or for now.
    pub(crate) fn error(&self) -> Option<Error> {
        let now = || self.reconnection.as_ref()?.error();
        match self.lifecycle.is_ended() {
            true => self.lifecycle.error().cloned(),
            false if self.lifecycle.was_opened() => None,
            false => now(),
        }
    }

    /// The connection, as a person or a program is told of it.
    pub(crate) fn link(&self) -> Link {
        let state = self.channel_state();
        match &self.reconnection {
            Some(reconnection) => reconnection.link(state),
            None => Link::new(state, self.connections(), 0, None, None),
        }
    }
}
