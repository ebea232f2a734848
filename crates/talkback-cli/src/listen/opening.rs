//! The opening handshakes of `talkback listen`: which clients may connect.

use std::future::{Future, ready};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use talkback::http::Request;
use talkback::http::header::SEC_WEBSOCKET_PROTOCOL;
use talkback::server::{Connections, ServeError, Server, ServerConnection};
use talkback::{AcceptError, Approval, DeflatePolicy, Limits, OriginPolicy, Refusal, Transport};
use talkback_terminal::explain::without_numbers;
use talkback_terminal::show::escaped;
use tokio::sync::mpsc;

use super::clients::{Incoming, Opened};
use crate::args::ListenArgs;
use crate::{host, values, watch};

/// What the library says to a page that it refuses: a server of lines has none.
const ORIGIN_ADVICE: &str =
    " may not connect: open the page from this server, or have its operator allow the origin";

/// How long the closing handshakes may take.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Opens each client's connection, and tells of it, until it is dropped.
pub(super) fn serve(
    server: Server,
    args: &ListenArgs,
    connections: &Connections,
    events: mpsc::Sender<Incoming>,
) -> impl Future<Output = Result<(), ServeError>> + Send + use<> {
    let policy = DeflatePolicy::default().client_no_context_takeover(false);
    let compression = (!args.no_compression).then_some(policy);
    let limits = Limits::default()
        .message_size_max(args.max_message)
        .close_timeout(CLOSE_TIMEOUT);
    // It has no page of its own, so that the same origin is nobody's.
    let origins = OriginPolicy::List(args.origins.clone());
    let (subprotocols, hosts) = (args.subprotocols.clone(), args.hosts.clone());
    let refused = events.clone();
    let server = server
        .accepting(move |accept| {
            let (hosts, speaks_any) = (hosts.clone(), subprotocols.is_empty());
            accept
                .subprotocols(subprotocols.iter().cloned())
                .origin_policy(origins.clone())
                .limits(limits.clone())
                .compression(compression)
                .check(move |request| ready(approve(&request, &hosts, speaks_any)))
        })
        .unopened(move |peer, error| {
            if let AcceptError::Answered(_) = error {
                return;
            }
            let what = format!("{peer}: {}", told(error));
            let (what, refused) = (escaped(&without_numbers(&what)), refused.clone());
            // Nobody to tell is left at the end.
            tokio::spawn(async move { refused.send(Incoming::Refused(what)).await });
        });
    let count = AtomicU64::new(0);
    let open = move |connection| {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        let opened = opened(number, connection);
        let events = events.clone();
        async move {
            // Nobody to tell is left at the end.
            let _ = events.send(opened).await;
        }
    };
    let connections = connections.clone();
    async move { server.serve(&connections, open).await }
}

/// A client that has come. Its channel keeps its place.
fn opened(number: u64, connection: ServerConnection<Transport>) -> Incoming {
    let peer = connection.peer().expect("it was told");
    let opened = Opened {
        number,
        peer,
        client: connection
            .client_ip()
            .filter(|client| *client != peer.ip().to_canonical()),
        path: path(connection.request()),
        subprotocol: connection.subprotocol().map(str::to_owned),
        request: watch::received_request(connection.request()),
    };
    Incoming::Opened(opened, connection.into_socket().into())
}

/// The path, without the query, which may be a secret.
fn path(request: &Request<()>) -> String {
    request.uri().path().to_owned()
}

/// Lets in who names this machine as it may be named; a page whose own name was made to lead here does not.
fn approve(request: &Request<()>, hosts: &[String], speaks_any: bool) -> Result<Approval, Refusal> {
    host::check(request, hosts)?;
    let offered = request.headers().get(SEC_WEBSOCKET_PROTOCOL);
    let offered = offered.and_then(|line| line.to_str().ok());
    let first =
        offered.and_then(|line| line.split(',').map(str::trim).find(|name| !name.is_empty()));
    Ok(match first.filter(|_| speaks_any) {
        Some(name) => Approval::default().subprotocol(name),
        None => Approval::default(),
    })
}

/// Why a client was not let in, with this command's options in place of the library's.
fn told(error: &AcceptError) -> String {
    let text = match error {
        AcceptError::Refused(refusal) => match refusal.reason().strip_suffix(ORIGIN_ADVICE) {
            Some(who) => format!("refused: {who} may not connect: {}", origin_advice(who)),
            None => format!("refused: {refusal}"),
        },
        error => format!("not opened: {error}"),
    };
    let options = [
        (
            ". This server takes more if HeadLimits::size_max is raised with `head_limits`",
            "",
        ),
        (
            ". This server takes more if HeadLimits::headers_max is raised with `head_limits`",
            "",
        ),
    ];
    let named = |text: String, (method, option)| text.replace(method, option);
    options.into_iter().fold(text, named)
}

/// What to do about a page that may not connect.
fn origin_advice(who: &str) -> &'static str {
    let origin = who.strip_prefix("the Origin \"");
    match origin.and_then(|origin| origin.strip_suffix('"')) {
        // Any site can make a page in a sandbox.
        Some("null") => {
            "that is a page from a file or in a sandbox, none of which can be allowed: open the page from a server \
             of your own, and allow the origin of that with `--origin`"
        }
        Some(origin) if values::origin(origin).is_ok() => {
            "if its pages may reach this machine, allow it with `--origin`"
        }
        _ => {
            "that is no origin of a web page: leave the header out, as a program does that is no browser"
        }
    }
}
