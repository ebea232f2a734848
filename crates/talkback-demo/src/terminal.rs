//! The view in a terminal, or in a pipe.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use talkback::{Error, WebSocketChannel};
use talkback_cli::exchange::{self, Step};
use talkback_cli::input::Lines;
use talkback_cli::signals::Signals;
use talkback_cli::{explain, show};
use tokio::time::{Instant, sleep_until};

use crate::state::{Awaited, Kind, State};
use crate::{Failure, tell};

const PROMPT: &str = "Send a message: ";

/// How long a server that does not echo may be quiet before it is taken to have said everything.
const QUIET: Duration = Duration::from_millis(500);

/// Connects, and shows the conversation; returns the exit code.
pub(crate) async fn run(url: &str, answer_timeout: Duration) -> Result<u8, Failure> {
    let mut signals =
        Signals::new().map_err(|error| format!("could not handle signals: {error}"))?;
    let mut channel = WebSocketChannel::connect(url);
    tokio::select! {
        ready = channel.ready() => ready.map_err(|error| explain_error(&error))?,
        stop = signals.next() => return Ok(stop.exit_code()),
    }
    let mut view = View {
        state: State::default(),
        lines: Lines::stdin().map_err(|error| input_failed(&error))?,
        answer_timeout,
        input_end: None,
        has_prompt: io::stdin().is_terminal() && io::stderr().is_terminal(),
    };
    view.prompt();
    let outcome = tokio::select! {
        outcome = view.show(&mut channel) => outcome.map(|()| 0),
        stop = signals.next() => Ok(stop.exit_code()),
    };
    tokio::select! {
        _ = channel.close() => outcome,
        stop = signals.next() => Ok(stop.exit_code()),
    }
}

struct View {
    state: State,
    lines: Lines,
    answer_timeout: Duration,
    /// When the input ended or the latest message after that came.
    input_end: Option<Instant>,
    has_prompt: bool,
}

impl View {
    /// Shows what happens until all is said, or the connection ends.
    async fn show(&mut self, channel: &mut WebSocketChannel) -> Result<(), Failure> {
        while !self.is_done() {
            let deadline = self.deadline();
            let input = self.input_end.is_none().then_some(&mut self.lines);
            tokio::select! {
                step = exchange::next(channel, input) => self.handle(step, channel)?,
                () = until(deadline) => return self.time_is_up(),
            }
        }
        Ok(())
    }

    fn handle(&mut self, step: Step, channel: &WebSocketChannel) -> Result<(), Failure> {
        match step {
            Step::Line(line) => {
                if let Some(message) = self.state.submit(line) {
                    // What cannot be sent shows at the next step as the end of the connection.
                    let _ = channel.try_send(message);
                }
                self.prompt();
            }
            Step::Message(message) => {
                let kind = self.state.handle_message(message);
                self.show_latest(kind)?;
                self.input_end = self.input_end.map(|_| Instant::now());
            }
            Step::InputEnded => {
                self.clear_prompt();
                self.has_prompt = false;
                self.input_end = Some(Instant::now());
            }
            Step::InputFailed(error) => return Err(input_failed(&error)),
            Step::Closed => {
                self.clear_prompt();
                let info = channel.close_info();
                self.state
                    .handle_end(info.expect("a channel that has ended tells how"));
                return self.ended_early();
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.input_end.is_some() && self.state.awaited() == Awaited::Nothing
    }

    /// Until when the server may be silent, once the input has ended.
    fn deadline(&self) -> Option<Instant> {
        let patience = match self.state.awaited() {
            Awaited::Perhaps => QUIET.min(self.answer_timeout),
            Awaited::Nothing | Awaited::Answers(_) => self.answer_timeout,
        };
        self.input_end.map(|end| end + patience)
    }

    fn time_is_up(&self) -> Result<(), Failure> {
        let Awaited::Answers(count) = self.state.awaited() else {
            return Ok(());
        };
        let lines = lines(count);
        let patience = self.answer_timeout;
        Err(format!(
            "no answer came for {patience:?}, and {lines} unanswered. Check that the server answers, or raise --answer-timeout."
        ))
    }

    /// The server closed before this end did.
    fn ended_early(&self) -> Result<(), Failure> {
        let how = self.state.end().map(explain::end).unwrap_or_default();
        match self.state.awaited() {
            Awaited::Answers(count) => {
                let lines = lines(count);
                Err(format!(
                    "the connection ended too early, and {lines} unanswered: {how}"
                ))
            }
            _ if self.input_end.is_some() => Ok(()),
            _ => Err(format!("the connection ended before the input: {how}")),
        }
    }

    /// Shows the latest message: answers on standard output, others on standard error.
    fn show_latest(&mut self, kind: Kind) -> Result<(), Failure> {
        let Some(message) = self.state.latest() else {
            return Ok(());
        };
        let line = show::line(message);
        self.clear_prompt();
        match kind {
            Kind::Answer => writeln!(io::stdout(), "{line}")
                .map_err(|error| format!("could not write to standard output: {error}"))?,
            Kind::Unasked => tell(&format!("the server says, unasked: {line}")),
        }
        self.prompt();
        Ok(())
    }

    /// Asks for a message, if a person types.
    fn prompt(&self) {
        if self.has_prompt {
            let _ = write!(io::stderr(), "{PROMPT}");
        }
    }

    /// Takes the prompt away, to print in its place.
    fn clear_prompt(&self) {
        if self.has_prompt {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Waits for the deadline; for ever if there is none.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn lines(count: usize) -> String {
    match count {
        1 => "1 line is".to_owned(),
        _ => format!("{count} lines are"),
    }
}

/// Why the channel could not be opened.
fn explain_error(error: &Error) -> Failure {
    match error {
        Error::Connect(error) => explain::connect_error(error),
        error => error.to_string(),
    }
}

fn input_failed(error: &io::Error) -> Failure {
    format!("could not read standard input: {error}")
}
