//! What a program's own function failed with.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::span::Span;

/// What a function of the program that takes part in connecting (`before_try`, `on_connected`) failed with.
///
/// `?` makes one of any error, and of a text. The try counts as failed then, and another one follows;
/// [`HookError::stop`] says that none shall.
///
/// It is no [`Error`] itself, since it could not be made of any error then; [`error`](Self::error) is.
/// `Debug` is the same sentence as `Display`: the words of the error within.
///
/// ```
/// use talkback::HookError;
///
/// async fn token(account: &str) -> Result<String, HookError> {
///     if account.is_empty() {
///         return Err(HookError::stop("nobody is logged in"));
///     }
///     // A failure here is worth another try.
///     Ok(String::from_utf8(account.into())?)
/// }
/// ```
#[derive(Clone)]
pub struct HookError {
    error: Arc<dyn Error + Send + Sync>,
    then: Then,
}

/// What follows the failure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Retry,
    Stop,
}

impl HookError {
    /// An error after which no try follows: the channel ends with its words.
    pub fn stop(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(error.into(), Then::Stop)
    }

    /// The program's own error, with its own sources.
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.error
    }

    /// Whether no try follows, unless `decide` says otherwise.
    pub fn is_stop(&self) -> bool {
        self.then == Then::Stop
    }

    fn new(error: Box<dyn Error + Send + Sync>, then: Then) -> Self {
        let error = error.into();
        Self { error, then }
    }

    /// The function did not end in time, and was dropped.
    pub(crate) fn timed_out(after: Duration) -> Self {
        format!("took longer than {}", Span(after)).into()
    }
}

/// Of any error, and of a text.
impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for HookError {
    fn from(error: E) -> Self {
        Self::new(error.into(), Then::Retry)
    }
}

impl fmt::Display for HookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Debug for HookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn re44_any_error_is_one_and_keeps_its_type_and_its_words() {
        fn failing() -> Result<(), HookError> {
            let error = io::Error::new(io::ErrorKind::PermissionDenied, "no token");
            Ok(Err(error)?)
        }
        fn passing_on() -> Result<(), HookError> {
            failing()?;
            Ok(())
        }
        let error = passing_on().unwrap_err();
        assert_eq!(error.to_string(), "no token");
        assert_eq!(format!("{error:?}"), "no token");
        assert!(!error.is_stop());
        let kind = error.error().downcast_ref().map(io::Error::kind);
        assert_eq!(kind, Some(io::ErrorKind::PermissionDenied));
        assert_eq!(HookError::from("a text").to_string(), "a text");
        assert_eq!(HookError::from(String::from("b")).to_string(), "b");
    }

    #[test]
    fn re44_a_stop_is_one_also_when_it_is_passed_on() {
        fn failing() -> Result<(), HookError> {
            Err(HookError::stop("logged out"))
        }
        fn passing_on() -> Result<(), HookError> {
            failing()?;
            Ok(())
        }
        let error = passing_on().unwrap_err();
        assert!(error.is_stop());
        assert_eq!(error.to_string(), "logged out");
    }

    #[test]
    fn re50_re112_a_function_that_hangs_is_told_with_its_time() {
        let error = HookError::timed_out(Duration::from_secs(10));
        assert_eq!(error.to_string(), "took longer than 10s");
        assert!(!error.is_stop());
    }
}
