//! How a channel's connection is doing, to be shown.

use std::time::Duration;

use crate::channel::lifecycle::ChannelState;
use crate::reconnect::lost::Lost;

/// How a channel's connection is doing, at the moment when it was asked: what a status line shows.
#[derive(Clone, Debug)]
pub struct Link {
    state: ChannelState,
    connection: u64,
    tries: u32,
    next_try_in: Option<Duration>,
    lost: Option<Lost>,
    dropped: u64,
}

/// That of no channel.
impl Default for Link {
    fn default() -> Self {
        Self::new(ChannelState::Closed, 0, 0, None, None)
    }
}

impl Link {
    pub(crate) fn new(
        state: ChannelState,
        connection: u64,
        tries: u32,
        next_try_in: Option<Duration>,
        lost: Option<Lost>,
    ) -> Self {
        Self {
            state,
            connection,
            tries,
            next_try_in,
            lost,
            dropped: 0,
        }
    }

    pub(crate) fn with_dropped(self, dropped: u64) -> Self {
        Self { dropped, ..self }
    }

    /// How far the channel has come.
    pub fn state(&self) -> ChannelState {
        self.state
    }

    /// The number of the connection that is open, or was last, counted from 1; 0 if none ever was.
    pub fn connection(&self) -> u64 {
        self.connection
    }

    /// How many tries were begun since a connection was open last, or since a pause; 0 while one is open.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// How long it takes until the next try, from the moment when this was asked; `None` if none is waited for.
    ///
    /// Nothing wakes for a countdown: ask again when it is drawn again.
    pub fn next_try_in(&self) -> Option<Duration> {
        self.next_try_in
    }

    /// How many messages that waited for a connection were dropped, since the channel was made: too old, or for newer
    /// ones.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How the last connection was lost, or the last try failed; `None` if neither ever was.
    pub fn lost(&self) -> Option<&Lost> {
        self.lost.as_ref()
    }
}
