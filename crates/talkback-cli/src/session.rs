//! An open connection of `talkback connect`, until it ends.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use talkback::{CloseCode, CloseInfo, Transport, WebSocket};
use talkback_terminal::exchange::{self, Step};
use talkback_terminal::explain;
use talkback_terminal::input::Lines;
use talkback_terminal::output::Output;
use talkback_terminal::screen::Screen;
use talkback_terminal::signals::{Signals, Stop};
use tokio::time::{Instant, sleep_until, timeout};

use crate::exit::{self, Failure, tell};

const PROMPT: &str = "> ";

/// How long no message may come, after piped input has ended, until this end closes.
const QUIET: Duration = Duration::from_secs(1);

/// How long the closing handshake may take after Ctrl-C.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why this end stops.
enum Ending {
    /// The connection has ended.
    Closed,
    /// There is nothing more to send, nor to wait for.
    Done,
    /// Ctrl-C or a signal.
    Stopped(Stop),
    /// Nobody reads standard output any more.
    OutputClosed,
    /// Standard input or output failed.
    Failed(Failure),
}

/// Exchanges lines for messages; tells on standard error how it ended.
pub(crate) async fn run(
    socket: &mut WebSocket<Transport>,
    signals: &mut Signals,
) -> Result<ExitCode, Failure> {
    let (mut screen, lines) = Screen::open(PROMPT, Output::Stdout)
        .map_err(|error| Failure::new(exit::OTHER, format!("could not read input: {error}")))?;
    let ending = Session {
        socket,
        lines,
        is_input_open: true,
        input_failure: None,
        deadline: None,
        waiting: 0,
    }
    .exchange(&mut screen, signals)
    .await;
    let ending = match ending {
        // Who stops a program does not wait for a reader that has stopped as well.
        Ending::Stopped(stop) => {
            let _ = timeout(CLOSE_TIMEOUT, screen.close()).await;
            Ending::Stopped(stop)
        }
        ending => tokio::select! {
            closed = screen.close() => match (ending, closed) {
                (Ending::Closed | Ending::Done, Err(error)) => output_failed(&error),
                (ending, _) => ending,
            },
            stop = signals.next() => Ending::Stopped(stop),
        },
    };
    let closed = match &ending {
        Ending::Stopped(_) => go_away(socket, signals).await,
        _ => close(socket, signals).await,
    };
    match &closed {
        Ok(info) => tell(explain::end(info)),
        Err(_) => tell("ended before the closing handshake was complete"),
    }
    let code = match ending {
        Ending::Failed(failure) => return Err(failure),
        Ending::Stopped(stop) => stop.exit_code(),
        Ending::Closed | Ending::Done | Ending::OutputClosed => {
            closed.map_or_else(Stop::exit_code, |info| exit::of_close(&info))
        }
    };
    Ok(ExitCode::from(code))
}

/// Closes; a signal cuts it short.
async fn close(
    socket: &mut WebSocket<Transport>,
    signals: &mut Signals,
) -> Result<CloseInfo, Stop> {
    tokio::select! {
        info = socket.close() => Ok(info),
        stop = signals.next() => Err(stop),
    }
}

/// Closes with 1001, as a browser does that leaves the page; a second signal cuts it short, and so
/// does a server that takes its time.
async fn go_away(
    socket: &mut WebSocket<Transport>,
    signals: &mut Signals,
) -> Result<CloseInfo, Stop> {
    let closing = timeout(CLOSE_TIMEOUT, socket.close_with(CloseCode::GOING_AWAY, ""));
    tokio::select! {
        closed = closing => closed.ok().and_then(Result::ok).ok_or(Stop::Interrupt),
        stop = signals.next() => Err(stop),
    }
}

struct Session<'a> {
    socket: &'a mut WebSocket<Transport>,
    lines: Lines,
    is_input_open: bool,
    /// What piped input ended with, if not well; the lines before it are answered first.
    input_failure: Option<Failure>,
    /// When the quiet after the end of the input has lasted long enough.
    deadline: Option<Instant>,
    /// How many bytes waited to be written when the quiet began.
    waiting: usize,
}

impl Session<'_> {
    async fn exchange(mut self, screen: &mut Screen, signals: &mut Signals) -> Ending {
        let ending = self.end(screen, signals).await;
        match (ending, self.input_failure) {
            (Ending::Closed | Ending::Done, Some(failure)) => Ending::Failed(failure),
            (ending, _) => ending,
        }
    }

    async fn end(&mut self, screen: &mut Screen, signals: &mut Signals) -> Ending {
        loop {
            let input = self.is_input_open.then_some(&mut self.lines);
            let step = tokio::select! {
                step = exchange::next(self.socket, input) => step,
                stop = signals.next() => return Ending::Stopped(stop),
                () = until(self.deadline) => {
                    if self.is_quiet() {
                        return Ending::Done;
                    }
                    continue;
                }
            };
            let ending = tokio::select! {
                ending = self.handle(step, screen) => ending,
                stop = signals.next() => return Ending::Stopped(stop),
            };
            if let Some(ending) = ending {
                return ending;
            }
        }
    }

    async fn handle(&mut self, step: Step, screen: &mut Screen) -> Option<Ending> {
        match step {
            Step::Line(line) => {
                // What cannot be sent shows at the next step as the end of the connection.
                let _ = self.socket.feed(line).await;
            }
            Step::Message(message) => {
                let printed = screen.print_message(Output::Stdout, message).await;
                if let Err(error) = printed {
                    return Some(output_failed(&error));
                }
                self.restart_quiet();
            }
            Step::InputEnded if screen.is_prompt() => return Some(Ending::Done),
            Step::InputEnded => self.end_input(),
            Step::InputFailed(error) if error.kind() == io::ErrorKind::Interrupted => {
                return Some(Ending::Stopped(Stop::Interrupt));
            }
            Step::InputFailed(error) => {
                let message = format!("could not read standard input: {error}");
                let failure = Failure::new(exit::OTHER, message);
                if screen.is_prompt() {
                    return Some(Ending::Failed(failure));
                }
                self.input_failure = Some(failure);
                self.end_input();
            }
            Step::Closed => return Some(Ending::Closed),
        }
        None
    }

    fn end_input(&mut self) {
        self.is_input_open = false;
        self.restart_quiet();
    }

    fn restart_quiet(&mut self) {
        if !self.is_input_open {
            self.waiting = self.socket.buffered_amount();
            self.deadline = Some(Instant::now() + QUIET);
        }
    }

    /// Whether nothing has moved since the quiet began. A server that still takes what was sent
    /// has not come to the last line yet, and gets more time.
    fn is_quiet(&mut self) -> bool {
        let is_moving = self.socket.buffered_amount() < self.waiting;
        self.restart_quiet();
        !is_moving
    }
}

/// Waits for the deadline; for ever if there is none.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// What a pipe's reader that has seen enough, such as `head`, is no error of.
fn output_failed(error: &io::Error) -> Ending {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ending::OutputClosed;
    }
    let message = format!("could not write to standard output: {error}");
    Ending::Failed(Failure::new(exit::OTHER, message))
}
