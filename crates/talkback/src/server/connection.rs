//! A connection that has a place.

use std::fmt;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_sink::Sink;
use talkback_proto::{CloseInfo, Message, Outgoing};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;

use crate::channel::sync::Arc;
use crate::error::Error;
use crate::error::send::SendError;
use crate::server::registry::Node;
use crate::websocket::WebSocket;

/// A connection that [`Connections`](super::Connections) know: a [`WebSocket`] and its place.
///
/// It does all that the socket does, and needs no code for its end: once it is to close, by a drain or by
/// [`close_where`](super::Connections::close_where), [`recv`](WebSocket::recv) runs the closing handshake and returns
/// `Ok(None)`. What was sent before leaves first. One that only sends has its close frame behind the message that it
/// sends next; the send after that fails with [`SendErrorKind::Closed`](crate::SendErrorKind::Closed). A message that is
/// being sent in pieces is cut off by it.
///
/// # What comes behind the close frame
/// A client sends until it has read the close frame, and may be told that this was written. So `recv` goes on giving out
/// what comes before the client's own close frame, for at most the
/// [close timeout](crate::Limits::close_timeout). It can be answered no more: a `send` or `feed` fails, and hands the answer
/// back. A handler that is to have all that its client has sent goes on receiving then, as `recv` tells of the end:
///
/// ```
/// # use talkback::server::ServerConnection;
/// # use tokio::net::TcpStream;
/// # async fn handle(message: talkback::Message) -> talkback::Message { message }
/// # async fn example(mut connection: ServerConnection<TcpStream>) -> Result<(), talkback::Error> {
/// while let Some(message) = connection.recv().await? {
///     let answer = handle(message).await;
///     // What cannot be sent any more is told by `recv`.
///     let _ = connection.feed(answer).await;
/// }
/// # Ok(())
/// # }
/// ```
///
/// One that returns with the error of `send` leaves unread what is behind that message; its client finds the closing handshake
/// as ever, which goes on in a task of its own, within the close timeout. A program's own [`close`](WebSocket::close)
/// discards what comes from then on.
///
/// # Dropping it
/// A handler that ends the conversation itself does so by [`close().await`](Self::close). Dropping the connection, as by a
/// `return` or `?`, cuts the client off, unless it was to close: what was fed is written as far as the transport takes it at
/// once, and the client finds 1006. If a panic drops it, a close frame with 1011 is written like that.
///
/// Dropping it gives the place back. So it is when its socket has become a
/// [`WebSocketChannel`](crate::WebSocketChannel) or was split: the place goes along with the socket.
///
/// # Panics
/// What it has beside its socket's methods panics if a program has put a socket without a place where its own was, as by
/// [`mem::replace`] of `*connection`.
pub struct ServerConnection<T> {
    /// It has a place.
    socket: WebSocket<T>,
    /// What it does when this is dropped, which knows no bounds of its transport.
    leave: fn(&mut WebSocket<T>),
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> ServerConnection<T> {
    /// That of a socket which has a place.
    pub(crate) fn of(socket: WebSocket<T>) -> Self {
        Self { socket, leave }
    }
}

/// A connection is dropped. One that was ordered to close does so without its handler, which has mostly returned since
/// it could not send any more: what its client has sent meanwhile would have the transport reset, and the close frame be
/// lost, if it was dropped, too.
fn leave<T>(socket: &mut WebSocket<T>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // The checker of schedules runs no task of tokio's.
    if socket.is_closing_by_order()
        && !cfg!(shuttle)
        && Handle::try_current().is_ok()
        && let Some(node) = socket.node().map(Arc::clone)
    {
        let mut socket = mem::replace(socket, WebSocket::taken());
        node.life()
            .spawn(async move { socket.close_by_order().await });
    } else {
        socket.leave();
    }
}

impl<T> ServerConnection<T> {
    pub(crate) fn node(&self) -> &Arc<Node> {
        let node = self.socket.node();
        node.expect("another socket, which has no place, was put where this one was")
    }

    /// Its number, which no other connection of the same [`Connections`](super::Connections) has had.
    pub fn id(&self) -> u64 {
        self.node().id()
    }

    /// The peer's address, as far as the server was told: behind a proxy that of the proxy, and then
    /// [`client_ip`](Self::client_ip) is the client's own.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.node().peer()
    }

