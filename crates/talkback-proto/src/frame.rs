//! The frame header: encode and decode, with every rule of RFC 6455 §5.2 that needs no context.

use crate::error::ProtocolError;

/// The longest header in bytes: two, a 64-bit length and a masking key.
pub const HEADER_SIZE_MAX: usize = 14;

/// The longest payload of a control frame in bytes (RFC 6455 §5.5).
pub const CONTROL_SIZE_MAX: usize = 125;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
const MASK: u8 = 0x80;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// What a frame carries (RFC 6455 §5.2, §11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// A further fragment of the message in progress.
    Continuation,
    /// The first or only frame of a text message.
    Text,
    /// The first or only frame of a binary message.
    Binary,
    /// The closing handshake.
    Close,
    /// A request for a pong with the same payload.
    Ping,
    /// The answer to a ping.
    Pong,
}

impl Opcode {
    /// Whether this is a close, ping or pong frame (RFC 6455 §5.5).
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    #[inline]
    fn decode(nibble: u8) -> Result<Self, ProtocolError> {
        Ok(match nibble {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            reserved => return Err(ProtocolError::ReservedOpcode(reserved)),
        })
    }

    fn encode(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }
}

/// Payloads over this size in bytes are written from where they lie instead of being copied.
pub(crate) const COPIED_SIZE_MAX: usize = 4 * 1024 - 1;

/// Whether a frame is the last one of its message (RFC 6455 §5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fin {
    /// More fragments follow.
    More,
    /// The message ends with it.
    Last,
}

/// A frame's header (RFC 6455 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether this is the last fragment of its message.
    pub fin: bool,
    /// The bit that permessage-deflate uses for "compressed" (RFC 7692 §6).
    pub rsv1: bool,
    /// What the frame carries.
    pub opcode: Opcode,
    /// The masking key, on every frame from a client and on none from a server.
    pub mask: Option<[u8; 4]>,
    /// The payload's size in bytes, below 2^63.
    pub payload_size: u64,
}

impl Header {
    /// The first byte of a text message in one frame, not compressed.
    pub(crate) const WHOLE_TEXT: u8 = FIN | 0x1;
    /// The same of a binary message.
    pub(crate) const WHOLE_BINARY: u8 = FIN | 0x2;

    /// The header of a frame that is a whole message or a control frame, without its payload's
    /// size.
    pub(crate) fn whole(opcode: Opcode, mask: Option<[u8; 4]>) -> Self {
        Self {
            fin: true,
            rsv1: false,
            opcode,
            mask,
            payload_size: 0,
        }
    }

