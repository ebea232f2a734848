//! What is told on standard error of a connection, and of why there is none.

use std::fmt;

use std::time::Duration;

use talkback::{ConnectError, Error, LostCause, Refused, Transport, WebSocket, WsUrl};
use talkback_terminal::explain;
use talkback_terminal::show::escaped;

use crate::exit::{self, Failure};
use crate::tls;

/// How much of the body of a refusal is shown unless more is asked for, in characters.
const BODY_SHOWN: usize = 500;

/// The headers of a refusal that say what to do, or whom to ask.
const HEADERS_THAT_MATTER: [&str; 8] = [
    "location",
    "retry-after",
    "www-authenticate",
    "proxy-authenticate",
    "x-request-id",
    "content-type",
    "server",
    "sec-websocket-version",
];

/// How much is told on standard error.
#[derive(Debug)]
pub(crate) struct Remarks {
    url: String,
    verbose: u8,
    is_quiet: bool,
}

impl Remarks {
    pub(crate) fn new(url: &WsUrl, verbose: u8, is_quiet: bool) -> Self {
        let url = url.to_string();
        Self {
            url,
            verbose,
            is_quiet,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose > 0
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Tells something, unless it is nothing.
    pub(crate) fn tell(&self, what: impl fmt::Display) {
        let what = what.to_string();
        if !self.is_quiet && !what.is_empty() {
            exit::tell(what);
        }
    }

    /// Tells that there is a connection.
    pub(crate) fn tell_open(&self, subprotocol: Option<&str>) {
        let subprotocol = subprotocol
            .map(|name| format!(", subprotocol {}", escaped(name)))
            .unwrap_or_default();
        self.tell(format_args!("connected to {}{subprotocol}", self.url));
    }

    /// If verbose, what the way to the open connection was. Of the subprotocols only the server's choice is
    /// named: tokens are offered beside the one to be chosen.
    pub(crate) fn tell_phases(&self, socket: &WebSocket<Transport>, url: &WsUrl, asked: usize) {
        if !self.is_verbose() {
            return;
        }
        let addresses = socket.transport().and_then(|transport| {
            Some((transport.peer_addr().ok()?, transport.local_addr().ok()?))
        });
        if let Some((peer, local)) = addresses {
            self.tell(format_args!("TCP: connected to {peer} from {local}"));
        }
        if url.is_secure() {
            self.tell("TLS: the handshake is complete");
        }
        if asked > 0 {
            self.tell(format_args!(
                "opening handshake: subprotocols offered: {asked}; agreed on: {}",
                escaped(socket.subprotocol().unwrap_or("none"))
            ));
        }
    }

    /// The failure of a connect, with what the server answered if it refused.
    pub(crate) fn refused(&self, error: &ConnectError) -> Failure {
        if let Some(refused) = answer(error) {
            for line in answer_lines(refused, self.verbose) {
                self.tell(line);
            }
        }
        failed(error)
    }
}

/// The failure of a connect.
fn failed(error: &ConnectError) -> Failure {
    let message = tls::with_options(error, explain::connect_error(error));
    Failure::new(exit::of_connect_error(error), message)
}

/// Why a channel has ended that is not to have ended.
pub(crate) fn ended(error: &Error) -> Failure {
    match error {
        Error::Connect(error) => failed(error),
        Error::Closed(info) => Failure::new(exit::of_close(info), explain::end(info)),
        Error::Lost(lost)
        | Error::GaveUp {
            last: Some(lost), ..
        } => match lost.cause() {
            LostCause::Connect(error) => failed(error),
            LostCause::Closed(info) => Failure::new(exit::of_close(info), explain::end(info)),
            cause => Failure::new(exit::OTHER, escaped(&cause.to_string())),
        },
        error => Failure::new(exit::OTHER, escaped(&error.to_string())),
    }
}

/// What the server, or the proxy before it, answered in place of a WebSocket.
fn answer(error: &ConnectError) -> Option<&Refused> {
    match error {
        ConnectError::Proxy { error, .. } => error.refused(),
        error => error.refused(),
    }
}

/// The status, the headers that matter and the beginning of the body, in lines; with `-v` all that came.
fn answer_lines(refused: &Refused, verbose: u8) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, value) in &refused.headers {
        if verbose > 0 || HEADERS_THAT_MATTER.contains(&name.as_str()) {
            let value = String::from_utf8_lossy(value.as_bytes());
            lines.push(format!("its answer: {name}: {}", escaped(&value)));
        }
    }
    lines
}

/// A time as a person reads it.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
