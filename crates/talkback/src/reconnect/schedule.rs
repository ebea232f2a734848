//! When the next try is made, or that none is.

use std::time::Duration;

use talkback_proto::CloseCode;

use crate::connect::retryable::Outlook;
use crate::reconnect::backoff::Backoff;
use crate::reconnect::draw::{Draw, Window};
use crate::reconnect::lost::{Lost, LostCause};
use crate::reconnect::verdict::{Verdict, outlook, retry_after};

/// How many tries of [`Verdict::RetryFew`] follow each other.
const FEW: u32 = 3;

/// Two tries that somebody asks for begin no closer.
const BETWEEN_TRIES_MIN: Duration = Duration::from_secs(1);

/// The most that is added at random to a wait that the server asks for.
const SPREAD_MAX: Duration = Duration::from_secs(5);

/// The longest wait that comes of what is added to what the server asks for.
const HOUR: Duration = Duration::from_secs(3600);

/// When a channel tries to connect, from its first try to its end.
///
/// ```text
///          begin_try       opened
///   New ─────────────▶ Down ────▶ Open
///    ▲                 │ ▲ ▲        │
///    └─────────────────┘ │ └────────┘ lost
///          resumed       └ a failed try: lost, next, begin_try
/// ```
///
/// It knows no clock: `now` is the time since any start that stays the same, and never goes back. Each
/// loss and each failed try is told by [`lost`](Self::lost), which gives the channel's own answer, and then by
/// [`next`](Self::next), which is given what the program has made of that.
#[derive(Debug)]
pub(crate) struct Schedule {
    backoff: Backoff,
    limits: TryLimits,
    before_try: BeforeTry,
    draw: Draw,
    phase: Phase,
    /// Whether a connection was ever open.
    was_open: bool,
    /// How many tries were begun since a connection was open.
    tries: u32,
    /// When the last try was begun.
    begun: Option<Duration>,
    /// How many waits there were since a connection lasted.
    index: u32,
    /// The upper end of what the last wait was drawn from; zero before the first.
    window: Duration,
    row: Row,
}

/// After how much a channel gives up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TryLimits {
    /// So many tries without a connection; with 0, none follows a loss.
    pub(crate) tries_max: Option<u32>,
    /// So long without a connection.
    pub(crate) time_max: Option<Duration>,
}

/// Whether each try may bring credentials of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BeforeTry {
    /// All tries send the same.
    None,
    /// The program's function is asked before each.
    Set,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A try, after this wait; it never ends behind the deadline.
    Wait(Duration),
    /// The channel ends with what was lost.
    Stop,
    /// The channel ends, since a limit is reached.
    GaveUp {
        /// How many tries there were since a connection was open.
        tries: u32,
        /// How long there was none.
        after: Duration,
    },
}

/// Since when there is what.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// No try was begun.
    New,
    /// There is no connection.
    Down { since: Duration },
    /// There is one.
    Open { since: Duration },
}

/// The losses of one kind, up to the last one, of which only so many may follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    /// Any number may.
    Any,
    /// So many of [`Verdict::RetryFew`].
    Few(u32),
    /// Credentials were refused, once.
    Unauthorized,
}

impl Schedule {
    pub(crate) fn new(
        backoff: Backoff,
        limits: TryLimits,
        before_try: BeforeTry,
        draw: Draw,
    ) -> Self {
        Self {
            backoff,
            limits,
            before_try,
            draw,
            phase: Phase::New,
            was_open: false,
            tries: 0,
            begun: None,
            index: 0,
            window: Duration::ZERO,
            row: Row::Any,
        }
    }

    /// A try begins: the program's function before it is a part of it.
    pub(crate) fn begin_try(&mut self, now: Duration) {
        if let Phase::New = self.phase {
            self.phase = Phase::Down { since: now };
        }
        self.tries = self.tries.saturating_add(1);
        self.begun = Some(now);
    }

    /// A connection is open: the handshake is done, and so is what the program begins each with.
    pub(crate) fn opened(&mut self, now: Duration) {
        self.phase = Phase::Open { since: now };
        self.was_open = true;
        self.tries = 0;
        // These credentials were good; those of the next try are refused for the first time.
        if self.row == Row::Unauthorized {
            self.row = Row::Any;
        }
    }

    /// A connection was lost, or a try has failed: the channel's own answer.
    pub(crate) fn lost(&mut self, lost: &Lost, now: Duration) -> Verdict {
        if let Phase::Open { since } = self.phase {
            self.phase = Phase::Down { since: now };
            // One that ends soon is no success: a server that accepts and hangs up is left alone for
            // longer each time, and what ends each of them counts on.
            let age = now.saturating_sub(since);
            if self.backoff.has_lasted(age, self.window) {
                self.index = 0;
                self.row = Row::Any;
            }
        }
        match outlook(lost.cause()) {
            Outlook::Passing => retry(lost),
            Outlook::Changing if self.may_try_few() => Verdict::RetryFew,
            Outlook::Unauthorized if self.may_try_credentials() => retry(lost),
            Outlook::Changing | Outlook::Unauthorized | Outlook::Lasting => Verdict::Stop,
        }
    }

    /// On a channel that was never open what is wrong is said at once.
    fn may_try_few(&self) -> bool {
        let count = match self.row {
            Row::Few(count) => count,
            Row::Any | Row::Unauthorized => 0,
        };
        self.was_open && count < FEW
    }

