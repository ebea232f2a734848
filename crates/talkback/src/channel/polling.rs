//! Who polls the connection of an open channel: the task behind it, or the program's own calls.
//!
//! A program that waits in `recv` polls the connection itself once something has come, and takes the
//! message right there; a message that is sent after such a wait is written right there. So a message
//! costs one task's turn, as it does on a bare socket. Of a program that sends more than one between two
//! waits all of them are queued, and its next wait writes them at once. The driver polls whenever the
//! program does not: while it is busy, when a call has gone, and where the calls are not at home
//! (`pump_slot.rs`).
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
    /// What the program sends between two waits for a message.
    pub(crate) sends: Sends,
    /// Whether the driver came while the program polled.
    pub(crate) has_driver_missed: bool,
    /// Whether the driver went while the program polled.
    pub(crate) is_driver_gone: bool,
}

/// What a program sends between two waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sends {
    /// It has not waited where it polls.
    #[default]
    Unknown,
    /// It has sent more than one message since it did.
    More,
    /// It has waited, and is likely to send one message before it waits again.
    OneNext,
    /// It has waited, and is likely to send more, as it did the last time.
    MoreNext,
    /// It has sent one since.
    One,
}

/// What the driver is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attend {
    /// Poll the connection.
    pub(crate) polls: bool,
    /// Look again after the patience, as readers are woken.
    pub(crate) watches: bool,
    /// Give way first to the program's thread, if that is another one: it is about to send more and to wait then,
    /// which writes all of it at once.
    pub(crate) gives_way: bool,
}

impl Polling {
    /// The program waits for a message.
    pub(crate) fn note_wait(&mut self) {
        self.sends = match self.sends {
            _ if !self.reader_polls => Sends::Unknown,
            Sends::Unknown | Sends::OneNext | Sends::One => Sends::OneNext,
            Sends::MoreNext | Sends::More => Sends::MoreNext,
        };
    }

    /// Whether a message that is sent now is the first or the second after a wait, which is to be noted.
    #[inline]
    pub(crate) fn is_one_of_few(&self) -> bool {
        !matches!(self.sends, Sends::Unknown | Sends::More)
    }

    /// The program sends a message; whether that is likely to be the only one before it waits: others had better
    /// be written with it.
    pub(crate) fn sends_alone(&mut self) -> bool {
        let is_alone = self.sends == Sends::OneNext;
        self.sends = match self.sends {
            Sends::OneNext | Sends::MoreNext => Sends::One,
            Sends::One => Sends::More,
            sends => sends,
        };
        is_alone
    }

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
            gives_way: is_wanted && !is_due && matches!(self.sends, Sends::One | Sends::More),
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
        gives_way: false,
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
    fn a_message_is_alone_until_others_have_followed_one_between_two_waits() {
        let mut polling = Polling::default();
        assert!(!polling.sends_alone(), "nobody has waited");
        polling.note_wait();
        assert!(!polling.sends_alone(), "nobody has polled");
        polling.reader_polls = true;
        let mut three = || {
            polling.note_wait();
            [(); 3].map(|()| polling.sends_alone())
        };
        assert_eq!(three(), [true, false, false]);
        assert_eq!(three(), [false; 3]);
        let mut one = || {
            polling.note_wait();
            // Nothing that was sent says nothing.
            polling.note_wait();
            polling.sends_alone()
        };
        assert_eq!([one(), one(), one()], [false, true, true]);
    }

    #[test]
    fn the_driver_gives_way_to_a_program_that_sends_and_is_to_wait() {
        let mut polling = Polling {
            reader_polls: true,
            ..Polling::default()
        };
        let mut gives_way = |has_sent, is_due| {
            polling.note_wait();
            for _ in 0..has_sent {
                polling.sends_alone();
            }
            polling.attend(true, is_due, false).gives_way
        };
        assert_eq!(
            [0, 1, 2].map(|sent| gives_way(sent, false)),
            [false, true, true]
        );
        assert!(!gives_way(2, true), "something has come");
        assert!(!polling.attend(false, false, false).gives_way);
    }

    #[test]
    fn what_the_channel_wants_waits_for_no_reader() {
        let attend = woken().attend(true, true, false);
        assert!(attend.polls && attend.watches);
    }
}
