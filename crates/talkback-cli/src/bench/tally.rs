//! What the connections of one thread count, and what all of them have counted so far.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest latency that is told; a longer one counts as this.
const LATENCY_MAX: Duration = Duration::from_secs(60);

/// How many decimal digits of a latency are right.
const DIGITS: u8 = 3;

/// How many causes are told apart.
const CAUSES_MAX: usize = 32;

/// What counts the causes beyond.
const OTHER_CAUSES: &str = "other errors";

/// Durations in nanoseconds.
pub(crate) type Latencies = Histogram<u64>;

pub(crate) fn latencies() -> Latencies {
    Histogram::new_with_max(LATENCY_MAX.as_nanos() as u64, DIGITS)
        .expect("the bounds are right for a histogram")
}

fn record(latencies: &mut Latencies, time: Duration) {
    latencies.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
}

/// An error: what it was, and the exit code that stands for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cause {
    pub(crate) text: String,
    pub(crate) code: u8,
}

/// What was counted in some time.
#[derive(Debug)]
pub(crate) struct Counts {
    /// How long opening a connection took.
    pub(crate) opening: Latencies,
    /// How long right answers took.
    pub(crate) answers: Latencies,
    /// How many messages were answered, rightly or not.
    pub(crate) answered: u64,
    /// The bytes of these answers.
    pub(crate) bytes: u64,
    pub(crate) errors: BTreeMap<Cause, u64>,
    /// How many messages waited for their answers when a connection was lost, which is an error already.
    pub(crate) lost: u64,
    /// Whether the server took up compression, on the last connection.
    pub(crate) is_compressed: bool,
}

impl Counts {
    pub(crate) fn new() -> Self {
        Self {
            opening: latencies(),
            answers: latencies(),
            answered: 0,
            bytes: 0,
            errors: BTreeMap::new(),
            lost: 0,
            is_compressed: false,
        }
    }

    pub(crate) fn handle_open(&mut self, took: Duration, is_compressed: bool) {
        record(&mut self.opening, took);
        self.is_compressed = is_compressed;
    }

    /// An answer came: after so long, if it was right.
    pub(crate) fn handle_answer(&mut self, size: usize, took: Option<Duration>) {
        self.answered += 1;
        self.bytes += size as u64;
        if let Some(took) = took {
            record(&mut self.answers, took);
        }
    }

    pub(crate) fn handle_error(&mut self, cause: Cause, number: u64) {
        let is_known = self.errors.contains_key(&cause);
        let cause = match is_known || self.errors.len() < CAUSES_MAX {
            true => cause,
            false => Cause {
                text: OTHER_CAUSES.to_owned(),
                ..cause
            },
        };
        *self.errors.entry(cause).or_default() += number;
    }

    /// Adds what others have counted.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.opening, &other.opening),
            (&mut self.answers, &other.answers),
        ] {
            sum.add(part).expect("both have the same bounds");
        }
        self.answered += other.answered;
        self.bytes += other.bytes;
        self.lost += other.lost;
        self.is_compressed |= other.is_compressed;
        for (cause, number) in &other.errors {
            self.handle_error(cause.clone(), *number);
        }
    }

    /// Forgets the answers, and keeps what else there was.
    pub(crate) fn forget_answers(&mut self) {
        self.answers.reset();
        (self.answered, self.bytes) = (0, 0);
    }

    fn forget(&mut self) {
        self.forget_answers();
        self.opening.reset();
        self.errors.clear();
        self.lost = 0;
        self.is_compressed = false;
    }
}

/// What the connections of one thread count, for another to collect.
#[derive(Debug)]
pub(crate) struct Tally {
    sent: AtomicU64,
    recent: Mutex<Counts>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            sent: AtomicU64::new(0),
            recent: Mutex::new(Counts::new()),
        }
    }

    pub(crate) fn handle_sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// How many messages were sent since the start.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// What was counted since it was last collected.
    pub(crate) fn recent(&self) -> MutexGuard<'_, Counts> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was counted since the last time, and leaves the spare one in its place.
    pub(crate) fn collect(&self, spare: &mut Counts) {
        spare.forget();
        std::mem::swap(&mut *self.recent(), spare);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_apart_as_far_as_there_is_space() {
        let mut counts = Counts::new();
        for number in 0..100 {
            let text = format!("port {number}");
            counts.handle_error(Cause { text, code: 8 }, 2);
        }
        assert_eq!(counts.errors.len(), CAUSES_MAX + 1);
        assert_eq!(counts.errors.values().sum::<u64>(), 200);
    }

    #[test]
    fn what_is_collected_is_counted_once() {
        let (tally, mut spare, mut sum) = (Tally::new(), Counts::new(), Counts::new());
        for _ in 0..2 {
            tally
                .recent()
                .handle_answer(5, Some(Duration::from_millis(2)));
            tally.collect(&mut spare);
            sum.add(&spare);
        }
        assert_eq!((sum.answered, sum.bytes, sum.answers.len()), (2, 10, 2));
    }
}