    /// The client's own address, behind a proxy too: the one that its connections count by.
    ///
    /// Where the peer is one of the [`trusted_proxies`](super::Connections::trusted_proxies), it is the last address in
    /// `X-Forwarded-For`, else in `Forwarded` (RFC 7239), that is not a trusted proxy's; what the client wrote there itself
    /// counts for nothing. Else it is the peer's, and so it is where the proxy tells none: then it is that of the last proxy
    /// that was told. An IPv4-mapped address is that of IPv4. `None` where the server was told no address of the peer.
    ///
    /// ```
    /// # use talkback::server::Connections;
    /// # use std::net::IpAddr;
    /// // All connections of a client that is not to come any more.
    /// # fn example(connections: &Connections, client: IpAddr) -> Result<(), talkback::CloseFrameError> {
    /// connections.close_where(|it| it.client_ip() == Some(client), 1008, "not any more")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.node().client_ip()
    }

    /// Waits until a drain, or [`rebalance`](super::Connections::rebalance), has come to this connection: for a handler
    /// that has something to say before it closes.
    ///
    /// As long as this future lives, the connection is not closed before it was ready once. Then the handler has its
    /// turn: it may send, and close with a code of its own. If it waits for a message instead, the closing handshake
    /// begins, as without this. A drain's deadline holds all the same.
    ///
    /// It borrows nothing, so that it is made once, before the handler's loop, and polled beside
    /// [`recv`](WebSocket::recv).
    ///
    /// ```
    /// # use talkback::server::ServerConnection;
    /// # use tokio::net::TcpStream;
    /// # async fn example(mut connection: ServerConnection<TcpStream>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut draining = connection.draining();
    /// loop {
    ///     tokio::select! {
    ///         message = connection.recv() => match message? {
    ///             Some(message) => _ = connection.feed(message).await,
    ///             None => return Ok(()),
    ///         },
    ///         () = &mut draining => {
    ///             connection.send("see you soon").await?;
    ///             connection.close_with(4001, "the server moves").await?;
    ///             return Ok(());
    ///         }
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping it before it was ready leaves the connection to be closed without a notice. It may be made again.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + Unpin + use<T> {
        Draining::of(self.node())
    }

    /// The socket, with its place: for those who take a [`WebSocket`].
    pub fn into_socket(mut self) -> WebSocket<T> {
        mem::replace(&mut self.socket, WebSocket::taken())
    }
}

impl<T> Drop for ServerConnection<T> {
    fn drop(&mut self) {
        (self.leave)(&mut self.socket);
    }
}

/// The notice that a connection is to end.
pub(crate) struct Draining {
    node: Arc<Node>,
    key: usize,
}

impl Draining {
    pub(crate) fn of(node: &Arc<Node>) -> Self {
        let node = Arc::clone(node);
        let key = node.orders().listen();
        Self { node, key }
    }
}

impl Future for Draining {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.node.orders().poll_notice(self.key, cx.waker())
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        self.node.orders().ignore(self.key);
    }
}

/// What [`Sink`] would stand before otherwise, where its extensions are imported.
impl<T: AsyncRead + AsyncWrite + Unpin> ServerConnection<T> {
    /// As [`WebSocket::send`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// As there.
    pub fn send<'a>(
        &mut self,
        message: impl Into<Outgoing<'a>>,
    ) -> impl Future<Output = Result<(), SendError>> {
        self.socket.send(message)
    }

    /// As [`WebSocket::feed`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// As there.
    pub fn feed<'a>(
        &mut self,
        message: impl Into<Outgoing<'a>>,
    ) -> impl Future<Output = Result<(), SendError>> {
        self.socket.feed(message)
    }

    /// As [`WebSocket::flush`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// As there.
    pub fn flush(&mut self) -> impl Future<Output = Result<(), SendError>> {
        self.socket.flush()
    }

    /// As [`WebSocket::close`].
    ///
    /// # Cancel safety
    /// As there.
    pub fn close(&mut self) -> impl Future<Output = CloseInfo> {
        self.socket.close()
    }
}

impl<T> Deref for ServerConnection<T> {
    type Target = WebSocket<T>;

    fn deref(&self) -> &WebSocket<T> {
        &self.socket
    }
}

impl<T> DerefMut for ServerConnection<T> {
    fn deref_mut(&mut self) -> &mut WebSocket<T> {
        &mut self.socket
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for ServerConnection<T> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.get_mut().socket).poll_next(cx)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Sink<Message> for ServerConnection<T> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.get_mut().socket).poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        Pin::new(&mut self.get_mut().socket).start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.get_mut().socket).poll_close(cx)
    }
}

/// Shows what the socket shows.
impl<T> fmt::Debug for ServerConnection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConnection")
            .field("id", &self.id())
            .field("socket", &self.socket)
            .finish()
    }
}
