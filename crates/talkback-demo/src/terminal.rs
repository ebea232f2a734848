//! The view in a terminal, or in a pipe.

mod answers;

use std::io;
use std::time::Duration;

use talkback::{Error, WebSocketChannel};
use talkback_cli::exchange::{self, Step};
use talkback_cli::input::Lines;
use talkback_cli::screen::{Output, Screen};
use talkback_cli::signals::{Signals, Stop};
use talkback_cli::{explain, show};
use tokio::time::{Instant, sleep_until};

use self::answers::{Answers, Awaited, Kind};
use crate::Failure;

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
    // The prompt is not on standard output, which holds answers only.
    let (screen, lines) =
        Screen::open(PROMPT, Output::Stderr).map_err(|error| input_failed(&error))?;
    let mut view = View {
        answers: Answers::default(),
        screen,
        lines,
        answer_timeout,
        input_end: None,
        input_error: None,
    };
    let outcome = tokio::select! {
        outcome = view.show(&mut channel) => outcome,
        stop = signals.next() => Err(Ending::Stopped(stop)),
    };
    // Before anything else: it gives the terminal back, and Ctrl-C its meaning.
    view.screen.close().await;
    tokio::select! {
        _ = channel.close() => {}
        stop = signals.next() => return Ok(stop.exit_code()),
    }
    match outcome {
        Ok(()) => match view.input_error {
            Some(error) => Err(input_failed(&error)),
            None => Ok(0),
        },
        Err(Ending::Stopped(stop)) => Ok(stop.exit_code()),
        Err(Ending::Failed(what)) => Err(what),
    }
}

/// Why the conversation ends before all is said.
enum Ending {
    /// Ctrl-C or a signal.
    Stopped(Stop),
    Failed(Failure),
}

impl From<Failure> for Ending {
    fn from(what: Failure) -> Self {
        Self::Failed(what)
    }
}

struct View {
    answers: Answers,
    screen: Screen,
    lines: Lines,
    answer_timeout: Duration,
    /// When the input ended or the latest message after that came.
    input_end: Option<Instant>,
    /// What the input ended with, if not well; the lines before it are answered first.
    input_error: Option<io::Error>,
}

impl View {
    /// Shows what happens until all is said, or the connection ends.
    async fn show(&mut self, channel: &mut WebSocketChannel) -> Result<(), Ending> {
        while !self.is_done() {
            let deadline = self.deadline();
            let input = self.input_end.is_none().then_some(&mut self.lines);
            tokio::select! {
                step = exchange::next(channel, input) => self.handle(step, channel).await?,
                () = until(deadline) => return Ok(self.time_is_up()?),
            }
        }
        Ok(())
    }

    async fn handle(&mut self, step: Step, channel: &WebSocketChannel) -> Result<(), Ending> {
        match step {
            Step::Line(line) => {
                if let Some(message) = self.answers.submit(line) {
                    // What cannot be sent shows at the next step as the end of the connection.
                    let _ = channel.try_send(message);
                }
            }
            Step::Message(message) => {
                let kind = self.answers.handle_message(message);
                self.show_latest(kind).await?;
                self.input_end = self.input_end.map(|_| Instant::now());
            }
            Step::InputEnded => self.end_input().await,
            Step::InputFailed(error) if error.kind() == io::ErrorKind::Interrupted => {
                return Err(Ending::Stopped(Stop::Interrupt));
            }
            Step::InputFailed(error) => {
                self.input_error = Some(error);
                self.end_input().await;
            }
            Step::Closed => {
                let info = channel.close_info();
                self.answers
                    .handle_end(info.expect("a channel that has ended tells how"));
                return Ok(self.ended_early()?);
            }
        }
        Ok(())
    }

    async fn end_input(&mut self) {
        // While the last answers are waited for, Ctrl-C is a signal again.
        self.screen.close().await;
        self.input_end = Some(Instant::now());
    }

    fn is_done(&self) -> bool {
        self.input_end.is_some() && self.answers.awaited() == Awaited::Nothing
    }

    /// Until when the server may be silent, once the input has ended.
    fn deadline(&self) -> Option<Instant> {
        let patience = match self.answers.awaited() {
            Awaited::Perhaps => QUIET.min(self.answer_timeout),
            Awaited::Nothing | Awaited::Answers(_) => self.answer_timeout,
        };
        self.input_end.map(|end| end + patience)
    }

    fn time_is_up(&self) -> Result<(), Failure> {
        let Awaited::Answers(count) = self.answers.awaited() else {
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
        let how = self.answers.end().map(explain::end).unwrap_or_default();
        match self.answers.awaited() {
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
    async fn show_latest(&mut self, kind: Kind) -> Result<(), Failure> {
        let Some(message) = self.answers.latest() else {
            return Ok(());
        };
        let line = show::line(message);
        let printed = match kind {
            Kind::Answer => self.screen.print(Output::Stdout, line).await,
            Kind::Unasked => {
                let line = format!("the server says, unasked: {line}");
                // If nobody reads standard error, there is nobody to tell.
                let _ = self.screen.print(Output::Stderr, line).await;
                return Ok(());
            }
        };
        printed.map_err(|error| format!("could not write to standard output: {error}"))
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
