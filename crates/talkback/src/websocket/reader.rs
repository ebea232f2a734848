//! A message that is received as a stream of bytes.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use talkback_proto::{Delivery, Incoming, MessageKind, Piece};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::Error;
use crate::websocket::WebSocket;
use crate::websocket::wakers::Half;

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
    /// Waits for the beginning of the next message, to be read piece by piece; `None` after a
    /// normal close, as [`recv`](Self::recv).
    ///
    /// The message is never in memory as a whole: what waits is one read, and of a compressed
    /// message 16 KiB of what comes out of it. It counts against
    /// [`Limits::message_size_max`](crate::Limits::message_size_max) as any other: raise that for
    /// larger ones. The calls of `recv` and this one can be mixed.
    ///
    /// ```
    /// use talkback::{Role, WebSocket};
    /// use tokio::io::AsyncReadExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (near, far) = tokio::io::duplex(1024);
    /// # let mut client = WebSocket::from_upgraded(near, Role::Client);
    /// # let mut server = WebSocket::from_upgraded(far, Role::Server);
    /// # client.send("a long story").await?;
    /// let mut story = String::new();
    /// if let Some(mut reader) = server.recv_stream().await? {
    ///     reader.read_to_string(&mut story).await?;
    /// }
    /// assert_eq!(story, "a long story");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// A dropped call loses nothing: the next one goes on where it stood.
    pub async fn recv_stream(&mut self) -> Result<Option<MessageReader<'_, T>>, Error> {
        // What is left of a message whose reader was forgotten belongs to nobody.
        self.core.connection.discard_message();
        let Some(Piece {
            kind, bytes, last, ..
        }) = poll_fn(|cx| self.poll_piece(cx)).await
        else {
            return self.report_end().map_or(Ok(None), Err);
        };
        Ok(Some(MessageReader {
            socket: self,
            kind,
            piece: bytes,
            is_last: last,
        }))
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        self.core.connection.set_delivery(Delivery::Pieces);
        loop {
            match ready!(self.poll_incoming(cx, Half::Receiver)) {
                Some(Incoming::Piece(piece)) => return Poll::Ready(Some(piece)),
                Some(_) => {}
                None => return Poll::Ready(None),
            }
        }
    }
}

/// A message that is being received; see [`WebSocket::recv_stream`].
///
/// It is an [`AsyncRead`], whose end is the message's. Nothing is read ahead of the caller beyond
/// one read, so that the peer waits for a slow one. Pings are answered while it waits for more.
///
/// Dropped before the end, it leaves the rest to be discarded by the socket's next call that
/// receives, and the connection goes on.
pub struct MessageReader<'a, T> {
    socket: &'a mut WebSocket<T>,
    kind: MessageKind,
    /// What has come and was not read yet.
    piece: Bytes,
    /// Whether nothing comes behind it.
    is_last: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> MessageReader<'_, T> {
    /// What the message is made of.
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Waits for the next piece of the message, of at least one byte; `None` at its end.
    ///
    /// Where it is cut means nothing; a text is valid UTF-8, but may be cut inside a code point.
    ///
    /// # Errors
    /// [`Error::Closed`] if the connection ended before the message, be it by a normal close.
    ///
    /// # Cancel safety
    /// A dropped call loses nothing: the next one goes on where it stood.
    pub async fn read(&mut self) -> Result<Option<Bytes>, Error> {
        poll_fn(|cx| self.poll_next_piece(cx)).await?;
        let piece = std::mem::take(&mut self.piece);
        Ok((!piece.is_empty()).then_some(piece))
    }

    /// Makes sure that there is a piece, unless the message is at its end.
    fn poll_next_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while self.piece.is_empty() && !self.is_last {
            let Some(piece) = ready!(self.socket.poll_piece(cx)) else {
                let info = self.socket.core.connection.close_info();
                let info = info.expect("the connection has ended").clone();
                self.socket.is_end_reported = true;
                return Poll::Ready(Err(Error::Closed(info)));
            };
            (self.piece, self.is_last) = (piece.bytes, piece.last);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for MessageReader<'_, T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let reader = self.get_mut();
        ready!(reader.poll_next_piece(cx))?;
        let size = reader.piece.len().min(buffer.remaining());
        buffer.put_slice(&reader.piece.split_to(size));
        Poll::Ready(Ok(()))
    }
}

impl<T> Drop for MessageReader<'_, T> {
    fn drop(&mut self) {
        self.socket.core.connection.discard_message();
    }
}

impl<T> fmt::Debug for MessageReader<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageReader")
            .field("socket", &self.socket)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
