//! The bytes that wait to be written, as one queue that a vectored write can take whole.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::deflate::compress::Compressed;
use crate::frame::{COPIED_SIZE_MAX, EncodedHeader, HEADER_SIZE_MAX, Header};
use crate::large_buffers;
use crate::mask::mask;
use crate::outgoing::{Outgoing, Payload};
use crate::prepared::Frame;

/// The size in bytes, at first, of the buffer that small frames are copied into.
const TAIL_SIZE: usize = 1024;

/// Up to this size in bytes, a thread keeps such a buffer for its next connection.
const SPARE_SIZE_MAX: usize = 64 * 1024;

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
#[derive(Default)]
pub struct Output {
    /// `None` while nothing waits: an idle connection owns no output buffer.
    queue: Option<Box<Queue>>,
    /// How many bytes were ever written.
    written: u64,
}

/// Shows sizes and no payload: it may be a secret.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("remaining", &self.remaining())
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Queue {
    /// Written first.
    segments: VecDeque<Segment>,
    segments_size: usize,
    /// Small frames, one behind the other; written after `segments`.
    tail: Vec<u8>,
    /// How much of the tail was written.
    tail_written: usize,
}

/// A frame that rides along uncopied, or bytes that wait before one.
struct Segment {
    header: Option<EncodedHeader>,
    payload: Bytes,
    /// How much of both was written.
    written: usize,
}

thread_local! {
    /// The thread's empty queue, which keeps its buffers.
    static SPARE: Cell<Option<Box<Queue>>> = const { Cell::new(None) };
}

impl Output {
    /// Queues one frame, masked where a key is given; its header is given without the payload's
    /// size.
    pub(crate) fn push_plain(&mut self, header: Header, message: Outgoing<'_>) {
        let payload = message.as_bytes();
        if payload.len() <= COPIED_SIZE_MAX {
            self.push_copied(header, payload);
        } else {
            self.push_large(header, message);
        }
    }

    /// Queues one frame with a copy of its payload, which is at most [`COPIED_SIZE_MAX`] long; `first` is
    /// the first byte of its header.
    #[inline(always)]
    pub(crate) fn push_small(&mut self, first: u8, key: Option<[u8; 4]>, payload: &[u8]) {
        let (header, size) = small_header(first, key, payload.len());
        let header = header.to_le_bytes();
        let queue = self.queue();
        queue.reserve(header.len() + payload.len());
        // All bytes at once are cheaper than only those that count.
        let start = queue.tail.len() + size;
        queue.tail.extend_from_slice(&header);
        queue.tail.truncate(start);
        queue.push_payload(payload, key);
    }

    /// Queues one frame with a copy of its payload; as [`push_plain`](Self::push_plain).
    #[inline]
    pub(crate) fn push_copied(&mut self, header: Header, payload: &[u8]) {
        let encoded = encode(header, payload.len());
        self.queue().push_copied(encoded, payload, header.mask);
    }

    fn push_large(&mut self, header: Header, message: Outgoing<'_>) {
        let (encoded, key) = (encode(header, message.as_bytes().len()), header.mask);
        let payload = match (message.payload, key) {
            (Payload::Owned(bytes), Some(key)) => masked(bytes.into_bytes(), key),
            (Payload::Owned(bytes), None) => bytes.into_bytes(),
            (Payload::Shared(bytes), None) => bytes.clone(),
            (Payload::Shared(bytes), key) => return self.push_large_copy(encoded, bytes, key),
            (Payload::Borrowed(bytes, _), key) => return self.push_large_copy(encoded, bytes, key),
        };
        self.queue().push_uncopied(encoded, payload);
    }

    /// Queues a payload that is copied anyway: if the thread's buffer is made for it, into that.
    fn push_large_copy(&mut self, header: EncodedHeader, payload: &[u8], key: Option<[u8; 4]>) {
        if payload.len() <= SPARE_SIZE_MAX / 2 {
            self.queue().push_copied(header, payload, key);
        } else {
            self.queue()
                .push_uncopied(header, masked_copy(payload, key));
        }
    }

