//! The log, on standard error.

mod line;

use std::io::{self, BufWriter, IsTerminal as _, Stderr, Write};
use std::thread;
use std::time::Duration;

use talkback_terminal::explain::without_numbers;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use self::line::Lines;

/// How many lines may wait to be written. Beyond that lines are lost: a log that nobody reads must
/// not hold up a connection.
const LINES_AHEAD: usize = 4096;

/// How long lines gather before they are written: a server that many clients come to would wake the
/// log's thread, and write, for each line else.
const GATHERING: Duration = Duration::from_millis(10);

/// Standard error, which takes the lines that have gathered in one write.
struct Gathered(BufWriter<Stderr>);

impl Write for Gathered {
    /// Takes a whole line, as the log hands it on.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(line).ok();
        match text.and_then(in_own_words) {
            Some(text) => self.0.write_all(text.as_bytes())?,
            None => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    /// Comes when no line is left; the first of the next ones wakes nobody until this returns.
    fn flush(&mut self) -> io::Result<()> {
        if self.0.buffer().is_empty() {
            return Ok(());
        }
        self.0.flush()?;
        thread::sleep(GATHERING);
        Ok(())
    }
}

/// A line as these commands say it, if that is otherwise: without the numbers of the system's errors, and with their own
/// option where the library names its own.
fn in_own_words(text: &str) -> Option<String> {
    if text.contains(" (os error ") {
        return Some(without_numbers(text));
    }
    let words = [
        ("`trusted_proxies`", "--trusted-proxy"),
        (
            "have its operator allow the origin",
            "allow its origin with --origin",
        ),
    ];
    let (library, own) = words
        .into_iter()
        .find(|(library, _)| text.contains(library))?;
    Some(text.replace(library, own))
}

/// Starts the log at `level`; `RUST_LOG` has the last word. What the library tells below a warning is told by the
/// commands themselves.
///
/// It is written by a thread of its own, which has written what is left when the guard is dropped.
pub(crate) fn start(level: &str) -> WorkerGuard {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("{level},talkback=warn,talkback_echo={level}")));
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_AHEAD)
        .finish(Gathered(BufWriter::new(io::stderr())));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(io::stderr().is_terminal())
        // Nobody is left to be told that standard error is closed; telling it would panic, and
        // cost a connection.
        .log_internal_errors(false)
        .event_format(Lines::default())
        .init();
    guard
}
