//! The echo server: it sends back every message as it came.
//!
//! A client has 10 s until its WebSocket is open, TLS included. After an accept that failed, as when
//! descriptors are short, the server pauses, for 50 ms to 1 s.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use talkback::{DeflatePolicy, Limits, OriginPolicy};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::backoff::Backoff;
use crate::connection;
#[cfg(feature = "tls")]
use crate::tls::Identity;
use crate::web::WebFiles;

/// How many clients may wait to be accepted; the operating system may allow fewer.
const BACKLOG: u32 = 4096;

/// How an echo server listens and what it accepts.
#[derive(Clone, Debug)]
pub struct EchoOptions {
    /// The address to listen on; port 0 takes a free one. 127.0.0.1:9001 by default.
    pub listen: SocketAddr,
    /// The subprotocols that it speaks; none by default.
    pub subprotocols: Vec<String>,
    /// The origins of the web pages that may connect; every page may if there are none, as by
    /// default: an echo server has no secrets.
    pub origins: Vec<String>,
    /// The largest message in bytes; 16 MiB by default.
    pub message_size_max: u64,
    /// How compression is agreed on, or `None` to decline it; by default an offer is accepted so
    /// that neither end keeps a context between messages.
    pub compression: Option<DeflatePolicy>,
    /// How long open connections may take to close when the server stops; 5 s by default.
    pub drain_timeout: Duration,
    /// What lies at `/demo/`; nothing by default.
    pub web: Option<WebFiles>,
    /// Who it is by TLS: with it the server speaks `wss://` and `https://` only; none by default.
    #[cfg(feature = "tls")]
    pub tls: Option<Identity>,
}

impl Default for EchoOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9001)),
            subprotocols: Vec::new(),
            origins: Vec::new(),
            message_size_max: Limits::default().message_size_max,
            compression: Some(DeflatePolicy::default()),
            drain_timeout: Duration::from_secs(5),
            web: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) subprotocols: Vec<String>,
    pub(crate) origin_policy: OriginPolicy,
    pub(crate) limits: Limits,
    pub(crate) compression: Option<DeflatePolicy>,
    pub(crate) drain_timeout: Duration,
    pub(crate) web: Option<WebFiles>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Identity>,
}

impl Settings {
    fn scheme(&self) -> &'static str {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return "wss";
        }
        "ws"
    }
}

impl From<EchoOptions> for Settings {
    fn from(options: EchoOptions) -> Self {
        Self {
            subprotocols: options.subprotocols,
            origin_policy: match options.origins.is_empty() {
                true => OriginPolicy::Any,
                false => OriginPolicy::List(options.origins),
            },
            limits: Limits {
                message_size_max: options.message_size_max,
                ..Limits::default()
            },
            compression: options.compression,
            drain_timeout: options.drain_timeout,
            web: options.web,
            #[cfg(feature = "tls")]
            tls: options.tls,
        }
    }
}

/// An echo server that listens and does not accept yet: [run](Self::run) or [spawn](Self::spawn)
/// it.
///
/// A WebSocket on any path is echoed. An ordinary `GET /` is answered with a page to try it with,
/// `GET /health` with `ok`, `GET /demo/` with the page that it was given.
#[derive(Debug)]
pub struct EchoServer {
    listener: TcpListener,
    local_addr: SocketAddr,
    settings: Arc<Settings>,
    /// Each connection holds a receiver: it learns from it that the server stops, and the last one
    /// to be dropped tells the server that all are gone.
    stopping: watch::Sender<()>,
}

/// How many connections a server has, also while it runs.
#[derive(Clone, Debug)]
pub struct ConnectionCount {
    stopping: watch::Sender<()>,
}

impl ConnectionCount {
    /// The connections that are open now, those that are no WebSocket yet among them.
    pub fn now(&self) -> usize {
        self.stopping.receiver_count()
    }
}

impl EchoServer {
    /// Listens.
    ///
    /// # Errors
    /// The operating system's, if the address is in use or not this machine's.
    ///
    /// # Cancel safety
    /// A dropped call listens on nothing.
    pub async fn bind(options: EchoOptions) -> io::Result<Self> {
        let listener = listen(options.listen)?;
        Ok(Self {
            local_addr: listener.local_addr()?,
            listener,
            settings: Arc::new(options.into()),
            stopping: watch::Sender::new(()),
        })
    }