    /// Queues one frame whose payload nobody else holds; as [`push_plain`](Self::push_plain).
    pub(crate) fn push_owned(&mut self, header: Header, mut payload: BytesMut) {
        if payload.len() <= COPIED_SIZE_MAX {
            return self.push_copied(header, &payload);
        }
        let encoded = encode(header, payload.len());
        if let Some(key) = header.mask {
            let _ = mask(&mut payload, key);
        }
        self.queue().push_uncopied(encoded, payload.freeze());
    }

    /// Queues one frame with compressed payload; as [`push_plain`](Self::push_plain).
    pub(crate) fn push_compressed(&mut self, header: Header, payload: Compressed<'_>) {
        match payload {
            // It goes behind the others: most are far smaller than the buffer they lie in.
            Compressed::Small(payload) => self.push_copied(header, payload),
            Compressed::Large(payload) => self.push_plain(header, payload.into()),
        }
    }

    /// Queues a frame that connections share.
    pub(crate) fn push_prepared(&mut self, frame: &Frame) {
        if frame.payload_size() <= COPIED_SIZE_MAX {
            self.queue().push_whole(frame.bytes());
        } else {
            self.queue().push_shared(frame.bytes().clone());
        }
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
        self.queue = None;
    }

    #[inline]
    fn queue(&mut self) -> &mut Queue {
        self.queue.get_or_insert_with(|| {
            let spare = SPARE.try_with(Cell::take).ok().flatten();
            spare.unwrap_or_default()
        })
    }
}

impl Queue {
    #[inline]
    fn push_copied(&mut self, header: EncodedHeader, payload: &[u8], key: Option<[u8; 4]>) {
        self.reserve(HEADER_SIZE_MAX + payload.len());
        header.append_to(&mut self.tail);
        self.push_payload(payload, key);
    }

    #[inline(always)]
    fn push_payload(&mut self, payload: &[u8], key: Option<[u8; 4]>) {
        let start = self.tail.len();
        self.tail.extend_from_slice(payload);
        if let Some(key) = key {
            let _ = mask(&mut self.tail[start..], key);
        }
    }

    /// Copies a frame that is encoded already.
    fn push_whole(&mut self, frame: &[u8]) {
        self.reserve(frame.len());
        self.tail.extend_from_slice(frame);
    }

    #[inline]
    fn reserve(&mut self, size: usize) {
        if self.tail.capacity() - self.tail.len() < size {
            self.reserve_tail(size);
        }
    }

    /// Reserves `size` bytes in the tail: what was written of it makes way for as much or less.
    #[inline(never)]
    fn reserve_tail(&mut self, size: usize) {
        if self.tail_written >= self.tail.len() / 2 {
            self.tail.drain(..self.tail_written);
            self.tail_written = 0;
        }
        let is_new = self.tail.capacity() == 0;
        let size_min = if is_new { TAIL_SIZE } else { 0 };
        self.tail.reserve(size.max(size_min));
    }

    fn push_uncopied(&mut self, header: EncodedHeader, payload: Bytes) {
        let header = if self.tail.is_empty() {
            Some(header)
        } else {
            header.append_to(&mut self.tail);
            self.end_tail();
            None
        };
        self.push_segment(header, payload);
    }

    /// Keeps a frame that is encoded already.
    fn push_shared(&mut self, frame: Bytes) {
        if !self.tail.is_empty() {
            self.end_tail();
        }
        self.push_segment(None, frame);
    }

    fn end_tail(&mut self) {
        let mut tail = Bytes::from(std::mem::take(&mut self.tail));
        tail.advance(std::mem::take(&mut self.tail_written));
        self.push_segment(None, tail);
    }

    fn push_segment(&mut self, header: Option<EncodedHeader>, payload: Bytes) {
        let segment = Segment {
            header,
            payload,
            written: 0,
        };
        self.segments_size += segment.remaining();
        self.segments.push_back(segment);
    }

