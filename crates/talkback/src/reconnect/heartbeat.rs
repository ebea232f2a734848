//! A heartbeat of the program's own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use talkback_proto::Message;

use crate::reconnect::hooks::{MaybeSend, MaybeSync};

#[cfg(not(browser))]
type MakeMessage = dyn Fn() -> Message + Send + Sync;
#[cfg(browser)]
type MakeMessage = dyn Fn() -> Message;

#[cfg(not(browser))]
type IsAnswer = dyn Fn(&Message) -> bool + Send + Sync;
#[cfg(browser)]
type IsAnswer = dyn Fn(&Message) -> bool;

/// A message that asks a silent peer for a sign of life, for
/// [`Reconnecting::heartbeat`](crate::Reconnecting::heartbeat).
///
/// A page cannot send pings, and learns late or never that its server is gone; there are servers that want a message of their
/// own protocol, too. Natively a channel has the [`Keepalive`](crate::Keepalive) as well, which needs no help of the
/// server's program.
#[derive(Clone)]
pub struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    message: Arc<MakeMessage>,
    is_answer: Arc<IsAnswer>,
}

impl Heartbeat {
    /// A heartbeat that is made by `message` each time, and answered by what `is_answer` knows again.
    ///
    /// Any whole message is a sign of life; answers are not given out. Both functions are called where the channel is driven:
    /// they must not block, and one that panics ends the channel. Natively they are `Send + Sync`; in a browser they need
    /// not be.
    ///
    /// ```
    /// use talkback::Heartbeat;
    ///
    /// let heartbeat = Heartbeat::new(|| "ping".into(), |message| message.as_text() == Some("pong"));
    /// ```
    pub fn new(
        message: impl Fn() -> Message + MaybeSend + MaybeSync + 'static,
        is_answer: impl Fn(&Message) -> bool + MaybeSend + MaybeSync + 'static,
    ) -> Self {
        let default = Duration::from_secs(20);
        Self {
            interval: default,
            timeout: default,
            message: Arc::new(message),
            is_answer: Arc::new(is_answer),
        }
    }

    /// Sets how long no message may come before the heartbeat is sent; 20 s by default.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets how long no message may come after the heartbeat before the connection is given up; 20 s by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(crate) fn ask_after(&self) -> Duration {
        self.interval
    }

    pub(crate) fn end_after(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn message(&self) -> Message {
        (self.message)()
    }

    pub(crate) fn is_answer(&self, message: &Message) -> bool {
        (self.is_answer)(message)
    }
}

/// Shows no message: it may hold a secret.
impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat")
            .field("interval", &self.interval)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
