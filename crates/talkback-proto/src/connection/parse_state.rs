//! How far the bytes of frames and messages have come: the parse state, which `receiving` changes.

use std::ops::Range;

use crate::frame::{CONTROL_SIZE_MAX, HEADER_SIZE_MAX, Opcode};
use crate::limits::Limits;
use crate::message::MessageKind;
use crate::role::Role;
use crate::utf8::Utf8Validator;

/// What the peer's bytes are held against.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) role: Role,
    pub(super) limits: &'a Limits,
    /// Whether permessage-deflate was negotiated.
    pub(super) has_deflate: bool,
}

/// The frame whose payload is arriving; sizes in bytes.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) opcode: Opcode,
    pub(super) fin: bool,
    /// Rotated, so that it fits the next byte.
    pub(super) key: Option<[u8; 4]>,
    pub(super) payload_size: u64,
    pub(super) remaining: u64,
}

/// The message whose fragments are arriving.
#[derive(Debug)]
pub(super) struct Fragments {
    pub(super) kind: MessageKind,
    pub(super) is_compressed: bool,
    pub(super) size: u64,
    pub(super) count: u32,
    /// Whether a piece of it has been handed out.
    pub(super) begun: bool,
}

/// The parse state of one direction. Nothing of it lives on a caller's stack.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    pub(super) frame: Option<Frame>,
    pub(super) message: Option<Fragments>,
    /// A control frame's payload so far, if not all of it has come.
    pub(super) control: Option<Box<ControlPayload>>,
    pub(super) utf8: Utf8Validator,
    /// A header of which a part has arrived.
    pub(super) header: [u8; HEADER_SIZE_MAX],
    pub(super) header_size: u8,
}

/// A control frame's payload, as far as it has come.
#[derive(Debug)]
pub(super) struct ControlPayload {
    bytes: [u8; CONTROL_SIZE_MAX],
    size: usize,
}

impl ControlPayload {
    /// The payload with a further piece of it.
    pub(super) fn push(&mut self, piece: &[u8]) -> &[u8] {
        let end = self.size + piece.len();
        self.bytes[self.size..end].copy_from_slice(piece);
        self.size = end;
        &self.bytes[..end]
    }
}

impl Default for ControlPayload {
    fn default() -> Self {
        Self {
            bytes: [0; CONTROL_SIZE_MAX],
            size: 0,
        }
    }
}

/// A piece of a data message's payload: unmasked, and as far as it is text, validated.
#[derive(Debug)]
pub(super) struct Payload {
    pub(super) kind: MessageKind,
    /// Where the piece lies in the bytes that were handed in.
    pub(super) range: Range<usize>,
    /// Whether the message begins with this piece.
    pub(super) first: bool,
    /// Whether the message ends with this piece.
    pub(super) last: bool,
    /// Whether it is compressed (RFC 7692 §6), and then not validated.
    pub(super) is_compressed: bool,
}

/// A data frame whose payload is arriving; sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct DataFrame {
    /// The size of its whole payload.
    pub(super) payload_size: u64,
    /// How much of the payload is still to come.
    pub(super) remaining: u64,
}