    #[inline]
    fn remaining(&self) -> usize {
        self.segments_size + self.tail.len() - self.tail_written
    }

    #[inline]
    fn tail(&self) -> &[u8] {
        &self.tail[self.tail_written..]
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(segment) = self.segments.front_mut() {
            let remaining = segment.remaining();
            if written < remaining {
                segment.written += written;
                self.segments_size -= written;
                return;
            }
            written -= remaining;
            self.segments_size -= remaining;
            self.segments.pop_front();
        }
        self.tail_written += written;
    }

    /// Keeps the queue, of which all was written, for the thread's next message.
    #[inline]
    fn give_back(mut self: Box<Self>) {
        self.segments.clear();
        self.segments_size = 0;
        self.tail.clear();
        self.tail_written = 0;
        let segments_max = SPARE_SIZE_MAX / size_of::<Segment>();
        if self.tail.capacity() <= SPARE_SIZE_MAX && self.segments.capacity() <= segments_max {
            // A thread that is ending has nothing to keep.
            let _ = SPARE.try_with(|spare| spare.set(Some(self)));
        }
    }
}

impl Segment {
    fn header(&self) -> &[u8] {
        self.header.as_ref().map_or(&[], AsRef::as_ref)
    }

    fn remaining(&self) -> usize {
        self.header().len() + self.payload.len() - self.written
    }

    /// What is left of header and payload.
    fn chunks(&self) -> [&[u8]; 2] {
        let header = self.header();
        match self.written.checked_sub(header.len()) {
            Some(written) => [&[], &self.payload[written..]],
            None => [&header[self.written..], &self.payload],
        }
    }
}

impl Buf for Output {
    #[inline]
    fn remaining(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.remaining())
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        let Some(queue) = &self.queue else {
            return &[];
        };
        match queue.segments.front() {
            Some(segment) => match segment.chunks() {
                [[], payload] => payload,
                [header, _] => header,
            },
            None => queue.tail(),
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let Some(queue) = &self.queue else {
            return 0;
        };
        let segments = queue.segments.iter().flat_map(Segment::chunks);
        let chunks = segments
            .chain([queue.tail()])
            .filter(|chunk| !chunk.is_empty());
        let mut count = 0;
        for (slot, chunk) in slices.iter_mut().zip(chunks) {
            *slot = IoSlice::new(chunk);
            count += 1;
        }
        count
    }

    #[inline]
    fn advance(&mut self, written: usize) {
        let remaining = self.remaining();
        assert!(written <= remaining, "more was written than was queued");
        self.written += written as u64;
        if written == remaining {
            if let Some(queue) = self.queue.take() {
                queue.give_back();
            }
        } else if let Some(queue) = &mut self.queue {
            queue.advance(written);
        }
    }
}

