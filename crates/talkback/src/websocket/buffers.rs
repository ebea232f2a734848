//! The read buffers of a thread: an idle connection owns none.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::{BufMut, BytesMut};
use talkback_proto::{READ_SIZE, SMALL_BUFFER_SIZE};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What is left free behind a read, by which the core knows that the buffer is a large one.
const CAPACITY: usize = READ_SIZE + SMALL_BUFFER_SIZE;

/// Below this a buffer that messages hold is not read into any more: a read is at least half of a whole one.
const REST: usize = READ_SIZE / 2 + SMALL_BUFFER_SIZE;

/// How many buffers wait at most for the messages that were split off them: 4 MiB.
const WAITING_MAX: usize = 64;

/// The same for small buffers: 1 MiB.
const SMALL_WAITING_MAX: usize = 256;

/// A leftover this many times smaller than its buffer moves to one of its own size.
const SLACK: usize = 4;

/// What a thread reads into. A buffer is used again once all messages that share it are gone.
#[derive(Default)]
struct Pool {
    /// The large buffer that was used last. A connection holds one only from a read to the last message
    /// out of it, so a thread rarely needs a second one.
    large: Cell<BytesMut>,
    /// Others, which messages may hold.
    waiting: RefCell<Vec<BytesMut>>,
    /// The small buffer, behind what was moved there.
    small: Cell<BytesMut>,
    /// Others, which messages may hold, in the order of their use.
    small_waiting: RefCell<VecDeque<BytesMut>>,
}

thread_local! {
    static POOL: Pool = Pool::default();
}

/// Reads once; an empty buffer means the end of the stream.
///
/// What is little is moved to a small buffer, so that small messages can share that. On `Pending` and
/// errors the buffer is back in the pool.
pub(crate) fn poll_read<T: AsyncRead + Unpin>(
    io: &mut T,
    cx: &mut Context<'_>,
) -> Poll<io::Result<BytesMut>> {
    // Looked up once: who only sends polls for naught, each time.
    match POOL.try_with(|pool| pool.poll_read(io, cx)) {
        Ok(read) => read,
        // A thread that is ending has no pool any more.
        Err(_) => Pool::default().poll_read(io, cx),
    }
}

/// Gives a buffer back whose bytes are all used.
#[inline]
pub(crate) fn give_back(buffer: BytesMut) {
    // What is left of a small one is dropped.
    if buffer.capacity() >= SMALL_BUFFER_SIZE {
        keep(buffer);
    }
}

/// Moves a leftover to a buffer of its own size, before its owner waits.
pub(crate) fn park(buffer: &mut BytesMut) {
    let held = buffer.capacity().max(SMALL_BUFFER_SIZE);
    if !buffer.is_empty() && held > buffer.len() * SLACK {
        let leftover = BytesMut::from(&buffer[..]);
        give_back(mem::replace(buffer, leftover));
    }
}

fn keep(buffer: BytesMut) {
    // A thread that is ending has no pool any more.
    let _ = POOL.try_with(|pool| pool.keep(buffer));
}

impl Pool {
    fn poll_read<T: AsyncRead + Unpin>(
        &self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<BytesMut>> {
        let mut buffer = self.take();
        let size = (buffer.capacity() - SMALL_BUFFER_SIZE).min(READ_SIZE);
        let outcome = pin!(io.read_buf(&mut (&mut buffer).limit(size))).poll(cx);
        let read = match outcome {
            Poll::Ready(Ok(SMALL_BUFFER_SIZE..)) => return Poll::Ready(Ok(buffer)),
            Poll::Ready(Ok(1..)) => Poll::Ready(Ok(self.move_to_small(&buffer))),
            other => other.map_ok(|_| BytesMut::new()),
        };
        self.keep(buffer);
        read
    }

    #[inline]
    fn keep(&self, mut buffer: BytesMut) {
        buffer.clear();
        let other = self.large.replace(buffer);
        if other.capacity() > 0 {
            self.wait(other);
        }
    }

    /// A buffer with space for a read. While messages hold the last one, what is left of it is read into: where
    /// many connections have their messages at once, each has no more than it needs.
    #[inline]
    fn take(&self) -> BytesMut {
        let mut buffer = self.large.take();
        if buffer.try_reclaim(CAPACITY) || buffer.capacity() >= REST {
            return buffer;
        }
        let free = self.take_waiting(buffer);
        free.unwrap_or_else(|| BytesMut::with_capacity(CAPACITY))
    }

    fn move_to_small(&self, bytes: &[u8]) -> BytesMut {
        let mut small = self.small.take();
        if small.capacity() < bytes.len() && !small.try_reclaim(SMALL_BUFFER_SIZE) {
            small = self.exchange_small(small);
        }
        small.extend_from_slice(bytes);
        let moved = small.split();
        self.small.set(small);
        moved
    }

    /// Keeps a buffer that messages may hold; of too many, that which waits longest goes.
    #[cold]
    fn wait(&self, buffer: BytesMut) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() == WAITING_MAX {
            waiting.remove(0);
        }
        waiting.push(buffer);
    }

