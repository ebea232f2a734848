//! `talkback connect`: from the command line to an open connection.

use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use talkback::{Connect, Error, Transport, Verdict, WebSocket, WsUrl};
use talkback_terminal::signals::Signals;
use tokio::time::{Instant, sleep};

use crate::args::ConnectArgs;
use crate::events::Event;
use crate::exit::{self, Failure};
use crate::input;
use crate::link::Link;
use crate::session::{self, Opening};
use crate::show::{self, Remarks};
use crate::target::Target;
use crate::watch::{Sight, Watch};
use crate::way;

/// How long `--retry` waits before it tries again: at first, and at most.
const RETRY_AFTER: Duration = Duration::from_millis(100);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(2);

/// Connects, and exchanges messages until either end closes.
pub(crate) fn run(args: &ConnectArgs, verbose: u8) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|error| Failure::new(exit::OTHER, format!("could not start: {error}")))?;
    let outcome = runtime.block_on(converse(args, verbose));
    // A lookup that hangs must not keep the program.
    runtime.shutdown_background();
    outcome
}

async fn converse(args: &ConnectArgs, verbose: u8) -> Result<ExitCode, Failure> {
    let mut signals = Signals::new()
        .map_err(|error| Failure::new(exit::OTHER, format!("could not handle signals: {error}")))?;
    // What cannot be sent is no reason to connect.
    let first = input::first(&args.input, args.way.max_message)?;
    let target = Target::parse(&args.way.url)?;
    let url = &target.url;
    let remarks = Remarks::new(url, verbose, args.output.quiet);
    let watch = Watch::new(sight(args, verbose));
    let connecting = watch.over(way::connection(&args.way, &target)?);
    let opened = {
        let opening = async {
            match args.reconnect {
                true => stay(connecting, args).await,
                false => once(connecting, args, &remarks, &watch).await,
            }
        };
        let mut opening = pin!(opening);
        loop {
            tokio::select! {
                opened = &mut opening => break opened,
                line = watch.next() => remarks.tell(line),
                stop = signals.next() => return Ok(ExitCode::from(stop.exit_code())),
            }
        }
    };
    while let Some(line) = watch.take() {
        remarks.tell(line);
    }
    let (mut link, subprotocol) = opened?;
    let asked = args.way.subprotocols.len();
    if verbose > 0 {
        remarks.tell_agreed(asked, subprotocol.as_deref());
    }
    if subprotocol.is_none() && asked > 0 {
        // It says nothing new of how it ended.
        let _ = link.close().await;
        return Err(unacknowledged(url, asked));
    }
    remarks.tell_open(subprotocol.as_deref());
    if args.timing {
        remarks.tell(watch.times().line());
    }
    let event = Event::Open {
        url: url.to_string(),
        subprotocol,
    };
    let opening = Opening {
        first,
        link,
        remarks,
        watch,
        event,
    };
    session::run(args, opening, &mut signals).await
}

/// How much is to be seen of the way.
fn sight(args: &ConnectArgs, verbose: u8) -> Sight {
    match verbose {
        0 if args.timing => Sight::Times,
        0 => Sight::Nothing,
        1 => Sight::Steps,
        _ => Sight::Frames,
    }
}

/// A connection that no other follows.
async fn once(
    connecting: Connect,
    args: &ConnectArgs,
    remarks: &Remarks,
    watch: &Watch,
) -> Result<(Link, Option<String>), Failure> {
    let socket = connect(connecting, args, remarks, watch).await?;
    let subprotocol = socket.subprotocol().map(str::to_owned);
    Ok((Link::once(socket), subprotocol))
}

/// Tries once, or with `--retry` until a server is there.
async fn connect(
    connecting: Connect,
    args: &ConnectArgs,
    remarks: &Remarks,
    watch: &Watch,
) -> Result<WebSocket<Transport>, Failure> {
    let begin = Instant::now();
    let mut wait = RETRY_AFTER;
    loop {
        watch.begin();
        let error = match connecting.clone().await {
            Ok(socket) => return Ok(socket),
            Err(error) => error,
        };
        let is_over = match args.retry {
            None => true,
            Some(limit) => limit.is_some_and(|limit| begin.elapsed() + wait > limit),
        };
        if is_over || !error.is_retryable() {
            while let Some(line) = watch.take() {
                remarks.tell(line);
            }
            return Err(remarks.refused(&error));
        }
        if wait == RETRY_AFTER {
            remarks.tell("no server is there yet: trying again");
        }
        sleep(wait).await;
        wait = (wait * 2).min(RETRY_AFTER_MAX);
    }
}

/// A channel that stays connected.
async fn stay(connecting: Connect, args: &ConnectArgs) -> Result<(Link, Option<String>), Failure> {
    let is_quiet = args.output.quiet;
    let mut is_told = false;
    let channel = connecting
        .reconnect()
        .decide(move |lost, verdict| {
            let goes_on = matches!(verdict, Verdict::Retry | Verdict::RetryAfter(_));
            // A connection that was lost is told of in the session.
            if lost.connection() == 0 && goes_on && !is_quiet && !is_told {
                is_told = true;
                exit::tell(format_args!("{}. Trying again.", show::lost(lost)));
            }
            verdict
        })
        .channel();
    channel
        .ready()
        .await
        .map_err(|error: Error| show::ended(&error, None))?;
    let subprotocol = channel.subprotocol();
    Ok((Link::staying(channel, args.ping_interval()), subprotocol))
}

/// A server may open without any of the subprotocols (RFC 6455 §4.2.2), but whoever asks for one
/// means to speak it.
fn unacknowledged(url: &WsUrl, asked: usize) -> Failure {
    Failure::new(
        exit::HANDSHAKE,
        format!(
            "connected to {url}, but the server acknowledged no subprotocol of the {asked} asked for: \
             ask for one that it speaks, or leave --subprotocol out"
        ),
    )
}
