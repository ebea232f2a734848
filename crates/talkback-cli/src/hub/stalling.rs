//! A connection whose client has to read, and is heard out.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long a client may take nothing of what waits for it: as long as a subscriber may be behind.
const STALL_MAX: Duration = Duration::from_secs(30);

/// How long a client may take to go that has its answer.
const LINGER_MAX: Duration = Duration::from_secs(5);

/// Fails once its client has taken nothing for too long. If the client's request was not read to its end, it is at the end of the connection,
/// and dropped, until the client goes: a connection that is closed with something unread is reset, which takes the answer from a client
/// that still sends (RFC 9112 §9.6).
pub(super) struct Stalling<T> {
    io: T,
    is_unread: Arc<AtomicBool>,
    /// While nothing is taken.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Once all is written, until the client has gone.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl<T> Stalling<T> {
    /// With what says at the end whether the request was not read to its end.
    pub(super) fn new(io: T, is_unread: Arc<AtomicBool>) -> Self {
        Self {
            io,
            is_unread,
            stalled: None,
            lingering: None,
        }
    }

    fn watch<R>(
        &mut self,
        written: Poll<io::Result<R>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(STALL_MAX)));
        match stalled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + Unpin> Stalling<T> {
    /// Waits until the client has gone, or has had its time.
    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self
            .lingering
            .get_or_insert_with(|| Box::pin(sleep(LINGER_MAX)));
        let mut space = [0; 4096];
        // Who sends as fast as it is read has no more time than others.
        while Instant::now() < limit.deadline() {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut self.io).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return limit.as_mut().poll(cx),
            }
        }
        Poll::Ready(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Stalling<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stalling<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.watch(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.watch(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            let shut = Pin::new(&mut self.io).poll_shutdown(cx);
            ready!(self.watch(shut, cx))?;
        }
        match self.is_unread.load(Ordering::Relaxed) {
            true => self.linger(cx).map(Ok),
            false => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::{Instant, advance};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_nothing_for_half_a_minute_is_let_go_and_who_takes_little_is_not() {
        let (near, mut far) = duplex(8);
        let mut stalling = Stalling::new(near, Arc::default());
        stalling.write_all(&[0; 8]).await.unwrap();
        let begin = Instant::now();
        let writing = tokio::spawn(async move { stalling.write_all(&[0; 16]).await });
        for _ in 0..2 {
            tokio::task::yield_now().await;
            advance(STALL_MAX - Duration::from_secs(1)).await;
            far.read_exact(&mut [0; 4]).await.unwrap();
        }
        let error = writing.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begin.elapsed().as_secs(), 29 + 29 + 30);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_still_sends_is_heard_out_but_not_for_ever() {
        let is_unread = Arc::new(AtomicBool::new(true));
        let (near, mut far) = duplex(8);
        let mut stalling = Stalling::new(near, Arc::clone(&is_unread));
        let shutting = tokio::spawn(async move { stalling.shutdown().await });
        far.write_all(&[0; 64]).await.unwrap();
        assert_eq!(far.read(&mut [0]).await.unwrap(), 0, "it has its answer");
        assert!(!shutting.is_finished());
        drop(far);
        shutting.await.unwrap().unwrap();

        let (near, mut far) = duplex(8);
        let mut stalling = Stalling::new(near, is_unread);
        let begin = Instant::now();
        let sending = async {
            // It ends as the other end is dropped.
            while far.write_all(&[0; 8]).await.is_ok() {
                advance(Duration::from_secs(1)).await;
            }
        };
        let ((), shut) = tokio::join!(sending, async {
            let shut = stalling.shutdown().await;
            drop(stalling);
            shut
        });
        shut.unwrap();
        assert!((5..8).contains(&begin.elapsed().as_secs()));
    }
}
