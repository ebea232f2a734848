//! Frames as bytes, written a second time: the core is not checked with its own encoder.

use talkback_proto::Role;

pub(crate) const FIN: u8 = 0x80;
pub(crate) const RSV1: u8 = 0x40;
pub(crate) const RSV2: u8 = 0x20;
pub(crate) const RSV3: u8 = 0x10;

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;

/// The peer's masking key, where it is a client (RFC 6455 §5.7).
pub(crate) const PEER_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// FIN, reserved bits and opcode.
    pub(crate) first: u8,
    pub(crate) key: Option<[u8; 4]>,
    /// Unmasked.
    pub(crate) payload: Vec<u8>,
}

/// The masking key that the peer of `role` must use.
pub(crate) fn peer_key(role: Role) -> Option<[u8; 4]> {
    match role {
        Role::Server => Some(PEER_KEY),
        Role::Client => None,
    }
}

/// A frame as the peer of `role` sends it.
pub(crate) fn peer_frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, peer_key(role), payload)
}

/// Only the header of a frame as the peer of `role` sends it.
pub(crate) fn peer_header(role: Role, first: u8, payload_size: u64) -> Vec<u8> {
    header(first, peer_key(role), payload_size)
}

/// A close frame as the peer of `role` sends it.
pub(crate) fn peer_close(role: Role, code: u16, reason: &str) -> Vec<u8> {
    peer_frame(role, FIN | CLOSE, &close_body(code, reason))
}

pub(crate) fn close_body(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

pub(crate) fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, key, payload.len() as u64);
    bytes.extend(masked(payload, key));
    bytes
}

pub(crate) fn header(first: u8, key: Option<[u8; 4]>, payload_size: u64) -> Vec<u8> {
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
pub(crate) fn parse(mut bytes: &[u8]) -> Vec<Frame> {
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
