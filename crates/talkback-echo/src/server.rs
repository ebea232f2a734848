//! The echo server: serving, draining.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use talkback::CloseCode;
use talkback::server::{Connections, ServeError, Server};
use tracing::{debug, warn};

use crate::connection;
use crate::options::EchoOptions;

/// An echo server that listens and does not accept yet: [run](Self::run) it.
///
/// A WebSocket on any path is echoed. An ordinary `GET /` is answered with a page to try it with,
/// `GET /health` with `ok` and `GET /ready` with `ready` as long as it listens, `GET /demo/` with the page that it was given, `GET /metrics` with
/// the metrics.
#[derive(Debug)]
pub struct EchoServer {
    server: Server,
    connections: Connections,
    options: Arc<EchoOptions>,
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
        let options = Arc::new(options);
        let server = Server::bind(&options.listen[..]).await?;
        #[cfg(feature = "tls")]
        let server = match &options.tls {
            Some(identity) => identity.secure(server),
            None => server,
        };
        let accepting = Arc::clone(&options);
        let server = server
            .accepting(move |accept| connection::accept(accept, &accepting))
            .unopened(connection::log_unopened)
            // Who dawdles holds up nobody: the descriptors are the bound.
            .handshakes_max(usize::MAX);
        Ok(Self {
            server,
            connections: options.connections.clone().unwrap_or_default(),
            options,
        })
    }

    /// The address that it listens on, with the port that it really got; that of 127.0.0.1, if there is another besides.
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// The URL for clients on this machine.
    pub fn url(&self) -> String {
        url(self.options.scheme(), self.local_addr())
    }

    /// Serves until `shutdown` is ready, or somebody else drains its connections, and then drains as
    /// [`EchoOptions::drain`] says: it stops listening, and closes each connection.
    ///
    /// # Errors
    /// At once, if a limit of the connections cannot be.
    ///
    /// # Cancel safety
    /// A dropped call stops listening and leaves the closing to the connections' own tasks.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let letting_go = self.letting_go();
        let stopping = async {
            shutdown.await;
            letting_go.drain().await;
        };
        tokio::select! {
            biased;
            () = stopping => {}
            served = self.serve() => {
                served?;
                // Its end is the drain's, which has yet to be told of.
                letting_go.drain().await;
            }
        }
        Ok(())
    }

    /// Serves until its connections are drained; until then it listens.
    pub(crate) async fn serve(self) -> Result<(), ServeError> {
        let options = self.options;
        self.server
            .serve(&self.connections, move |connection| {
                connection::serve(connection, Arc::clone(&options))
            })
            .await
    }

    pub(crate) fn letting_go(&self) -> LettingGo {
        LettingGo {
            connections: self.connections.clone(),
            options: Arc::clone(&self.options),
        }
    }
}

/// How a server lets go of its connections; once this is dropped they are closed.
pub(crate) struct LettingGo {
    connections: Connections,
    options: Arc<EchoOptions>,
}

impl LettingGo {
    /// Closes the connections, and waits until they have ended or the drain's deadline.
    pub(crate) async fn drain(&self) {
        let report = self.connections.drain(self.options.drain.clone()).await;
        match report.cut {
            0 => debug!("drained: {report}"),
            _ => warn!("drained: {report}"),
        }
    }
}

impl Drop for LettingGo {
    fn drop(&mut self) {
        let code = CloseCode::SERVICE_RESTART;
        // It may be sent.
        let _ = self
            .connections
            .close_where(|_| true, code, "the server restarts");
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
