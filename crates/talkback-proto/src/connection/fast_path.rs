//! The short way for the most common message: one frame, all of which has arrived.
//!
//! Whatever else stands in the bytes, or is wrong with them, is left to [`Receiver`], which knows
//! every rule. A property test holds the two ways to the same events.
//!
//! [`Receiver`]: crate::connection::receiving::Receiver

use std::ops::Range;

use crate::frame::Header;
use crate::limits::Limits;
use crate::mask::mask;
use crate::message::MessageKind;
use crate::role::Role;

/// A message whose only frame lies at the beginning of the bytes at hand, unmasked.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) kind: MessageKind,
    /// Where its payload lies.
    pub(crate) range: Range<usize>,
}

impl Whole {
    /// Unmasks the message at the beginning of `bytes`, which come between two messages; `None`
    /// and the bytes as they were if there is none such.
    #[inline]
    pub(crate) fn take(bytes: &mut [u8], role: Role, limits: &Limits) -> Option<Self> {
        let (kind, key, range) = decode(bytes, role)?;
        if range.len() as u64 > limits.size_max() || limits.fragments_max == 0 {
            return None;
        }
        if let Some(key) = key {
            let _ = mask(&mut bytes[range.clone()], key);
        }
        Some(Self { kind, range })
    }
}

/// The kind, key and payload's range of an uncompressed message whose frame is complete.
#[inline]
fn decode(bytes: &[u8], role: Role) -> Option<(MessageKind, Option<[u8; 4]>, Range<usize>)> {
    let &[first, second, ..] = bytes else {
        return None;
    };
    let kind = match first {
        Header::WHOLE_TEXT => MessageKind::Text,
        Header::WHOLE_BINARY => MessageKind::Binary,
        _ => return None,
    };
    let is_masked = second & 0x80 != 0;
    if is_masked != (role == Role::Server) {
        return None;
    }
    let (size, length_end) = match second & 0x7F {
        size @ 0..126 => (usize::from(size), 2),
        126 => {
            let field = bytes.get(2..)?.first_chunk()?;
            let size = u16::from_be_bytes(*field);
            // What is smaller is not in the fewest bytes (§5.2).
            if size < 126 {
                return None;
            }
            (usize::from(size), 4)
        }
        _ => return None,
    };
    let (key, start) = if is_masked {
        let key = bytes.get(length_end..)?.first_chunk()?;
        (Some(*key), length_end + 4)
    } else {
        (None, length_end)
    };
    (bytes.len() - start >= size).then_some((kind, key, start..start + size))
}
