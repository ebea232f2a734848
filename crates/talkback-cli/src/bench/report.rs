//! The report, as it is in JSON.

use std::time::Duration;

use serde::Serialize;
use talkback::WsUrl;

use crate::args::BenchArgs;
use crate::bench::ledger::{Ledger, Point, millis};
use crate::bench::plan::Plan;
use crate::bench::tally::{Cause, Latencies};
use crate::events;
use crate::exit::{self, Failure};

/// How many bars of the histogram a factor of ten has.
const BARS_EACH_DECADE: f64 = 6.0;

/// How long a message may be due, and wait for its turn on the thread.
const TURN: Duration = Duration::from_millis(50);

/// What was measured.
#[derive(Debug)]
pub(crate) struct Measured {
    /// How long it took until all connections were open, or had failed.
    pub(crate) opened_after: Duration,
    /// Whether it was not stopped before.
    pub(crate) is_open: bool,
    /// How long messages were sent: after that, unless it was stopped before.
    pub(crate) took: Duration,
    /// What this process took of processors meanwhile.
    pub(crate) processor: Option<Duration>,
    pub(crate) ledger: Ledger,
}

/// What came of it. Times are in milliseconds unless they are named otherwise.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) title: String,
    /// When it ended (RFC 3339, UTC).
    pub(crate) time: String,
    /// Without secrets.
    pub(crate) url: String,
    pub(crate) load: Load,
    pub(crate) opened: u64,
    pub(crate) opened_after_seconds: f64,
    pub(crate) opening: Quantiles,
    /// How long messages were sent.
    pub(crate) seconds: f64,
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    /// Of the answers that came while messages were sent.
    pub(crate) answers_per_second: f64,
    /// Bytes of the answers' payloads.
    pub(crate) bytes_per_second: f64,
    /// How many of the sent messages were not answered.
    pub(crate) unanswered: u64,
    /// How many messages were due and not sent, as those before them were not answered.
    pub(crate) unsent: u64,
    pub(crate) latency: Quantiles,
    /// Whether latencies count from when a message was due.
    pub(crate) is_corrected: bool,
    /// The latencies, in bars that grow by the same factor each.
    pub(crate) histogram: Vec<Bar>,
    pub(crate) points: Vec<Point>,
    pub(crate) errors: Vec<ErrorCount>,
    /// What this process took of a processor for a message, in microseconds.
    pub(crate) processor_us_each: Option<f64>,
    /// How many processors it has kept busy.
    pub(crate) processors: Option<f64>,
    #[serde(skip)]
    worst: Option<Cause>,
}

/// What was asked for.
#[derive(Debug, Serialize)]
pub(crate) struct Load {
    pub(crate) connections: u32,
    pub(crate) threads: u16,
    /// Messages a second; none if each waits for the answer to the last.
    pub(crate) rate: Option<f64>,
    pub(crate) pipeline: usize,
    pub(crate) kind: &'static str,
    /// The size of each message that differs, in bytes; they go in turn.
    pub(crate) sizes: Vec<usize>,
    pub(crate) is_compressed: bool,
    pub(crate) ramp_seconds: f64,
    pub(crate) duration_seconds: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) mean: f64,
    pub(crate) min: f64,
    pub(crate) p50: f64,
    pub(crate) p75: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
    pub(crate) p99_99: f64,
    pub(crate) max: f64,
}

impl Quantiles {
    fn of(latencies: &Latencies) -> Self {
        let quantile = |quantile| millis(latencies.value_at_quantile(quantile));
        Self {
            mean: latencies.mean() / 1e6,
            min: millis(latencies.min()),
            p50: quantile(0.5),
            p75: quantile(0.75),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p99_9: quantile(0.999),
            p99_99: quantile(0.9999),
            max: millis(latencies.max()),
        }
    }

    /// With their names and the share of messages that took longer.
    pub(crate) fn named(&self) -> [(&'static str, f64, f64); 7] {
        [
            ("p50", 0.5, self.p50),
            ("p75", 0.25, self.p75),
            ("p90", 0.1, self.p90),
            ("p99", 0.01, self.p99),
            ("p99.9", 0.001, self.p99_9),
            ("p99.99", 0.0001, self.p99_99),
            ("max", 0.0, self.max),
        ]
    }
}

/// How many latencies lie between two.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Bar {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) count: u64,
}

/// How often an error came.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorCount {
    pub(crate) cause: String,
    pub(crate) count: u64,
}

