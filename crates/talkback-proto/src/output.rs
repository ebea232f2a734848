//! The bytes that wait to be written, as one queue that a vectored write can take whole.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::deflate::Compressed;
use crate::frame::{EncodedHeader, Header, Opcode};
use crate::mask::mask;

/// Payloads from this size in bytes on are written from where they lie instead of being copied.
const UNCOPIED_SIZE_MIN: usize = 4 * 1024;

/// The smallest tail that is worth keeping for the next frame, in bytes.
const TAIL_SIZE_MIN: usize = 256;

/// Where masking keys come from: a cryptographically strong generator (RFC 6455 §5.3, §10.3).
///
/// Any `FnMut() -> [u8; 4]` is one.
pub trait MaskingKeys: Send + Sync {
    /// A fresh key, which cannot be told from the ones before.
    fn next_key(&mut self) -> [u8; 4];
}

impl<F: FnMut() -> [u8; 4] + Send + Sync> MaskingKeys for F {
    fn next_key(&mut self) -> [u8; 4] {
        self()
    }
}

/// Encoded frames that wait to be written.
///
/// It is a [`Buf`]: hand its chunks to a vectored write and advance it by what was taken. Small
/// payloads are copied behind their header, large ones ride along uncopied.
#[derive(Debug, Default)]
pub struct Output {
    segments: VecDeque<Bytes>,
    segments_size: usize,
    /// How many bytes were ever written.
    written: u64,
    /// Small frames, one behind the other; written after `segments`.
    tail: BytesMut,
}

impl Output {
    /// Queues one frame, masked where a key is given.
    pub(crate) fn push_frame(&mut self, opcode: Opcode, payload: Bytes, key: Option<[u8; 4]>) {
        self.push_plain(Header::whole(opcode, key), payload);
    }

    /// Queues one frame; its header is given without the payload's size.
    #[inline]
    pub(crate) fn push_plain(&mut self, header: Header, payload: Bytes) {
        let (encoded, key) = (encode(header, payload.len()), header.mask);
        if payload.len() >= UNCOPIED_SIZE_MIN {
            self.push_uncopied(encoded, payload, key);
        } else {
            self.push_copied(encoded, &payload, key);
        }
    }

    /// Queues one frame with compressed payload; as [`push_plain`](Self::push_plain).
    pub(crate) fn push_compressed(&mut self, header: Header, payload: Compressed<'_>) {
        let key = header.mask;
        match payload {
            Compressed::Small(payload) => {
                self.push_copied(encode(header, payload.len()), payload, key);
            }
            Compressed::Large(payload) => {
                self.push_uncopied(encode(header, payload.len()), payload, key);
            }
        }
    }

    fn push_copied(&mut self, header: EncodedHeader, payload: &[u8], key: Option<[u8; 4]>) {
        self.tail
            .reserve((header.as_ref().len() + payload.len()).max(TAIL_SIZE_MIN));
        self.tail.extend_from_slice(header.as_ref());
        let start = self.tail.len();
        self.tail.extend_from_slice(payload);
        if let Some(key) = key {
            let _ = mask(&mut self.tail[start..], key);
        }
    }

    fn push_uncopied(&mut self, header: EncodedHeader, payload: Bytes, key: Option<[u8; 4]>) {
        self.tail.extend_from_slice(header.as_ref());
        self.end_tail();
        let payload = match key {
            Some(key) => masked(payload, key),
            None => payload,
        };
        self.push_segment(payload);
    }

    /// How many bytes were ever written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// How many bytes were ever queued.
    pub(crate) fn end(&self) -> u64 {
        self.written + self.remaining() as u64
    }

    /// Drops everything that waits, as the transport is gone.
    pub(crate) fn clear(&mut self) {
        let written = self.written;
        *self = Self {
            written,
            ..Self::default()
        };
    }