    /// Counts its connections; for as long as the caller wants.
    pub fn connection_count(&self) -> ConnectionCount {
        let stopping = self.stopping.clone();
        ConnectionCount { stopping }
    }

    /// The address that it listens on, with the port that it really got.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The URL for clients on this machine.
    pub fn url(&self) -> String {
        url(self.settings.scheme(), self.local_addr)
    }

    /// Serves until `shutdown` is ready, and then drains: it stops accepting and closes each
    /// connection with 1001, within [`EchoOptions::drain_timeout`].
    ///
    /// # Cancel safety
    /// A dropped call stops accepting and leaves the closing to the connections' own tasks.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let stopping = self.stopping;
        tokio::select! {
            biased;
            () = shutdown => {}
            () = accept_all(&self.listener, &self.settings, &stopping) => {}
        }
        drop(self.listener);
        debug!(connections = stopping.receiver_count(), "draining");
        stopping.send_replace(());
        let drained = timeout(self.settings.drain_timeout, stopping.closed()).await;
        if drained.is_err() {
            let connections = stopping.receiver_count();
            warn!(
                connections,
                "the drain timeout is over: cutting what is left"
            );
        }
    }

    /// Serves in a task of the current tokio runtime.
    pub fn spawn(self) -> EchoHandle {
        let (stop, stopped) = oneshot::channel();
        EchoHandle {
            local_addr: self.local_addr,
            url: self.url(),
            stop,
            task: tokio::spawn(self.run(async {
                // A handle that was dropped stops the server, too.
                let _ = stopped.await;
            })),
        }
    }
}

/// Listens, with room for a burst of clients: whoever finds none tries again a second later.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Elsewhere it would let other programs listen on the same port.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// An echo server that runs in a task of its own; dropping this stops it in the background.
#[derive(Debug)]
pub struct EchoHandle {
    local_addr: SocketAddr,
    url: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl EchoHandle {
    /// The address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The URL for clients on this machine.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Drains the server, as [`EchoServer::run`] says, and waits until it has ended.
    ///
    /// # Cancel safety
    /// A dropped call leaves the draining to the background.
    pub async fn shutdown(self) {
        // Either fails only if the task has ended already.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// Accepts as long as it is polled.
async fn accept_all(
    listener: &TcpListener,
    settings: &Arc<Settings>,
    stopping: &watch::Sender<()>,
) {
    let mut backoff = Backoff::default();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                backoff.reset();
                connection::spawn(stream, peer, Arc::clone(settings), stopping.subscribe());
            }
            Err(error) => {
                let pause = backoff.after(&error);
                if !pause.is_zero() {
                    warn!(%error, ?pause, "could not accept a connection: trying again");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

/// The URL of a listening address; that of every interface is reached over the loopback.
fn url(scheme: &str, mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        match address.is_ipv4() {
            true => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            false => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        }
    }
    format!("{scheme}://{address}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_every_interface_is_that_of_the_loopback() {
        let urls = ["127.0.0.1:80", "0.0.0.0:80", "[::]:80", "[fe80::1]:80"]
            .map(|address| url("ws", address.parse().unwrap()));
        assert_eq!(
            urls,
            [
                "ws://127.0.0.1:80/",
                "ws://127.0.0.1:80/",
                "ws://[::1]:80/",
                "ws://[fe80::1]:80/"
            ]
        );
    }

    #[tokio::test]
    async fn a_dropped_handle_stops_the_server() {
        let options = EchoOptions {
            listen: "127.0.0.1:0".parse().unwrap(),
            ..EchoOptions::default()
        };
        let server = EchoServer::bind(options).await.unwrap().spawn();
        let mut socket = talkback::connect(server.url()).await.unwrap();
        drop(server);
        assert_eq!(socket.recv().await.unwrap(), None);
        assert_eq!(socket.close_info().unwrap().code, 1001);
    }
}
