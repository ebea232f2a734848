//! A connection whose client speaks HTTP.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use talkback_proto::CloseCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::accept::serving::HandedOver;
use crate::channel::sync::Arc;
use crate::connect::transport::Transport;
use crate::server::connection::Draining;
use crate::server::registry::{Held, Node, Outcome};

/// A connection on which no WebSocket was asked for, for an HTTP server: by [`Server::http`](super::Server::http).
///
/// It reads as the client has written, from the first byte of its first request on. It has a place among the
/// [`Connections`](super::Connections), as a WebSocket has, and gives it back when it is dropped: an answer without an end, such as a
/// stream of events, counts as long as it lasts, and is told of a drain.
pub struct HttpConnection<T = Transport> {
    stream: T,
    held: Held,
}

impl<S> HttpConnection<Transport<S>> {
    pub(crate) fn of(client: HandedOver<Transport<S>>) -> Self {
        let HandedOver {
            stream,
            unread,
            place,
        } = client;
        let held = place.hold();
        held.node().life().leave_out_end();
        let stream = stream.after(unread);
        Self { stream, held }
    }
}

impl<T> HttpConnection<T> {
    pub(crate) fn node(&self) -> &Arc<Node> {
        self.held.node()
    }

    /// Its number, which no other connection of the same [`Connections`](super::Connections) has had.
    pub fn id(&self) -> u64 {
        self.node().id()
    }

    /// The peer's address: behind a proxy that of the proxy.
    pub fn peer(&self) -> SocketAddr {
        self.node().peer().expect("a server knows its peers")
    }

    /// The client's own address, behind a proxy too: as [`ServerConnection::client_ip`](super::ServerConnection::client_ip), by the
    /// first request.
    pub fn client_ip(&self) -> IpAddr {
        let client = self.node().client_ip();
        client.unwrap_or_else(|| self.peer().ip())
    }

    /// Waits until the connection is to end, by a drain, whose deadline holds, or by [`close_where`](super::Connections::close_where):
    /// the HTTP server ends what it is at, and drops this.
    ///
    /// It borrows nothing, so that it is made before the connection is given away.
    ///
    /// # Cancel safety
    /// It may be dropped and made again.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + Unpin + use<T> {
        Draining::of(self.node())
    }
}

impl<T> Drop for HttpConnection<T> {
    fn drop(&mut self) {
        let node = self.node();
        let outcome = match node.orders().is_ending() {
            true => Outcome::Closed,
            false => Outcome::ByPeer,
        };
        node.count(outcome, CloseCode::NORMAL);
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for HttpConnection<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for HttpConnection<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<T> fmt::Debug for HttpConnection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpConnection")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
