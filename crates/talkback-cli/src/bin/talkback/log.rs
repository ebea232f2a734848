//! The log, on standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

/// Starts the log at `level`, or at "debug" if verbose; `RUST_LOG` has the last word.
pub(crate) fn start(level: &str, verbose: bool) {
    let level = if verbose { "debug" } else { level };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        // Nobody is left to be told that standard error is closed; telling it would panic, and
        // cost a connection.
        .log_internal_errors(false)
        .init();
}
