//! Where a person's lines come from and what is shown to them: a prompt in a terminal, or plain
//! pipes.

use std::io::{self, IsTerminal as _, Write as _};

use crate::input::Lines;
use crate::prompt::Prompt;

/// Standard output or standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Output {
    pub(crate) fn is_terminal(self) -> bool {
        match self {
            Self::Stdout => io::stdout().is_terminal(),
            Self::Stderr => io::stderr().is_terminal(),
        }
    }

    pub(crate) fn write(self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => io::stdout().write_all(bytes),
            Self::Stderr => io::stderr().write_all(bytes),
        }
    }

    pub(crate) fn flush(self) -> io::Result<()> {
        match self {
            Self::Stdout => io::stdout().flush(),
            Self::Stderr => io::stderr().flush(),
        }
    }
}

/// Standard input, output and error, with a prompt among them or not.
#[derive(Debug)]
pub struct Screen {
    /// `None` if nobody types.
    prompt: Option<Prompt>,
}

impl Screen {
    /// Takes standard input over, within a tokio runtime: with the prompt `text` on `output` if
    /// both are terminals, and otherwise line by line as it comes.
    ///
    /// With a prompt, Ctrl-C is no signal but the end of the lines, with the error
    /// [`Interrupted`](io::ErrorKind::Interrupted), and Ctrl-D is their end without an error.
    /// [Close](Self::close) the screen then.
    ///
    /// # Errors
    /// The operating system's, if the terminal's mode cannot be changed or no thread be started.
    pub fn open(text: &'static str, output: Output) -> io::Result<(Self, Lines)> {
        if io::stdin().is_terminal() && output.is_terminal() {
            let (prompt, lines) = Prompt::open(text, output)?;
            let prompt = Some(prompt);
            return Ok((Self { prompt }, lines));
        }
        Ok((Self { prompt: None }, Lines::stdin()?))
    }

    /// Whether a person types at a prompt, and it has not been closed.
    pub fn is_prompt(&self) -> bool {
        self.prompt.is_some()
    }

    /// Prints a line, given without its line end; above the prompt, if there is one.
    ///
    /// # Errors
    /// The operating system's; [`BrokenPipe`](io::ErrorKind::BrokenPipe) if an earlier line could
    /// not be printed above the prompt.
    ///
    /// # Cancel safety
    /// A dropped call may lose the line.
    pub async fn print(&mut self, output: Output, line: String) -> io::Result<()> {
        match &self.prompt {
            Some(prompt) => prompt.print(output, line).await,
            None => output.write(format!("{line}\n").as_bytes()),
        }
    }

    /// Prints what is left, takes the prompt away and leaves the terminal as it was; without a
    /// prompt nothing. Lines can be printed afterwards as well.
    ///
    /// # Cancel safety
    /// A dropped call leaves the tidying to the background.
    pub async fn close(&mut self) {
        if let Some(prompt) = self.prompt.take() {
            prompt.close().await;
        }
    }
}
