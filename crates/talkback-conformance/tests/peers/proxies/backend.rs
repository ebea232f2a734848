//! The server behind a proxy.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use http::Response;
use http::header::{HeaderValue, SET_COOKIE};
use talkback::bytes::Bytes;
use talkback::server::Connections;
use talkback::{Approval, CloseInfo, Keepalive, Refusal};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use crate::program::free_port;

/// What an ordinary request is answered with.
pub(super) const PAGE: &str = "a page of the server's own";

/// How the proxy tells where a client is.
#[derive(Clone, Copy, Debug)]
enum Told {
    ByHeader,
    ByLine,
}

/// How a server meets its clients, and what it keeps of them.
#[derive(Clone, Debug)]
struct Serving {
    keepalive: Keepalive,
    told: Told,
    connections: Connections,
    seen: Arc<Mutex<Vec<usize>>>,
    end: mpsc::UnboundedSender<CloseInfo>,
}

/// A server at a port of 127.0.0.1 that echoes, until this is dropped.
///
/// It keeps the numbers that it has seen.
///
/// The text `address` is answered with the client's address, `path` with the request's, `flood` with more
/// than the ways between hold; `bye` closes.
/// At `/ws/greeting` it speaks first, `/ws/slow` is never answered, `/ws/large` with a head of 12 KB, and a path outside of `/ws/` is refused.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) port: u16,
    serving: Serving,
    listening: JoinHandle<()>,
    ends: mpsc::UnboundedReceiver<CloseInfo>,
}

impl Backend {
    pub(super) async fn start() -> Self {
        Self::with(Keepalive::OFF, Told::ByHeader).await
    }

    pub(super) async fn with_keepalive(keepalive: Keepalive) -> Self {
        Self::with(keepalive, Told::ByHeader).await
    }

    /// One that wants the PROXY protocol, and answers `address` with what that said.
    pub(super) async fn with_proxy_protocol() -> Self {
        Self::with(Keepalive::OFF, Told::ByLine).await
    }

    async fn with(keepalive: Keepalive, told: Told) -> Self {
        let (end, ends) = mpsc::unbounded_channel();
        let (port, seen) = (free_port(), Arc::default());
        let proxy = IpAddr::from(Ipv4Addr::LOCALHOST);
        let serving = Serving {
            keepalive,
            told,
            connections: Connections::new().trusted_proxies([proxy.into()]),
            seen,
            end,
        };
        Self {
            port,
            listening: serving.listen(port).await,
            serving,
            ends,
        }
    }

    /// Cuts all connections, and listens no more.
    pub(super) async fn stop(&mut self) {
        self.listening.abort();
        let stopped = (&mut self.listening).await;
        assert!(stopped.is_err_and(|error| error.is_cancelled()));
    }

    /// Listens at the same port again.
    pub(super) async fn start_again(&mut self) {
        self.listening = self.serving.listen(self.port).await;
    }

    /// The numbers that it has seen, in their order.
    pub(super) fn seen(&self) -> Vec<usize> {
        self.serving.seen.lock().unwrap().clone()
    }

    /// How the next connection ended.
    pub(super) async fn end(&mut self) -> CloseInfo {
        self.ends
            .recv()
            .await
            .expect("it is sent before a server goes")
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Serving {
    async fn listen(&self, port: u16) -> JoinHandle<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let (listener, serving) = (listener.unwrap(), self.clone());
        tokio::spawn(async move {
            // Dropped with this task.
            let mut connections = JoinSet::new();
            while let Ok((stream, peer)) = listener.accept().await {
                let serving = serving.clone();
                connections.spawn(async move {
                    if let Some(info) = serve(stream, peer, &serving).await {
                        // The test may have ended.
                        let _ = serving.end.send(info);
                    }
                });
            }
        })
    }
}

/// Serves a connection to its end; `None` if it was no WebSocket.
async fn serve(stream: TcpStream, peer: SocketAddr, serving: &Serving) -> Option<CloseInfo> {
    let (stream, peer) = match serving.told {
        Told::ByHeader => (BufReader::new(stream), peer),
        Told::ByLine => {
            let (stream, client) = proxied(stream).await.ok()?;
            (stream, client.unwrap_or(peer))
        }
    };
    let accepting = talkback::accept(stream)
        .peer(peer)
        .subprotocols(["chat"])
        .keepalive(serving.keepalive)
        .check(|request| async move {
            match request.uri().path() {
                "/ws/slow" => std::future::pending().await,
                "/ws/large" => Ok(Approval::default().header(SET_COOKIE, large())),
                path if path.starts_with("/ws/") => Ok(Approval::default()),
                _ => Err(Refusal::not_found()),
            }
        })
        .otherwise(|_| Response::new(Bytes::from_static(PAGE.as_bytes())));
    let mut socket = accepting.admit(&serving.connections).await.ok()?;
    let request = socket.take_request();
    if request.uri().path() == "/ws/greeting" {
        socket.send("welcome").await.ok()?;
    }
    while let Ok(Some(message)) = socket.recv().await {
        if let Some(Ok(number)) = message.as_text().map(|text| text.trim_end().parse()) {
            serving.seen.lock().unwrap().push(number);
        }
        // What cannot be sent shows at the next `recv`.
        let _ = match message.as_text() {
            Some("address") => socket.feed(format!("{:?}", socket.client_ip())).await,
            Some("path") => socket.feed(request.uri().path()).await,
            Some("flood") => socket.send(vec![0; 64 << 20]).await,
            Some("bye") => return socket.close_with(4001, "bye").await.ok(),
            _ => socket.feed(message).await,
        };
    }
    socket.close_info().cloned()
}

fn large() -> HeaderValue {
    HeaderValue::try_from("x".repeat(12_000)).expect("letters are a value")
}

/// Reads the line of the PROXY protocol, version 1: `PROXY TCP4 192.0.2.7 198.51.100.1 56324 443`.
async fn proxied(stream: TcpStream) -> io::Result<(BufReader<TcpStream>, Option<SocketAddr>)> {
    let (mut stream, mut line) = (BufReader::new(stream), String::new());
    (&mut stream).take(107).read_line(&mut line).await?;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let client = match words[..] {
        ["PROXY", "TCP4" | "TCP6", ip, _, port, _] => {
            ip.parse::<IpAddr>().ok().zip(port.parse().ok())
        }
        _ => None,
    };
    Ok((stream, client.map(SocketAddr::from)))
}
