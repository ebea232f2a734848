//! Messages out of payload: where the next bytes should go, and when a message is whole.

use bytes::buf::Limit;
use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::connection::parse_state::{DataFrame, Payload};
use crate::connection::read_buffer::{READ_SIZE, take_bytes};
use crate::frame::HEADER_SIZE_MAX;
use crate::incoming::{Delivery, Incoming, Piece};
use crate::large_buffers;
use crate::message::{Message, MessageKind};
use crate::small_bytes::SmallBytes;

/// A message's buffer is reserved at most this many times what has arrived of the message, so
/// that a header that declares much costs little (a lie costs its sender more than us).
const RESERVE: u64 = 16;

/// Makes messages out of payload.
///
/// Small messages are copied out of the read buffer, so that they never hold it; larger ones are
/// split off it. For a frame larger than the read buffer, [`space`](Self::space) lets the driver
/// read into the message itself: at most one read and one part in fifteen of it is copied.
///
/// With [`Delivery::Pieces`] nothing is gathered: each piece is given out as it comes, as large as
/// one read at most.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    /// The message in progress, and behind it what was read into its space.
    buffer: BytesMut,
    /// How much of the buffer is the message; the rest is yet to be unmasked.
    gathered: usize,
    delivery: Delivery,
    /// Whether pieces of the message in progress were given out.
    is_begun: bool,
    /// Whether what still comes of that message is discarded.
    is_discarding: bool,
}

impl Assembly {
    /// Says how messages are given out from now on.
    pub(super) fn set_delivery(&mut self, delivery: Delivery) {
        self.delivery = delivery;
        if delivery == Delivery::Whole {
            self.discard_message();
        }
    }

    pub(super) fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// Discards what still comes of the message of which pieces were given out.
    pub(super) fn discard_message(&mut self) {
        self.is_discarding |= self.is_begun;
    }

    /// Whether the message in progress, or the next one, is given out whole.
    #[inline]
    pub(super) fn is_gathering(&self) -> bool {
        (self.delivery == Delivery::Whole) & !self.is_discarding
    }

    /// Whether nothing is in progress, and messages are given out whole.
    pub(super) fn is_idle(&self) -> bool {
        self.is_gathering() & self.buffer.is_empty() & !self.is_begun
    }

    /// Where the next bytes of `frame` should go, if not into the read buffer: the tail of a large
    /// message.
    pub(super) fn space(&mut self, frame: DataFrame) -> Option<Limit<&mut BytesMut>> {
        if !self.is_gathering() || frame.payload_size <= READ_SIZE as u64 {
            return None;
        }
        self.reserve(0, Some(frame));
        let unread = (self.buffer.len() - self.gathered) as u64;
        let free = self.buffer.capacity() - self.buffer.len();
        let limit = usize::try_from(frame.remaining - unread).map_or(free, |rest| rest.min(free));
        Some((&mut self.buffer).limit(limit))
    }

    /// Whether bytes were read into the [`space`](Self::space) and not taken yet.
    #[inline]
    pub(super) fn has_unread(&self) -> bool {
        self.gathered < self.buffer.len()
    }

    /// What was read into the [`space`](Self::space).
    pub(super) fn unread(&mut self) -> &mut [u8] {
        &mut self.buffer[self.gathered..]
    }

    /// Takes payload that was read into the [`space`](Self::space), all of it.
    pub(super) fn take_unread(&mut self, payload: &Payload) -> Option<Incoming> {
        self.gathered = self.buffer.len();
        if self.is_gathering() {
            return payload.last.then(|| self.finish(payload.kind));
        }
        let bytes = self.take_gathered();
        self.pass(piece(payload, bytes)).map(Incoming::Piece)
    }

