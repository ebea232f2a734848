//! An open connection of `talkback connect`, until it ends.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use talkback::{CloseCode, CloseInfo, Error, Initiator, Message, Role};
use talkback_terminal::exchange::{self, Step};
use talkback_terminal::input::Lines;
use talkback_terminal::output::Output;
use talkback_terminal::screen::{PromptOptions, Screen};
use talkback_terminal::signals::{Signals, Stop};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use crate::args::{ConnectArgs, Form};
use crate::end::End;
use crate::events::{Direction, Event, Line};
use crate::exit::{self, Failure};
use crate::input;
use crate::link::{Asked, Attended, Incoming, Link};
use crate::output::{Raw, Shown, Style};
use crate::show::{self, Remarks};
use crate::talk::{self, Said};
use crate::watch::{Watch, milliseconds};

const PROMPT: &str = "> ";

/// How many bytes of what was typed may wait for the server, unless it is one message.
const BYTES_AHEAD: usize = 4 << 20;

/// What is told of more.
const UNTAKEN: &str = "not sent: the server has not taken what was entered before";

/// How long the closing handshake may take after Ctrl-C.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why this end stops.
enum Ending {
    /// The connection has ended.
    Closed,
    /// There is nothing more to send, nor to wait for.
    Done,
    /// A person closes, perhaps with a code and a reason.
    Closing(Option<(CloseCode, String)>),
    /// Ctrl-C or a signal.
    Stopped(Stop),
    /// Nobody reads standard output any more.
    OutputClosed,
    /// Piped input failed, which has been told.
    InputFailed,
    /// Standard input or output failed.
    Failed(Failure),
}

/// What a session begins with.
pub(crate) struct Opening {
    /// What is sent first.
    pub(crate) first: Vec<Message>,
    pub(crate) link: Link,
    pub(crate) remarks: Remarks,
    pub(crate) watch: Watch,
    /// What to tell of it in JSON.
    pub(crate) event: Event,
}

/// Exchanges messages; tells on standard error how it ended.
pub(crate) async fn run(
    args: &ConnectArgs,
    opening: Opening,
    signals: &mut Signals,
) -> Result<ExitCode, Failure> {
    let first = opening.first;
    let reads_input = !args.end.listen_only && (first.is_empty() || args.end.messages().is_none());
    let opened = match reads_input {
        true => {
            let reading = input::reading(&args.input, args.way.max_message);
            Screen::open(prompt(args), Output::Stdout, reading)
                .map(|(screen, lines)| (screen, Some(lines)))
        }
        false => Screen::plain().map(|screen| (screen, None)),
    };
    let (mut screen, lines) = opened
        .map_err(|error| Failure::new(exit::OTHER, format!("could not read input: {error}")))?;
    let mut session = Session {
        link: opening.link,
        is_input_open: lines.is_some(),
        lines,
        has_input_failed: false,
        has_sent: false,
        end: End::new(&args.end),
        form: args.input.form(),
        style: Style::of(&args.output, &args.input),
        remarks: opening.remarks,
        watch: opening.watch,
        awaits_first: args.timing,
        prints_latency: args.print_latency,
        pings: pings(args),
        unsent: false,
        size_max: args.way.max_message,
    };
    let ending = session
        .exchange(opening.event, first, &mut screen, signals)
        .await;
    session.finish(ending, screen, signals).await
}

fn prompt(args: &ConnectArgs) -> PromptOptions {
    PromptOptions {
        text: PROMPT,
        words: talk::WORDS,
        history: (!args.no_history).then(talk::history).flatten(),
    }
}

