//! `talkback connect`: from the command line to an open connection.

use std::process::ExitCode;

use talkback::{Transport, WebSocket, WsUrl};
use talkback_terminal::show::escaped;
use talkback_terminal::signals::Signals;

use crate::args::ConnectArgs;
use crate::exit::{self, Failure, tell};
use crate::show::{refused, tell_phases};
use crate::{session, way};

/// Connects, and exchanges lines for messages until either end closes.
pub(crate) fn run(args: ConnectArgs, verbose: bool) -> Result<ExitCode, Failure> {
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

async fn converse(args: ConnectArgs, verbose: bool) -> Result<ExitCode, Failure> {
    let mut signals = Signals::new()
        .map_err(|error| Failure::new(exit::OTHER, format!("could not handle signals: {error}")))?;
    let url = WsUrl::parse(&args.way.url).map_err(|error| refused(&error.into(), verbose))?;
    let asked = args.way.subprotocols.clone();
    let connecting = way::connection(args.way)?;
    let connected = tokio::select! {
        connected = connecting.into_future() => connected,
        stop = signals.next() => return Ok(ExitCode::from(stop.exit_code())),
    };
    let mut socket = connected.map_err(|error| refused(&error, verbose))?;
    if verbose {
        tell_phases(&socket, &url, &asked);
    }
    if socket.subprotocol().is_none() && !asked.is_empty() {
        return Err(unacknowledged(&mut socket, &url, &asked).await);
    }
    let subprotocol = socket
        .subprotocol()
        .map(|name| format!(", subprotocol {}", escaped(name)))
        .unwrap_or_default();
    tell(format_args!("connected to {url}{subprotocol}"));
    session::run(&mut socket, &mut signals).await
}

/// A server may open without any of the subprotocols (RFC 6455 §4.2.2), but whoever asks for one
/// means to speak it.
async fn unacknowledged(
    socket: &mut WebSocket<Transport>,
    url: &WsUrl,
    asked: &[String],
) -> Failure {
    socket.close().await;
    Failure::new(
        exit::HANDSHAKE,
        format!(
            "connected to {url}, but the server acknowledged no subprotocol of the {} asked for: \
             ask for one that it speaks, or leave --subprotocol out",
            asked.len()
        ),
    )
}
