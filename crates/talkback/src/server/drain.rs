//! How a server lets go of its connections, and what came of it.

use std::fmt;
use std::time::Duration;

use talkback_proto::{CloseCode, CloseFrame, CloseFrameError};

/// How [`Connections::drain`](super::Connections::drain) lets go of all connections.
///
/// By default they are closed evenly over 10 s, in random order, with 1012 and "the server restarts", on which
/// clients that reconnect come back within 5 to 30 s; what is left after 25 s is cut, as Kubernetes kills at 30.
///
/// ```
/// use std::time::Duration;
/// use talkback::server::Drain;
///
/// # fn main() -> Result<(), talkback::CloseFrameError> {
/// // Behind a load balancer that looks for readiness every few seconds.
/// let drain = Drain::default()
///     .lame_duck(Duration::from_secs(5))
///     .close_with(1001, "the server moves")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Drain {
    pub(crate) lame_duck: Duration,
    pub(crate) spread: Duration,
    pub(crate) deadline: Duration,
    pub(crate) frame: CloseFrame,
}

impl Drain {
    /// Cuts everything at once, without a closing handshake: for the second signal of a person who does not want
    /// to wait.
    #[must_use]
    pub fn now() -> Self {
        Self::default()
            .spread(Duration::ZERO)
            .deadline(Duration::ZERO)
    }

    /// Sets for how long new connections are still let in, while [`is_draining`](super::Connections::is_draining)
    /// says that the server stops; 0 s by default. A load balancer takes some seconds to see it: 5 to 20 s in
    /// Kubernetes, where it stands for a `preStop` that sleeps.
    #[must_use]
    pub fn lame_duck(mut self, time: Duration) -> Self {
        self.lame_duck = time;
        self
    }

    /// Sets over which time, after that, the connections are closed evenly; 10 s by default. Up to 16 are closed
    /// at once.
    #[must_use]
    pub fn spread(mut self, time: Duration) -> Self {
        self.spread = time;
        self
    }

    /// Sets when whatever is left is cut, counted from the beginning; 25 s by default. Longer than the other two
    /// together, or some are cut that nobody has closed.
    #[must_use]
    pub fn deadline(mut self, time: Duration) -> Self {
        self.deadline = time;
        self
    }

    /// Sets the code of the close frames, 1012 by default, and their reason of at most 123 bytes of UTF-8.
    ///
    /// # Errors
    /// A code that may not be sent, such as 1005 (RFC 6455 §7.4.1), or a reason that is too long or has a CR, LF or
    /// NUL.
    pub fn close_with(
        mut self,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<Self, CloseFrameError> {
        self.frame = CloseFrame::new(code, reason)?;
        Ok(self)
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            lame_duck: Duration::ZERO,
            spread: Duration::from_secs(10),
            deadline: Duration::from_secs(25),
            frame: CloseFrame::new(CloseCode::SERVICE_RESTART, "the server restarts")
                .expect("it may be sent"),
        }
    }
}

/// What a drain has done: how its connections ended, each counted once. `Display` is a line for a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainReport {
    /// So many were closed by this end; the peer answered, or ended the transport.
    pub closed: usize,
    /// So many peers closed by themselves meanwhile, or were gone.
    pub by_peer: usize,
    /// So many were cut, since the peer had not answered in time, or the handler had not looked by the deadline.
    pub cut: usize,
    /// So many clients came meanwhile and were refused.
    pub refused: usize,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for DrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            closed,
            by_peer,
            cut,
            refused,
            took,
        } = self;
        let seconds = took.as_secs_f64();
        write!(
            f,
            "connections: {closed} closed, {by_peer} closed by the peer, {cut} cut, {refused} refused, in {seconds:.1} s"
        )
    }
}
