//! Messages out of payload: where the next bytes should go, and when a message is whole.

use std::ops::Range;
use std::time::Instant;

use bytes::buf::Limit;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use simdutf8::basic::{Utf8Error, from_utf8};

use crate::connection::Connection;
use crate::connection::fast_path::Whole;
use crate::connection::receiving::{DataFrame, Payload};
use crate::event::{Delivery, Event, Piece};
use crate::message::{Message, MessageKind, Text};

/// The size in bytes of the buffer that a driver should read into.
pub const READ_SIZE: usize = 64 * 1024;

/// A message of at least one in this many parts of the read buffer is split off it, not copied.
const SLACK: usize = 4;

/// A message's buffer is reserved at most this many times what has arrived of the message, so
/// that a header that declares much costs little (a lie costs its sender more than us).
const RESERVE: u64 = 16;

/// Something whole that the peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A message.
    Message(Message),
    /// A piece of a message, with [`Delivery::Pieces`].
    Piece(Piece),
    /// A ping. Its answer comes with the connection's next output.
    Ping(Bytes),
    /// A pong, asked for or not.
    Pong(Bytes),
}

/// Makes messages out of a [`Connection`]'s payload.
///
/// Small messages are copied out of the read buffer, so that they never hold it; larger ones are
/// split off it. For a frame larger than the read buffer, [`space`](Self::space) lets the driver
/// read into the message itself: at most one read and one part in fifteen of it is copied. A
/// compressed message comes whole from the connection.
///
/// With [`Delivery::Pieces`] nothing is gathered: each piece is given out as it comes, as large as
/// one read at most.
#[derive(Debug, Default)]
pub struct Assembly {
    /// The message in progress.
    buffer: BytesMut,
    delivery: Delivery,
    /// Whether pieces of the message in progress were given out.
    is_begun: bool,
    /// Whether what still comes of that message is discarded.
    is_discarding: bool,
}

impl Assembly {
    /// Takes bytes that were read into `input`, up to the next thing that is whole.
    ///
    /// `None` means that all of `input` is used and more must be read. What is behind a message
    /// stays in `input` for the next call. A call with an empty `input` may bring something while
    /// the connection [has pieces](Connection::has_pieces).
    pub fn next(
        &mut self,
        connection: &mut Connection,
        input: &mut BytesMut,
        now: Instant,
    ) -> Option<Incoming> {
        if let Some(message) = self.take_whole(connection, input, || now) {
            return Some(Incoming::Message(message));
        }
        connection.set_delivery(self.delivery);
        while !input.is_empty() || connection.has_pieces() {
            let step = connection.handle_bytes(input, now);
            let payload = match step.event {
                Some(Event::Payload(payload)) => payload,
                other => {
                    input.advance(step.consumed);
                    match other {
                        Some(Event::Message(message)) => return Some(Incoming::Message(message)),
                        Some(Event::Piece(piece)) => match self.pass(piece) {
                            Some(piece) => return Some(Incoming::Piece(piece)),
                            None => continue,
                        },
                        Some(Event::Ping(payload)) => return Some(Incoming::Ping(payload)),
                        Some(Event::Pong(payload)) => return Some(Incoming::Pong(payload)),
                        _ => continue,
                    }
                }
            };
            if self.delivery == Delivery::Pieces || self.is_discarding {
                if let Some(piece) = self.take_piece(input, &payload) {
                    return Some(Incoming::Piece(piece));
                }
            } else if let Some(message) = self.take(connection, input, &payload) {
                return Some(Incoming::Message(message));
            }
        }
        if !connection.is_receiving() {
            self.forget_message();
        }
        None
    }

    /// Takes a message that is one frame and lies at the beginning of `input`, which most are.
    ///
    /// `None`, and nothing has happened, for whatever else [`next`](Self::next) is to take. `now`
    /// is asked for the time only where somebody wants to know it.
    #[inline]
    pub fn take_whole(
        &mut self,
        connection: &mut Connection,
        input: &mut BytesMut,
        now: impl Fn() -> Instant,
    ) -> Option<Message> {
        if self.delivery == Delivery::Pieces || self.is_discarding {
            return None;
        }
        let Whole { kind, range } = connection.take_whole(input, &now)?;
        if kind == MessageKind::Binary && range.len() * SLACK < READ_SIZE {
            let message = Message::from(&input[range.clone()]);
            use_up(input, range.end);
            return Some(message);
        }
        let message = take_text_or_large(input, kind, range);
        message.map_err(|_| connection.fail_text(now())).ok()
    }

    /// Says how messages are given out from now on.
    ///
    /// A message in progress of which nothing was given out comes in pieces from its beginning.
    /// The rest of one of which pieces were given out is discarded before whole messages come.
    pub fn set_delivery(&mut self, delivery: Delivery) {
        self.delivery = delivery;
        if delivery == Delivery::Whole {
            self.discard_message();
        }
    }

