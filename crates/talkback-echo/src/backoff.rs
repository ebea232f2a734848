//! How long to wait after a failed accept.

use std::io;
use std::time::Duration;

const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Doubles the pause from failure to failure.
///
/// A process that has run out of descriptors fails to accept until it closes one, and the
/// connection stays acceptable: without a pause it would spin.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    pause: Duration,
}

impl Backoff {
    /// The pause after this error; zero if only that one connection is lost.
    pub(crate) fn after(&mut self, error: &io::Error) -> Duration {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        let is_of_one_connection = matches!(
            error.kind(),
            ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
        );
        if is_of_one_connection {
            return Duration::ZERO;
        }
        self.pause = (self.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
        self.pause
    }

    /// Begins anew, as a connection was accepted.
    pub(crate) fn reset(&mut self) {
        self.pause = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v56_pauses_double_up_to_a_second_and_begin_anew() {
        let mut backoff = Backoff::default();
        let exhausted = io::Error::other("too many open files");
        let pauses: Vec<u128> = (0..7)
            .map(|_| backoff.after(&exhausted).as_millis())
            .collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.after(&exhausted), PAUSE_MIN);
    }

    #[test]
    fn a_client_that_went_away_costs_no_pause() {
        let aborted = io::ErrorKind::ConnectionAborted.into();
        assert_eq!(Backoff::default().after(&aborted), Duration::ZERO);
    }
}
