//! The demo in a terminal, or in a pipe: lines go in, answers come out.
//!
//! What is sent, and how it ended, is the [`Page`]'s, as in the window and in the tab. Three things are
//! the terminal's own. It shows each answer and not only the last, so it takes them one by one. Its
//! input ends, which a window does not know: `answers.rs` tells what is still to come then. And
//! there may be no person: for one who types, a lost connection is made anew, and `links.rs` says so; a script
//! that pipes wants to know at once that something went wrong.

mod answers;
mod links;

use std::io::{self, IsTerminal as _};
use std::task::{Context, Poll};
use std::time::Duration;

use talkback::{Error, Message, WebSocketChannel};
use talkback_demo::state::{self, Page, Sending, TITLE};
use talkback_terminal::exchange::{self, Duplex, Step};
use talkback_terminal::input::{Lines, Reading};
use talkback_terminal::output::Output;
use talkback_terminal::screen::{PromptOptions, Screen};
use talkback_terminal::signals::{Signals, Stop};
use talkback_terminal::{explain, show};
use tokio::time::{Instant, sleep_until};

use self::answers::{Answers, Awaited, Kind};
use self::links::{Change, Links};

/// The field's label stands before what is typed.
const PROMPT: &str = "Send a message: ";

/// How long a server that does not echo may be quiet before it is taken to have said everything.
const QUIET: Duration = Duration::from_millis(500);

/// Why the demo ends without success, in one line.
pub(crate) type Failure = String;

/// Connects, and shows the conversation; returns the exit code.
pub(crate) async fn run(url: &str, answer_timeout: Duration) -> Result<u8, Failure> {
    let mut signals =
        Signals::new().map_err(|error| format!("could not handle signals: {error}"))?;
    let channel = channel(url);
    let mut links = Links::new(channel.snapshots());
    let page = Page::new(TITLE, url, channel);
    // A person may type before there is a connection, but not before it is known whether there will be one.
    let lost = tokio::select! {
        ready = page.ready() => {
            ready.map_err(|error| explain_error(&error))?;
            None
        }
        change = links.next() => Some(change),
        stop = signals.next() => return Ok(stop.exit_code()),
    };
    // The prompt is not on standard output, which holds answers only.
    let prompt = PromptOptions {
        text: PROMPT,
        ..PromptOptions::default()
    };
    let (screen, lines) = Screen::open(prompt, Output::Stderr, Reading::lines())
        .map_err(|error| input_failed(&error))?;
    let mut view = View {
        conversation: Conversation::new(page),
        links,
        answers: Answers::default(),
        screen,
        lines,
        answer_timeout,
        input_end: None,
        input_error: None,
    };
    if let Some(lost) = lost {
        view.tell(lost).await;
    }
    let outcome = tokio::select! {
        outcome = view.show() => outcome,
        stop = signals.next() => Err(Ending::Stopped(stop)),
    };
    // Before anything else: it gives the terminal back, and Ctrl-C its meaning.
    let closed = view.screen.close().await;
    let outcome = outcome.and(closed.map_err(|error| output_failed(&error)));
    tokio::select! {
        _ = view.conversation.page.leave() => {}
        stop = signals.next() => return Ok(stop.exit_code()),
    }
    match outcome {
        Ok(()) => match view.input_error {
            Some(error) => Err(input_failed(&error)),
            None => given_up(view.answers.given_up()),
        },
        Err(Ending::Stopped(stop)) => Ok(stop.exit_code()),
        Err(Ending::Unread) => Ok(0),
        Err(Ending::Failed(what)) => Err(what),
    }
}

/// One that stays connected, for a person; in a pipe, one connection.
fn channel(url: &str) -> WebSocketChannel {
    match io::stdin().is_terminal() && io::stderr().is_terminal() {
        true => state::channel(url),
        false => WebSocketChannel::connect(url),
    }
}

/// Why the conversation ends before all is said.
enum Ending {
    /// Ctrl-C or a signal.
    Stopped(Stop),
    /// Whoever read standard output, such as `head`, has seen enough.
    Unread,
    Failed(Failure),
}

impl From<Failure> for Ending {
    fn from(what: Failure) -> Self {
        Self::Failed(what)
    }
}

fn output_failed(error: &io::Error) -> Ending {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ending::Unread,
        _ => Ending::Failed(format!("could not write to standard output: {error}")),
    }
}

/// The page, and the time since it was opened.
struct Conversation {
    page: Page,
    opened: Instant,
}

impl Conversation {
    fn new(page: Page) -> Self {
        let opened = Instant::now();
        Self { page, opened }
    }

    /// Sends a line as if it stood in the field; gives it back if it was not empty.
    fn send(&mut self, line: String) -> Option<String> {
        self.page.field = line;
        match self.page.send(self.opened.elapsed()) {
            Sending::Withheld => None,
            // What was refused shows at the next step as the end of the connection.
            Sending::Sent | Sending::Refused => Some(std::mem::take(&mut self.page.field)),
        }
    }
}

