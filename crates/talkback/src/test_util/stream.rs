//! One end of a connection in memory, and its faults.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::test_util::pipe::{End, Pipe};

/// One end of a connection in memory, as TCP would be: the server's, from [`Try::connect`](super::Try::connect), or
/// the client's, below what a [`connector`](super::ScriptedServer::connector) gives.
///
/// It holds 64 KiB in each direction; whoever writes more waits until the other end reads. Dropped, it has ended
/// the connection: the other end reads what is on the way, and then the end.
pub struct ScriptedStream {
    end: End,
    pipe: Arc<Pipe>,
}

impl ScriptedStream {
    /// The client's end and the server's.
    pub(super) fn pair() -> (Self, Self) {
        let pipe = Arc::<Pipe>::default();
        let client = Self {
            end: End::Client,
            pipe: Arc::clone(&pipe),
        };
        let end = End::Server;
        (client, Self { end, pipe })
    }

    /// Resets the connection: what is on the way still arrives at either end, and behind it an error,
    /// [`ConnectionReset`](io::ErrorKind::ConnectionReset).
    pub fn cut(&self) {
        self.pipe.cut();
    }

    /// Does that once the other end has got rid of so many bytes more, in whatever part of a message that is. This
    /// end can read them all; at 0 it is now.
    pub fn cut_after(&self, bytes: usize) {
        self.pipe.cut_after(self.end, bytes);
    }

    /// Waits until the other end is dropped, or the connection cut.
    ///
    /// # Cancel safety
    /// A dropped call can be made again.
    pub async fn gone(&self) {
        self.pipe.gone(self.end).await;
    }

    /// The same, at once.
    pub(crate) fn is_gone(&self) -> bool {
        self.pipe.is_gone(self.end)
    }

    /// Sends bytes, however many they are.
    pub(super) fn push(&self, bytes: &[u8]) {
        self.pipe.push(self.end, bytes);
    }
}

impl AsyncRead for ScriptedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.pipe.poll_read(self.end, cx, buf)
    }
}

impl AsyncWrite for ScriptedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pipe.poll_write(self.end, cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe.shut_down(self.end);
        Poll::Ready(Ok(()))
    }
}

impl Drop for ScriptedStream {
    fn drop(&mut self) {
        self.pipe.drop_end(self.end);
    }
}

/// Shows nothing of what is on the way.
impl fmt::Debug for ScriptedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedStream")
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
