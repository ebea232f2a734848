//! Where lines come from and messages are shown: a prompt in a terminal, or plain pipes.

use std::io::{self, IsTerminal as _, Write as _};

use talkback::Message;
use talkback_cli::input::Lines;
use talkback_cli::show;

use crate::prompt::Prompt;

/// Standard output, with a prompt on it or not.
pub(crate) enum Screen {
    /// At least one of standard input and output is no terminal.
    Plain,
    /// A person types.
    Prompt(Prompt),
}

impl Screen {
    /// Takes standard input and output over.
    pub(crate) fn open() -> io::Result<(Self, Lines)> {
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            let (prompt, lines) = Prompt::open()?;
            return Ok((Self::Prompt(prompt), lines));
        }
        Ok((Self::Plain, Lines::stdin()?))
    }

    pub(crate) fn is_prompt(&self) -> bool {
        matches!(self, Self::Prompt(_))
    }

    /// Shows a message as one line; above the prompt, if there is one.
    pub(crate) async fn show(&mut self, message: &Message) -> io::Result<()> {
        let line = show::line(message);
        match self {
            Self::Plain => writeln!(io::stdout(), "{line}"),
            Self::Prompt(prompt) => prompt.print(line).await,
        }
    }

    /// Takes the prompt away and leaves the terminal as it was.
    pub(crate) async fn close(self) {
        if let Self::Prompt(prompt) = self {
            prompt.close().await;
        }
    }
}
