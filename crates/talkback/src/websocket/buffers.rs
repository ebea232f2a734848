//! A pool of read buffers for each thread: an idle connection owns none.

use std::cell::RefCell;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use talkback_proto::READ_SIZE;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A connection holds a buffer only from a read to the last message out of it, so a thread rarely
/// needs a second one.
const POOL_SIZE: usize = 2;

/// A leftover this many times smaller than its buffer moves to one of its own size.
const SLACK: usize = 4;

thread_local! {
    static POOL: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Reads once into a pooled buffer; an empty one means the end of the stream.
///
/// On `Pending` and errors the buffer is back in the pool.
pub(crate) fn poll_read<T: AsyncRead + Unpin>(
    io: &mut T,
    cx: &mut Context<'_>,
) -> Poll<io::Result<BytesMut>> {
    let mut buffer = take();
    let outcome = pin!(io.read_buf(&mut buffer)).poll(cx);
    if !matches!(outcome, Poll::Ready(Ok(1..))) {
        give_back(std::mem::take(&mut buffer));
    }
    ready!(outcome)?;
    Poll::Ready(Ok(buffer))
}

/// Gives a buffer back whose bytes are all used.
pub(crate) fn give_back(mut buffer: BytesMut) {
    if buffer.capacity() == 0 {
        return;
    }
    buffer.clear();
    // A thread that is ending has no pool any more.
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < POOL_SIZE {
            pool.push(buffer);
        }
    });
}

/// Moves a leftover to a buffer of its own size, before its owner waits.
pub(crate) fn park(buffer: &mut BytesMut) {
    if buffer.capacity() > buffer.len() * SLACK {
        let leftover = BytesMut::from(&buffer[..]);
        give_back(std::mem::replace(buffer, leftover));
    }
}

fn take() -> BytesMut {
    let pooled = POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten();
    let mut buffer = pooled.unwrap_or_default();
    // Reclaims what was used of the buffer, or takes a new one if messages still hold it.
    buffer.reserve(READ_SIZE);
    buffer
}
