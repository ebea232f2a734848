//! Standard output and standard error.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};

use talkback::Message;

use crate::show;

/// Standard output or standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Output {
    /// Whether a person reads it.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Stdout => io::stdout().is_terminal(),
            Self::Stderr => io::stderr().is_terminal(),
        }
    }

    /// Where its bytes go.
    pub(crate) fn writer(self) -> Box<dyn Write> {
        match self {
            Self::Stdout => Box::new(io::stdout()),
            Self::Stderr => Box::new(io::stderr()),
        }
    }
}

/// What can be printed: a line, a message, or several lines of a program's own.
pub trait Print: fmt::Debug + Send + 'static {
    /// How many bytes it holds while it waits to be printed, in bytes.
    fn size(&self) -> usize;

    /// Writes it, with `end` for each line end: that of a terminal may be another.
    ///
    /// # Errors
    /// Those of the writer.
    fn print(&self, to: &mut dyn Write, end: &str) -> io::Result<()>;
}

/// A line, given without its line end.
impl Print for String {
    fn size(&self) -> usize {
        self.len()
    }

    fn print(&self, to: &mut dyn Write, end: &str) -> io::Result<()> {
        to.write_all(self.as_bytes())?;
        to.write_all(end.as_bytes())
    }
}

/// As [`line`](crate::show::line) shows it, but escaped when it is printed, as that may make it ten times as
/// long.
impl Print for Message {
    fn size(&self) -> usize {
        self.len()
    }

    fn print(&self, to: &mut dyn Write, end: &str) -> io::Result<()> {
        show::parts(self).try_for_each(|part| to.write_all(part.as_bytes()))?;
        to.write_all(end.as_bytes())
    }
}