    /// The same credentials are never sent again, and others once.
    fn may_try_credentials(&self) -> bool {
        self.before_try == BeforeTry::Set && self.row != Row::Unauthorized
    }

    /// What follows, by what the program has made of the answer of [`lost`](Self::lost).
    pub(crate) fn next(&mut self, lost: &Lost, verdict: Verdict, now: Duration) -> Next {
        let after = match verdict {
            Verdict::Stop => return Next::Stop,
            Verdict::RetryFew if !self.may_try_few() => return Next::Stop,
            Verdict::RetryFew => retry_after(lost),
            Verdict::RetryAfter(after) => Some(after),
            Verdict::Retry => None,
        };
        let wait = match lost.cause() {
            // These are no failures: what counts those stays as it is.
            LostCause::Asked => self.hasten(now, Duration::ZERO),
            LostCause::Paused | LostCause::PageLeft => Duration::ZERO,
            _ => {
                self.row = self.row_with(lost, verdict);
                if let Some(end) = self.out_of_tries(now).or_else(|| self.gave_up(now)) {
                    return end;
                }
                self.draw_wait(lost)
            }
        };
        let wait = after.map_or(wait, |after| wait.max(self.draw_after(after)));
        // The channel gives up then, unless somebody hastens the try.
        let left = self.deadline().map(|deadline| deadline.saturating_sub(now));
        Next::Wait(left.map_or(wait, |left| wait.min(left)))
    }

    fn row_with(&self, lost: &Lost, verdict: Verdict) -> Row {
        match (verdict, self.row) {
            (Verdict::RetryFew, Row::Few(count)) => Row::Few(count + 1),
            (Verdict::RetryFew, _) => Row::Few(1),
            _ if outlook(lost.cause()) == Outlook::Unauthorized => Row::Unauthorized,
            _ => Row::Any,
        }
    }

    fn draw_wait(&mut self, lost: &Lost) -> Duration {
        let code = lost.close_info().map(|info| info.code);
        let window = match code {
            Some(CloseCode::SERVICE_RESTART) => self.backoff.window_of_a_restart(),
            Some(CloseCode::TRY_AGAIN_LATER) => self.backoff.window_of_an_overload(),
            _ => self.backoff.window(self.index),
        };
        self.index = self.index.saturating_add(1);
        self.window = window.highest;
        self.draw.within(window)
    }

    /// A wait of at least `lowest`: who was told to come back then comes a little later, not all at once.
    fn draw_after(&mut self, lowest: Duration) -> Duration {
        let spread = (lowest / 10).min(SPREAD_MAX);
        let highest = lowest.saturating_add(spread);
        let drawn = self.draw.within(Window { lowest, highest });
        // A program may ask for more than a server.
        drawn.min(HOUR.max(lowest))
    }

    /// How long from now until a try that somebody asks for, or that news of the network hasten: drawn from
    /// zero to `within`. Two such tries begin at least a second apart. The waits after it are as they were.
    pub(crate) fn hasten(&mut self, now: Duration, within: Duration) -> Duration {
        let drawn = self.draw.within(Window::up_to(within));
        let earliest = self
            .begun
            .map(|begun| begun.saturating_add(BETWEEN_TRIES_MIN));
        earliest.map_or(drawn, |earliest| drawn.max(earliest.saturating_sub(now)))
    }

    /// The network seems to be away: waits are drawn in the longest window, until a connection lasts.
    #[cfg(any(test, browser))]
    pub(crate) fn stretch(&mut self) {
        self.index = u32::MAX;
    }

    /// A pause has ended: the limits count anew. The waits go on as they were, as it was no connection.
    pub(crate) fn resumed(&mut self) {
        if let Phase::Down { .. } = self.phase {
            self.phase = Phase::New;
        }
        self.tries = 0;
    }

    /// When the channel gives up, though a try is under way or waited for; `None` while it is open, or if it
    /// has no such limit.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let since = self.down_since()?;
        Some(since.saturating_add(self.limits.time_max?))
    }

    /// The end, once the deadline has come.
    pub(crate) fn gave_up(&self, now: Duration) -> Option<Next> {
        let is_over = self.deadline().is_some_and(|deadline| deadline <= now);
        is_over.then(|| self.end(now))
    }

    /// The end, once there were as many tries as there may be.
    fn out_of_tries(&self, now: Duration) -> Option<Next> {
        let is_over = self.limits.tries_max.is_some_and(|most| self.tries >= most);
        is_over.then(|| self.end(now))
    }

    fn end(&self, now: Duration) -> Next {
        let since = self.down_since().unwrap_or(now);
        Next::GaveUp {
            tries: self.tries,
            after: now.saturating_sub(since),
        }
    }

    fn down_since(&self) -> Option<Duration> {
        match self.phase {
            Phase::Down { since } => Some(since),
            Phase::New | Phase::Open { .. } => None,
        }
    }

    /// How many tries were begun since a connection was open; 0 while one is.
    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }
}

/// By the backoff, unless the server says when.
fn retry(lost: &Lost) -> Verdict {
    retry_after(lost).map_or(Verdict::Retry, Verdict::RetryAfter)
}

#[cfg(test)]
mod tests;
