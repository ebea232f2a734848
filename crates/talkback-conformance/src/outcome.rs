//! How a scenario ends: well, or with what was seen and where.

use std::error::Error;
use std::fmt;
use std::panic::Location;

/// How a scenario ends. It is a value and no panic, so that one run can go on to the next scenario
/// where a panic ends the program.
pub type Outcome = Result<(), Failure>;

/// What a scenario saw in place of what it expects, and where in the source.
pub struct Failure {
    what: String,
    place: &'static Location<'static>,
}

impl Failure {
    /// A failure at the caller's line.
    #[track_caller]
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            place: Location::caller(),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// It is no [`Error`] itself, so that `?` makes one of any other error.
impl<E: Error> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        Self::new(format!("an error that was not expected: {error}"))
    }
}

/// Fails the scenario unless the condition holds; the rest says what was seen.
macro_rules! ensure {
    ($condition:expr, $($seen:tt)+) => {
        if !$condition {
            let seen = format!($($seen)+);
            let rule = stringify!($condition);
            return Err($crate::outcome::Failure::new(format!("expected {rule}, saw {seen}")));
        }
    };
}

/// Fails the scenario unless the first value, which was seen, is the second, which is expected.
macro_rules! ensure_eq {
    ($seen:expr, $expected:expr) => {
        match (&$seen, &$expected) {
            (seen, expected) => ensure!(seen == expected, "{seen:?} instead of {expected:?}"),
        }
    };
}

/// Fails the scenario unless the value, which was seen, matches the pattern.
macro_rules! ensure_matches {
    ($seen:expr, $($pattern:tt)+) => {
        match &$seen {
            $($pattern)+ => {}
            seen => {
                let expected = stringify!($($pattern)+);
                let what = format!("expected {expected}, saw {seen:?}");
                return Err($crate::outcome::Failure::new(what));
            }
        }
    };
}
