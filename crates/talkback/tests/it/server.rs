//! The connections of a server: who is there, how they are closed from outside, and how a server lets go of them.

mod connections;
mod cut;
mod drain;
mod drain_times;
mod dropped;
mod half_close;
mod limits;
#[cfg(feature = "metrics")]
mod metrics;
mod orders;
#[cfg(feature = "tracing")]
mod traces;
#[cfg(feature = "upgrade")]
mod upgraded;

use std::net::SocketAddr;

use talkback::server::{Connections, ServerConnection};
use talkback::{CloseInfo, Role, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// An opening handshake, as a client sends it.
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

type Connection = ServerConnection<DuplexStream>;
type Peer = WebSocket<DuplexStream>;

/// A connection that is open, and its peer.
fn open(connections: &Connections) -> (Connection, Peer) {
    open_from(connections, None)
}

/// One of a client at this address.
fn open_from(connections: &Connections, address: Option<SocketAddr>) -> (Connection, Peer) {
    let (near, far) = duplex(1024);
    let place = connections.admit(address).unwrap();
    let connection = place.open(WebSocket::from_upgraded(near, Role::Server));
    (connection, WebSocket::from_upgraded(far, Role::Client))
}

/// Sends back what comes, until the end.
async fn echo<T: AsyncRead + AsyncWrite + Unpin>(mut connection: ServerConnection<T>) {
    while let Ok(Some(message)) = connection.recv().await {
        let _ = connection.feed(message).await;
    }
}

/// So many that echo, each in a task of [`Connections::run`]; when and how each ends for its peer.
fn many(connections: &Connections, count: usize) -> Vec<JoinHandle<(Instant, CloseInfo)>> {
    let peers = (0..count).map(|_| {
        let (connection, peer) = open(connections);
        connections.run(connection, echo);
        tokio::spawn(async move {
            let info = end(peer).await;
            (Instant::now(), info)
        })
    });
    peers.collect()
}

/// How a connection ends for its peer, which sends nothing.
async fn end(mut peer: Peer) -> CloseInfo {
    // Whether it is an ordinary end does not matter here.
    while let Ok(Some(_)) = peer.recv().await {}
    peer.close_info().unwrap().clone()
}

/// Lets other tasks run until none has anything to do, as far as so few yields show it.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}
