//! A transport in memory that is always ready, and costs every codec the same.

use std::cell::Cell;
use std::hint::black_box;
use std::io::{self, IoSlice, Read, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Brings the same bytes for ever, and swallows what is written.
///
/// A read takes what fits, up to the end of the bytes: a copy, as the kernel makes one. A write
/// takes everything and looks at nothing.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    wire: Vec<u8>,
    at: usize,
    written: Rc<Cell<usize>>,
}

impl Memory {
    pub(crate) fn new(wire: Vec<u8>) -> Self {
        Self {
            wire,
            ..Self::default()
        }
    }

    /// Where it counts the bytes that are written.
    pub(crate) fn meter(&self) -> Rc<Cell<usize>> {
        Rc::clone(&self.written)
    }

    /// The next bytes, at most `size_max` of them.
    pub(crate) fn bring(&mut self, size_max: usize) -> &[u8] {
        let start = self.at;
        let end = self.wire.len().min(start + size_max);
        self.at = if end == self.wire.len() { 0 } else { end };
        &self.wire[start..end]
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.written
            .set(self.written.get() + black_box(bytes).len());
    }
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.bring(buffer.len());
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = self.bring(buffer.remaining());
        buffer.put_slice(bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.put(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut size = 0;
        for slice in slices {
            self.put(slice);
            size += slice.len();
        }
        Poll::Ready(Ok(size))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Runs a future that never has to wait.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut cx) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the transport is always ready"),
    }
}
