//! Data frames of a bounded size: a payload over the bound leaves in fragments (RFC 6455 §5.4).

use bytes::Bytes;

use crate::connection::Connection;
use crate::deflate::Deflate;
use crate::deflate::compress::Compressed;
use crate::frame::{Header, Opcode};
use crate::outgoing::Outgoing;
use crate::output::{MaskingKeys, Output};
use crate::prepared::Frame;

/// Queues data frames, each with a masking key of its own and none over the bound.
pub(super) struct Fragmenter<'a> {
    keys: &'a mut Option<Box<dyn MaskingKeys>>,
    output: &'a mut Output,
    /// The largest payload of one frame in bytes.
    size_max: usize,
}

impl Connection {
    /// What queues this connection's data frames, and what compresses before.
    #[inline]
    pub(super) fn fragmenter(&mut self) -> (Fragmenter<'_>, Option<&mut Deflate>) {
        let size_max = self.limits().frame_size_max;
        let fragmenter = Fragmenter {
            keys: &mut self.keys,
            output: &mut self.output,
            size_max,
        };
        (fragmenter, self.deflate.as_deref_mut())
    }
}

impl Fragmenter<'_> {
    /// Queues a payload as one frame, or in fragments if it is over the bound; the header is given
    /// without masking key and payload size.
    #[inline]
    pub(super) fn push(&mut self, header: Header, payload: Outgoing<'_>) {
        if payload.as_bytes().len() <= self.size_max {
            let header = self.with_key(header);
            self.output.push_plain(header, payload);
        } else {
            self.push_in_fragments(header, payload.into_message().into_bytes());
        }
    }

    /// Queues compressed payload; as [`push`](Self::push).
    pub(super) fn push_compressed(&mut self, header: Header, payload: Compressed<'_>) {
        match payload {
            Compressed::Large(payload) => self.push(header, payload.into()),
            Compressed::Small(payload) if payload.len() > self.size_max => {
                self.push_in_fragments(header, Bytes::copy_from_slice(payload));
            }
            small @ Compressed::Small(_) => {
                let header = self.with_key(header);
                self.output.push_compressed(header, small);
            }
        }
    }

    /// Queues the frame of a prepared message; as [`push`](Self::push).
    pub(super) fn push_prepared(&mut self, frame: &Frame) {
        if frame.payload_size() <= self.size_max {
            self.output.push_prepared(frame);
        } else {
            self.push_in_fragments(frame.header(), frame.payload());
        }
    }

    fn push_in_fragments(&mut self, header: Header, payload: Bytes) {
        let (mut rest_size, mut is_first) = (payload.len(), true);
        // What nobody else holds is masked in place, each fragment with its own key (§5.3).
        let mut rest = payload.try_into_mut();
        while rest_size > 0 {
            let size = rest_size.min(self.size_max);
            rest_size -= size;
            let header = self.with_key(Header {
                fin: header.fin && rest_size == 0,
                // It stands on the first fragment only (RFC 7692 §6.1).
                rsv1: header.rsv1 && is_first,
                opcode: match is_first {
                    true => header.opcode,
                    false => Opcode::Continuation,
                },
                ..header
            });
            is_first = false;
            match &mut rest {
                Ok(owned) => self.output.push_owned(header, owned.split_to(size)),
                Err(shared) => self.output.push_plain(header, shared.split_to(size).into()),
            }
        }
    }

    #[inline]
    fn with_key(&mut self, header: Header) -> Header {
        Header {
            mask: self.keys.as_mut().map(|keys| keys.next_key()),
            ..header
        }
    }
}
