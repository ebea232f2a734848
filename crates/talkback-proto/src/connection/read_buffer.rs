//! The buffer that a driver reads into, and how messages are taken out of it.

use bytes::{Buf, Bytes, BytesMut};

/// The size in bytes of the buffer that a driver should read into.
pub const READ_SIZE: usize = 64 * 1024;

/// The capacity in bytes below which a read buffer is small.
///
/// The messages in a small buffer share it: none of them is copied, and one that a program keeps holds no
/// more than this. Out of a larger one they are copied, unless they are a quarter of [`READ_SIZE`] or more.
/// So a driver that has read little hands it in in a small buffer, and leaves this much free behind what it
/// reads into a larger one.
pub const SMALL_BUFFER_SIZE: usize = 4 * 1024;

/// A message of at least one in this many parts of the read buffer is split off it, not copied.
const SLACK: usize = 4;

/// Takes `size` bytes out of the read buffer, which a few of them do not hold if it is large.
#[inline]
pub(super) fn take_bytes(input: &mut BytesMut, size: usize) -> Bytes {
    if input.capacity() < SMALL_BUFFER_SIZE {
        if size == input.len() {
            return std::mem::take(input).freeze();
        }
        return input.split_to(size).freeze();
    }
    take_from_large(input, size)
}

#[inline(never)]
fn take_from_large(input: &mut BytesMut, size: usize) -> Bytes {
    if size >= READ_SIZE / SLACK {
        return input.split_to(size).freeze();
    }
    let bytes = Bytes::copy_from_slice(&input[..size]);
    input.advance(size);
    bytes
}
