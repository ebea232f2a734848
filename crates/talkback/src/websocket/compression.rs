//! Compression of a socket's messages (RFC 7692).

use std::future::poll_fn;

use talkback_proto::{Compression, DeflateParameters, Outgoing};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::Error;
use crate::websocket::WebSocket;

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
    /// Compresses messages as an opening handshake agreed on that somebody else has done, or with
    /// `None` does not (RFC 7692).
    #[must_use]
    pub fn with_deflate<'a>(
        mut self,
        parameters: impl Into<Option<&'a DeflateParameters>>,
    ) -> Self {
        if let Some(parameters) = parameters.into() {
            self.connection.set_deflate(parameters);
        }
        self
    }

    /// Whether both ends agreed on compression (RFC 7692), and the connection has not ended.
    ///
    /// To queue a message then takes the processor's time, up to 60 ms for a MiB: a server whose
    /// clients choose what is sent sees to others meanwhile, by another thread
    /// (`tokio::task::block_in_place`), by [`send_stream`](Self::send_stream), or without
    /// compression ([`feed_with`](Self::feed_with)).
    pub fn has_deflate(&self) -> bool {
        self.connection.has_deflate()
    }

    /// Queues a message as [`feed`](Self::feed) does, and says whether it may be compressed: what
    /// is compressed already, or mixes a secret with what an attacker chooses, should not be.
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
    ) -> Result<(), Error> {
        poll_fn(|cx| self.poll_send_ready(cx)).await?;
        Ok(self.connection.send_with(message, compression)?)
    }
}
