//! The echo server: serving, draining.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::time::timeout;
use tracing::{debug, warn};

use crate::connection;
use crate::connections::{ConnectionCount, Connections};
use crate::listener::Listener;
use crate::options::{EchoOptions, Listen};

/// An echo server that listens and does not accept yet: [run](Self::run) it.
///
/// A WebSocket on any path is echoed. An ordinary `GET /` is answered with a page to try it with,
/// `GET /health` with `ok`, `GET /demo/` with the page that it was given.
#[derive(Debug)]
pub struct EchoServer {
    listener: Listener,
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
        let listener = match options.listen {
            Listen::Address(address) => Listener::bind(address)?,
            Listen::Localhost(port) => Listener::bind_localhost(port)?,
        };
        Ok(Self {
            listener,
            connections: Connections::new(options),
        })
    }

    /// Counts its connections; for as long as the caller wants.
    pub fn connection_count(&self) -> ConnectionCount {
        self.connections.count()
    }

    /// The address that it listens on, as [`Listener::local_addr`] tells it.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// The URL for clients on this machine.
    pub fn url(&self) -> String {
        url(self.connections.options().scheme(), self.local_addr())
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
        let Self {
            listener,
            connections,
        } = self;
        tokio::select! {
            biased;
            () = shutdown => {}
            () = listener.accept_each(|stream, peer| connection::spawn(stream, peer, connections.add())) => {}
        }
        Draining(connections)
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
}
