//! The peer's end of permessage-deflate, by another library: the core is not checked with its own.

use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush};
use talkback_proto::{Connection, DeflateParameters, DeflateTuning, Limits, Role};

use super::connection;

const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// Both contexts are taken over, and every message is compressed.
pub(crate) fn takeover() -> DeflateParameters {
    DeflateParameters::default().tuning(every_message())
}

/// Compresses every message, however small.
pub(crate) fn every_message() -> DeflateTuning {
    DeflateTuning::default().threshold(0)
}

/// Neither context is taken over, and every message is compressed.
pub(crate) fn no_takeover() -> DeflateParameters {
    takeover()
        .server_no_context_takeover(true)
        .client_no_context_takeover(true)
}

/// A connection that compresses, with the default limits.
pub(crate) fn compressing(role: Role, parameters: DeflateParameters) -> Connection {
    connection(role, &Limits::default()).with_deflate(&parameters)
}

/// Compresses as a peer that takes its context over.
pub(crate) struct PeerDeflater(Box<CompressorOxide>);

impl PeerDeflater {
    /// With a level of miniz from 0, which stores, to 10.
    pub(crate) fn new(level: i32) -> Self {
        let flags = create_comp_flags_from_zip_params(level, -15, 0);
        Self(Box::new(CompressorOxide::new(flags)))
    }

    /// The payload of a compressed message.
    pub(crate) fn message(&mut self, message: &[u8]) -> Vec<u8> {
        if message.is_empty() {
            return vec![0];
        }
        let mut payload = self.flush(message);
        assert!(payload.ends_with(&TAIL));
        payload.truncate(payload.len() - TAIL.len());
        payload
    }

    /// Compresses up to a byte boundary and leaves the tail on.
    pub(crate) fn flush(&mut self, mut message: &[u8]) -> Vec<u8> {
        let (mut payload, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            let result = deflate(&mut self.0, message, &mut chunk, MZFlush::Sync);
            result.status.expect("miniz compresses");
            message = &message[result.bytes_consumed..];
            payload.extend_from_slice(&chunk[..result.bytes_written]);
            if message.is_empty() && result.bytes_written < chunk.len() {
                return payload;
            }
        }
    }
}

/// The payload of a message that can be decompressed alone.
pub(crate) fn deflated(message: &[u8]) -> Vec<u8> {
    PeerDeflater::new(6).message(message)
}

/// Decompresses as a peer that takes its context over.
pub(crate) struct PeerInflater(Box<InflateState>);

impl PeerInflater {
    pub(crate) fn new() -> Self {
        Self(InflateState::new_boxed(DataFormat::Raw))
    }

    pub(crate) fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        let bytes = [payload, &TAIL].concat();
        let (mut rest, mut message) = (&bytes[..], Vec::new());
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let result = inflate(&mut self.0, rest, &mut chunk, MZFlush::None);
            message.extend_from_slice(&chunk[..result.bytes_written]);
            rest = &rest[result.bytes_consumed..];
            if rest.is_empty() && result.bytes_written < chunk.len() {
                return message;
            }
            result.status.expect("miniz decompresses");
        }
    }
}

/// What one message decompresses to alone.
pub(crate) fn inflated(payload: &[u8]) -> Vec<u8> {
    PeerInflater::new().message(payload)
}

/// Bytes that look like chance and do not compress.
pub(crate) fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9u32;
    let bytes = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    });
    bytes.take(size).collect()
}

/// Text that compresses about as prose does, and is never the same twice.
pub(crate) fn prose(size: usize) -> String {
    let words = noise(size).into_iter().map(|byte| {
        ["frame", "mask", "fin", "opcode ", "payload", "한", " ", "é"][usize::from(byte % 8)]
    });
    let mut text = String::new();
    for word in words {
        if text.len() + word.len() > size {
            break;
        }
        text += word;
    }
    text + &"x".repeat(8)
}
