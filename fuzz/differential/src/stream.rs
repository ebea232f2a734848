//! A transport in memory that gives out bytes in pieces and swallows what is written.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use fastrand::Rng;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::generate::Case;

#[derive(Debug)]
pub(crate) struct Stream {
    rest: Vec<u8>,
    at: usize,
    rng: Rng,
}

impl Stream {
    pub(crate) fn new(case: &Case) -> Self {
        Self {
            rest: case.wire.clone(),
            at: 0,
            rng: Rng::with_seed(case.seed),
        }
    }

    /// The next piece, of at most `size_max` bytes; empty at the end.
    pub(crate) fn piece(&mut self, size_max: usize) -> &[u8] {
        let most = if self.rng.bool() { size_max } else { 5 };
        let size = self.rng.usize(1..=most.max(1)).min(size_max);
        let start = self.at;
        self.at = (start + size).min(self.rest.len());
        &self.rest[start..self.at]
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.piece(buffer.len());
        buffer[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        buffer.put_slice(self.piece(room));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
