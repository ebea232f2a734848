//! When the connections of a drain are closed, and when they are cut.

use std::time::Duration;

use tokio::time::Instant;

use crate::server::drain::Drain;

/// So few are closed at once.
const FEW: usize = 16;

/// How often a spread goes on, at most.
const STEP: Duration = Duration::from_millis(10);

/// As good as never.
const LONG: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The times of a drain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    pub(crate) start: Instant,
    /// When nobody is let in any more, and the first is closed.
    pub(crate) closing: Instant,
    /// When the last is closed.
    pub(crate) closed: Instant,
    /// When what is left is cut.
    pub(crate) deadline: Instant,
}

impl Schedule {
    pub(crate) fn new(drain: &Drain, start: Instant) -> Self {
        let after = |from: Instant, time: Duration| from + time.min(LONG);
        let closing = after(start, drain.lame_duck);
        Self {
            start,
            closing,
            closed: after(closing, drain.spread),
            deadline: after(start, drain.deadline),
        }
    }

    /// Takes the earlier time of each of both.
    pub(crate) fn tighten(&mut self, other: &Self) {
        self.closing = self.closing.min(other.closing);
        self.closed = self.closed.min(other.closed);
        self.deadline = self.deadline.min(other.deadline);
    }
}

/// So many things that are done evenly over a time, number `i` of `n` at `over × i / n`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) count: usize,
    pub(crate) from: Instant,
    pub(crate) over: Duration,
}

impl Spread {
    /// How many are to have been done by now.
    pub(crate) fn due(&self, now: Instant) -> usize {
        let passed = now.saturating_duration_since(self.from).as_nanos();
        let over = self.over.as_nanos();
        if self.count <= FEW || passed >= over {
            return self.count;
        }
        // Below the count, and 2^64 connections over 2^64 ns are within 2^128.
        let whole = passed * self.count as u128 / over;
        self.count.min(whole as usize + 1)
    }

    /// When to go on, with so many of them done.
    pub(crate) fn next(&self, done: usize, now: Instant) -> Instant {
        let share = done as f64 / self.count.max(1) as f64;
        (self.from + self.over.mul_f64(share)).max(now + STEP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_time_in_an_even_spread() {
        let from = Instant::now();
        let spread = Spread {
            count: 1_000,
            from,
            over: Duration::from_secs(10),
        };
        for (milliseconds, due) in [(0, 1), (9, 1), (10, 2), (5_000, 501), (9_990, 1_000)] {
            let now = from + Duration::from_millis(milliseconds);
            assert_eq!(spread.due(now), due, "{milliseconds} ms");
        }
        assert_eq!(spread.due(from + LONG), 1_000);
        assert_eq!(spread.next(1, from), from + STEP);
        assert_eq!(spread.next(500, from), from + Duration::from_secs(5));
        // One that is late has its turn no sooner than a step from now.
        let late = from + Duration::from_secs(6);
        assert_eq!(spread.next(500, late), late + STEP);
    }

    #[test]
    fn few_are_done_at_once_and_nothing_is_no_trouble() {
        let from = Instant::now();
        let over = Duration::from_secs(10);
        for count in [0, 1, FEW] {
            assert_eq!(Spread { count, from, over }.due(from), count);
        }
        let count = FEW + 1;
        assert_eq!(Spread { count, from, over }.due(from), 1);
        let over = Duration::ZERO;
        assert_eq!(Spread { count, from, over }.due(from), count);
    }

    #[test]
    fn the_longest_times_do_not_overflow() {
        let drain = Drain::default()
            .lame_duck(Duration::MAX)
            .spread(Duration::MAX)
            .deadline(Duration::MAX);
        let mut schedule = Schedule::new(&drain, Instant::now());
        schedule.tighten(&Schedule::new(&Drain::now(), schedule.start));
        assert_eq!(schedule.deadline, schedule.start);
    }
}
