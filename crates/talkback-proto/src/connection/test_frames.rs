//! Frames for the unit tests, right or wrong.

use crate::frame::{Header, Opcode};
use crate::mask::mask;

/// The masking key of the examples (RFC 6455 §5.7).
pub(super) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame with any first byte.
pub(super) fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut header = Header::whole(Opcode::Binary, key);
    header.payload_size = payload.len() as u64;
    let header = header.encode();
    let mut masked = payload.to_vec();
    let _ = mask(&mut masked, key.unwrap_or_default());
    [&[first], &header.as_ref()[1..], &masked].concat()
}
