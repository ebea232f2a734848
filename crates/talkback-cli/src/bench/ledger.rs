//! What all threads have counted: sums, and how they came about over time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::bench::tally::{Counts, Latencies, Tally, latencies};

/// How many points in time are told, about.
const POINTS: u32 = 200;

/// How far apart they are at least.
const INTERVAL_MIN: Duration = Duration::from_millis(150);

/// The figures of a short time.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Point {
    /// The end of that time, in seconds since the begin.
    pub(crate) at: f64,
    /// Answers a second.
    pub(crate) per_second: f64,
    /// In milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

/// The sums, and the points in time.
#[derive(Debug)]
pub(crate) struct Ledger {
    tallies: Vec<Arc<Tally>>,
    spare: Counts,
    pub(crate) sum: Counts,
    pub(crate) points: Vec<Point>,
    begin: Instant,
    interval: Duration,
    /// The time that is not a point yet.
    since: Instant,
    recent: Latencies,
    recent_answered: u64,
    /// What was sent, and answered, before what is measured.
    sent_before: u64,
    /// What was answered until nothing more was sent, and its bytes.
    pub(crate) in_time: (u64, u64),
    is_over: bool,
}

impl Ledger {
    /// `time` is how long it will take, about.
    pub(crate) fn new(tallies: Vec<Arc<Tally>>, time: Duration) -> Self {
        let now = Instant::now();
        Self {
            tallies,
            spare: Counts::new(),
            sum: Counts::new(),
            points: Vec::new(),
            begin: now,
            interval: (time / POINTS).max(INTERVAL_MIN),
            since: now,
            recent: latencies(),
            recent_answered: 0,
            sent_before: 0,
            in_time: (0, 0),
            is_over: false,
        }
    }

    /// Messages are sent from now on.
    pub(crate) fn begin(&mut self, now: Instant) {
        (self.begin, self.since) = (now, now);
    }

    /// What is measured begins.
    pub(crate) fn measure(&mut self) {
        self.collect(Instant::now());
        self.sent_before = self.sum.answered;
        self.sum.forget_answers();
    }

    /// Nothing more is sent, and what still comes is no point in time.
    pub(crate) fn end(&mut self) {
        self.collect(Instant::now());
        self.in_time = (self.sum.answered, self.sum.bytes);
        self.is_over = true;
    }

    /// How many messages were sent since what is measured has begun, or waited for their answers then.
    pub(crate) fn sent(&self) -> u64 {
        let all: u64 = self.tallies.iter().map(|tally| tally.sent()).sum();
        all - self.sent_before
    }

    /// Adds what was counted since the last time.
    pub(crate) fn collect(&mut self, now: Instant) {
        for tally in &self.tallies {
            tally.collect(&mut self.spare);
            self.sum.add(&self.spare);
            self.recent
                .add(&self.spare.answers)
                .expect("both have the same bounds");
            self.recent_answered += self.spare.answered;
        }
        let time = now.saturating_duration_since(self.since);
        if self.is_over || time < self.interval {
            return;
        }
        let quantile = |quantile| millis(self.recent.value_at_quantile(quantile));
        self.points.push(Point {
            at: now.saturating_duration_since(self.begin).as_secs_f64(),
            per_second: self.recent_answered as f64 / time.as_secs_f64(),
            p50: quantile(0.5),
            p99: quantile(0.99),
            max: millis(self.recent.max()),
        });
        self.recent.reset();
        self.recent_answered = 0;
        self.since = now;
    }

    /// The latest figures, if there are any.
    pub(crate) fn latest(&self) -> Option<&Point> {
        self.points.last()
    }
}

pub(crate) fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}
