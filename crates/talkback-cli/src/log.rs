//! The log, on standard error.

use std::io::{self, IsTerminal as _};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// How many lines may wait to be written. Beyond that lines are lost: a log that nobody reads must
/// not hold up a connection.
const LINES_AHEAD: usize = 4096;

/// Starts the log at `level`, or at "debug" if verbose; `RUST_LOG` has the last word.
///
/// It is written by a thread of its own, which has written what is left when the guard is dropped.
pub(crate) fn start(level: &str, verbose: bool) -> WorkerGuard {
    let level = if verbose { "debug" } else { level };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_AHEAD)
        .finish(io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(io::stderr().is_terminal())
        // Nobody is left to be told that standard error is closed; telling it would panic, and
        // cost a connection.
        .log_internal_errors(false)
        .init();
    guard
}
