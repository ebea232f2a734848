//! The connections of a server: who is there, how they are closed from outside, and how a server lets go of them.

mod connections;

use talkback::server::{Connections, ServerConnection};
use talkback::{Role, WebSocket};
use tokio::io::{DuplexStream, duplex};

/// A connection that is open, and its peer.
pub(crate) fn open(
    connections: &Connections,
) -> (ServerConnection<DuplexStream>, WebSocket<DuplexStream>) {
    let (near, far) = duplex(64 * 1024);
    let place = connections.admit(None).unwrap();
    let connection = place.open(WebSocket::from_upgraded(near, Role::Server));
    (connection, WebSocket::from_upgraded(far, Role::Client))
}