impl Report {
    pub(crate) fn new(args: &BenchArgs, url: &WsUrl, plan: &Plan, measured: &Measured) -> Self {
        let Measured { ledger, took, .. } = measured;
        let sent = ledger.sent();
        let (sum, seconds) = (&ledger.sum, took.as_secs_f64());
        // An answer that came later says nothing of a rate.
        let (answered, bytes) = ledger.in_time;
        let mut errors: Vec<(&Cause, u64)> = sum
            .errors
            .iter()
            .map(|(cause, count)| (cause, *count))
            .collect();
        let unanswered = sent.saturating_sub(sum.answered);
        let missing = Cause {
            text: "a message was not answered".to_owned(),
            code: exit::OTHER,
        };
        errors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let unexplained = unanswered.saturating_sub(sum.lost);
        // What else happened says more.
        if unexplained > 0 {
            errors.push((&missing, unexplained));
        }
        let due_in = took.saturating_sub(TURN).as_secs_f64();
        // The rate is that of all connections.
        let rate = plan.rate.filter(|_| measured.is_open);
        let due = rate.map_or(0.0, |rate| rate * due_in) as u64;
        let processor = measured.processor.map(|time| time.as_secs_f64());
        Self {
            title: args.report.title.clone(),
            time: events::now(),
            url: url.to_string(),
            load: Load::new(args, plan, sum.is_compressed),
            opened: sum.opening.len(),
            opened_after_seconds: measured.opened_after.as_secs_f64(),
            opening: Quantiles::of(&sum.opening),
            seconds,
            sent,
            answered: sum.answered,
            answers_per_second: answered as f64 / seconds,
            bytes_per_second: bytes as f64 / seconds,
            unanswered,
            unsent: due.saturating_sub(sent),
            latency: Quantiles::of(&sum.answers),
            is_corrected: plan.rate.is_some(),
            histogram: bars(&sum.answers),
            points: ledger.points.clone(),
            worst: errors.first().map(|(cause, _)| (*cause).clone()),
            errors: errors
                .into_iter()
                .map(|(cause, count)| ErrorCount {
                    cause: cause.text.clone(),
                    count,
                })
                .collect(),
            processor_us_each: processor
                .filter(|_| answered > 0)
                .map(|time| time * 1e6 / answered as f64),
            processors: processor.map(|time| time / seconds),
        }
    }

    /// The most frequent error, if there was any.
    pub(crate) fn outcome(&self) -> Result<(), Failure> {
        let Some(worst) = &self.worst else {
            return Ok(());
        };
        let number: u64 = self.errors.iter().map(|error| error.count).sum();
        let text = &worst.text;
        let message = match number {
            1 => text.clone(),
            number => format!("{number} errors, most often: {text}"),
        };
        Err(Failure::new(worst.code, message))
    }
}

impl Load {
    fn new(args: &BenchArgs, plan: &Plan, is_compressed: bool) -> Self {
        let mut sizes: Vec<usize> = plan
            .exchanges
            .iter()
            .map(|exchange| exchange.message.len())
            .collect();
        sizes.dedup();
        Self {
            connections: plan.connections,
            threads: plan.threads,
            rate: plan.rate,
            pipeline: plan.pipeline,
            kind: match args.load.binary {
                true => "binary",
                false => "text",
            },
            sizes,
            is_compressed,
            ramp_seconds: plan.ramp.as_secs_f64(),
            duration_seconds: args.load.duration.as_secs_f64(),
        }
    }
}

/// The bars of a histogram, from the first to the last that has anything.
fn bars(latencies: &Latencies) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    let bound = |step: i32| 10_f64.powf(f64::from(step) / BARS_EACH_DECADE);
    for value in latencies.iter_recorded() {
        let at = millis(value.value_iterated_to()).max(1e-6);
        let step = (at.log10() * BARS_EACH_DECADE).floor() as i32;
        let (from, to) = (bound(step), bound(step + 1));
        // Those between that have nothing are bars as well.
        while let Some(last) = bars.last().filter(|last| last.to < from * 0.999) {
            let (from, to) = (last.to, last.to * bound(1));
            bars.push(Bar { from, to, count: 0 });
        }
        let count = value.count_since_last_iteration();
        match bars.last_mut().filter(|last| last.from > from * 0.999) {
            Some(last) => last.count += count,
            None => bars.push(Bar { from, to, count }),
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use crate::bench::tally::latencies;

    use super::*;

    #[test]
    fn bars_hold_every_latency_and_leave_no_gap() {
        let mut all = latencies();
        for value in [1_000, 1_100, 5_000_000, 5_000_001, 59_000_000_000] {
            all.record(value).unwrap();
        }
        let bars = bars(&all);
        assert_eq!(bars.iter().map(|bar| bar.count).sum::<u64>(), 5);
        for pair in bars.windows(2) {
            assert!((pair[0].to / pair[1].from - 1.0).abs() < 1e-6, "{pair:?}");
        }
        assert!(bars[0].from < 0.001_001 && bars[0].count == 2, "{bars:?}");
    }
}
