//! What is told of the way to a connection, for whoever looks for a fault.

use talkback::{ConnectError, Transport, WebSocket, WsUrl};
use talkback_terminal::explain;
use talkback_terminal::show::escaped;

use crate::exit::{self, Failure, tell};
use crate::tls;

/// What the way to the open connection was. Of the subprotocols only the server's choice is named: tokens
/// are offered beside the one to be chosen.
pub(crate) fn tell_phases(socket: &WebSocket<Transport>, url: &WsUrl, asked: &[String]) {
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

/// The failure of a connect; if verbose, with the beginning of the server's answer above it.
pub(crate) fn refused(error: &ConnectError, verbose: bool) -> Failure {
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
