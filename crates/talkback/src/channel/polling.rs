//! Who polls the connection of an open channel: the task behind it, or the program's own calls.
//!
//! A program that waits in `recv` polls the connection itself once something has come, and takes the
//! message right there; a message that is sent after such a wait is written right there. So a message
//! costs one task's turn, as it does on a bare socket. The driver polls it whenever the program does not:
//! while it is busy, when a call has gone, and where the calls are not at home (`pump_slot.rs`).
//!
//! ```text
//!                  ┌─ a reader waits, at home ─▶ wake it ── it comes ─▶ it polls
//!  the transport ──┤                                └── it does not, for the patience ─▶ the driver polls
//!  has something   └─ else ─▶ wake the driver ─▶ it polls
//! ```
//!
//! That a reader that was woken may not come, as its task awaits something else meanwhile, is why the
//! driver watches: while readers are woken it looks every [`PATIENCE`] whether one is late.

use std::time::Duration;

/// How long a reader that was woken may take to come.
pub(crate) const PATIENCE: Duration = Duration::from_millis(50);

/// What is known of those who may poll. All of it is guarded by the lock.
#[derive(Debug, Default)]
pub(crate) struct Polling {
    /// Whether there is a connection that the driver attends to.
    pub(crate) is_attended: bool,
    /// Whether the reader is at home, as far as is known.
    pub(crate) reader_polls: bool,
    /// Whether a reader was woken to poll and has not come yet.
    pub(crate) is_reader_awaited: bool,
    /// Whether a reader was woken since the driver last looked.
    pub(crate) was_reader_woken: bool,
    /// Whether the driver looks after the reader now and then.
    pub(crate) is_watched: bool,
    /// Whether the program has waited for a message since it last wrote one by itself.
    pub(crate) has_waited: bool,
    /// Whether the driver came while the program polled.
    pub(crate) has_driver_missed: bool,
    /// Whether the driver went while the program polled.
    pub(crate) is_driver_gone: bool,
}

/// What the driver is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attend {
    /// Poll the connection.
    pub(crate) polls: bool,
    /// Look again after the patience, as readers are woken.
    pub(crate) watches: bool,
}

impl Polling {
    /// What the driver is to do when its task runs: `is_wanted` if the channel wants something of it,
    /// `is_due` if something has happened to the connection, `has_looked` if its patience is at an end.
    pub(crate) fn attend(&mut self, is_wanted: bool, is_due: bool, has_looked: bool) -> Attend {
        if has_looked {
            // One that has not come by now is not waited for again, until it has.
            let is_late = std::mem::take(&mut self.is_reader_awaited);
            self.is_watched = std::mem::take(&mut self.was_reader_woken) && !is_late;
        }
        self.is_watched |= self.was_reader_woken;
        Attend {
            polls: is_wanted || (is_due && !self.is_reader_awaited),
            watches: self.is_watched,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn woken() -> Polling {
        Polling {
            is_reader_awaited: true,
            was_reader_woken: true,
            ..Polling::default()
        }
    }

    const REST: Attend = Attend {
        polls: false,
        watches: false,
    };
    const POLL: Attend = Attend {
        polls: true,
        ..REST
    };
    const WATCH: Attend = Attend {
        watches: true,
        ..REST
    };

    #[test]
    fn the_driver_polls_what_nobody_else_was_woken_for() {
        let mut polling = Polling::default();
        assert_eq!(polling.attend(false, true, false), POLL);
        assert_eq!(polling.attend(true, false, false), POLL);
        assert_eq!(polling.attend(false, false, false), REST);
    }

    #[test]
    fn a_reader_that_comes_is_watched_while_it_is_woken() {
        let mut polling = woken();
        // It may have come before the driver did.
        polling.is_reader_awaited = false;
        assert_eq!(polling.attend(false, false, false), WATCH);
        assert_eq!(polling.attend(false, false, true), WATCH);
        assert_eq!(polling.attend(false, false, true), REST);
    }

    #[test]
    fn a_reader_that_is_late_is_stood_in_for() {
        let mut polling = woken();
        assert_eq!(polling.attend(false, true, false), WATCH);
        assert_eq!(polling.attend(false, true, true), POLL);
        // Nor is it waited for when something more happens.
        assert_eq!(polling.attend(false, true, false), POLL);
    }

    #[test]
    fn what_the_channel_wants_waits_for_no_reader() {
        let attend = woken().attend(true, true, false);
        assert!(attend.polls && attend.watches);
    }
}