/// The header of a frame with a payload below 64 KiB, its bytes from the lowest on, and its size in bytes.
#[inline(always)]
fn small_header(first: u8, key: Option<[u8; 4]>, payload_size: usize) -> (u64, usize) {
    let first = u64::from(first);
    // The minimal number of bytes MUST be used to encode the length (§5.2).
    let (lengths, size) = match payload_size {
        0..126 => (payload_size as u64, 2),
        _ => (126 | u64::from((payload_size as u16).swap_bytes()) << 8, 4),
    };
    let header = first | lengths << 8;
    match key {
        None => (header, size),
        Some(key) => {
            let key = u64::from(u32::from_le_bytes(key)) << (8 * size);
            (header | 0x8000 | key, size + 4)
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
    match payload.try_into_mut() {
        Ok(mut payload) => {
            let _ = mask(&mut payload, key);
            payload.freeze()
        }
        Err(shared) => masked_copy(&shared, Some(key)),
    }
}

fn masked_copy(payload: &[u8], key: Option<[u8; 4]>) -> Bytes {
    let mut copy = large_buffers::take(payload.len(), payload.len());
    copy.extend_from_slice(payload);
    if let Some(key) = key {
        let _ = mask(&mut copy, key);
    }
    large_buffers::freeze(copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Opcode;

    fn drain(output: &mut Output, step: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while output.has_remaining() {
            let taken = step.min(output.chunk().len());
            bytes.extend_from_slice(&output.chunk()[..taken]);
            output.advance(taken);
        }
        bytes
    }

    fn push(output: &mut Output, payload: impl Into<Bytes>, key: Option<[u8; 4]>) {
        let header = Header::whole(Opcode::Binary, key);
        output.push_plain(header, payload.into().into());
    }

    fn queue() -> Output {
        let mut output = Output::default();
        push(&mut output, &b"one"[..], None);
        push(&mut output, vec![7; COPIED_SIZE_MAX + 1], None);
        push(&mut output, vec![7; COPIED_SIZE_MAX + 1], None);
        push(&mut output, &b"two"[..], None);
        output
    }

    #[test]
    fn frames_leave_in_order_whatever_a_write_takes() {
        let whole = drain(&mut queue(), usize::MAX);
        assert_eq!(&whole[..5], b"\x82\x03one");
        assert_eq!(&whole[whole.len() - 5..], b"\x82\x03two");
        for step in [1, 2, 3, 100, COPIED_SIZE_MAX + 1] {
            assert_eq!(drain(&mut queue(), step), whole, "{step} bytes a write");
        }
    }

    #[test]
    fn what_was_written_makes_way_for_what_comes() {
        let mut output = Output::default();
        push(&mut output, vec![7; 1000], None);
        for number in 0..10_000u32 {
            push(&mut output, number.to_be_bytes().repeat(250), None);
            // It never falls empty.
            output.advance(1004);
        }
        let capacity = output.queue.as_ref().unwrap().tail.capacity();
        assert!(capacity <= 16 * 1024, "{capacity} bytes for two frames");
        assert_eq!(output.written(), 10_040_000);
        let last = drain(&mut output, usize::MAX);
        assert_eq!(last[4..], 9_999u32.to_be_bytes().repeat(250));
    }

    #[test]
    fn an_empty_queue_goes_back_to_its_thread() {
        let mut output = queue();
        output.advance(output.remaining());
        assert!(output.queue.is_none());
        let spare = SPARE.take().unwrap();
        assert!(spare.segments.is_empty() && spare.remaining() == 0);
        SPARE.set(Some(spare));
        assert_eq!(drain(&mut queue(), 7), drain(&mut queue(), usize::MAX));
        SPARE.take();
        let mut large = Output::default();
        for _ in 0..1000 {
            push(&mut large, vec![7; 1000], None);
        }
        large.advance(large.remaining());
        assert!(SPARE.take().is_none(), "a large buffer is not kept");
    }

    #[test]
    fn large_payloads_are_not_copied() {
        let payload = Bytes::from(vec![7; COPIED_SIZE_MAX + 1]);
        let mut output = Output::default();
        push(&mut output, payload.clone(), None);
        let mut slices = [IoSlice::new(&[]); 4];
        let count = output.chunks_vectored(&mut slices);
        assert_eq!(count, 2);
        assert_eq!(slices[1].as_ptr(), payload.as_ptr());
    }

    #[test]
    fn f14_a_payload_that_others_hold_is_masked_in_a_copy() {
        let payload = Bytes::from(vec![7; COPIED_SIZE_MAX + 1]);
        let mut output = Output::default();
        push(&mut output, payload.clone(), Some([1, 2, 3, 4]));
        assert!(payload.iter().all(|byte| *byte == 7));
        let lone = Bytes::from(vec![7; COPIED_SIZE_MAX + 1]);
        let place = lone.as_ptr();
        assert_eq!(
            masked(lone, [1, 2, 3, 4]).as_ptr(),
            place,
            "the only owner's is masked in place"
        );
    }
}
