//! What a program tells `metrics`, kept for a look.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ::metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

/// A recorder: the values of all series, by `name{label=value}`, of a histogram the count and the sum; and each name
/// that was described, as `# name`.
#[derive(Clone, Debug, Default)]
pub struct Told(Arc<Mutex<BTreeMap<String, f64>>>);

/// One of them.
struct Series(Told, String);

impl Told {
    /// Those whose names begin so, by what is behind it.
    pub fn of(&self, beginning: &str) -> BTreeMap<String, f64> {
        let all = self.0.lock().unwrap();
        let those = all.iter().filter_map(|(name, value)| {
            let rest = name.strip_prefix(beginning)?;
            Some((rest.to_owned(), *value))
        });
        those.collect()
    }

    fn series(&self, key: &Key) -> Arc<Series> {
        let labels = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()));
        let labels: Vec<_> = labels.collect();
        let name = match labels.is_empty() {
            true => key.name().to_owned(),
            false => format!("{}{{{}}}", key.name(), labels.join(",")),
        };
        Arc::new(Series(self.clone(), name))
    }

    fn describe(&self, key: &KeyName) {
        let name = format!("# {}", key.as_str());
        self.0.lock().unwrap().insert(name, 0.0);
    }
}

impl Series {
    fn add(&self, suffix: &str, value: f64) {
        let mut all = self.0.0.lock().unwrap();
        *all.entry(format!("{}{suffix}", self.1)).or_default() += value;
    }
}

impl CounterFn for Series {
    fn increment(&self, value: u64) {
        self.add("", value as f64);
    }

    fn absolute(&self, _: u64) {
        panic!("the libraries only count up");
    }
}

impl GaugeFn for Series {
    fn increment(&self, value: f64) {
        self.add("", value);
    }

    fn decrement(&self, value: f64) {
        self.add("", -value);
    }

    fn set(&self, _: f64) {
        panic!("others may tell of the same gauge");
    }
}

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        self.add(" count", 1.0);
        self.add(" sum", value);
    }
}

impl Recorder for Told {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&key);
    }

    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&key);
    }

    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.describe(&key);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.series(key))
    }
}
