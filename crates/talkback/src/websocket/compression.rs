//! Compression of a socket's messages (RFC 7692).

use std::future::poll_fn;

use talkback_proto::{Compression, DeflateParameters, Outgoing};
use tokio::io::{AsyncRead, AsyncWrite};

use super::WebSocket;
use crate::error::Error;

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
    /// Compresses messages as an opening handshake agreed on that somebody else has done, or with
    /// `None` does not (RFC 7692).
    #[must_use]
    pub fn with_deflate(mut self, parameters: Option<&DeflateParameters>) -> Self {
        if let Some(parameters) = parameters {
            self.connection.set_deflate(parameters);
        }
        self
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
