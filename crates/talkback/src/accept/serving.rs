//! The opening handshake of a server that answers for its health, too.

use std::future::poll_fn;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::accept::Accept;
use crate::accept::accepting::{Done, Opening};
use crate::error::AcceptError;
use crate::server::connections::Connections;
use crate::server::health::Health;
use crate::server::per_address::AddressPlace;
use crate::server::place::Place;
use crate::timer::timer;
use crate::websocket::WebSocket;

/// An opening handshake that takes a place; before it the client may ask how the server is.
pub(crate) struct Serving<T>(Box<Opening<T>>);

/// What came of a request.
pub(crate) enum Outcome<T> {
    Open(WebSocket<T>),
    /// The client was told how the server is, and may go on with another request.
    Told(Serving<T>),
    /// The client speaks HTTP to somebody else.
    HandedOver(HandedOver<T>),
}

/// A client that has asked for no WebSocket.
pub(crate) struct HandedOver<T> {
    pub(crate) stream: T,
    /// What was read of it: its request, and what came behind.
    pub(crate) unread: BytesMut,
    pub(crate) place: Place,
}

impl<T> Accept<T> {
    /// Has it keep the place among those of its address that it has already.
    pub(crate) fn arrived(mut self, place: Option<AddressPlace>) -> Self {
        self.0.options.arrived = place;
        self
    }

    /// Has it take a place among these, and answer for the server's health.
    pub(crate) fn serving(mut self, connections: &Connections, health: Health) -> Serving<T> {
        self.0.options.connections = Some(connections.clone());
        self.0.options.health = Some(health);
        Serving(self.0)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Serving<T> {
    /// Answers the next request.
    pub(crate) async fn next(mut self) -> Result<Outcome<T>, AcceptError> {
        let done = poll_fn(|cx| self.0.poll_outcome(cx)).await?;
        Ok(match done {
            Done::Open(answering) => Outcome::Open(self.0.open(answering)),
            Done::Told(leftover) => {
                self.0.read_on(leftover);
                Outcome::Told(self)
            }
            Done::HandedOver(unread) => {
                let (stream, place) = self.0.into_parts();
                Outcome::HandedOver(HandedOver {
                    stream,
                    unread,
                    place: place.expect("it was admitted"),
                })
            }
        })
    }

    /// Has ordinary requests handed over.
    pub(crate) fn handing_over(mut self) -> Self {
        self.0.options.hands_over = true;
        self
    }

    /// Gives the client so much time for the next request, and for its opening handshake if it is one.
    pub(crate) fn within(mut self, time: Duration) -> Self {
        self.0.set_timer(timer(time));
        self
    }
}