    fn end_tail(&mut self) {
        if !self.tail.is_empty() {
            let tail = std::mem::take(&mut self.tail).freeze();
            self.push_segment(tail);
        }
    }

    fn push_segment(&mut self, segment: Bytes) {
        self.segments_size += segment.len();
        self.segments.push_back(segment);
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.segments_size + self.tail.len()
    }

    fn chunk(&self) -> &[u8] {
        match self.segments.front() {
            Some(segment) => segment,
            None => &self.tail,
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
        let chunks = self.segments.iter().map(|segment| &segment[..]).chain(tail);
        let mut count = 0;
        for (slot, chunk) in slices.iter_mut().zip(chunks) {
            *slot = IoSlice::new(chunk);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut written: usize) {
        self.written += written as u64;
        while let Some(segment) = self.segments.front_mut() {
            if written < segment.len() {
                segment.advance(written);
                self.segments_size -= written;
                return;
            }
            written -= segment.len();
            self.segments_size -= segment.len();
            self.segments.pop_front();
        }
        self.tail.advance(written);
        // An idle connection owns no output buffer.
        if self.tail.is_empty() {
            self.tail = BytesMut::new();
            if self.segments.capacity() > 0 {
                self.segments = VecDeque::new();
            }
        }
    }
}

#[inline]
fn encode(mut header: Header, payload_size: usize) -> EncodedHeader {
    header.payload_size = payload_size as u64;
    header.encode()
}

/// The payload, masked: in place when nobody else holds it, else in a copy.
fn masked(payload: Bytes, key: [u8; 4]) -> Bytes {
    let mut payload = payload
        .try_into_mut()
        .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    let _ = mask(&mut payload, key);
    payload.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(output: &mut Output, step: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while output.has_remaining() {
            let taken = step.min(output.chunk().len());
            bytes.extend_from_slice(&output.chunk()[..taken]);
            output.advance(taken);
        }
        bytes
    }

    fn queue() -> Output {
        let mut output = Output::default();
        output.push_frame(Opcode::Text, Bytes::from_static(b"one"), None);
        output.push_frame(
            Opcode::Binary,
            Bytes::from(vec![7; UNCOPIED_SIZE_MIN]),
            None,
        );
        output.push_frame(Opcode::Text, Bytes::from_static(b"two"), None);
        output
    }

    #[test]
    fn frames_leave_in_order_whatever_a_write_takes() {
        let whole = drain(&mut queue(), usize::MAX);
        assert_eq!(&whole[..5], b"\x81\x03one");
        assert_eq!(&whole[whole.len() - 5..], b"\x81\x03two");
        for step in [1, 2, 3, 100, UNCOPIED_SIZE_MIN] {
            assert_eq!(drain(&mut queue(), step), whole, "{step} bytes a write");
        }
    }

    #[test]
    fn large_payloads_are_not_copied() {
        let payload = Bytes::from(vec![7; UNCOPIED_SIZE_MIN]);
        let mut output = Output::default();
        output.push_frame(Opcode::Binary, payload.clone(), None);
        let mut slices = [IoSlice::new(&[]); 4];
        let count = output.chunks_vectored(&mut slices);
        assert_eq!(count, 2);
        assert_eq!(slices[1].as_ptr(), payload.as_ptr());
    }

    #[test]
    fn f14_a_payload_that_others_hold_is_masked_in_a_copy() {
        let payload = Bytes::from(vec![7; UNCOPIED_SIZE_MIN]);
        let mut output = Output::default();
        output.push_frame(Opcode::Binary, payload.clone(), Some([1, 2, 3, 4]));
        assert!(payload.iter().all(|byte| *byte == 7));
        let lone = Bytes::from(vec![7; UNCOPIED_SIZE_MIN]);
        let place = lone.as_ptr();
        assert_eq!(
            masked(lone, [1, 2, 3, 4]).as_ptr(),
            place,
            "the only owner's is masked in place"
        );
    }
}