impl Duplex for Conversation {
    type Incoming = Message;

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.page.poll_message(cx, self.opened.elapsed())
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.page.poll_ready(cx)
    }
}

struct View {
    conversation: Conversation,
    links: Links,
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
    async fn show(&mut self) -> Result<(), Ending> {
        while !self.is_done() {
            let deadline = self.deadline();
            let input = self.input_end.is_none().then_some(&mut self.lines);
            let step = tokio::select! {
                // What came before a loss is shown before it.
                biased;
                step = exchange::next(&mut self.conversation, input) => step,
                change = self.links.next() => {
                    self.tell(change).await;
                    continue;
                }
                () = until(deadline) => return Ok(self.time_is_up()?),
            };
            match step {
                Step::Closed => return Ok(self.ended()?),
                step => self.handle(step).await?,
            }
        }
        Ok(())
    }

    async fn handle(&mut self, step: Step) -> Result<(), Ending> {
        match step {
            Step::Line(line) => {
                if let Some(text) = self.conversation.send(line.to_string()) {
                    self.answers.handle_sent(text);
                }
            }
            Step::Incoming(message) => {
                let kind = self.answers.handle_message(&message);
                self.show_message(message, kind).await?;
                self.input_end = self.input_end.map(|_| Instant::now());
            }
            Step::InputEnded => self.end_input().await?,
            Step::InputFailed(error) if error.kind() == io::ErrorKind::Interrupted => {
                return Err(Ending::Stopped(Stop::Interrupt));
            }
            Step::InputFailed(error) => {
                self.input_error = Some(error);
                self.end_input().await?;
            }
            // There is nothing left to show.
            Step::Closed => {}
        }
        Ok(())
    }

    /// Shows answers on standard output, others on standard error.
    async fn show_message(&mut self, message: Message, kind: Kind) -> Result<(), Ending> {
        let printed = match kind {
            Kind::Answer => self.screen.print(Output::Stdout, message).await,
            Kind::Unasked => {
                let line = show::line(&message);
                let line = format!("the server says, unasked: {line}");
                // If nobody reads standard error, there is nobody to tell.
                let _ = self.screen.print(Output::Stderr, line).await;
                return Ok(());
            }
        };
        printed.map_err(|error| output_failed(&error))
    }

    /// Tells of a connection that is lost, or is there again, on standard error.
    async fn tell(&mut self, change: Change) {
        let line = match change {
            Change::Lost(why) => {
                let waiting = self.conversation.page.unwritten();
                let unanswered = match self.answers.handle_lost(waiting) {
                    0 => String::new(),
                    count => format!(", and {} unanswered", lines(count)),
                };
                format!("{why}{unanswered}. Reconnecting; what you type waits.")
            }
            Change::Back => "connected again".to_owned(),
        };
        // If nobody reads standard error, there is nobody to tell.
        let _ = self.screen.print(Output::Stderr, line).await;
    }

    async fn end_input(&mut self) -> Result<(), Ending> {
        // While the last answers are waited for, Ctrl-C is a signal again.
        let closed = self.screen.close().await;
        self.input_end = Some(Instant::now());
        closed.map_err(|error| output_failed(&error))
    }

    fn is_done(&self) -> bool {
        self.input_end.is_some() && self.answers.awaited() == Awaited::Nothing
    }

    /// Until when the server may be silent, once the input has ended.
    fn deadline(&self) -> Option<Instant> {
        let timeout = match self.answers.awaited() {
            Awaited::Perhaps => QUIET.min(self.answer_timeout),
            Awaited::Nothing | Awaited::Answers(_) => self.answer_timeout,
        };
        self.input_end.map(|end| end + timeout)
    }

    fn time_is_up(&self) -> Result<(), Failure> {
        let Awaited::Answers(count) = self.answers.awaited() else {
            return Ok(());
        };
        let lines = lines(count);
        let timeout = self.answer_timeout;
        Err(format!(
            "no answer came for {timeout:?}, and {lines} unanswered. Check that the server answers, or raise --answer-timeout."
        ))
    }

    /// The connection ended before this end closed it.
    fn ended(&self) -> Result<(), Failure> {
        let how = self.conversation.page.ending().unwrap_or_default();
        match self.answers.awaited() {
            Awaited::Answers(count) => {
                let lines = lines(count);
                Err(format!(
                    "the connection ended too early, and {lines} unanswered. {how}"
                ))
            }
            _ if self.input_end.is_some() => Ok(()),
            _ => Err(format!("the connection ended before the input. {how}")),
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

/// How it ends for a person who was told of lines that no answer came to.
fn given_up(count: usize) -> Result<u8, Failure> {
    match count {
        0 => Ok(0),
        _ => Err(format!(
            "the connection was lost meanwhile, and {} unanswered",
            lines(count)
        )),
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

#[cfg(test)]
mod tests {
    use talkback_demo::state::FIELD_LABEL;

    use super::*;

    #[test]
    fn the_prompt_is_the_label_of_the_field() {
        assert_eq!(PROMPT, format!("{FIELD_LABEL}: "));
    }
}
