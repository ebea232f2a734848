//! Whether a silent peer is alive, seen before it is given up.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::websocket::WebSocket;
use crate::websocket::io::ENDED;

/// How many bytes are read to see whether a peer is alive, each time that it is in doubt.
const LIFE_SIZE: usize = 64;

impl<T: AsyncRead + AsyncWrite + Unpin> WebSocket<T> {
    /// Looks for a sign of life of a peer that is about to be given up: whoever only sends has not
    /// read its answer, nor has a program that was busy.
    ///
    /// It is alive if something came, which the answer may stand behind, and something was taken.
    #[cold]
    pub(super) fn has_life(&mut self, cx: &mut Context<'_>) -> bool {
        let is_unread = !self.core.input.is_empty() || self.core.connection.has_more();
        (is_unread || self.has_come(cx)) && self.core.connection.is_output_taken()
    }

    /// Reads a few bytes into the input, which is empty, if there are any.
    fn has_come(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(io) = &mut self.io else {
            return false;
        };
        let mut space = self.core.input.bytes().limit(LIFE_SIZE);
        // A task that has used up what tokio lets it do would see nothing.
        match pin!(tokio::task::unconstrained(io.read_buf(&mut space))).poll(cx) {
            Poll::Pending => false,
            Poll::Ready(Ok(0)) => {
                self.core.connection.handle_end(ENDED);
                false
            }
            Poll::Ready(Ok(_)) => {
                self.wakers.wake();
                true
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => true,
            Poll::Ready(Err(error)) => {
                self.core.connection.handle_end(&error.to_string());
                false
            }
        }
    }
}
