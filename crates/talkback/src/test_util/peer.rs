//! The server's end of an open connection.

use talkback_proto::{CloseCode, CloseFrame, CloseFrameError, Header, Opcode};

use crate::test_util::stream::ScriptedStream;
use crate::websocket::WebSocket;

/// The server's end of an open connection, from [`Try::accept`](super::Try::accept): a [`WebSocket`] with a few methods
/// more, for what goes wrong.
///
/// It behaves as long as it is polled, by [`recv`](WebSocket::recv) or [`close`](WebSocket::close): pings are answered then,
/// and the closing handshake goes on. Where a test looks elsewhere for longer, have a task receive.
pub type Peer = WebSocket<ScriptedStream>;

/// What a scripted server does wrong: see [`test_util`](crate::test_util). On a connection that has ended, nothing
/// happens.
impl WebSocket<ScriptedStream> {
    /// Resets the connection, as [`ScriptedStream::cut`].
    pub fn cut(&self) {
        if let Some(stream) = self.transport() {
            stream.cut();
        }
    }

    /// Resets the connection once the client has got rid of so many bytes more, as
    /// [`ScriptedStream::cut_after`].
    pub fn cut_after(&self, bytes: usize) {
        if let Some(stream) = self.transport() {
            stream.cut_after(bytes);
        }
    }

    /// Sends bytes as they are, however many: a frame that breaks the rules, a part of one, garbage. They go behind
    /// what was written; what was only fed goes behind them.
    pub fn send_raw(&self, bytes: impl AsRef<[u8]>) {
        if let Some(stream) = self.transport() {
            stream.push(bytes.as_ref());
        }
    }

    /// Sends a close frame and does nothing else: the connection stays as it is, whatever the client answers,
    /// until this is dropped. [`close_with`](Self::close_with) closes in order.
    ///
    /// # Errors
    /// As `close_with`, and nothing is sent.
    pub fn send_close(
        &self,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<(), CloseFrameError> {
        let frame = CloseFrame::new(code, reason)?;
        let body = [
            &frame.code().number().to_be_bytes(),
            frame.reason().as_bytes(),
        ]
        .concat();
        let header = Header {
            fin: true,
            rsv1: false,
            opcode: Opcode::Close,
            mask: None,
            payload_size: body.len() as u64,
        };
        self.send_raw([header.encode().as_ref(), &body].concat());
        Ok(())
    }

    /// Waits until the client has let the connection go, or it was cut.
    ///
    /// # Cancel safety
    /// A dropped call can be made again.
    pub async fn gone(&self) {
        if let Some(stream) = self.transport() {
            stream.gone().await;
        }
    }
}
