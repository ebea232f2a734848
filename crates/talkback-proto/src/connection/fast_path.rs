//! The fast path for the most common message: one frame, all of which has arrived.
//!
//! Whatever else stands in the bytes, or is wrong with them, is left to [`FrameReader`], which knows
//! every rule. A property test holds the two paths to the same.
//!
//! Conditions are joined by `&` and `|` here and in what this path asks for: one branch costs less
//! than several, behind which the compiler takes what comes for rare, and does not inline it.
//!
//! [`FrameReader`]: crate::connection::parse_state::FrameReader

use std::ops::Range;

use bytes::{Buf, BytesMut};

use crate::connection::read_buffer::take_bytes;
use crate::frame::Header;
use crate::limits::Limits;
use crate::mask::mask;
use crate::message::{Message, MessageKind};
use crate::role::Role;
use crate::small_bytes::SmallBytes;
use crate::utf8::validate;

/// Takes the message whose only frame lies in `input` behind what is `used` of it, which comes between two
/// messages; `None` and the bytes as they were if there is none such, or it breaks a rule.
#[inline(always)]
pub(super) fn take_message(
    input: &mut BytesMut,
    used: &mut usize,
    role: Role,
    limits: &Limits,
) -> Option<Message> {
    let bytes = &input[*used..];
    let (kind, key, range) = decode(bytes, role)?;
    if (range.len() as u64 > limits.size_max()) | (limits.fragments_limit() == 0) {
        return None;
    }
    if let Some(bytes) = SmallBytes::unmasked_in_place(bytes, range.clone(), key) {
        if kind == MessageKind::Text {
            validate(&bytes).ok()?;
            *used += range.end;
            return Some(Message::from_validated(MessageKind::Text, bytes));
        }
        *used += range.end;
        return Some(Message::from_validated(MessageKind::Binary, bytes));
    }
    input.advance(std::mem::take(used));
    take_larger(input, kind, key, range)
}

/// As [`take_message`], for a payload that does not lie in place.
#[inline(never)]
fn take_larger(
    input: &mut BytesMut,
    kind: MessageKind,
    key: Option<[u8; 4]>,
    range: Range<usize>,
) -> Option<Message> {
    let payload = &mut input[range.clone()];
    if let Some(key) = key {
        let _ = mask(payload, key);
    }
    if kind == MessageKind::Text && validate(payload).is_err() {
        // As it came.
        let _ = key.map(|key| mask(payload, key));
        return None;
    }
    input.advance(range.start);
    let bytes = SmallBytes::Shared(take_bytes(input, range.len()));
    Some(Message::from_validated(kind, bytes))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::test_frames::{KEY, frame};

    fn take(input: &mut BytesMut, role: Role, limits: &Limits) -> Option<Message> {
        take_message(input, &mut 0, role, limits)
    }

    #[test]
    fn what_is_no_whole_message_is_left_as_it_is() {
        let limits = Limits::default().message_size_max(1000);
        for (role, peers, own) in [
            (Role::Server, Some(KEY), None),
            (Role::Client, None, Some(KEY)),
        ] {
            let whole = frame(0x81, peers, b"whole");
            let taken = take(&mut BytesMut::from(&whole[..]), role, &limits);
            assert_eq!(taken, Some("whole".into()));
            let mut vectors = vec![
                frame(0x01, peers, b"a fragment"),
                frame(0x80, peers, b"a continuation"),
                frame(0x89, peers, b"a ping"),
                frame(0x88, peers, b"\x03\xe8"),
                frame(0xC1, peers, b"RSV1"),
                frame(0xA1, peers, b"RSV2"),
                frame(0x83, peers, b"a reserved opcode"),
                frame(0x81, peers, b"no UTF-8: \xff"),
                frame(0x81, own, b"masked otherwise"),
                frame(0x82, peers, &[7; 1001]),
                [&[0x82, whole[1] & 0x80 | 126, 0, 125][..], &[0; 200]].concat(),
                [&[0x82, whole[1] & 0x80 | 127][..], &[0; 200]].concat(),
            ];
            vectors.extend((0..whole.len()).map(|cut| whole[..cut].to_vec()));
            for vector in vectors {
                let mut bytes = BytesMut::from(&vector[..]);
                let taken = take(&mut bytes, role, &limits);
                assert!(taken.is_none(), "{role:?}: {vector:?}");
                assert_eq!(bytes, vector);
            }
        }
    }
}
