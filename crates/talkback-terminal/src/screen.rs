//! Where a person's lines come from and what is shown to them: a prompt in a terminal, or plain
//! pipes.

use std::io::{self, IsTerminal as _, Write as _};

use crate::input::{Lines, Reading};
use crate::output::{Output, Print};
use crate::printer::Printer;
use crate::prompt::Prompt;
pub use crate::prompt::PromptOptions;

/// Standard input, output and error, with a prompt among them or not.
#[derive(Debug)]
pub struct Screen(Face);

/// What a screen is.
#[derive(Debug)]
enum Face {
    /// A person types.
    Prompt(Prompt),
    /// Pipes, or a terminal in one direction only.
    Plain(Printer),
    Closed,
}

impl Screen {
    /// Takes standard input over, within a tokio runtime with time: with a prompt on `output` if both are
    /// terminals, and otherwise as `reading` says.
    ///
    /// A line at a prompt holds 1 MiB at most; what is longer is not taken, and that is told. Lines that were
    /// pasted are one, where the terminal marks what is pasted, and it has line feeds in it.
    ///
    /// With a prompt, Ctrl-C is no signal but the end of the lines, with the error
    /// [`Interrupted`](io::ErrorKind::Interrupted), and Ctrl-D is their end without an error.
    /// [Close](Self::close) the screen then.
    ///
    /// # Errors
    /// The operating system's, if the terminal's mode cannot be changed or no thread be started.
    pub fn open(
        prompt: PromptOptions,
        output: Output,
        reading: Reading,
    ) -> io::Result<(Self, Lines)> {
        if io::stdin().is_terminal() && output.is_terminal() {
            let (prompt, lines) = Prompt::open(prompt, output)?;
            return Ok((Self(Face::Prompt(prompt)), lines));
        }
        Ok((Self::plain()?, Lines::stdin(reading)?))
    }

    /// Leaves standard input alone: nothing is read, and there is no prompt.
    ///
    /// # Errors
    /// The operating system's, if no thread can be started.
    pub fn plain() -> io::Result<Self> {
        Ok(Self(Face::Plain(Printer::start()?)))
    }

    /// Whether a person types at a prompt, and it has not been closed.
    pub fn is_prompt(&self) -> bool {
        matches!(self.0, Face::Prompt(_))
    }

    /// Prints a line, given without its line end, a message, or what else can be printed; above the prompt, if
    /// there is one.
    ///
    /// # Errors
    /// The operating system's about a line on standard output, this one or an earlier one;
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if nobody reads any more.
    ///
    /// # Cancel safety
    /// A dropped call may lose the line.
    pub async fn print(&mut self, output: Output, line: impl Print) -> io::Result<()> {
        match &mut self.0 {
            Face::Prompt(prompt) => prompt.print(output, Box::new(line)).await,
            Face::Plain(printer) => printer.print(output, Box::new(line)).await,
            Face::Closed => {
                let mut to = output.writer();
                line.print(&mut to, "\n")?;
                to.flush()
            }
        }
    }

    /// Prints what is left, takes the prompt away and leaves the terminal as it was. Lines can be
    /// printed afterwards as well.
    ///
    /// # Errors
    /// Why not all was printed, unless [`print`](Self::print) has said that.
    ///
    /// # Cancel safety
    /// A dropped call leaves the tidying to the background.
    pub async fn close(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.0, Face::Closed) {
            Face::Prompt(prompt) => prompt.close().await,
            Face::Plain(printer) => printer.close().await,
            Face::Closed => Ok(()),
        }
    }
}
