//! The buffer that a driver reads into, and how messages are taken out of it.

use bytes::{Buf, Bytes, BytesMut};

/// The size in bytes of the buffer that a driver should read into.
pub const READ_SIZE: usize = 64 * 1024;

/// A message of at least one in this many parts of the read buffer is split off it, not copied.
const SLACK: usize = 4;

/// Whether a message of `size` bytes is split off the read buffer; a smaller one is copied, so that
/// it never holds the buffer.
#[inline(always)]
pub(super) fn is_split_off(size: usize) -> bool {
    size >= READ_SIZE / SLACK
}

/// Takes `size` bytes out of the read buffer, which a few of them do not hold.
#[inline(always)]
pub(super) fn take_bytes(input: &mut BytesMut, size: usize) -> Bytes {
    if is_split_off(size) {
        return input.split_to(size).freeze();
    }
    let bytes = Bytes::copy_from_slice(&input[..size]);
    input.advance(size);
    bytes
}

/// Advances the read buffer, or empties it, so that the next read finds space at its beginning.
#[inline(always)]
pub(super) fn use_up(input: &mut BytesMut, size: usize) {
    if size == input.len() {
        input.clear();
    } else {
        input.advance(size);
    }
}
