//! Where a person's lines come from and what is shown to them: a prompt in a terminal, or plain
//! pipes.

use std::io::{self, IsTerminal as _};

use talkback::Message;

use crate::input::Lines;
use crate::output::Output;
use crate::printer::Printer;
use crate::prompt::Prompt;
use crate::queue::Line;
use crate::show;

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
            return Ok((Self(Face::Prompt(prompt)), lines));
        }
        Ok((Self(Face::Plain(Printer::start()?)), Lines::stdin()?))
    }

    /// Whether a person types at a prompt, and it has not been closed.
    pub fn is_prompt(&self) -> bool {
        matches!(self.0, Face::Prompt(_))
    }

    /// Prints a line, given without its line end; above the prompt, if there is one.
    ///
    /// # Errors
    /// The operating system's about a line on standard output, this one or an earlier one;
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if nobody reads any more.
    ///
    /// # Cancel safety
    /// A dropped call may lose the line.
    pub async fn print(&mut self, output: Output, line: String) -> io::Result<()> {
        match &mut self.0 {
            Face::Prompt(prompt) => prompt.print(output, Line::Text(line)).await,
            Face::Plain(printer) => printer.print(output, Line::Text(line)).await,
            Face::Closed => output.write(format!("{line}\n").as_bytes()),
        }
    }

    /// Prints a message as [`line`](crate::show::line) shows it; as [`print`](Self::print), but
    /// what waits to be printed is the message, which may be much shorter.
    ///
    /// # Errors
    /// As [`print`](Self::print).
    ///
    /// # Cancel safety
    /// A dropped call may lose the message.
    pub async fn print_message(&mut self, output: Output, message: Message) -> io::Result<()> {
        match &mut self.0 {
            Face::Prompt(prompt) => prompt.print(output, Line::Message(message)).await,
            Face::Plain(printer) => printer.print(output, Line::Message(message)).await,
            Face::Closed => self.print(output, show::line(&message)).await,
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
