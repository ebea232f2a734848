//! Frames as bytes, written a second time: the core is not checked with its own encoder.

/// The last frame of its message (RFC 6455 §5.2).
pub const FIN: u8 = 0x80;
/// The first reserved bit: a compressed message (RFC 7692 §6).
pub const RSV1: u8 = 0x40;
/// The second reserved bit.
pub const RSV2: u8 = 0x20;
/// The third reserved bit.
pub const RSV3: u8 = 0x10;

/// The opcode of a further fragment (RFC 6455 §11.8).
pub const CONTINUATION: u8 = 0x0;
/// The opcode of text.
pub const TEXT: u8 = 0x1;
/// The opcode of binary data.
pub const BINARY: u8 = 0x2;
/// The opcode of a close frame.
pub const CLOSE: u8 = 0x8;
/// The opcode of a ping.
pub const PING: u8 = 0x9;
/// The opcode of a pong.
pub const PONG: u8 = 0xA;

/// The masking key of the examples (RFC 6455 §5.7).
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// FIN, reserved bits and opcode.
    pub first: u8,
    /// Its masking key, if it is masked.
    pub key: Option<[u8; 4]>,
    /// Unmasked.
    pub payload: Vec<u8>,
}

/// The body of a close frame.
pub fn close_body(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// A frame, masked where a key is given.
pub fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, key, payload.len() as u64);
    bytes.extend(masked(payload, key));
    bytes
}

/// Only the header of a frame.
pub fn header(first: u8, key: Option<[u8; 4]>, payload_size: u64) -> Vec<u8> {
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload_size {
        0..=125 => bytes.push(mask_bit | payload_size as u8),
        126..=0xFFFF => {
            bytes.push(mask_bit | 126);
            bytes.extend((payload_size as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask_bit | 127);
            bytes.extend(payload_size.to_be_bytes());
        }
    }
    bytes.extend(key.into_iter().flatten());
    bytes
}

fn masked(payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let key = key.unwrap_or_default();
    let key_bytes = key.iter().cycle();
    payload.iter().zip(key_bytes).map(|(b, k)| b ^ k).collect()
}

/// Takes whole frames apart; bytes that are left over are a failure.
pub fn parse(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        frames.push(parse_one(&mut bytes));
    }
    frames
}

fn parse_one(bytes: &mut &[u8]) -> Frame {
    let [first, second] = take(bytes);
    let size = match second & 0x7F {
        126 => u64::from(u16::from_be_bytes(take(bytes))),
        127 => u64::from_be_bytes(take(bytes)),
        short => u64::from(short),
    };
    let key = (second & 0x80 != 0).then(|| take(bytes));
    let (payload, rest) = bytes.split_at(size as usize);
    *bytes = rest;
    Frame {
        first,
        key,
        payload: masked(payload, key),
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (taken, rest) = bytes.split_first_chunk().expect("whole frames");
    *bytes = rest;
    *taken
}
