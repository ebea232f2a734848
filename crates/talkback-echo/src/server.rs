//! The echo server: listening, accepting, draining.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::backoff::Backoff;
use crate::connection;
use crate::connections::{ConnectionCount, Connections};
use crate::options::{EchoOptions, Listen};

/// How many clients may wait to be accepted; the operating system may allow fewer.
const BACKLOG: u32 = 4096;

/// How many ports are tried until one is free on both loopbacks.
const PORTS_MAX: usize = 16;

/// An echo server that listens and does not accept yet: [run](Self::run) it.
///
/// A WebSocket on any path is echoed. An ordinary `GET /` is answered with a page to try it with,
/// `GET /health` with `ok`, `GET /demo/` with the page that it was given.
#[derive(Debug)]
pub struct EchoServer {
    listener: TcpListener,
    /// On the other loopback.
    other: Option<TcpListener>,
    local_addr: SocketAddr,
    connections: Connections,
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
        let (listener, other) = match options.listen {
            Listen::Address(address) => (listen(address)?, None),
            Listen::Localhost(port) => listen_localhost(port)?,
        };
        Ok(Self {
            local_addr: listener.local_addr()?,
            listener,
            other,
            connections: Connections::new(options),
        })
    }

    /// Counts its connections; for as long as the caller wants.
    pub fn connection_count(&self) -> ConnectionCount {
        self.connections.count()
    }

    /// The address that it listens on, with the port that it really got; that of 127.0.0.1, if there is
    /// another besides.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The URL for clients on this machine.
    pub fn url(&self) -> String {
        url(self.connections.options().scheme(), self.local_addr)
    }

    /// Serves until `shutdown` is ready, and then drains: it stops accepting and closes each
    /// connection with 1001, within [`EchoOptions::drain_timeout`].
    ///
    /// # Cancel safety
    /// A dropped call stops accepting and leaves the closing to the connections' own tasks.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        self.accept_until(shutdown).await.finish().await;
    }

    /// Serves until `shutdown` is ready, and stops listening.
    pub(crate) async fn accept_until(self, shutdown: impl Future<Output = ()>) -> Draining {
        tokio::select! {
            biased;
            () = shutdown => {}
            () = accept_all(&self.listener, &self.connections) => {}
            () = accept_other(self.other.as_ref(), &self.connections) => {}
        }
        Draining(self.connections)
    }
}

/// An echo server that does not listen any more, and has connections.
pub(crate) struct Draining(Connections);

impl Draining {
    /// Closes the connections, and waits until they have ended or the drain timeout is over.
    pub(crate) async fn finish(self) {
        let Self(connections) = self;
        let count = connections.count();
        debug!(connections = count.now(), "draining");
        connections.stop();
        let drained = timeout(connections.options().drain_timeout, connections.gone()).await;
        if drained.is_err() {
            warn!(
                connections = count.now(),
                "the drain timeout is over: cutting what is left"
            );
        }
    }
}

/// Listens, with a backlog for a burst of clients: whoever finds it full tries again a second later.
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

/// Listens on both loopbacks, or on the one that there is.
fn listen_localhost(port: u16) -> io::Result<(TcpListener, Option<TcpListener>)> {
    let mut tries = 0;
    loop {
        let listener = listen((Ipv4Addr::LOCALHOST, port).into())?;
        let taken = listener.local_addr()?.port();
        tries += 1;
        match listen((Ipv6Addr::LOCALHOST, taken).into()) {
            Ok(other) => return Ok((listener, Some(other))),
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => return Ok((listener, None)),
            // The port was free on one only.
            Err(_) if port == 0 && tries < PORTS_MAX => {}
            Err(error) => return Err(error),
        }
    }
}

async fn accept_other(listener: Option<&TcpListener>, connections: &Connections) {
    match listener {
        Some(listener) => accept_all(listener, connections).await,
        None => pending().await,
    }
}

/// Accepts as long as it is polled.
async fn accept_all(listener: &TcpListener, connections: &Connections) {
    let mut backoff = Backoff::default();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                backoff.reset();
                connection::spawn(stream, peer, connections.add());
            }
            Err(error) => {
                let pause = backoff.after(&error);
                if !pause.is_zero() {
                    warn!(%error, ?pause, "could not accept a connection: trying again{}", advice(&error));
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

/// What to do where no more files may be open: `EMFILE` and `ENFILE` of every Unix, and Winsock's.
fn advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(23 | 24 | 10024) => {
            ", once one is closed. More may be open if this process's limit is raised (`ulimit -n`)"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_process_that_may_open_no_more_files_is_told_so() {
        let error = io::Error::from_raw_os_error;
        assert!(advice(&error(24)).contains("`ulimit -n`"), "EMFILE");
        assert!(advice(&error(23)).contains("`ulimit -n`"), "ENFILE");
        assert_eq!(advice(&error(103)), "", "ECONNABORTED");
    }

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
}
