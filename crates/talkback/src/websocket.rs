//! An open connection over any transport, polled in place: no task, no queue.

mod ahead;
pub(crate) mod buffers;
mod compression;
mod handshake;
mod input;
mod io;
pub(crate) mod keys;
mod life;
mod opening;
mod peer_end;
pub(crate) mod reader;
mod sending;
mod served;
mod unread;
mod wakers;
pub(crate) mod writer;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use futures_core::Stream;
use futures_sink::Sink;
use talkback_proto::{
    CloseCode, CloseFrame, CloseFrameError, CloseInfo, Compression, Connection, Incoming,
    Keepalive, Limits, Message, Role,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Sleep;

use crate::error::Error;
use crate::error::send::{SendError, Unsent};
#[cfg(feature = "server")]
use crate::server::registry::Held;
use crate::socket::Lost;
use crate::timer::now;
use crate::websocket::input::Input;
use crate::websocket::keys::ConnectionKeys;
use crate::websocket::opening::Opening;
use crate::websocket::unread::Unread;
use crate::websocket::wakers::Wakers;

/// An open WebSocket connection over `T`, for either role.
///
/// It is a [`Stream`] of messages and a [`Sink`] for them, and has no task of its own: pings are
/// answered and the closing handshake goes on while it is polled, by [`recv`](Self::recv) or
/// [`close`](Self::close). An idle one owns no buffer.
///
/// Split it with `StreamExt::split` of futures-util to use the halves in two tasks.
///
/// Dropping it cuts the transport; [`close`](Self::close) first to end in order.
#[doc(alias = "WebSocketStream")]
pub struct WebSocket<T> {
    /// `None` once the connection has ended.
    io: Option<T>,
    /// In a block of its own: a future keeps space for a socket wherever one passes through it, and a task's
    /// size is rounded up to 128 bytes, and by malloc to more.
    core: Box<Core>,
    /// Whether the transport has taken bytes that it may still hold.
    needs_flush: bool,
    is_end_reported: bool,
    /// Whether the program has said what keepalive there is.
    has_own_keepalive: bool,
    /// Whether it is a channel's, which closes behind what it has queued.
    #[cfg(feature = "server")]
    is_pumped: bool,
    wakers: Wakers,
}

struct Core {
    connection: Connection,
    /// What was read and not used yet.
    input: Input,
    timer: Option<Pin<Box<Sleep>>>,
    rare: Option<Box<Rare>>,
    /// What is kept of the opening handshake, if anything.
    opening: Option<Box<Opening>>,
    /// Among the connections of a server, if it is one of those.
    #[cfg(feature = "server")]
    place: Option<Held>,
}

/// What few connections have.
#[derive(Default)]
struct Rare {
    /// What the transport said when it took no more bytes.
    write_error: Option<Arc<std::io::Error>>,
    /// Set once a channel's peer had to wait.
    unread: Option<Unread>,
}

impl Core {
    #[inline]
    fn write_error(&self) -> Option<&Arc<std::io::Error>> {
        self.rare.as_ref()?.write_error.as_ref()
    }

    #[inline]
    fn unread(&self) -> Option<&Unread> {
        self.rare.as_ref()?.unread.as_ref()
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
    /// A connection whose opening handshake somebody else has done (RFC 6455 §4).
    ///
    /// The caller has checked the handshake; [`accept`](crate::accept()) and
    /// [`connect`](crate::connect()) do both. What was read behind it comes
    /// [`with_leftover`](Self::with_leftover), what it agreed on
    /// [`with_subprotocol`](Self::with_subprotocol) and [`with_deflate`](Self::with_deflate).
    ///
    /// ```
    /// use talkback::{Role, WebSocket};
    /// use tokio::io::AsyncWriteExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (client, mut server) = tokio::io::duplex(1024);
    /// // A text message, the first half of which was read together with the server's 101.
    /// let (leftover, rest) = (&b"\x81\x05He"[..], b"llo");
    /// let mut socket = WebSocket::from_upgraded(client, Role::Client)
    ///     .with_leftover(leftover)
    ///     .with_subprotocol("chat");
    /// server.write_all(rest).await?;
    /// assert_eq!(socket.recv().await?, Some("Hello".into()));
    /// assert_eq!(socket.subprotocol(), Some("chat"));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "from_raw_socket")]
    #[doc(alias = "after_handshake")]
    pub fn from_upgraded(io: T, role: Role) -> Self {
        Self::of(Some(io), role)
    }
}

impl<T> WebSocket<T> {
    /// One that stands where another was taken out: it has no transport.
    #[cfg(feature = "server")]
    pub(crate) fn taken() -> Self {
        Self::of(None, Role::Server)
    }

    fn of(io: Option<T>, role: Role) -> Self {
        let limits = Limits::default();
        let connection = match role {
            Role::Client => Connection::client(limits, ConnectionKeys::new()),
            Role::Server => Connection::server(limits),
        };
        Self {
            io,
            core: Box::new(Core {
                connection,
                input: Input::default(),
                timer: None,
                rare: None,
                opening: None,
                #[cfg(feature = "server")]
                place: None,
            }),
            needs_flush: false,
            is_end_reported: false,
            has_own_keepalive: false,
            #[cfg(feature = "server")]
            is_pumped: false,
            wakers: Wakers::default(),
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
    /// Takes what was read behind the opening handshake: bytes of frames, perhaps of a part of one.
    #[must_use]
    pub fn with_leftover(mut self, bytes: impl Into<BytesMut>) -> Self {
        self.core.input = bytes.into().into();
        self
    }

    /// Sets the bounds of a connection on which nothing has come or gone.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.core.connection.set_limits(limits);
        self
    }

    /// Notes the subprotocol that the opening handshake agreed on, for
    /// [`subprotocol`](Self::subprotocol).
    #[must_use]
    pub fn with_subprotocol<'a>(mut self, name: impl Into<Option<&'a str>>) -> Self {
        if let Some(name) = name.into() {
            self.opening_mut().subprotocol = Some(name.into());
        }
        self
    }

    /// The subprotocol that both ends agreed on, if any (RFC 6455 §1.9).
    #[doc(alias = "protocol")]
    pub fn subprotocol(&self) -> Option<&str> {
        self.core.opening.as_ref()?.subprotocol.as_deref()
    }

    /// How the connection ended, once it has.
    pub fn close_info(&self) -> Option<&CloseInfo> {
        self.core.connection.close_info()
    }

    /// How many bytes are queued and not yet written, headers included; once the transport takes no more, how many
    /// never will be.
    pub fn buffered_amount(&self) -> usize {
        self.core.connection.buffered() + self.core.connection.output_lost()
    }

    /// Asks a silent peer for a sign of life while the socket is polled; it does not by default, nor with
    /// [`Keepalive::OFF`]. [`connect`](crate::connect()), [`accept`](crate::accept()) and `upgrade` have it as
    /// an option. A channel over the socket keeps what was set, else it has [`Keepalive::default`].
    ///
    /// A program that only sends need not receive for that: that something came is seen, and while
    /// the peer takes what is sent as well, it is alive. The peer's own pings are answered by
    /// [`recv`](Self::recv) alone.
    ///
    /// A peer that does not answer in time ends the connection with
    /// [`CloseCause::KeepaliveTimeout`](crate::CloseCause::KeepaliveTimeout).
    pub fn set_keepalive(&mut self, keepalive: impl Into<Keepalive>) {
        self.has_own_keepalive = true;
        self.core.connection.set_keepalive(keepalive, now());
    }

    /// Sets the keepalive that it has where the program has said nothing.
    pub(crate) fn set_default_keepalive(&mut self, keepalive: Keepalive) {
        if !self.has_own_keepalive {
            self.set_keepalive(keepalive);
        }
    }

    /// How long the keepalive's last ping took to be answered.
    pub fn latency(&self) -> Option<Duration> {
        self.core.connection.latency()
    }

    /// The transport, until the connection has ended.
    pub fn transport(&self) -> Option<&T> {
        self.io.as_ref()
    }

    /// Waits for the next message; `None` after a normal close (1000, 1001, no code, or one that
    /// this end began).
    ///
    /// Everything that is queued is written before it waits, and pings are answered.
    ///
    /// # Errors
    /// [`Error::Closed`] once, if the connection ended in any other way; then `None`.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing: the next one goes on where it stood.
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, Error>> {
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// Waits for the next message, ping or pong, for a relay that passes them on; else as
    /// [`recv`](Self::recv). A ping is answered already (RFC 6455 §5.5.2), and no
    /// [`Piece`](Incoming::Piece) comes.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// As [`recv`](Self::recv).
    pub async fn recv_incoming(&mut self) -> Result<Option<Incoming>, Error> {
        poll_fn(|cx| self.poll_recv_incoming(cx)).await
    }

    /// Closes with an empty close frame and waits until the connection has ended (RFC 6455 §7).
    ///
    /// What is queued leaves first; messages that still arrive are discarded: receive those that you
    /// wait for before. It ends within the close timeout, whatever the peer does, and the [`CloseInfo`]
    /// says how. A client that has the server's close frame waits for a second at most until that ends
    /// TCP. Calling it again, or after the peer has closed, returns the same.
    ///
    /// # Cancel safety
    /// The close frame is queued at the first poll. A dropped call can be made again.
    pub async fn close(&mut self) -> CloseInfo {
        self.close_frame(None).await
    }

    /// Closes with a code and a reason of at most 123 bytes of UTF-8; else as
    /// [`close`](Self::close).
    ///
    /// # Errors
    /// A code that may not be sent, such as 1005 or 2999, or a reason that is too long or has a CR,
    /// LF or NUL. The connection stays open.
    ///
    /// # Cancel safety
    /// As [`close`](Self::close).
    pub async fn close_with(
        &mut self,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<CloseInfo, CloseFrameError> {
        let frame = CloseFrame::new(code, reason)?;
        Ok(self.close_frame(Some(frame)).await)
    }

    async fn close_frame(&mut self, frame: Option<CloseFrame>) -> CloseInfo {
        self.core.connection.close(frame, now());
        poll_fn(|cx| self.poll_closed(cx)).await
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<T> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_recv(cx).map(Result::transpose)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocket<T> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let socket = self.get_mut();
        let ready = socket.poll_send_ready(cx);
        ready.map_err(|Lost| SendError::new(Unsent::Next, socket.why()).into())
    }

    #[inline(always)]
    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let socket = self.get_mut();
        if !socket
            .core
            .connection
            .send_small(message.kind(), message.as_bytes())
        {
            socket.queue(message.into(), Compression::Auto)?;
        }
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let socket = self.get_mut();
        let flushed = socket.poll_flush_output(cx);
        flushed.map_err(|Lost| SendError::new(Unsent::Output, socket.why()).into())
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let socket = self.get_mut();
        socket.core.connection.close(None, now());
        ready!(socket.poll_closed(cx));
        Poll::Ready(Ok(()))
    }
}

/// Shows no subprotocol and no head: both may hold secrets.
impl<T> fmt::Debug for WebSocket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("connection", &self.core.connection)
            .field("has_subprotocol", &self.has_subprotocol())
            .finish_non_exhaustive()
    }
}

impl<T> Drop for WebSocket<T> {
    fn drop(&mut self) {
        #[cfg(feature = "server")]
        self.count_end();
        buffers::give_back(self.core.input.take());
    }
}