    /// Takes payload out of the read buffer; `frame` is what is still to come of its frame.
    pub(super) fn take(
        &mut self,
        input: &mut BytesMut,
        payload: &Payload,
        frame: Option<DataFrame>,
    ) -> Option<Incoming> {
        let Payload {
            kind,
            range,
            first,
            last,
            ..
        } = payload;
        if !self.is_gathering() {
            return self.take_piece(input, payload).map(Incoming::Piece);
        }
        input.advance(range.start);
        let size = range.len();
        if *first && *last {
            let message =
                Message::from_validated(*kind, SmallBytes::Shared(take_bytes(input, size)));
            return Some(Incoming::Message(message));
        }
        debug_assert!(
            !*first || self.buffer.is_empty(),
            "a message was left unfinished"
        );
        self.reserve(size, frame);
        self.gather(input, size);
        last.then(|| self.finish(*kind))
    }

    /// Takes one piece of payload out of the read buffer, to be given out as it is.
    #[inline(never)]
    fn take_piece(&mut self, input: &mut BytesMut, payload: &Payload) -> Option<Piece> {
        input.advance(payload.range.start);
        let size = payload.range.len();
        let bytes = if self.is_discarding {
            input.advance(size);
            Bytes::new()
        } else if self.buffer.is_empty() {
            take_bytes(input, size)
        } else {
            // So far it was to be given out whole.
            self.gather(input, size);
            self.take_gathered()
        };
        self.pass(piece(payload, bytes))
    }

    /// Gives a piece out, unless it belongs to a message that is discarded.
    #[inline(never)]
    pub(super) fn pass(&mut self, mut piece: Piece) -> Option<Piece> {
        piece.first = !self.is_begun;
        let is_discarding = self.is_discarding;
        self.is_begun = !piece.last;
        self.is_discarding &= self.is_begun;
        (!is_discarding).then_some(piece)
    }

    /// Frees the message in progress; what was read into its space stays to be taken.
    pub(super) fn forget_message(&mut self) {
        let unread = match self.has_unread() {
            true => self.buffer.split_off(self.gathered),
            false => BytesMut::new(),
        };
        *self = Self {
            buffer: unread,
            delivery: self.delivery,
            ..Self::default()
        };
    }

    /// Frees everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Reserves space for `size` bytes that are here and, if the buffer has to grow at all, for what
    /// is to come of the frame, in proportion to what has arrived of it.
    ///
    /// Where the whole frame would be too much, the buffer grows to a sixteenth of it, or to a
    /// sixteenth of that: so no growth copies more than one part in sixteen of the payload.
    fn reserve(&mut self, size: usize, frame: Option<DataFrame>) {
        let arrived = self.buffer.len() + size;
        let Some(frame) = frame else {
            self.buffer.reserve(size);
            return;
        };
        if arrived < self.buffer.capacity() {
            return;
        }
        let limit = ((arrived + HEADER_SIZE_MAX) as u64).saturating_mul(RESERVE);
        let mut capacity = (arrived as u64).saturating_add(frame.remaining);
        while capacity > limit {
            capacity = capacity.div_ceil(RESERVE);
        }
        let size = usize::try_from(capacity).unwrap_or(arrived);
        let whole = (arrived as u64).saturating_add(frame.remaining);
        let larger = large_buffers::take(size, usize::try_from(whole).unwrap_or(size));
        let smaller = std::mem::replace(&mut self.buffer, larger);
        self.buffer.extend_from_slice(&smaller);
    }

    fn gather(&mut self, input: &mut BytesMut, size: usize) {
        self.buffer.extend_from_slice(&input[..size]);
        self.gathered = self.buffer.len();
        input.advance(size);
    }

    fn take_gathered(&mut self) -> Bytes {
        self.gathered = 0;
        large_buffers::freeze(std::mem::take(&mut self.buffer))
    }

    /// The message, whose buffer is at most about twice its size.
    fn finish(&mut self, kind: MessageKind) -> Incoming {
        Incoming::Message(Message::from_validated(
            kind,
            SmallBytes::Shared(self.take_gathered()),
        ))
    }
}

fn piece(payload: &Payload, bytes: Bytes) -> Piece {
    Piece {
        kind: payload.kind,
        bytes,
        first: payload.first,
        last: payload.last,
    }
}
