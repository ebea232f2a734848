//! What `talkback echo` counts, for Prometheus.
//!
//! `metrics-exporter-prometheus` keeps each measured time until it is asked, or looks after it: 16 bytes for each connection.
//! These are counted at once, so that nothing grows but with the names, which are a closed set.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

/// In seconds: from a handshake within a rack to one that has had all of its time, and from a client that only looks in to
/// one that stays for a week.
const BOUNDS: [f64; 16] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 600.0, 3_600.0,
    14_400.0, 86_400.0, 604_800.0,
];

/// What is counted, by its name.
#[derive(Clone, Default)]
struct Families(Arc<Mutex<BTreeMap<String, Family>>>);

struct Family {
    kind: &'static str,
    help: SharedString,
    /// By their labels, as they are written.
    series: BTreeMap<String, Series>,
}

#[derive(Clone)]
enum Series {
    Counter(Arc<AtomicU64>),
    /// The bits of a number.
    Gauge(Arc<AtomicU64>),
    Histogram(Arc<Buckets>),
}

/// How many values are at most each bound and above the one before; the last count is of those above all.
#[derive(Default)]
struct Buckets {
    counts: [AtomicU64; BOUNDS.len() + 1],
    /// The bits of a number.
    sum: AtomicU64,
}

/// Has counted what the library tells of connections that are made from now on; what the text of it is at a time.
///
/// # Panics
/// The second time.
pub(crate) fn record() -> impl Fn() -> String + Send + Sync + 'static {
    let families = Families::default();
    let recorder = metrics::set_global_recorder(families.clone());
    recorder.expect("there is no other");
    move || families.render()
}

impl Families {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Family>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn describe(&self, name: KeyName, kind: &'static str, help: SharedString) {
        let mut families = self.lock();
        let family = families.entry(name.as_str().to_owned());
        family.or_insert_with(|| Family::new(kind)).help = help;
    }

    fn series(&self, key: &Key, kind: &'static str, new: impl FnOnce() -> Series) -> Series {
        let labels = key.labels();
        let labels = labels.map(|label| format!("{}=\"{}\"", label.key(), label.value()));
        let labels = labels.collect::<Vec<_>>().join(",");
        let mut families = self.lock();
        let family = families.entry(key.name().to_owned());
        let family = family.or_insert_with(|| Family::new(kind));
        family.series.entry(labels).or_insert_with(new).clone()
    }

    fn render(&self) -> String {
        let mut text = String::new();
        for (name, family) in &*self.lock() {
            let _ = writeln!(text, "# HELP {name} {}", family.help);
            let _ = writeln!(text, "# TYPE {name} {}", family.kind);
            for (labels, series) in &family.series {
                let within = match labels.is_empty() {
                    true => String::new(),
                    false => format!("{{{labels}}}"),
                };
                let _ = match series {
                    Series::Counter(count) => {
                        writeln!(text, "{name}{within} {}", count.load(Ordering::Relaxed))
                    }
                    Series::Gauge(bits) => writeln!(text, "{name}{within} {}", number(bits)),
                    Series::Histogram(buckets) => buckets.render(&mut text, name),
                };
            }
        }
        text
    }
}

impl Family {
    fn new(kind: &'static str) -> Self {
        Self {
            kind,
            help: SharedString::const_str(""),
            series: BTreeMap::new(),
        }
    }
}

impl Buckets {
    fn render(&self, text: &mut String, name: &str) -> std::fmt::Result {
        let mut count = 0;
        let bounds = BOUNDS.iter().map(ToString::to_string);
        for (bound, added) in bounds.chain(["+Inf".to_owned()]).zip(&self.counts) {
            count += added.load(Ordering::Relaxed);
            writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {count}")?;
        }
        writeln!(text, "{name}_sum {}", number(&self.sum))?;
        writeln!(text, "{name}_count {count}")
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        let at = BOUNDS.partition_point(|bound| *bound < value);
        CounterFn::increment(&self.counts[at], 1);
        GaugeFn::increment(&self.sum, value);
    }
}

fn number(bits: &AtomicU64) -> f64 {
    f64::from_bits(bits.load(Ordering::Relaxed))
}

impl Recorder for Families {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(name, "counter", help);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(name, "gauge", help);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(name, "histogram", help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        match self.series(key, "counter", || Series::Counter(Arc::default())) {
            Series::Counter(count) => Counter::from_arc(count),
            _ => Counter::noop(),
        }
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        match self.series(key, "gauge", || Series::Gauge(Arc::default())) {
            Series::Gauge(bits) => Gauge::from_arc(bits),
            _ => Gauge::noop(),
        }
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        match self.series(key, "histogram", || Series::Histogram(Arc::default())) {
            Series::Histogram(buckets) => Histogram::from_arc(buckets),
            _ => Histogram::noop(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mt6_a_value_counts_in_each_bucket_from_its_own_on() {
        let buckets = Buckets::default();
        for value in [0.0, 0.25, 0.5, 0.75, 1e6] {
            buckets.record(value);
        }
        let mut text = String::new();
        buckets.render(&mut text, "x").unwrap();
        for line in [
            "x_bucket{le=\"0.0005\"} 1",
            "x_bucket{le=\"0.1\"} 1",
            "x_bucket{le=\"0.5\"} 3",
            "x_bucket{le=\"2.5\"} 4",
            "x_bucket{le=\"604800\"} 4",
            "x_bucket{le=\"+Inf\"} 5",
            "x_sum 1000001.5",
            "x_count 5",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in {text}");
        }
    }
}
