//! How long to wait after a failed accept.

use std::io;
use std::time::Duration;

const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// So many errors in a row are not of so many clients that went: a listen queue is seldom longer.
const GONE_MAX: u32 = 4096;

/// Doubles the pause from shortage to shortage.
///
/// A process that has run out of descriptors fails to accept until it closes one, and the
/// connection stays acceptable: without a pause it would spin. Other errors are of one connection, as
/// accept(2) of Linux says, and a pause for them would be at the cost of those that wait behind; unless they
/// do not end, as those of a listener that is broken.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    pause: Duration,
    /// How many clients were gone since one was accepted.
    gone: u32,
}

impl Backoff {
    /// The pause after this error; zero if only that one connection is lost.
    pub(super) fn after(&mut self, error: &io::Error) -> Duration {
        if !is_shortage(error) && self.gone < GONE_MAX {
            self.gone += 1;
            return Duration::ZERO;
        }
        self.pause = (self.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
        self.pause
    }

    /// Begins anew, as a connection was accepted.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Whether no more files may be open, in this process or on this machine.
pub(super) fn is_of_files(error: &io::Error) -> bool {
    /// `ENFILE` and `EMFILE` of every Unix.
    const UNIX: [i32; 2] = [23, 24];
    /// `WSAEMFILE`.
    const WINDOWS: [i32; 1] = [10024];
    let codes = if cfg!(windows) { &WINDOWS[..] } else { &UNIX };
    error
        .raw_os_error()
        .is_some_and(|code| codes.contains(&code))
}

/// Whether files or memory are short.
fn is_shortage(error: &io::Error) -> bool {
    let no_buffers = match () {
        // `WSAENOBUFS`, and `ENOBUFS` of Linux and of the BSDs, macOS among them.
        () if cfg!(windows) => 10055,
        () if cfg!(any(target_os = "linux", target_os = "android")) => 105,
        () => 55,
    };
    is_of_files(error)
        || error.kind() == io::ErrorKind::OutOfMemory
        || error.raw_os_error() == Some(no_buffers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More of a program's files than it may have, and more buffers than the machine has.
    const SHORTAGES: [i32; 2] = if cfg!(windows) {
        [10024, 10055]
    } else if cfg!(any(target_os = "linux", target_os = "android")) {
        [24, 105]
    } else {
        [24, 55]
    };

    #[test]
    fn v56_pauses_double_up_to_a_second_and_begin_anew() {
        for code in SHORTAGES {
            let mut backoff = Backoff::default();
            let short = io::Error::from_raw_os_error(code);
            let pauses: Vec<u128> = (0..7).map(|_| backoff.after(&short).as_millis()).collect();
            assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000], "{short}");
            backoff.reset();
            assert_eq!(backoff.after(&short), PAUSE_MIN);
        }
        let no_memory = io::ErrorKind::OutOfMemory.into();
        assert_eq!(Backoff::default().after(&no_memory), PAUSE_MIN);
    }

    #[test]
    fn v56_an_error_that_does_not_end_is_no_client_that_went() {
        let (mut backoff, broken) = (Backoff::default(), io::ErrorKind::InvalidInput.into());
        for _ in 0..GONE_MAX {
            assert_eq!(backoff.after(&broken), Duration::ZERO);
        }
        assert_eq!(backoff.after(&broken), PAUSE_MIN);
        backoff.reset();
        assert_eq!(backoff.after(&broken), Duration::ZERO);
    }

    #[test]
    fn a_client_that_went_away_costs_no_pause() {
        use io::ErrorKind as K;
        for gone in [
            K::ConnectionAborted,
            K::ConnectionReset,
            // Windows tells of a reset as of a socket that is not connected.
            K::NotConnected,
            // Linux hands on what the network said of the connection, or a firewall.
            K::NetworkUnreachable,
            K::PermissionDenied,
            K::InvalidInput,
        ] {
            assert_eq!(
                Backoff::default().after(&gone.into()),
                Duration::ZERO,
                "{gone}"
            );
        }
    }
}
