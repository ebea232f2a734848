//! A message that is sent as a stream of bytes.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use talkback_proto::{CloseCode, CloseFrame, Compression, Fin, Incoming, Message, MessageKind};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::Error;
use crate::error::send::{SendError, Unsent};
use crate::socket::Lost;
use crate::websocket::{WebSocket, now};

/// The most bytes that one `poll_write` takes.
const WRITE_SIZE_MAX: usize = 64 * 1024;

/// From this size in bytes on, a piece becomes a fragment of its own, without a copy.
const FRAGMENT_SIZE: usize = 16 * 1024;

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
    /// Begins a message whose size is not known, or that is too large to have at hand, and sends it
    /// in fragments (RFC 6455 §5.4).
    ///
    /// The message ends with [`finish`](MessageWriter::finish). Where compression was agreed on, it
    /// is compressed.
    ///
    /// ```
    /// use talkback::{MessageKind, Role, WebSocket};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (near, far) = tokio::io::duplex(1024);
    /// # let mut client = WebSocket::from_upgraded(near, Role::Client);
    /// # let mut server = WebSocket::from_upgraded(far, Role::Server);
    /// let mut source = &b"as much as there is"[..];
    /// let mut writer = client.send_stream(MessageKind::Binary)?;
    /// tokio::io::copy(&mut source, &mut writer).await?;
    /// writer.finish().await?;
    /// # assert_eq!(server.recv().await?, Some(b"as much as there is".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A connection that is closing or closed.
    pub fn send_stream(&mut self, kind: MessageKind) -> Result<MessageWriter<'_, T>, SendError> {
        self.send_stream_with(kind, Compression::Auto)
    }

    /// As [`send_stream`](Self::send_stream), and says whether the message may be compressed.
    ///
    /// Some peers lose the rest of a compressed message that a ping or a pong interrupts, as the protocol
    /// allows (RFC 6455 §5.4): Tornado 6.6, and wsproto 1.3, thus hypercorn and one of uvicorn's engines. A
    /// stream to one of them wants [`Compression::Skip`].
    ///
    /// # Errors
    /// As [`send_stream`](Self::send_stream).
    pub fn send_stream_with(
        &mut self,
        kind: MessageKind,
        compression: Compression,
    ) -> Result<MessageWriter<'_, T>, SendError> {
        if let Err(error) = self.core.connection.begin_message(kind, compression) {
            return Err(SendError::new(Unsent::Next, self.why_not(error)));
        }
        Ok(MessageWriter {
            socket: self,
            is_finished: false,
        })
    }
}

