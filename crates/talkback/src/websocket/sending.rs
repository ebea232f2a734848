//! Sending messages over a socket.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::Bytes;
use talkback_proto::{Compression, Outgoing};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::send::{SendError, Unsent};
use crate::error::why::Why;
use crate::socket::Lost;
use crate::websocket::WebSocket;

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
    /// Queues a message and writes everything that is queued.
    ///
    /// Returns once the transport has taken all bytes. While the peer does not read, it waits.
    ///
    /// # Errors
    /// A connection that is closing or closed, which hands the message back, or one that broke while
    /// writing.
    ///
    /// # Cancel safety
    /// A dropped call has queued the whole message in order, or nothing. What is queued leaves
    /// with the next call of any method that writes.
    pub async fn send<'a>(&mut self, message: impl Into<Outgoing<'a>>) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_capacity(cx)).await;
        let size = self.queue_message(message.into(), Compression::Auto)?;
        self.flush_message(size).await
    }

    /// Sends a message as [`send`](Self::send) does, and says whether it may be compressed: what is
    /// compressed already, or mixes a secret with what an attacker chooses, should not be.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// As [`send`](Self::send).
    pub async fn send_with<'a>(
        &mut self,
        message: impl Into<Outgoing<'a>>,
        compression: Compression,
    ) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_capacity(cx)).await;
        let size = self.queue_message(message.into(), compression)?;
        self.flush_message(size).await
    }

    /// Queues a message without writing it, so that several leave in one write.
    ///
    /// It leaves with the next [`flush`](Self::flush), or before [`recv`](Self::recv) waits. If
    /// more than [`Limits::write_buffer_max`](crate::Limits::write_buffer_max) bytes wait already,
    /// those are written first.
    ///
    /// # Errors
    /// A connection that is closing or closed, or one that broke while writing; the message is handed
    /// back.
    ///
    /// # Cancel safety
    /// A dropped call has queued the whole message or nothing.
    pub fn feed<'a>(
        &mut self,
        message: impl Into<Outgoing<'a>>,
    ) -> impl Future<Output = Result<(), SendError>> {
        let mut message = Some(message.into());
        poll_fn(move |cx| {
            ready!(self.poll_capacity(cx));
            let message = message
                .take()
                .expect("a future is not polled after its end");
            Poll::Ready(self.queue_message(message, Compression::Auto).map(drop))
        })
    }

    /// Queues a message as [`feed`](Self::feed) does, and says whether it may be compressed, as
    /// [`send_with`](Self::send_with) does.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    ///
    /// # Cancel safety
    /// As [`feed`](Self::feed).
    pub async fn feed_with<'a>(
        &mut self,
        message: impl Into<Outgoing<'a>>,
        compression: Compression,
    ) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_capacity(cx)).await;
        self.queue_message(message.into(), compression)?;
        Ok(())
    }

    /// Writes everything that is queued.
    ///
    /// # Errors
    /// The transport's, if it takes no more bytes.
    ///
    /// # Cancel safety
    /// A dropped call leaves the rest queued, in order.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        let flushed = poll_fn(|cx| self.poll_flush_output(cx)).await;
        flushed.map_err(|Lost| SendError::new(Unsent::Output, self.why()))
    }

    /// Sends a ping with a payload of at most 125 bytes (RFC 6455 §5.5.2).
    ///
    /// # Errors
    /// A payload that is too long ([`SendErrorKind::Invalid`](crate::SendErrorKind::Invalid)), or as
    /// [`send`](Self::send).
    ///
    /// # Cancel safety
    /// As [`send`](Self::send).
    pub async fn ping(&mut self, payload: impl Into<Bytes>) -> Result<(), SendError> {
        let payload = payload.into();
        let what = Unsent::Ping(payload.len());
        if let Err(Lost) = poll_fn(|cx| self.poll_send_ready(cx)).await {
            return Err(SendError::new(what, self.why()));
        }
        if let Err(error) = self.core.connection.ping(payload) {
            return Err(SendError::new(what, self.why_not(error)));
        }
        let flushed = poll_fn(|cx| self.poll_flush_output(cx)).await;
        flushed.map_err(|Lost| SendError::new(what, self.why()))
    }

    /// Queues a message if the connection takes one; returns its size in bytes.
    #[inline]
    fn queue_message(
        &mut self,
        message: Outgoing<'_>,
        compression: Compression,
    ) -> Result<usize, SendError> {
        let payload = message.as_bytes();
        let size = payload.len();
        if !self.core.connection.send_small(message.kind(), payload) {
            self.queue(message, compression)?;
        }
        Ok(size)
    }

    /// Writes everything that is queued, a message of `size` bytes last.
    async fn flush_message(&mut self, size: usize) -> Result<(), SendError> {
        let flushed = poll_fn(|cx| self.poll_flush_output(cx)).await;
        flushed.map_err(|Lost| SendError::new(Unsent::Unwritten(size), self.why()))
    }

    /// Queues a message now.
    #[inline(never)]
    pub(super) fn queue(
        &mut self,
        message: Outgoing<'_>,
        compression: Compression,
    ) -> Result<(), SendError> {
        if !self.core.connection.is_open() {
            return Err(self.refuse(message));
        }
        let sent = self.core.connection.send_with(message, compression);
        sent.map_err(|error| self.not_sent(error))
    }

    #[cold]
    fn refuse(&self, message: Outgoing<'_>) -> SendError {
        SendError::new(Unsent::Message(message.into_message()), self.why())
    }

    #[cold]
    fn not_sent(&self, error: talkback_proto::SendError) -> SendError {
        SendError::new(Unsent::Next, self.why_not(error))
    }

    /// Why nothing can be sent.
    #[cold]
    pub(super) fn why(&self) -> Why {
        if let Some(error) = self.core.write_error() {
            return Why::Write(Arc::clone(error));
        }
        if let Some(info) = self.core.connection.close_info() {
            return Why::Ended(info.clone(), None);
        }
        match self.core.connection.received_close() {
            Some((code, reason)) => Why::PeerCloses(code, reason.into()),
            None => Why::Closing,
        }
    }

    /// Why something was refused.
    #[cold]
    pub(super) fn why_not(&self, error: talkback_proto::SendError) -> Why {
        match error {
            talkback_proto::SendError::Closed => self.why(),
            error => Why::Invalid(error),
        }
    }
}
