//! Why a server does not start.

use std::error::Error;
use std::fmt;

/// Why a [`Server`](super::Server) does not serve.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServeError {
    /// A limit of [`Connections`](super::Connections) that cannot be.
    Limit {
        /// The option.
        option: &'static str,
        /// What is wrong, and what would work.
        error: String,
    },
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit { option, error } => write!(f, "`{option}` cannot be: {error}"),
        }
    }
}

/// As [`Display`](fmt::Display): it is what a `main` prints that returns it.
impl fmt::Debug for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ServeError {}