/// A message that is being sent; see [`WebSocket::send_stream`].
///
/// It is an [`AsyncWrite`], whose `shutdown` finishes the message. Small pieces are gathered into
/// fragments of 16 KiB: [`flush`](Self::flush) sends what there is. While the peer does not read,
/// writing waits once more than [`Limits::write_buffer_max`](crate::Limits::write_buffer_max) bytes
/// are queued.
///
/// Pings that were read are answered between the fragments. Reading takes a call of
/// [`recv`](Self::recv), in turn with writing: while a message takes long, that is what lets pings
/// be seen. The halves of a split socket send whole messages only.
///
/// Dropped before it is finished, it closes the connection with 1011: half a message is never
/// passed off as a whole one. The close frame leaves with the socket's next call; `close` waits
/// for the end.
pub struct MessageWriter<'a, T> {
    socket: &'a mut WebSocket<T>,
    is_finished: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> MessageWriter<'_, T> {
    /// Queues a piece of the message; pieces of a text may be cut anywhere.
    ///
    /// It leaves when enough is gathered, or with [`flush`](Self::flush).
    ///
    /// # Errors
    /// A connection that is closing or closed, or one that broke while writing. A piece that makes
    /// a text invalid is refused with [`SendErrorKind::Invalid`](crate::SendErrorKind::Invalid):
    /// nothing of it is queued, and the message is as it was before.
    ///
    /// # Cancel safety
    /// A dropped call has queued the whole piece or nothing of it: nothing, as long as it waited.
    pub async fn write(&mut self, piece: impl Into<Bytes>) -> Result<(), SendError> {
        let piece = piece.into();
        poll_fn(|cx| self.poll_ready(piece.len(), cx)).await?;
        self.queue(piece)
    }

    /// Writes everything that was queued or gathered, so that the peer can read it.
    ///
    /// # Errors
    /// A connection that is closing or closed, or one that broke while writing.
    ///
    /// # Cancel safety
    /// A dropped call leaves the rest queued, in order.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_flush_message(cx)).await
    }

    /// Ends the message and writes all of it. A second call only writes.
    ///
    /// # Errors
    /// A connection that is closing or closed, or one that broke while writing. A text that ends
    /// inside a code point is refused with
    /// [`SendErrorKind::Invalid`](crate::SendErrorKind::Invalid), and may be completed.
    ///
    /// # Cancel safety
    /// A dropped call can be made again; the message ends once.
    pub async fn finish(&mut self) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_finish(cx)).await
    }

    /// Sends a ping with a payload of at most 125 bytes between the fragments (RFC 6455 §5.5.2).
    ///
    /// # Errors
    /// As [`WebSocket::ping`].
    ///
    /// # Cancel safety
    /// As [`WebSocket::ping`].
    pub async fn ping(&mut self, payload: impl Into<Bytes>) -> Result<(), SendError> {
        self.socket.ping(payload).await
    }

    /// Receives a message while this one is being sent; else as [`WebSocket::recv`]. Meanwhile
    /// pings are answered.
    ///
    /// # Errors
    /// As [`WebSocket::recv`].
    ///
    /// # Cancel safety
    /// As [`WebSocket::recv`].
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        // Not by `WebSocket::recv`: a program's loop has that inlined only as long as nobody else calls it.
        loop {
            match self.socket.recv_incoming().await? {
                Some(Incoming::Message(message)) => return Ok(Some(message)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Waits until a piece of this size may be queued.
    fn poll_ready(&mut self, size: usize, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let ready = self.socket.poll_send_ready(cx);
        ready.map_err(|Lost| SendError::new(Unsent::Piece(size), self.socket.why()))
    }

    fn queue(&mut self, piece: Bytes) -> Result<(), SendError> {
        if piece.len() < FRAGMENT_SIZE {
            self.gather(&piece)
        } else {
            self.send_fragment(piece, Fin::More)
        }
    }

    fn gather(&mut self, piece: &[u8]) -> Result<(), SendError> {
        let gathered = self.socket.core.connection.gather(piece);
        gathered.map_err(|error| self.refused(piece.len(), error))
    }

    fn send_fragment(&mut self, piece: Bytes, fin: Fin) -> Result<(), SendError> {
        let size = piece.len();
        let sent = self.socket.core.connection.send_fragment(piece, fin);
        sent.map_err(|error| self.refused(size, error))
    }

    #[cold]
    fn refused(&self, size: usize, error: talkback_proto::SendError) -> SendError {
        SendError::new(Unsent::Piece(size), self.socket.why_not(error))
    }

    fn poll_flush_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        if !self.is_finished && self.socket.core.connection.is_open() {
            self.send_fragment(Bytes::new(), Fin::More)?;
        }
        let flushed = self.socket.poll_flush_output(cx);
        flushed.map_err(|Lost| SendError::new(Unsent::Output, self.socket.why()))
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        if !self.is_finished {
            ready!(self.poll_ready(0, cx))?;
            self.send_fragment(Bytes::new(), Fin::Last)?;
            self.is_finished = true;
        }
        self.poll_flush_message(cx)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for MessageWriter<'_, T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let writer = self.get_mut();
        let size = bytes.len().min(WRITE_SIZE_MAX);
        ready!(writer.poll_ready(size, cx))?;
        writer.gather(&bytes[..size])?;
        Poll::Ready(Ok(size))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = ready!(self.get_mut().poll_flush_message(cx));
        Poll::Ready(Ok(written?))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let finished = ready!(self.get_mut().poll_finish(cx));
        Poll::Ready(Ok(finished?))
    }
}

impl<T> Drop for MessageWriter<'_, T> {
    fn drop(&mut self) {
        let connection = &mut self.socket.core.connection;
        // Where a server has closed meanwhile, what comes is still received.
        if !self.is_finished && connection.is_open() {
            let frame = CloseFrame::new(CloseCode::INTERNAL_ERROR, "").ok();
            connection.close(frame, now());
        }
    }
}

impl<T> fmt::Debug for MessageWriter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter")
            .field("socket", &self.socket)
            .field("is_finished", &self.is_finished)
            .finish()
    }
}
