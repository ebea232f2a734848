//! `talkback listen`: a server whose clients are talked to from the terminal.

mod clients;
mod opening;
mod typed;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use talkback::server::{Connections, Drain};
use talkback::{CloseCode, CloseInfo, Message, Role, WebSocketChannel};
use talkback_terminal::exchange::{self, Step};
use talkback_terminal::input::Lines;
use talkback_terminal::output::{Output, Print};
use talkback_terminal::screen::{PromptOptions, Screen};
use talkback_terminal::show::escaped;
use talkback_terminal::signals::Signals;
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::clients::{Clients, Incoming, Opened};
use self::opening::CLOSE_TIMEOUT;
use crate::args::{Form, ListenArgs};
use crate::end::End;
use crate::events::{Direction, Event, Line};
use crate::exit::{self, Failure};
use crate::listening::{addresses, fingerprint, goodbye, places, schemes};
use crate::output::{Raw, Shown, Style};
use crate::{input, listening, show, tls};

const PROMPT: &str = "> ";

/// Why the server stops.
enum Ending {
    /// There is nothing more to send, nor to wait for.
    Done,
    /// Ctrl-C or a signal.
    Stopped,
    /// Nobody reads standard output any more.
    OutputClosed,
    /// Standard input or output failed.
    Failed(Failure),
}

/// Listens, and exchanges messages until it is told to stop.
pub(crate) fn run(args: &ListenArgs, verbose: u8) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| {
        Failure::new(exit::OTHER, format!("could not start the server: {error}"))
    })?;
    let outcome = runtime.block_on(serve(args, verbose > 0));
    runtime.shutdown_background();
    outcome
}

async fn serve(args: &ListenArgs, is_verbose: bool) -> Result<ExitCode, Failure> {
    let mut signals = Signals::new()
        .map_err(|error| Failure::new(exit::OTHER, format!("could not handle signals: {error}")))?;
    let first = input::first(&args.input, args.max_message)?;
    let drain = args.clients.drain()?;
    let identity = tls::identity(&args.tls, &addresses(args.listen.address()))?;
    let server = listening::bind(args.listen, "after `listen`").await?;
    if let Some(identity) = &identity {
        // Not before the address is its own: another server may have written that file.
        tls::write_certificate(&args.tls, identity)?;
    }
    let end = args.end();
    let reads_input = !end.listen_only && (first.is_empty() || end.messages().is_none());
    let opened = match reads_input {
        true => {
            let prompt = PromptOptions {
                text: PROMPT,
                words: &["/to "],
                history: None,
            };
            let reading = input::reading(&args.input, args.max_message);
            Screen::open(prompt, Output::Stdout, reading)
                .map(|(screen, lines)| (screen, Some(lines)))
        }
        false => Screen::plain().map(|screen| (screen, None)),
    };
    let (screen, lines) = opened
        .map_err(|error| Failure::new(exit::OTHER, format!("could not read input: {error}")))?;

    let (ws, _) = schemes(identity.as_ref());
    let places = places(args.listen, server.local_addr());
    let urls = places
        .iter()
        .map(|place| format!("{ws}://{}/", place.authority))
        .collect();
    let fingerprint = identity.as_ref().map(fingerprint);
    let (sender, events) = mpsc::channel(1);
    let server = match &identity {
        Some(identity) => identity.secure(server),
        None => server,
    };
    let connections = args.clients.connections();
    let mut serving = Box::pin(opening::serve(server, args, &connections, sender));
    listening::begin(serving.as_mut()).await?;
    let serving = tokio::spawn(serving);
    let mut session = Session {
        clients: Clients::new(events, !screen.is_prompt(), args.idle.idle_timeout),
        broadcasts: args.broadcast,
        connections,
        drain,
        drain_deadline: args.clients.drain_deadline,
        end: End::new(&end),
        style: Style::of(&args.output, &args.input),
        is_quiet: args.output.quiet,
        is_verbose,
        first,
        form: args.input.form(),
        size_max: args.max_message,
        screen,
        lines,
    };
    let ending = session.exchange(urls, fingerprint, &mut signals).await;
    serving.abort();
    session.finish(ending, &mut signals).await
}

