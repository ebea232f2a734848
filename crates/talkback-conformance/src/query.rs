//! The query of a URL: names and values, which may be any bytes.

use std::borrow::Cow;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// Writes a path and its query.
pub(crate) fn encode(path: &str, pairs: &[(&str, Cow<'_, [u8]>)]) -> String {
    let mut target = path.to_owned();
    for (index, (name, value)) in pairs.iter().enumerate() {
        target.push(if index == 0 { '?' } else { '&' });
        target.push_str(name);
        target.push('=');
        target.extend(percent_encode(value, NON_ALPHANUMERIC));
    }
    target
}

/// A query that was parsed.
pub(crate) struct Query(Vec<(String, Vec<u8>)>);

impl Query {
    /// The path of a request's target, and its query.
    pub(crate) fn split(target: &str) -> (&str, Self) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let decoded = pairs.map(|(name, value)| {
            let value = percent_decode_str(value).collect();
            (name.to_owned(), value)
        });
        (path, Self(decoded.collect()))
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let (_, value) = self.0.iter().find(|(given, _)| given == name)?;
        Some(value.clone())
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        String::from_utf8(self.bytes(name)?).ok()
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// A time in milliseconds.
    pub(crate) fn time(&self, name: &str) -> Option<Duration> {
        self.number(name).map(Duration::from_millis)
    }
}
