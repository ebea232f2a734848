//! How far the bytes of frames and messages have come: the parse state, which `receiving` changes.

use std::ops::Range;

use crate::frame::{HEADER_SIZE_MAX, Header};
use crate::limits::Limits;
use crate::message::MessageKind;
use crate::role::Role;
use crate::utf8::Utf8Validator;

/// The frame whose payload is arriving.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) header: Header,
    pub(super) remaining: u64,
    /// Rotated, so that it fits the next byte.
    pub(super) key: Option<[u8; 4]>,
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
#[derive(Debug)]
pub(super) struct FrameReader {
    pub(super) role: Role,
    pub(super) limits: Limits,
    /// Whether permessage-deflate was negotiated.
    pub(super) has_deflate: bool,
    /// A header of which a part has arrived.
    pub(super) header: [u8; HEADER_SIZE_MAX],
    pub(super) header_size: usize,
    pub(super) frame: Option<Frame>,
    pub(super) message: Option<Fragments>,
    pub(super) utf8: Utf8Validator,
    /// A control frame's payload so far, at most 125 bytes.
    pub(super) control: Vec<u8>,
}

impl FrameReader {
    pub(super) fn new(role: Role, limits: Limits) -> Self {
        Self {
            role,
            limits,
            has_deflate: false,
            header: [0; HEADER_SIZE_MAX],
            header_size: 0,
            frame: None,
            message: None,
            utf8: Utf8Validator::default(),
            control: Vec::new(),
        }
    }

    /// Permessage-deflate was negotiated: RSV1 means that a message is compressed.
    pub(super) fn enable_deflate(&mut self) {
        self.has_deflate = true;
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
    pub(super) header_size: usize,
    /// The size of its whole payload.
    pub(super) payload_size: u64,
    /// How much of the payload is still to come.
    pub(super) remaining: u64,
}
