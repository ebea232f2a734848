//! A time in the text of an error.

use std::fmt;
use std::time::Duration;

/// A time for a person, as its `Debug` has it: `1.5s`.
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    #[cfg(not(browser))]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }

    #[cfg(browser)]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_milliseconds(self.0))
    }
}

/// The same to the millisecond, for a page: `Debug` of a [`Duration`] would be a kilobyte of it.
#[cfg(any(browser, test))]
fn to_milliseconds(time: Duration) -> String {
    match (time.as_secs(), time.subsec_millis()) {
        (0, millis) => format!("{millis}ms"),
        (seconds, 0) => format!("{seconds}s"),
        (seconds, millis) => {
            let text = format!("{seconds}.{millis:03}");
            format!("{}s", text.trim_end_matches('0'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_a_time_as_a_native_program_does() {
        for millis in [1, 50, 999, 1000, 1001, 1050, 1500, 10_000, 61_200] {
            let time = Duration::from_millis(millis);
            assert_eq!(to_milliseconds(time), Span(time).to_string());
        }
        let time = Duration::from_micros(1_234_567);
        assert_eq!(to_milliseconds(time), "1.234s");
    }
}
