//! The opening handshakes of `talkback listen`: which clients may connect.

use std::future::ready;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use talkback::http::header::{HOST, SEC_WEBSOCKET_PROTOCOL};
use talkback::http::uri::Authority;
use talkback::http::{Request, StatusCode};
use talkback::{
    AcceptError, Approval, DeflatePolicy, Limits, OriginPolicy, Refusal, WebSocket,
    WebSocketChannel,
};
use talkback_echo::Identity;
use talkback_terminal::explain::without_numbers;
use talkback_terminal::show::escaped;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::clients::{Incoming, Opened};
use crate::args::ListenArgs;
use crate::{values, watch};

/// What the library says to a page that it refuses: a server of lines has none.
const ORIGIN_ADVICE: &str =
    " may not connect: open the page from this server, or have its operator allow the origin";

/// How long a client may take for each of both handshakes.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the closing handshakes may take.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a server wants of clients, and how many it has had.
pub(super) struct Server {
    subprotocols: Vec<String>,
    origin_policy: OriginPolicy,
    hosts: Vec<String>,
    compression: Option<DeflatePolicy>,
    limits: Limits,
    identity: Option<Identity>,
    count: AtomicU64,
}

impl Server {
    pub(super) fn new(args: &ListenArgs, identity: Option<Identity>) -> Self {
        let policy = || DeflatePolicy::default().client_no_context_takeover(false);
        Self {
            subprotocols: args.subprotocols.clone(),
            // It has no page of its own, so that the same origin is nobody's.
            origin_policy: OriginPolicy::List(args.origins.clone()),
            hosts: args.hosts.clone(),
            compression: (!args.no_compression).then(policy),
            limits: Limits::default()
                .message_size_max(args.max_message)
                .close_timeout(CLOSE_TIMEOUT),
            identity,
            count: AtomicU64::new(0),
        }
    }

    /// Opens a client's connection, and tells of it.
    pub(super) async fn serve(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        events: mpsc::Sender<Incoming>,
    ) {
        // A line must not wait for the acknowledgement of the one before; without that it is slow, not broken.
        let _ = stream.set_nodelay(true);
        let opened = match &self.identity {
            None => self.accept(stream, peer).await,
            Some(identity) => match timeout(HANDSHAKE_TIMEOUT, identity.accept(stream)).await {
                Ok(Ok(secured)) => self.accept(secured, peer).await,
                Ok(Err(error)) => Err(format!("TLS failed: {error}")),
                Err(_) => Err("TLS took too long".to_owned()),
            },
        };
        let incoming = match opened {
            Ok((opened, channel)) => Incoming::Opened(opened, channel),
            Err(what) => Incoming::Refused(escaped(&without_numbers(&format!("{peer}: {what}")))),
        };
        // Nobody to tell is left at the end.
        let _ = events.send(incoming).await;
    }

    async fn accept<T>(
        &self,
        stream: T,
        peer: SocketAddr,
    ) -> Result<(Opened, WebSocketChannel), String>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let hosts = self.hosts.clone();
        let speaks_any = self.subprotocols.is_empty();
        let socket = talkback::accept(stream)
            .peer(peer)
            .subprotocols(self.subprotocols.iter().cloned())
            .origin_policy(self.origin_policy.clone())
            .limits(self.limits.clone())
            .compression(self.compression)
            .timeout(HANDSHAKE_TIMEOUT)
            .check(move |request| ready(approve(&request, &hosts, speaks_any)))
            .await
            .map_err(|error| told(&error))?;
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let opened = Opened {
            number,
            peer,
            path: path(&socket),
            subprotocol: socket.subprotocol().map(str::to_owned),
            request: watch::received_request(socket.request()),
        };
        Ok((opened, socket.into()))
    }
}

/// The path, without the query, which may be a secret.
fn path<T>(socket: &WebSocket<T>) -> String {
    socket.request().uri().path().to_owned()
}

/// Lets in who names this machine as it may be named; a page whose own name was made to lead here does not.
fn approve(request: &Request<()>, hosts: &[String], speaks_any: bool) -> Result<Approval, Refusal> {
    let host = request.headers().get(HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_allowed(host, hosts) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            format!(
                "the Host {host:?} is not this machine as far as the server knows: name it by localhost or an \
                 IP address, or allow the name with `--host`"
            ),
        ));
    }
    let offered = request.headers().get(SEC_WEBSOCKET_PROTOCOL);
    let offered = offered.and_then(|line| line.to_str().ok());
    let first =
        offered.and_then(|line| line.split(',').map(str::trim).find(|name| !name.is_empty()));
    Ok(match first.filter(|_| speaks_any) {
        Some(name) => Approval::default().subprotocol(name),
        None => Approval::default(),
    })
}

/// Whether a Host header leads here by no page's doing: whoever owns another name can have it lead anywhere.
fn is_allowed(host: &str, hosts: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host().to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    let ip = name.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
    name == "localhost"
        || name.ends_with(".localhost")
        || ip.unwrap_or(name).parse::<IpAddr>().is_ok()
        || hosts.iter().any(|host| host == name)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_this_machine_or_a_name_that_was_allowed() {
        let hosts = ["laptop.local".to_owned()];
        for host in [
            "localhost",
            "LOCALHOST.:9001",
            "app.localhost:9001",
            "127.0.0.1:9001",
            "192.0.2.7",
            "[::1]:9001",
            "Laptop.local:9001",
        ] {
            assert!(is_allowed(host, &hosts), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:9001",
            "127.0.0.1.evil.example",
            "evillocalhost",
            "laptop.local.evil.example",
            "evil.example@127.0.0.1@x",
        ] {
            assert!(!is_allowed(host, &hosts), "{host}");
        }
    }
}