    /// Decodes the header at the beginning of `bytes` and says how many bytes it takes.
    ///
    /// Returns `None` while the header is not complete. Each rule is held against the bytes in their
    /// order, so the outcome does not depend on how they were cut.
    ///
    /// # Errors
    /// HTTP in place of a frame, a reserved bit or opcode, a fragmented or overlong control frame, a length that is not
    /// minimal or has its top bit set (RFC 6455 §5.2, §5.5).
    #[inline]
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some(&first) = bytes.first() else {
            return Ok(None);
        };
        // MUST be 0 unless an extension is negotiated that defines meanings for non-zero values (§5.2).
        if first & RSV2_RSV3 != 0 {
            return Err(unless_http(first, ProtocolError::ReservedBits));
        }
        let opcode = Opcode::decode(first & 0x0F).map_err(|error| unless_http(first, error))?;
        let fin = first & FIN != 0;
        // Control frames MUST NOT be fragmented (§5.5).
        if opcode.is_control() && !fin {
            return Err(unless_http(first, ProtocolError::FragmentedControl));
        }
        let Some(&second) = bytes.get(1) else {
            return Ok(None);
        };
        // All control frames MUST have a payload length of 125 bytes or less (§5.5).
        if opcode.is_control() && usize::from(second & !MASK) > CONTROL_SIZE_MAX {
            return Err(ProtocolError::ControlTooLong);
        }
        let Some((payload_size, length_end)) = decode_length(second & !MASK, bytes)? else {
            return Ok(None);
        };
        let (mask, end) = if second & MASK == 0 {
            (None, length_end)
        } else {
            let Some(key) = array_at::<4>(bytes, length_end) else {
                return Ok(None);
            };
            (Some(key), length_end + 4)
        };
        let rsv1 = first & RSV1 != 0;
        Ok(Some((
            Self {
                fin,
                rsv1,
                opcode,
                mask,
                payload_size,
            },
            end,
        )))
    }

    /// Encodes the header with its length in the fewest bytes (RFC 6455 §5.2).
    #[inline]
    pub fn encode(&self) -> EncodedHeader {
        let fin = if self.fin { FIN } else { 0 };
        let rsv1 = if self.rsv1 { RSV1 } else { 0 };
        let mask_bit = if self.mask.is_some() { MASK } else { 0 };
        let mut bytes = [0; HEADER_SIZE_MAX];
        bytes[0] = fin | rsv1 | self.opcode.encode();
        // The minimal number of bytes MUST be used to encode the length (§5.2).
        let length_end = if self.payload_size < u64::from(LENGTH_16) {
            bytes[1] = mask_bit | self.payload_size as u8;
            2
        } else if let Ok(size) = u16::try_from(self.payload_size) {
            bytes[1] = mask_bit | LENGTH_16;
            bytes[2..4].copy_from_slice(&size.to_be_bytes());
            4
        } else {
            bytes[1] = mask_bit | LENGTH_64;
            bytes[2..10].copy_from_slice(&self.payload_size.to_be_bytes());
            10
        };
        let Some(key) = self.mask else {
            return EncodedHeader {
                bytes,
                size: length_end as u8,
            };
        };
        bytes[length_end..length_end + 4].copy_from_slice(&key);
        EncodedHeader {
            bytes,
            size: length_end as u8 + 4,
        }
    }
}

/// A header's bytes, 2 to 14 of them.
#[derive(Clone, Copy, Debug)]
pub struct EncodedHeader {
    bytes: [u8; HEADER_SIZE_MAX],
    size: u8,
}

impl EncodedHeader {
    /// Adds the header to the end of `buffer`.
    #[inline]
    pub(crate) fn append_to(&self, buffer: &mut Vec<u8>) {
        // All bytes at once are cheaper than only those that count.
        let end = buffer.len() + usize::from(self.size);
        buffer.extend_from_slice(&self.bytes);
        buffer.truncate(end);
    }
}

impl AsRef<[u8]> for EncodedHeader {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.size)]
    }
}

/// The error of a frame that cannot be one after its first byte: `HTTP` and `HEAD`, `GET`, `POST` and
/// `PUT` are known by that.
#[cold]
fn unless_http(first: u8, error: ProtocolError) -> ProtocolError {
    match first {
        b'H' | b'G' | b'P' => ProtocolError::Http,
        _ => error,
    }
}

/// The payload's size and where the length field ends, or `None` while it is not complete.
#[inline]
fn decode_length(short: u8, bytes: &[u8]) -> Result<Option<(u64, usize)>, ProtocolError> {
    let (size, end, size_min) = match short {
        LENGTH_16 => match array_at::<2>(bytes, 2) {
            Some(field) => (u64::from(u16::from_be_bytes(field)), 4, 126),
            None => return Ok(None),
        },
        LENGTH_64 => match array_at::<8>(bytes, 2) {
            Some(field) => (u64::from_be_bytes(field), 10, 1 << 16),
            None => return Ok(None),
        },
        short => (u64::from(short), 2, 0),
    };
    if size < size_min {
        return Err(ProtocolError::LengthNotMinimal);
    }
    // The most significant bit MUST be 0 (§5.2).
    if size >> 63 != 0 {
        return Err(ProtocolError::LengthTopBit);
    }
    Ok(Some((size, end)))
}

