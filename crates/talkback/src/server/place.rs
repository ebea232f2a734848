//! A place among the connections, before there is a connection.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::server::connection::ServerConnection;
use crate::server::metrics::Attempt;
use crate::server::per_address::AddressPlace;
use crate::server::registry::{Held, Taken};
use crate::websocket::WebSocket;

/// A place that [`Connections::admit`](super::Connections::admit) has given: for a client that is to be accepted.
///
/// Dropping it gives the place back.
#[derive(Debug)]
#[must_use = "the place is given back if this is dropped"]
pub struct Place {
    taken: Taken,
    peer: Option<SocketAddr>,
    client: Option<IpAddr>,
    address: Option<AddressPlace>,
    attempt: Attempt,
}

impl Place {
    pub(crate) fn new(
        taken: Taken,
        peer: Option<SocketAddr>,
        client: Option<IpAddr>,
        address: Option<AddressPlace>,
        attempt: Attempt,
    ) -> Self {
        Self {
            taken,
            peer,
            client,
            address,
            attempt,
        }
    }

    /// Notes that the opening handshake took too long.
    pub(crate) fn time_out(&mut self) {
        self.attempt.time_out();
    }

    /// Gives the place to a connection that was accepted, which keeps it until it is dropped.
    ///
    /// During a drain, such a connection is closed at the end of the queue.
    pub fn open<T>(self, socket: WebSocket<T>) -> ServerConnection<T>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        ServerConnection::of(self.give(socket))
    }

    /// Gives the place to a connection that is no WebSocket.
    pub(crate) fn hold(self) -> Held {
        self.attempt.forgo();
        self.taken.hold(self.peer, self.client, self.address)
    }

    /// As [`open`](Self::open), for a socket that is handed on before it is a connection.
    pub(crate) fn give<T>(self, socket: WebSocket<T>) -> WebSocket<T> {
        self.attempt.open();
        let peer = self.peer.or(socket.peer());
        socket.with_place(self.taken.hold(peer, self.client, self.address))
    }
}