struct Session {
    clients: Clients,
    /// Whether what one client says goes to the others.
    broadcasts: bool,
    connections: Connections,
    drain: Drain,
    drain_deadline: Duration,
    /// What is read, until it has ended.
    lines: Option<Lines>,
    end: End,
    style: Style,
    is_quiet: bool,
    is_verbose: bool,
    /// What is sent to each client first.
    first: Vec<Message>,
    /// What a line that a person types stands for.
    form: Form,
    /// The largest message, in bytes.
    size_max: u64,
    screen: Screen,
}

impl Session {
    async fn exchange(
        &mut self,
        urls: Vec<String>,
        fingerprint: Option<String>,
        signals: &mut Signals,
    ) -> Ending {
        let announced = tokio::select! {
            announced = self.announce(urls, fingerprint) => announced,
            _ = signals.next() => return Ending::Stopped,
        };
        if let Err(ending) = announced {
            return ending;
        }
        if self.lines.is_none() {
            // There is no input, or none that is read.
            self.end.handle_input_end();
        }
        loop {
            let step = tokio::select! {
                step = exchange::next(&mut self.clients, self.lines.as_mut()) => step,
                _ = signals.next() => return Ending::Stopped,
                () = self.end.quiet() => return Ending::Done,
            };
            let handled = tokio::select! {
                handled = self.handle(step) => handled,
                _ = signals.next() => return Ending::Stopped,
            };
            if let Err(ending) = handled {
                return ending;
            }
        }
    }

    async fn announce(
        &mut self,
        urls: Vec<String>,
        fingerprint: Option<String>,
    ) -> Result<(), Ending> {
        for url in &urls {
            self.remark(format!("listening at {url}")).await;
        }
        if let Some(fingerprint) = fingerprint {
            self.remark(fingerprint).await;
        }
        self.print_event(None, Event::Listening { urls }).await
    }

    async fn handle(&mut self, step: Step<Incoming>) -> Result<(), Ending> {
        match step {
            Step::Line(message) => self.say(message).await,
            Step::Incoming(incoming) => self.handle_incoming(incoming).await,
            Step::InputEnded if self.screen.is_prompt() => Err(Ending::Done),
            Step::InputEnded => {
                self.lines = None;
                self.end.handle_input_end();
                Ok(())
            }
            Step::InputFailed(error) if error.kind() == io::ErrorKind::Interrupted => {
                Err(Ending::Stopped)
            }
            Step::InputFailed(error) => {
                let message = format!("could not read standard input: {error}");
                Err(Ending::Failed(Failure::new(exit::OTHER, message)))
            }
            // What accepts clients goes on for as long as this does.
            Step::Closed => Err(Ending::Done),
        }
    }

    /// Sends what was read.
    async fn say(&mut self, message: Message) -> Result<(), Ending> {
        let read = match self.screen.is_prompt() {
            true => typed::read(self.form, &message.to_string(), self.size_max),
            false => Ok((None, message)),
        };
        let (to, message) = match read {
            Ok(read) => read,
            Err(what) => {
                self.remark(what).await;
                return Ok(());
            }
        };
        if !self.clients.feed(to, &message).await {
            self.remark(match to {
                Some(number) => format!("not sent: there is no client #{number}"),
                None => "not sent: nobody is connected".to_owned(),
            })
            .await;
            return Ok(());
        }
        self.print_event(to, Event::message(Direction::Out, message))
            .await
    }

    async fn handle_incoming(&mut self, incoming: Incoming) -> Result<(), Ending> {
        match incoming {
            Incoming::Opened(opened, channel) => self.welcome(opened, channel).await,
            Incoming::Message(number, message) => {
                if self.broadcasts {
                    self.clients.relay(number, &message);
                }
                self.print_message(number, message).await?;
                match self.end.handle_message() {
                    true => Err(Ending::Done),
                    false => Ok(()),
                }
            }
            Incoming::Closed(number, info) => self.part(number, &info).await,
            Incoming::Refused(what) => {
                self.remark(what).await;
                Ok(())
            }
        }
    }

    async fn welcome(&mut self, opened: Opened, channel: WebSocketChannel) -> Result<(), Ending> {
        let number = opened.number;
        let subprotocol = opened
            .subprotocol
            .as_deref()
            .map(|name| format!(", subprotocol {}", escaped(name)))
            .unwrap_or_default();
        let (peer, path) = (opened.peer, escaped(&opened.path));
        let from = match opened.client {
            Some(client) => format!("{client} by the proxy {peer}"),
            None => peer.to_string(),
        };
        self.remark(format!(
            "#{number} connected from {from}, path {path}{subprotocol}"
        ))
        .await;
        if self.is_verbose {
            for line in opened.request {
                self.remark(format!("#{number} {line}")).await;
            }
        }
        let event = Event::Accepted {
            peer: peer.to_string(),
            client: opened.client,
            path: opened.path,
            subprotocol: opened.subprotocol,
        };
        self.print_event(Some(number), event).await?;
        self.clients.add(number, channel);
        for message in self.first.clone() {
            self.clients.feed(Some(number), &message).await;
            self.print_event(Some(number), Event::message(Direction::Out, message))
                .await?;
        }
        Ok(())
    }

