//! A served connection, as others than its handler see it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use talkback_proto::{CloseCode, CloseFrame, CloseFrameError};

use crate::channel::sync::Arc;
use crate::server::registry::Node;

/// An open connection that [`Connections::each`](super::Connections::each) visits.
///
/// A copy may be kept; it keeps neither the connection open nor its place.
#[derive(Clone)]
pub struct ConnectionHandle(Arc<Node>);

impl ConnectionHandle {
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self(node)
    }

    /// Its number, which no other connection of the same [`Connections`](super::Connections) has had.
    pub fn id(&self) -> u64 {
        self.0.id()
    }

    /// The peer's address, as far as the server was told: behind a proxy that of the proxy, and then
    /// [`client_ip`](Self::client_ip) is the client's own.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.0.peer()
    }

    /// The client's own address, behind a proxy too: as [`ServerConnection::client_ip`](super::ServerConnection::client_ip).
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.0.client_ip()
    }

    /// Has the connection closed with this code and a reason of at most 123 bytes of UTF-8: where its handler waits
    /// for a message, at once, else when it next waits for the socket. The handler's `recv` runs the closing
    /// handshake, gives out [what still comes](super::ServerConnection#what-comes-behind-the-close-frame), and returns
    /// `Ok(None)`.
    ///
    /// It returns without waiting. A connection that has ended, or was told to close, stays as it is.
    ///
    /// # Errors
    /// A code that may not be sent, or a reason that is too long or has a CR, LF or NUL; nothing happens then.
    pub fn close(&self, code: impl Into<CloseCode>, reason: &str) -> Result<(), CloseFrameError> {
        let frame = CloseFrame::new(code, reason)?;
        self.0.orders().close(&Arc::new(frame));
        Ok(())
    }
}

impl fmt::Debug for ConnectionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionHandle")
            .field("id", &self.id())
            .field("peer", &self.peer())
            .finish()
    }
}
