//! What is known of a peer that has to wait, since nobody reads the channel.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::sleep;

use crate::timer::{Timer, poll_timer, timer};

/// How far a full queue is read ahead of, in bytes: far enough for the pings and the close frame of a
/// peer that has little to say, and so little that any other peer still has to wait.
pub(super) const READ_AHEAD: usize = 64 * 1024;

/// The same once the peer has ended the connection: what it sent has an end then. That is in the
/// kernel's buffer, of which Linux makes at most 6 MiB by default.
const READ_AHEAD_OF_END: usize = 8 * 1024 * 1024;

/// The first and the longest pause between two looks for the peer's end.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What is known of a peer that has to wait.
///
/// ```text
///             a look sees an end              more is unread than is read ahead of an end
///   Looking ─────────────────────▶ Ended ─────────────────────────────────▶ Refusing
///                                    │                                         │
///                                    │ all is read                             │ nothing is taken
///                                    ▼                                         ▼ in time
///                            as the peer has ended it                        1006
/// ```
#[derive(Debug)]
pub(super) struct Unread {
    stage: Stage,
    /// The next look or, while it refuses, the close timeout.
    timer: Timer,
}

#[derive(Debug)]
enum Stage {
    /// It is there; and the pause until the next look.
    Looking(Duration),
    /// It has ended the connection: what it sent before is read.
    Ended,
    /// It has, and more than that is unread: nothing can be sent any more. How many messages waited
    /// when the program took the last one, if nothing was read since.
    Refusing(Option<usize>),
}

impl Unread {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Looking(PAUSE_MIN),
            timer: timer(PAUSE_MIN),
        }
    }

    /// How far a full queue is read ahead of, in bytes.
    pub(super) fn read_ahead(&self) -> usize {
        match self.stage {
            Stage::Looking(_) => READ_AHEAD,
            Stage::Ended | Stage::Refusing(_) => READ_AHEAD_OF_END,
        }
    }

    /// Whether the peer's end was not seen so far.
    pub(super) fn is_looking(&self) -> bool {
        matches!(self.stage, Stage::Looking(_))
    }

    /// Whether nothing can be sent any more.
    pub(super) fn is_refusing(&self) -> bool {
        matches!(self.stage, Stage::Refusing(_))
    }

    /// Reading goes on.
    pub(super) fn note_reading(&mut self) {
        match &mut self.stage {
            Stage::Looking(pause) => *pause = PAUSE_MIN,
            Stage::Ended => {}
            Stage::Refusing(waiting) => *waiting = None,
        }
    }

    /// Ready once the peer's end is seen by `look`, which is called now and then.
    pub(super) fn poll_look(
        &mut self,
        cx: &mut Context<'_>,
        mut look: impl FnMut(&mut Context<'_>) -> bool,
    ) -> Poll<()> {
        while let Stage::Looking(pause) = &mut self.stage {
            if look(cx) {
                self.stage = Stage::Ended;
                break;
            }
            ready!(poll_timer(&mut self.timer, cx));
            *pause = (*pause * 2).min(PAUSE_MAX);
            self.timer.set(sleep(*pause));
        }
        Poll::Ready(())
    }

    /// Refuses what is sent, and is ready once the program has taken none of its `messages` for the
    /// close timeout.
    pub(super) fn poll_refusing(
        &mut self,
        cx: &mut Context<'_>,
        messages: usize,
        close_timeout: Duration,
    ) -> Poll<()> {
        if !matches!(self.stage, Stage::Refusing(Some(waiting)) if waiting == messages) {
            self.stage = Stage::Refusing(Some(messages));
            self.timer.set(sleep(close_timeout));
        }
        poll_timer(&mut self.timer, cx)
    }
}