    /// Discards what still comes of the message of which pieces were given out.
    pub fn discard_message(&mut self) {
        self.is_discarding |= self.is_begun;
    }

    /// Where the next bytes should go, if not into the read buffer: the tail of a large message.
    ///
    /// Read into it, then call [`handle_space`](Self::handle_space).
    pub fn space(&mut self, connection: &Connection) -> Option<Limit<&mut BytesMut>> {
        if self.delivery == Delivery::Pieces || self.is_discarding {
            return None;
        }
        let frame = connection.data_frame()?;
        if frame.payload_size <= READ_SIZE as u64 {
            return None;
        }
        self.reserve(0, Some(frame));
        let room = self.buffer.capacity() - self.buffer.len();
        let limit = usize::try_from(frame.remaining).map_or(room, |remaining| remaining.min(room));
        Some((&mut self.buffer).limit(limit))
    }

    /// Takes the `size` bytes that were read into [`space`](Self::space).
    pub fn handle_space(
        &mut self,
        connection: &mut Connection,
        size: usize,
        now: Instant,
    ) -> Option<Message> {
        let start = self.buffer.len() - size;
        match connection
            .handle_bytes(&mut self.buffer[start..], now)
            .event
        {
            Some(Event::Payload(Payload {
                kind, last: true, ..
            })) => Some(self.finish(kind)),
            Some(_) => None,
            None => {
                if !connection.is_receiving() {
                    self.forget_message();
                }
                None
            }
        }
    }

    /// Takes one piece of payload out of the read buffer.
    fn take(
        &mut self,
        connection: &Connection,
        input: &mut BytesMut,
        payload: &Payload,
    ) -> Option<Message> {
        let Payload {
            kind,
            range,
            first,
            last,
            ..
        } = payload;
        input.advance(range.start);
        let size = range.len();
        if *first && *last {
            return Some(Message::from_validated(*kind, take_bytes(input, size)));
        }
        debug_assert!(
            !*first || self.buffer.is_empty(),
            "a message was left unfinished"
        );
        self.reserve(size, connection.data_frame());
        self.buffer.extend_from_slice(&input[..size]);
        input.advance(size);
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
            self.buffer.extend_from_slice(&input[..size]);
            input.advance(size);
            std::mem::take(&mut self.buffer).freeze()
        };
        self.pass(Piece {
            kind: payload.kind,
            bytes,
            first: payload.first,
            last: payload.last,
        })
    }

    /// Gives a piece out, unless it belongs to a message that is discarded.
    #[inline(never)]
    fn pass(&mut self, mut piece: Piece) -> Option<Piece> {
        piece.first = !self.is_begun;
        let is_discarding = self.is_discarding;
        self.is_begun = !piece.last;
        self.is_discarding &= self.is_begun;
        (!is_discarding).then_some(piece)
    }

    fn forget_message(&mut self) {
        self.buffer = BytesMut::new();
        (self.is_begun, self.is_discarding) = (false, false);
    }

    /// Makes room for `size` bytes that are here and, if the buffer has to grow at all, for what
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
        let limit = (arrived as u64 + frame.header_size as u64).saturating_mul(RESERVE);
        let mut capacity = (arrived as u64).saturating_add(frame.remaining);
        while capacity > limit {
            capacity = capacity.div_ceil(RESERVE);
        }
        let ahead = usize::try_from(capacity).map_or(size, |c| c - self.buffer.len());
        self.buffer.reserve(ahead);
    }

    /// The message, whose buffer is at most about twice its size.
    fn finish(&mut self, kind: MessageKind) -> Message {
        Message::from_validated(kind, std::mem::take(&mut self.buffer).freeze())
    }
}

/// A message that is text, and validated here, or is split off the read buffer.
#[inline(never)]
fn take_text_or_large(
    input: &mut BytesMut,
    kind: MessageKind,
    range: Range<usize>,
) -> Result<Message, Utf8Error> {
    if range.len() * SLACK < READ_SIZE {
        let text = from_utf8(&input[range.clone()]).map(Message::from);
        use_up(input, range.end);
        return text;
    }
    input.advance(range.start);
    let bytes = input.split_to(range.len()).freeze();
    match kind {
        MessageKind::Text => Text::from_arrived(bytes).map(Message::Text),
        MessageKind::Binary => Ok(Message::Binary(bytes)),
    }
}

/// Advances the read buffer, or empties it, so that the next read finds room at its beginning.
#[inline(always)]
fn use_up(input: &mut BytesMut, size: usize) {
    if size == input.len() {
        input.clear();
    } else {
        input.advance(size);
    }
}

/// Takes `size` bytes out of the read buffer, which a few of them do not hold.
#[inline(always)]
fn take_bytes(input: &mut BytesMut, size: usize) -> Bytes {
    if size * SLACK >= READ_SIZE {
        return input.split_to(size).freeze();
    }
    let bytes = Bytes::copy_from_slice(&input[..size]);
    input.advance(size);
    bytes
}