fn array_at<const N: usize>(bytes: &[u8], start: usize) -> Option<[u8; N]> {
    bytes.get(start..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(opcode: Opcode, payload_size: u64) -> Header {
        Header {
            fin: true,
            rsv1: false,
            opcode,
            mask: None,
            payload_size,
        }
    }

    #[test]
    fn f6_sends_minimal_lengths() {
        for (size, encoded) in [
            (0, vec![0x82, 0]),
            (125, vec![0x82, 125]),
            (126, vec![0x82, 126, 0, 126]),
            (65_535, vec![0x82, 126, 0xFF, 0xFF]),
            (65_536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            assert_eq!(
                header(Opcode::Binary, size).encode().as_ref(),
                encoded,
                "{size} bytes"
            );
        }
    }

    #[test]
    fn a_whole_message_begins_as_its_header_is_encoded() {
        for (opcode, first) in [
            (Opcode::Text, Header::WHOLE_TEXT),
            (Opcode::Binary, Header::WHOLE_BINARY),
        ] {
            assert_eq!(header(opcode, 5).encode().as_ref()[0], first, "{opcode:?}");
        }
    }

    #[test]
    fn f7_rejects_a_length_that_is_not_minimal() {
        let frames: [&[u8]; 4] = [
            &[0x82, 126, 0, 0],
            &[0x82, 126, 0, 125],
            &[0x82, 127, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
        ];
        for frame in frames {
            assert_eq!(
                Header::decode(frame),
                Err(ProtocolError::LengthNotMinimal),
                "{frame:?}"
            );
        }
    }

    #[test]
    fn f8_rejects_the_top_bit_of_a_64_bit_length() {
        let frame = [0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Header::decode(&frame), Err(ProtocolError::LengthTopBit));
        let below = [0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        let (header, _) = Header::decode(&below).unwrap().unwrap();
        assert_eq!(header.payload_size, (1 << 63) - 1);
    }

    /// The rules of §5.2 and §5.5 that the first two bytes decide, written a second time.
    fn first_bytes_are_allowed(first: u8, second: u8) -> bool {
        let opcode = first & 0x0F;
        let known = [0, 1, 2, 8, 9, 10].contains(&opcode);
        let control = opcode >= 8;
        known && first & 0x30 == 0 && !(control && (first & 0x80 == 0 || second & 0x7F > 125))
    }

    #[test]
    fn all_65536_first_two_bytes_are_decided_by_the_rules() {
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                let outcome = Header::decode(&[first, second]);
                let allowed = first_bytes_are_allowed(first, second);
                assert_eq!(
                    outcome.is_ok(),
                    allowed,
                    "{first:#04x} {second:#04x}: {outcome:?}"
                );
            }
        }
    }

    #[test]
    fn a_cut_header_waits_or_fails_as_the_whole_one_does() {
        let vectors: [&[u8]; 5] = [
            &[0x81, 0x85, 1, 2, 3, 4],
            &[0x82, 0xFE, 1, 0, 1, 2, 3, 4],
            &[0x02, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 9, 9, 9, 9],
            &[0x89, 0x00],
            &[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
        ];
        for vector in vectors {
            let whole = Header::decode(vector);
            for cut in 0..vector.len() {
                match Header::decode(&vector[..cut]) {
                    Ok(None) => {}
                    early => assert_eq!(early, whole, "{vector:?} cut at {cut}"),
                }
            }
        }
    }

    fn any_header() -> impl Strategy<Value = Header> {
        let opcode = prop_oneof![
            Just(Opcode::Continuation),
            Just(Opcode::Text),
            Just(Opcode::Binary),
            Just(Opcode::Close),
            Just(Opcode::Ping),
            Just(Opcode::Pong),
        ];
        let size = prop_oneof![0u64..200, 65_000u64..66_000, 0u64..1 << 63];
        (
            opcode,
            size,
            any::<bool>(),
            any::<bool>(),
            any::<Option<[u8; 4]>>(),
        )
            .prop_map(|(opcode, size, fin, rsv1, mask)| Header {
                fin: fin || opcode.is_control(),
                rsv1,
                opcode,
                mask,
                payload_size: if opcode.is_control() {
                    size % 126
                } else {
                    size
                },
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        #[test]
        fn decode_undoes_encode(header in any_header()) {
            let encoded = header.encode();
            prop_assert_eq!(Header::decode(encoded.as_ref()), Ok(Some((header, encoded.as_ref().len()))));
        }
    }
}