    async fn part(&mut self, number: u64, info: &CloseInfo) -> Result<(), Ending> {
        self.clients.remove(number);
        self.remark(format!("#{number} {}", show::end(info))).await;
        self.print_event(Some(number), Event::close(info, Role::Server))
            .await
    }

    async fn print_message(&mut self, number: u64, message: Message) -> Result<(), Ending> {
        let printed = match &self.style {
            Style::Line(look) => {
                let shown = Shown::new(message, *look);
                let numbered = Numbered { number, shown };
                self.screen.print(Output::Stdout, numbered).await
            }
            Style::Raw(form, separator) => {
                let (form, separator) = (*form, separator.clone());
                let raw = Raw {
                    message,
                    form,
                    separator,
                };
                self.screen.print(Output::Stdout, raw).await
            }
            Style::Json => {
                let line = Line::of(Some(number), Event::message(Direction::In, message));
                self.screen.print(Output::Stdout, line).await
            }
        };
        printed.map_err(|error| output_failed(&error))
    }

    /// Prints an event, of a client or of all, if events are what is printed.
    async fn print_event(&mut self, client: Option<u64>, event: Event) -> Result<(), Ending> {
        if !matches!(self.style, Style::Json) {
            return Ok(());
        }
        let line = Line::of(client, event);
        let printed = self.screen.print(Output::Stdout, line).await;
        printed.map_err(|error| output_failed(&error))
    }

    /// Tells something on standard error. If nobody reads it, there is nobody to tell.
    async fn remark(&mut self, what: String) {
        if !self.is_quiet {
            let _ = self.screen.print(Output::Stderr, what).await;
        }
    }

    /// Closes every connection, and tells how each ended.
    async fn finish(mut self, ending: Ending, signals: &mut Signals) -> Result<ExitCode, Failure> {
        let (time, told) = match &ending {
            Ending::Stopped => {
                let (connections, drain) = (self.connections.clone(), self.drain.clone());
                let told = goodbye(connections.len(), self.drain_deadline);
                tokio::spawn(async move { connections.drain(drain).await });
                (self.drain_deadline + CLOSE_TIMEOUT, Some(told))
            }
            _ => {
                self.clients.close(CloseCode::NORMAL);
                // Each ends within the one, and what is told of it has the other.
                (2 * CLOSE_TIMEOUT, None)
            }
        };
        let closing = async {
            if let Some(told) = told {
                self.remark(told).await;
            }
            while let Some(incoming) = self.clients.next().await {
                // What they say meanwhile has come too late.
                if let Incoming::Closed(number, info) = incoming {
                    // Nobody may read it any more.
                    let _ = self.part(number, &info).await;
                }
            }
            self.screen.close().await
        };
        let closed = tokio::select! {
            closed = timeout(time, closing) => closed,
            stop = signals.next() => return Ok(ExitCode::from(stop.exit_code())),
        };
        let _ = timeout(CLOSE_TIMEOUT, self.screen.close()).await;
        match (ending, closed) {
            (Ending::Failed(failure), _) => Err(failure),
            (Ending::Done, Ok(Err(error))) => match output_failed(&error) {
                Ending::Failed(failure) => Err(failure),
                _ => Ok(ExitCode::from(exit::NORMAL)),
            },
            (Ending::OutputClosed, _) => Ok(ExitCode::from(exit::NORMAL)),
            (Ending::Done | Ending::Stopped, _) => self.end.outcome(),
        }
    }
}

/// A message behind the number of its client, in one line.
#[derive(Debug)]
struct Numbered {
    number: u64,
    shown: Shown,
}

impl Print for Numbered {
    fn size(&self) -> usize {
        self.shown.size()
    }

    fn print(&self, to: &mut dyn Write, end: &str) -> io::Result<()> {
        write!(to, "#{} ", self.number)?;
        self.shown.print(to, end)
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