    /// Exchanges a small buffer that messages hold for another one: for that which waits longest, if no
    /// message holds it any more.
    #[cold]
    fn exchange_small(&self, held: BytesMut) -> BytesMut {
        let mut waiting = self.small_waiting.borrow_mut();
        let mut oldest = waiting.pop_front().unwrap_or_default();
        let other = match oldest.try_reclaim(SMALL_BUFFER_SIZE) {
            true => oldest,
            false => {
                // Of too many, that which waits longest goes.
                if waiting.len() + 1 < SMALL_WAITING_MAX {
                    wait_small(&mut waiting, oldest);
                }
                BytesMut::with_capacity(SMALL_BUFFER_SIZE)
            }
        };
        wait_small(&mut waiting, held);
        other
    }

    /// Exchanges a buffer that messages hold for one that no message holds any more.
    #[cold]
    fn take_waiting(&self, held: BytesMut) -> Option<BytesMut> {
        let mut waiting = self.waiting.borrow_mut();
        let free = waiting.iter_mut().rposition(|b| b.try_reclaim(CAPACITY));
        let free = free.map(|place| waiting.swap_remove(place));
        drop(waiting);
        if held.capacity() > 0 {
            self.wait(held);
        }
        free
    }
}

fn wait_small(waiting: &mut VecDeque<BytesMut>, buffer: BytesMut) {
    // The first of all has no bytes.
    if buffer.capacity() > 0 {
        waiting.push_back(buffer);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Reads once, and takes all of it as one message.
    fn read(io: &mut &[u8]) -> BytesMut {
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(mut buffer)) = poll_read(io, &mut cx) else {
            panic!("a slice is always ready");
        };
        assert!(buffer.capacity() - buffer.len() >= SMALL_BUFFER_SIZE);
        let message = buffer.split();
        give_back(buffer);
        message
    }

    #[test]
    fn what_messages_leave_of_a_buffer_is_read_into_while_it_is_half_of_a_read() {
        let bytes = vec![7; READ_SIZE];
        let sizes = [READ_SIZE / 4, READ_SIZE / 8, READ_SIZE];
        let held = sizes.map(|size| read(&mut &bytes[..size]));
        // The third read is one of less than a whole one.
        let rest = CAPACITY - READ_SIZE / 4 - READ_SIZE / 8 - SMALL_BUFFER_SIZE;
        assert_eq!(
            held.each_ref().map(BytesMut::len),
            [sizes[0], sizes[1], rest]
        );
        for [before, behind] in [[0, 1], [1, 2]] {
            assert_eq!(held[before].as_ptr_range().end, held[behind].as_ptr());
        }
        // Nothing is left of the first, so the next has one of its own.
        let other = read(&mut &bytes[..]);
        assert_eq!(other.len(), READ_SIZE);
        let first = held[0].as_ptr();
        drop((held, other));
        let whole = [(); 2].map(|()| read(&mut &bytes[..]));
        assert!(
            whole.iter().any(|m| m.as_ptr() == first),
            "it is used again"
        );
    }

    #[test]
    fn small_buffers_are_used_again_in_the_order_of_their_use() {
        const COUNT: usize = 10;
        let bytes = [7; SMALL_BUFFER_SIZE / 2 + 1];
        let pool = Pool::default();
        let round = || [(); COUNT].map(|()| pool.move_to_small(&bytes));
        let starts = round().map(|message| message.as_ptr());
        // The last one was in use when the first was to be used again.
        for _ in 0..3 {
            let held = round();
            let again = held.iter().filter(|m| starts.contains(&m.as_ptr()));
            assert!(again.count() >= COUNT - 1);
        }
    }
}
