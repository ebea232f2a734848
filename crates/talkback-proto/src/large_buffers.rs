//! The buffers of large messages, which a thread uses again: memory that is given back to the operating
//! system and taken again costs a page fault for each 4 KiB.

use std::cell::RefCell;
use std::mem;

use bytes::{Bytes, BytesMut};

/// From this size in bytes on, a message's buffer is used again.
const SIZE_MIN: usize = 64 * 1024;

/// How many bytes of such buffers a thread keeps, and how many buffers.
const KEPT_MAX: usize = 16 * 1024 * 1024;
const COUNT_MAX: usize = 32;

/// What a thread keeps.
#[derive(Default)]
struct Kept {
    /// The size and the empty end of each buffer, in the order in which they came. A message may hold its
    /// other part: it can be used again once the message is gone.
    buffers: Vec<(usize, BytesMut)>,
    size: usize,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

/// An empty buffer for `wanted` bytes if one is kept that is not much larger; else for `size` bytes, which
/// are fewer.
pub(crate) fn take(size: usize, wanted: usize) -> BytesMut {
    let kept = KEPT.try_with(|kept| {
        let kept = &mut kept.borrow_mut();
        kept.take(wanted).or_else(|| kept.take(size))
    });
    kept.ok()
        .flatten()
        .unwrap_or_else(|| BytesMut::with_capacity(size))
}

/// The bytes of a buffer, which is used again once they are gone. Those that the program keeps are simply
/// its own.
pub(crate) fn freeze(mut buffer: BytesMut) -> Bytes {
    let size = buffer.capacity();
    if !(SIZE_MIN..=KEPT_MAX).contains(&size) {
        return buffer.freeze();
    }
    let bytes = buffer.split().freeze();
    // A thread that is ending keeps nothing.
    let _ = KEPT.try_with(|kept| kept.borrow_mut().push(size, buffer));
    bytes
}

impl Kept {
    fn take(&mut self, size: usize) -> Option<BytesMut> {
        if size < SIZE_MIN {
            return None;
        }
        let fits = |(kept, buffer): &mut (usize, BytesMut)| {
            (size..=2 * size).contains(kept) && buffer.try_reclaim(size)
        };
        let place = self.buffers.iter_mut().rposition(fits)?;
        let (kept, buffer) = self.buffers.remove(place);
        self.size -= kept;
        Some(buffer)
    }

    /// Keeps one more; of too many, that which waits longest goes.
    fn push(&mut self, size: usize, buffer: BytesMut) {
        self.size += size;
        self.buffers.push((size, buffer));
        let mut gone = 0;
        while self.size > KEPT_MAX || self.buffers.len() - gone > COUNT_MAX {
            self.size -= mem::take(&mut self.buffers[gone].0);
            gone += 1;
        }
        self.buffers.drain(..gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn message(size: usize) -> Bytes {
        let mut buffer = take(size, size);
        buffer.resize(size, 7);
        freeze(buffer)
    }

    #[test]
    fn a_buffer_is_used_again_once_its_message_is_gone() {
        let first = message(MIB);
        let place = first.as_ptr();
        let second = message(MIB);
        assert_ne!(second.as_ptr(), place, "the program holds the first");
        drop(first);
        assert_eq!(message(MIB).as_ptr(), place);
        assert_eq!(
            message(MIB * 3 / 4).as_ptr(),
            place,
            "it is not much larger"
        );
        assert_ne!(message(MIB / 4).as_ptr(), place);
    }

    #[test]
    fn a_thread_keeps_16_mib_and_32_buffers() {
        let kept = || KEPT.with_borrow(|kept| (kept.size, kept.buffers.len()));
        let held: Vec<_> = (0..20).map(|_| message(MIB)).collect();
        assert_eq!(kept(), (16 * MIB, 16));
        drop(held);
        let held: Vec<_> = (0..50).map(|_| message(SIZE_MIN)).collect();
        assert_eq!(kept(), (32 * SIZE_MIN, 32));
        drop(held);
        message(17 * MIB);
        message(SIZE_MIN - 1);
        assert_eq!(kept(), (32 * SIZE_MIN, 32));
    }
}
