//! Frames as bytes, made before the clock starts.

use std::ops::Range;

use crate::rows::{Content, Row};

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// Messages that leave in one write, and the bytes of their echoes.
pub(crate) struct Round {
    pub(crate) write: Vec<u8>,
    pub(crate) echoes: Vec<u8>,
    /// The length of each echo with its header.
    pub(crate) echo_len: usize,
}

/// Rounds that differ in payload and masking keys, so that no server sees the same bytes again and again.
pub(crate) fn rounds(row: &Row, content: Content) -> Vec<Round> {
    // About a megabyte of them, as the generator's cache is to hold them.
    let count = ((1 << 20) / (row.frames * row.size)).clamp(2, 64);
    (0..count).map(|_| round(row, content)).collect()
}

fn round(row: &Row, content: Content) -> Round {
    let opcode = if content == Content::Binary {
        BINARY
    } else {
        TEXT
    };
    let (mut write, mut echoes) = (Vec::new(), Vec::new());
    for _ in 0..row.frames {
        let payload = payload(row.size, content);
        push_masked(&mut write, opcode, &payload);
        push_header(&mut echoes, FIN | opcode, 0, payload.len());
        echoes.extend_from_slice(&payload);
    }
    let echo_len = echoes.len() / row.frames;
    Round {
        write,
        echoes,
        echo_len,
    }
}

fn payload(size: usize, content: Content) -> Vec<u8> {
    let mut payload = Vec::with_capacity(size);
    while payload.len() < size {
        match content {
            Content::Binary => payload.push(fastrand::u8(..)),
            Content::Korean if size - payload.len() >= 3 => {
                let syllable = fastrand::char('가'..='힣');
                payload.extend_from_slice(syllable.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Content::Ascii | Content::Korean => payload.push(fastrand::u8(b' '..=b'~')),
        }
    }
    payload
}

/// Adds a client's frame, with a key of its own.
pub(crate) fn push_masked(bytes: &mut Vec<u8>, first: u8, payload: &[u8]) {
    let key = fastrand::u32(1..).to_ne_bytes();
    push_header(bytes, FIN | first, MASKED, payload.len());
    bytes.extend_from_slice(&key);
    let masked = payload.iter().zip(key.iter().cycle());
    bytes.extend(masked.map(|(byte, key)| byte ^ key));
}

fn push_header(bytes: &mut Vec<u8>, first: u8, mask: u8, len: usize) {
    bytes.push(first);
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ ..=125), _) => bytes.push(mask | len),
        (_, Ok(len)) => {
            bytes.push(mask | 126);
            bytes.extend_from_slice(&len.to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

/// The first byte of a frame and where its payload lies, once its header is whole.
pub(crate) fn header(bytes: &[u8]) -> Option<(u8, Range<usize>)> {
    let (&first, rest) = bytes.split_first()?;
    let (start, len) = match *rest.first()? {
        126 => (
            4,
            usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)),
        ),
        127 => (
            10,
            u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize,
        ),
        len => (2, usize::from(len)),
    };
    Some((first, start..start.saturating_add(len)))
}

/// The length of a control frame that is not a close frame and lies whole at the beginning of the bytes.
pub(crate) fn ping_or_pong(bytes: &[u8]) -> Option<usize> {
    let &[0x89 | 0x8a, len, ..] = bytes else {
        return None;
    };
    let len = 2 + usize::from(len);
    (bytes.len() >= len).then_some(len)
}
