//! Frames in, payload out: every rule of RFC 6455 §5 that needs the context of a connection.

use std::ops::Range;

use bytes::Bytes;

use crate::connection::fast_path::WholeFrame;
use crate::error::ProtocolError;
use crate::frame::{HEADER_SIZE_MAX, Header, Opcode};
use crate::limits::Limits;
use crate::mask::mask;
use crate::message::MessageKind;
use crate::role::Role;
use crate::utf8::Utf8Validator;

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

/// What the engine found next.
#[derive(Debug)]
pub(super) enum Item {
    Payload(Payload),
    Control(Opcode, Bytes),
}

/// How far the engine came: it has used `consumed` bytes, a payload's included.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) consumed: usize,
    pub(super) item: Option<Item>,
}

/// The frame whose payload is arriving.
#[derive(Debug)]
struct Frame {
    header: Header,
    remaining: u64,
    /// Rotated, so that it fits the next byte.
    key: Option<[u8; 4]>,
}

/// The message whose fragments are arriving.
#[derive(Debug)]
struct Fragments {
    kind: MessageKind,
    is_compressed: bool,
    size: u64,
    count: u32,
    /// Whether a piece of it has been handed out.
    begun: bool,
}

/// The parse state of one direction. Nothing of it lives on a caller's stack.
#[derive(Debug)]
pub(super) struct FrameReader {
    role: Role,
    limits: Limits,
    /// Whether permessage-deflate was negotiated.
    has_deflate: bool,
    /// A header of which a part has arrived.
    header: [u8; HEADER_SIZE_MAX],
    header_size: usize,
    frame: Option<Frame>,
    message: Option<Fragments>,
    utf8: Utf8Validator,
    /// A control frame's payload so far, at most 125 bytes.
    control: Vec<u8>,
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

    /// The data frame whose payload is arriving, if one is and it is not compressed.
    pub(super) fn data_frame(&self) -> Option<DataFrame> {
        let Frame {
            header, remaining, ..
        } = self.frame.as_ref()?;
        let is_compressed = self.message.as_ref().is_some_and(|m| m.is_compressed);
        (!header.opcode.is_control() && !is_compressed).then(|| DataFrame {
            header_size: header.encode().as_ref().len(),
            payload_size: header.payload_size,
            remaining: *remaining,
        })
    }

    /// Whether a frame or a message has begun and not ended.
    pub(super) fn is_in_message(&self) -> bool {
        self.message.is_some() | self.frame.is_some() | (self.header_size > 0)
    }

    /// The fast path for a message that is one frame and lies at the beginning of `bytes`; `None`,
    /// and nothing has happened, for whatever else [`next`](Self::next) is to take.
    #[inline]
    pub(super) fn take_whole_frame(&mut self, bytes: &mut [u8]) -> Option<WholeFrame> {
        if self.is_in_message() {
            return None;
        }
        WholeFrame::take(bytes, self.role, &self.limits)
    }

    /// Takes bytes up to the next item, unmasking payload where it lies.
    pub(super) fn next(&mut self, bytes: &mut [u8]) -> Result<Progress, ProtocolError> {
        let mut at = 0;
        loop {
            if self.frame.is_none() {
                let Some((header, used)) = self.take_header(&bytes[at..])? else {
                    return Ok(Progress {
                        consumed: bytes.len(),
                        item: None,
                    });
                };
                at += used;
                self.begin_frame(header)?;
            }
            let Some(frame) = &mut self.frame else {
                continue;
            };
            let available = bytes.len() - at;
            let size = usize::try_from(frame.remaining).map_or(available, |r| r.min(available));
            if size == 0 && frame.remaining > 0 {
                return Ok(Progress {
                    consumed: at,
                    item: None,
                });
            }
            let range = at..at + size;
            if let Some(key) = &mut frame.key {
                *key = mask(&mut bytes[range.clone()], *key);
            }
            frame.remaining -= size as u64;
            let (opcode, ended) = (frame.header.opcode, frame.remaining == 0);
            at += size;
            let item = if opcode.is_control() {
                self.take_control(opcode, &bytes[range], ended)
            } else {
                self.take_data(&bytes[range.clone()], range, ended)?
                    .map(Item::Payload)
            };
            if item.is_some() {
                return Ok(Progress { consumed: at, item });
            }
        }
    }

