//! Compression of a socket's messages (RFC 7692).

use talkback_proto::DeflateParameters;
use tokio::io::{AsyncRead, AsyncWrite};

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
            self.core.connection.set_deflate(parameters);
        }
        self
    }

    /// Whether both ends agreed on compression (RFC 7692), and the connection has not ended.
    ///
    /// To queue a message then takes the processor's time, some 5 ms for a MiB, and at higher levels up to 60: a server whose
    /// clients choose what is sent sees to others meanwhile, by another thread
    /// (`tokio::task::block_in_place`), by [`send_stream`](Self::send_stream), or without
    /// compression ([`feed_with`](Self::feed_with)).
    pub fn has_deflate(&self) -> bool {
        self.core.connection.has_deflate()
    }
}