/// When to ping; a channel that stays connected has its own way.
fn pings(args: &ConnectArgs) -> Option<Interval> {
    let every = args.ping_interval().filter(|_| !args.reconnect)?;
    let mut pings = interval(every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Some(pings)
}

struct Session {
    link: Link,
    lines: Option<Lines>,
    is_input_open: bool,
    /// Whether piped input ended with something wrong; the lines before it are answered first.
    has_input_failed: bool,
    /// Whether there may be answers.
    has_sent: bool,
    end: End,
    /// What a line that a person types stands for.
    form: Form,
    style: Style,
    remarks: Remarks,
    watch: Watch,
    /// Whether the first message is to be timed.
    awaits_first: bool,
    prints_latency: bool,
    pings: Option<Interval>,
    /// Whether the connection ended before all that was read was sent.
    unsent: bool,
    /// The largest message, in bytes.
    size_max: u64,
}

impl Session {
    async fn exchange(
        &mut self,
        opened: Event,
        first: Vec<Message>,
        screen: &mut Screen,
        signals: &mut Signals,
    ) -> Ending {
        let beginning = async {
            self.print_event(screen, opened).await?;
            for message in first {
                self.send(message, screen).await?;
            }
            if !self.is_input_open {
                // There is none, or none that is read.
                self.end.handle_input_end();
            }
            Ok(())
        };
        let begun = tokio::select! {
            begun = beginning => begun,
            stop = signals.next() => Err(Ending::Stopped(stop)),
        };
        let ending = match begun {
            Ok(()) => self.run(screen, signals).await,
            Err(ending) => ending,
        };
        match ending {
            Ending::Closed | Ending::Done if self.has_input_failed => Ending::InputFailed,
            ending => ending,
        }
    }

    async fn run(&mut self, screen: &mut Screen, signals: &mut Signals) -> Ending {
        loop {
            let input = match self.is_input_open {
                true => self.lines.as_mut(),
                false => None,
            };
            let mut socket = Attended {
                link: &mut self.link,
                is_prompt: screen.is_prompt(),
            };
            let step = tokio::select! {
                step = exchange::next(&mut socket, input) => step,
                stop = signals.next() => return Ending::Stopped(stop),
                () = self.end.quiet() => return Ending::Done,
                line = self.watch.next() => {
                    self.remark_if(true, screen, line).await;
                    continue;
                }
                () = tick(&mut self.pings) => {
                    self.link.ping(Asked::InTurn).await;
                    continue;
                }
            };
            let handled = tokio::select! {
                handled = self.handle(step, screen) => handled,
                stop = signals.next() => return Ending::Stopped(stop),
            };
            if let Err(ending) = handled {
                return ending;
            }
        }
    }

    async fn handle(&mut self, step: Step<Incoming>, screen: &mut Screen) -> Result<(), Ending> {
        match step {
            Step::Line(message) if screen.is_prompt() => {
                self.handle_typed(&message.to_string(), screen).await
            }
            Step::Line(message) => self.send(message, screen).await,
            Step::Incoming(incoming) => self.handle_incoming(incoming, screen).await,
            Step::InputEnded if screen.is_prompt() => Err(Ending::Done),
            Step::InputEnded => {
                self.is_input_open = false;
                self.end.handle_input_end();
                Ok(())
            }
            Step::InputFailed(error) if error.kind() == io::ErrorKind::Interrupted => {
                Err(Ending::Stopped(Stop::Interrupt))
            }
            Step::InputFailed(error) => {
                let message = format!("could not read standard input: {error}");
                let failure = Failure::new(exit::OTHER, message);
                if screen.is_prompt() {
                    return Err(Ending::Failed(failure));
                }
                self.has_input_failed = true;
                self.is_input_open = false;
                self.end.handle_input_failure(self.has_sent);
                // It is told at once, as what was sent before may take its time to be answered.
                let _ = screen
                    .print(Output::Stderr, format!("error: {}", failure.message))
                    .await;
                Ok(())
            }
            Step::Closed => {
                let waits = self.lines.as_ref().is_some_and(Lines::has_waiting);
                self.unsent = waits || self.link.buffered_amount() > 0;
                Err(Ending::Closed)
            }
        }
    }

    /// Does what a person has typed. What is wrong with it is told, also with `--quiet`, and nothing is sent.
    async fn handle_typed(&mut self, line: &str, screen: &mut Screen) -> Result<(), Ending> {
        let size_max = self.size_max;
        let what = match talk::parse(self.form, line, size_max) {
            Ok(Said::Message(message)) if self.has_space(&message) => {
                return self.send(message, screen).await;
            }
            Ok(Said::Message(_)) => UNTAKEN.to_owned(),
            Ok(Said::File(path)) => {
                let reading = move || talk::read(&path, size_max);
                match tokio::task::spawn_blocking(reading).await {
                    Ok(Ok(message)) if self.has_space(&message) => {
                        let what = talk::sent(&message);
                        self.remark_if(true, screen, what).await;
                        return self.send(message, screen).await;
                    }
                    Ok(Ok(_)) => UNTAKEN.to_owned(),
                    Ok(Err(what)) => what,
                    Err(_) => return Ok(()),
                }
            }
            Ok(Said::Ping) if self.link.is_open() => {
                if self.link.ping(Asked::ByPerson).await {
                    return Ok(());
                }
                UNTAKEN.to_owned()
            }
            Ok(Said::Ping) => "not sent: there is no connection now".to_owned(),
            Ok(Said::Close(with)) => return Err(Ending::Closing(with)),
            Ok(Said::Help) => {
                for line in talk::HELP {
                    let _ = screen.print(Output::Stderr, (*line).to_owned()).await;
                }
                return Ok(());
            }
            Err(what) => what,
        };
        // If nobody reads standard error, there is nobody to tell.
        let _ = screen.print(Output::Stderr, what).await;
        Ok(())
    }

    /// Whether a message may wait with those that the server has not taken.
    fn has_space(&self, message: &Message) -> bool {
        let waiting = self.link.buffered_amount();
        waiting == 0 || waiting + message.len() <= BYTES_AHEAD
    }

    async fn send(&mut self, message: Message, screen: &mut Screen) -> Result<(), Ending> {
        if matches!(self.style, Style::Json) {
            let event = Event::message(Direction::Out, message.clone());
            self.print_event(screen, event).await?;
        }
        self.link.feed(message);
        self.has_sent = true;
        Ok(())
    }

    async fn handle_incoming(
        &mut self,
        incoming: Incoming,
        screen: &mut Screen,
    ) -> Result<(), Ending> {
        let event = match incoming {
            Incoming::Message(message) => {
                if std::mem::take(&mut self.awaits_first)
                    && let Some(after) = self.watch.since_begin()
                {
                    let what = format!("timing: first message after {}", milliseconds(after));
                    self.remark_if(true, screen, what).await;
                }
                self.print_message(screen, message).await?;
                return match self.end.handle_message() {
                    true => Err(Ending::Done),
                    false => Ok(()),
                };
            }
            Incoming::Ping(payload) => {
                let what = format!("ping, {} bytes: answered", payload.len());
                self.remark_if(self.remarks.is_verbose(), screen, what)
                    .await;
                let size = payload.len();
                let direction = Direction::In;
                Event::Ping { direction, size }
            }
            Incoming::Pong(answered) => {
                if let Some((latency, asked)) = answered {
                    let what = format!("latency: {}", milliseconds(latency));
                    let is_told = self.prints_latency || asked == Asked::ByPerson;
                    self.remark_if(is_told, screen, what).await;
                }
                Event::pong(answered.map(|(latency, _)| latency))
            }
            Incoming::Lost(lost) => {
                let why = show::lost(&lost);
                self.remark_if(true, screen, format!("{why}. Reconnecting."))
                    .await;
                Event::Lost { why }
            }
            Incoming::Opened(opened) => {
                if opened.connection() == 1 {
                    return Ok(());
                }
                self.remark_if(true, screen, "connected again".to_owned())
                    .await;
                Event::Open {
                    url: self.remarks.url().to_owned(),
                    subprotocol: opened.subprotocol().map(str::to_owned),
                }
            }
        };
        self.print_event(screen, event).await
    }

    async fn print_message(&self, screen: &mut Screen, message: Message) -> Result<(), Ending> {
        let printed = match &self.style {
            Style::Line(look) => {
                let shown = Shown::new(message, *look);
                screen.print(Output::Stdout, shown).await
            }
            Style::Raw(form, separator) => {
                let (form, separator) = (*form, separator.clone());
                let raw = Raw {
                    message,
                    form,
                    separator,
                };
                screen.print(Output::Stdout, raw).await
            }
            Style::Json => {
                let line = Line::new(Event::message(Direction::In, message));
                screen.print(Output::Stdout, line).await
            }
        };
        printed.map_err(|error| output_failed(&error))
    }

    /// Prints an event, if events are what is printed.
    async fn print_event(&self, screen: &mut Screen, event: Event) -> Result<(), Ending> {
        if !matches!(self.style, Style::Json) {
            return Ok(());
        }
        let printed = screen.print(Output::Stdout, Line::new(event)).await;
        printed.map_err(|error| output_failed(&error))
    }

    /// Tells something on standard error. If nobody reads it, there is nobody to tell.
    async fn remark_if(&self, is_told: bool, screen: &mut Screen, what: String) {
        if is_told && !self.remarks.is_quiet() {
            let _ = screen.print(Output::Stderr, what).await;
        }
    }

    /// Closes, and tells how it ended.
    async fn finish(
        mut self,
        ending: Ending,
        mut screen: Screen,
        signals: &mut Signals,
    ) -> Result<ExitCode, Failure> {
        let ending = match ending {
            // Who stops a program does not wait for a reader that has stopped as well.
            Ending::Stopped(stop) => {
                let _ = timeout(CLOSE_TIMEOUT, screen.close()).await;
                Ending::Stopped(stop)
            }
            ending => tokio::select! {
                closed = screen.close() => match (ending, closed) {
                    (Ending::Closed | Ending::Done | Ending::Closing(_), Err(error)) => {
                        output_failed(&error)
                    }
                    (ending, _) => ending,
                },
                stop = signals.next() => Ending::Stopped(stop),
            },
        };
        let is_open = self.link.is_open();
        let closed = match &ending {
            Ending::Stopped(_) => go_away(&mut self.link, signals).await,
            Ending::Closing(Some((code, reason))) => tokio::select! {
                info = self.link.close_with(*code, reason) => Ok(info),
                stop = signals.next() => Err(stop),
            },
            _ => close(&mut self.link, signals).await,
        };
        let info = match &closed {
            Ok(Ok(info)) => Some(info.clone()),
            // The connection ended, and with it what was to be sent.
            Ok(Err(Error::Send(_))) => self.link.close_info(),
            _ => None,
        };
        let event = match (&info, &closed) {
            (Some(info), _) => Some(Event::close(info, Role::Client)),
            (None, Ok(Err(error))) => Some(Event::given_up(show::ended(error, None).message)),
            (None, _) => None,
        };
        if let Some(event) = event
            && matches!(self.style, Style::Json)
        {
            // Nobody may read it any more.
            let printing = print_last(screen, Line::new(event));
            let _ = timeout(CLOSE_TIMEOUT, printing).await;
        }
        while let Some(line) = self.watch.take() {
            self.remarks.tell(line);
        }
        self.remarks.tell(match &closed {
            Ok(Ok(info)) => show::end(info),
            Ok(Err(error)) if matches!(ending, Ending::Stopped(_)) => {
                show::ended(error, None).message
            }
            // What is told of that is an error.
            Ok(Err(_)) => String::new(),
            Err(_) if is_open => "ended before the closing handshake was complete".to_owned(),
            Err(_) => "ended without a connection".to_owned(),
        });
        let unsent = self.link.unsent();
        if unsent > 0 && info.as_ref().is_some_and(|info| !info.clean) {
            let what = format_args!("not sent: {unsent} bytes, which the server did not take");
            self.remarks.tell(what);
        }
        match (ending, closed) {
            (Ending::Failed(failure), _) => Err(failure),
            (Ending::InputFailed, _) => Ok(ExitCode::from(exit::OTHER)),
            (Ending::Stopped(stop), _) | (_, Err(stop)) => Ok(ExitCode::from(stop.exit_code())),
            (_, Ok(Err(error))) => Err(show::ended(&error, info.as_ref())),
            (ending, Ok(Ok(info))) => self.outcome(&ending, &info),
        }
    }

    /// What an end by a closing handshake, or without one, was worth.
    fn outcome(&self, ending: &Ending, info: &CloseInfo) -> Result<ExitCode, Failure> {
        let code = exit::of_close(info);
        let is_asked_for = matches!(ending, Ending::Closing(_)) && info.clean;
        if is_asked_for && info.initiator == Initiator::Local {
            return Ok(ExitCode::from(exit::NORMAL));
        }
        if code != exit::NORMAL || matches!(ending, Ending::OutputClosed) {
            return Ok(ExitCode::from(code));
        }
        if self.unsent {
            let message = "the server closed before all of the input was sent: nothing is known of what it has read last";
            return Err(Failure::new(exit::UNSENT, message));
        }
        self.end.outcome()
    }
}

/// Prints a line once the screen is closed, in a thread that may be left behind.
async fn print_last(mut screen: Screen, line: Line) {
    let runtime = tokio::runtime::Handle::current();
    let printing = move || runtime.block_on(screen.print(Output::Stdout, line));
    let _ = tokio::task::spawn_blocking(printing).await;
}

/// Closes; a signal cuts it short.
async fn close(link: &mut Link, signals: &mut Signals) -> Result<Result<CloseInfo, Error>, Stop> {
    tokio::select! {
        info = link.close() => Ok(info),
        stop = signals.next() => Err(stop),
    }
}

/// Closes with 1001, as a browser does that leaves the page; a further signal cuts it short, and so
/// does a server that takes its time.
async fn go_away(link: &mut Link, signals: &mut Signals) -> Result<Result<CloseInfo, Error>, Stop> {
    let closing = timeout(CLOSE_TIMEOUT, link.close_with(CloseCode::GOING_AWAY, ""));
    tokio::select! {
        closed = closing => closed.map_err(|_| Stop::Interrupt),
        stop = signals.next() => Err(stop),
    }
}

/// Waits for the next time to ping; for ever if there is none.
async fn tick(pings: &mut Option<Interval>) {
    match pings {
        Some(pings) => {
            pings.tick().await;
        }
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
