//! How much of a topic is kept.

use std::time::Duration;

/// What is as good as for ever, and can be added to any time.
pub(crate) const EVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// How much a topic remembers, for those who are behind and those who come back.
///
/// The newest publication always stays, however large it is. Sizes are those of the messages as they were published; what
/// a [`Form`](crate::Form) makes of them, and what is compressed, comes on top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    pub(crate) idle: Duration,
    pub(crate) bytes_in_all: usize,
    pub(crate) is_history: bool,
}

impl Keep {
    /// No history: a topic keeps what its subscribers still have to get, within the same bounds, and nothing once they have
    /// left. Only a position that nothing follows is recovered.
    #[must_use]
    pub fn none() -> Self {
        Self {
            is_history: false,
            ..Self::default()
        }
    }

    /// Sets how many publications a topic keeps: 1,024 by default, at least 1.
    #[must_use]
    pub fn messages(mut self, messages: usize) -> Self {
        self.messages = messages.max(1);
        self
    }

    /// Sets how many bytes of payload a topic keeps: 1 MiB by default.
    #[must_use]
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets after how long a topic is forgotten that nobody has published to or subscribed to: 5 minutes by default. Its
    /// positions are not known any more then: see [`Begun::is_recovered`](crate::Begun::is_recovered).
    #[must_use]
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle.min(EVER);
        self
    }

    /// Sets how many bytes all topics keep together: 256 MiB by default, about 200 for each publication included. Above it, each
    /// publication leaves its own topic no other one.
    #[must_use]
    pub fn bytes_in_all(mut self, bytes: usize) -> Self {
        self.bytes_in_all = bytes;
        self
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            messages: 1024,
            bytes: 1024 * 1024,
            idle: Duration::from_secs(5 * 60),
            bytes_in_all: 256 * 1024 * 1024,
            is_history: true,
        }
    }
}