    /// The next header, if it is complete; else its bytes are kept.
    fn take_header(&mut self, bytes: &[u8]) -> Result<Option<(Header, usize)>, ProtocolError> {
        if self.header_size == 0 {
            let decoded = Header::decode(bytes)?;
            if decoded.is_none() {
                self.header[..bytes.len()].copy_from_slice(bytes);
                self.header_size = bytes.len();
            }
            return Ok(decoded);
        }
        let kept = self.header_size;
        let added = bytes.len().min(HEADER_SIZE_MAX - kept);
        self.header[kept..kept + added].copy_from_slice(&bytes[..added]);
        match Header::decode(&self.header[..kept + added])? {
            Some((header, size)) => {
                self.header_size = 0;
                Ok(Some((header, size - kept)))
            }
            None => {
                self.header_size += added;
                Ok(None)
            }
        }
    }

    /// Holds a header against role, message in progress and limits.
    fn begin_frame(&mut self, header: Header) -> Result<(), ProtocolError> {
        // RSV1 is for extensions (§5.2). With permessage-deflate it stands on the first frame of a
        // message and MUST NOT be set on the others, nor on control frames (RFC 7692 §6.1).
        if header.rsv1 {
            let begins_message = matches!(header.opcode, Opcode::Text | Opcode::Binary);
            if !(self.has_deflate && begins_message) {
                return Err(ProtocolError::ReservedBits);
            }
        }
        match (self.role, header.mask) {
            // A server MUST close the connection upon a frame that is not masked (§5.1).
            (Role::Server, None) => return Err(ProtocolError::NotMasked),
            // A client MUST close a connection if it detects a masked frame (§5.1).
            (Role::Client, Some(_)) => return Err(ProtocolError::Masked),
            _ => {}
        }
        match header.opcode {
            Opcode::Text => self.begin_message(MessageKind::Text, header.rsv1)?,
            Opcode::Binary => self.begin_message(MessageKind::Binary, header.rsv1)?,
            _ => {}
        }
        if !header.opcode.is_control() {
            self.count_fragment(header.payload_size)?;
        }
        self.frame = Some(Frame {
            header,
            remaining: header.payload_size,
            key: header.mask,
        });
        Ok(())
    }

    fn begin_message(
        &mut self,
        kind: MessageKind,
        is_compressed: bool,
    ) -> Result<(), ProtocolError> {
        // The fragments of one message MUST NOT be interleaved with those of another (§5.4).
        if self.message.is_some() {
            return Err(ProtocolError::InterleavedMessage);
        }
        self.message = Some(Fragments {
            kind,
            is_compressed,
            size: 0,
            count: 0,
            begun: false,
        });
        Ok(())
    }

    /// Counts a frame into the message in progress, before any of its payload is taken (§10.4).
    fn count_fragment(&mut self, payload_size: u64) -> Result<(), ProtocolError> {
        let Some(message) = &mut self.message else {
            return Err(ProtocolError::UnexpectedContinuation);
        };
        message.count = message.count.saturating_add(1);
        if message.count > self.limits.fragments_max {
            return Err(ProtocolError::TooManyFragments(self.limits.fragments_max));
        }
        let size = message.size.saturating_add(payload_size);
        let size_max = self.limits.size_max();
        if size > size_max && size > self.limits.wire_size_max(message.is_compressed) {
            return Err(ProtocolError::MessageTooBig { size, size_max });
        }
        message.size = size;
        Ok(())
    }

    fn take_control(&mut self, opcode: Opcode, bytes: &[u8], ended: bool) -> Option<Item> {
        if !ended {
            self.control.extend_from_slice(bytes);
            return None;
        }
        self.frame = None;
        let payload = if self.control.is_empty() {
            Bytes::copy_from_slice(bytes)
        } else {
            self.control.extend_from_slice(bytes);
            Bytes::from(std::mem::take(&mut self.control))
        };
        Some(Item::Control(opcode, payload))
    }

    /// A piece of a data frame; an empty one matters only if the message ends with it.
    fn take_data(
        &mut self,
        bytes: &[u8],
        range: Range<usize>,
        ended: bool,
    ) -> Result<Option<Payload>, ProtocolError> {
        let message = self
            .message
            .as_mut()
            .expect("a data frame is part of a message");
        let frame = self.frame.as_ref().expect("payload is part of a frame");
        let (kind, last) = (message.kind, ended && frame.header.fin);
        let is_compressed = message.is_compressed;
        let first = !message.begun;
        if ended {
            self.frame = None;
        }
        // What is compressed is validated as it comes out.
        if !is_compressed {
            kind.validate(&mut self.utf8, bytes)
                .map_err(|_| ProtocolError::InvalidUtf8)?;
        }
        if last {
            self.message = None;
            self.utf8.finish().map_err(|_| ProtocolError::InvalidUtf8)?;
        } else if bytes.is_empty() {
            return Ok(None);
        } else {
            message.begun = true;
        }
        Ok(Some(Payload {
            kind,
            range,
            first,
            last,
            is_compressed,
        }))
    }
}
