//! `talkback connect`: from the command line to an open connection.

use std::process::ExitCode;

use talkback::{Connect, ConnectError, Keepalive, Transport, WebSocket, WsUrl};
use talkback_terminal::explain;
use talkback_terminal::show::escaped;
use talkback_terminal::signals::Signals;

use crate::args::ConnectArgs;
use crate::exit::{self, Failure, tell};
use crate::{session, tls};

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
    let url = WsUrl::parse(&args.url).map_err(|error| refused(&error.into(), verbose))?;
    let asked = args.subprotocols.clone();
    let connecting = connection(args)?;
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

/// What the way to the open connection was. Of the subprotocols only the server's choice is named: tokens
/// are offered beside the one to be chosen.
fn tell_phases(socket: &WebSocket<Transport>, url: &WsUrl, asked: &[String]) {
    let addresses = socket
        .transport()
        .and_then(|transport| Some((transport.peer_addr().ok()?, transport.local_addr().ok()?)));
    if let Some((peer, local)) = addresses {
        tell(format_args!("TCP: connected to {peer} from {local}"));
    }
    if url.is_secure() {
        tell("TLS: the handshake is complete");
    }
    if !asked.is_empty() {
        tell(format_args!(
            "opening handshake: subprotocols offered: {}; agreed on: {}",
            asked.len(),
            escaped(socket.subprotocol().unwrap_or("none"))
        ));
    }
}

fn connection(args: ConnectArgs) -> Result<Connect, Failure> {
    let mut connecting = talkback::connect(args.url)
        .timeout(args.timeout)
        // A server that freezes is found out while the session waits for it.
        .keepalive(Keepalive::default());
    for header in &args.headers {
        let (name, value) = parse_header(header)?;
        connecting = connecting.header(name, value);
    }
    for name in args.subprotocols {
        connecting = connecting.subprotocol(name);
    }
    if args.no_compression {
        connecting = connecting.compression(None);
    }
    if let Some(origin) = args.origin {
        connecting = connecting.origin(origin);
    }
    match args.proxy.as_deref() {
        None => {}
        Some("none") => connecting = connecting.proxy(None),
        Some(url) => connecting = connecting.proxy(url),
    }
    tls::configure(connecting, &args.tls)
}

/// Reads `Name: value`. A complaint does not repeat the text, which may be a secret.
fn parse_header(text: &str) -> Result<(&str, &str), Failure> {
    let Some((name, value)) = text.split_once(':') else {
        let message = "a header given with -H has no colon: write it as -H 'Name: value'";
        return Err(Failure::new(exit::USAGE, message));
    };
    Ok((name, value.trim()))
}

/// The failure of a connect; if verbose, with the beginning of the server's answer above it.
fn refused(error: &ConnectError, verbose: bool) -> Failure {
    if let Some(refused) = error.refused()
        && verbose
    {
        for line in String::from_utf8_lossy(&refused.body).lines() {
            tell(format_args!("the server's answer: {}", escaped(line)));
        }
    }
    let message = tls::with_options(error, explain::connect_error(error));
    Failure::new(exit::of_connect_error(error), message)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_split_at_the_first_colon() {
        assert_eq!(parse_header("X-Time: 12:30 ").unwrap(), ("X-Time", "12:30"));
        assert_eq!(parse_header("X-Empty:").unwrap(), ("X-Empty", ""));
    }

    #[test]
    fn v12_a_header_without_a_colon_is_not_repeated() {
        let failure = parse_header("Authorization Bearer hunter2").unwrap_err();
        assert_eq!(failure.code, exit::USAGE);
        assert!(!failure.message.contains("hunter2"));
    }
}
