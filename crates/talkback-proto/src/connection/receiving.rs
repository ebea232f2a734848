//! What a connection makes of the bytes that arrive.

use std::time::Instant;

use super::{Connection, State};
use crate::close::CloseFrame;
use crate::error::ProtocolError;
use crate::event::{Delivery, Event, Step};
use crate::frame::Opcode;
use crate::message::Message;
use crate::receive::{DataFrame, Item, Payload, Progress};
use crate::whole::Whole;

impl Connection {
    /// Takes bytes that arrived, up to the next event.
    ///
    /// Payload is unmasked where it lies. Call again with the bytes behind
    /// [`consumed`](Step::consumed) until all are used and no piece is [left](Self::has_pieces).
    /// After the connection has failed or the closing handshake is done, all bytes are used and
    /// bring nothing (RFC 6455 §7.1.7).
    pub fn handle_bytes(&mut self, bytes: &mut [u8], now: Instant) -> Step {
        if matches!(self.state, State::Draining | State::Ended) {
            return Step {
                consumed: bytes.len(),
                event: None,
            };
        }
        if self.has_pieces() {
            return Step {
                consumed: 0,
                event: self.inflate_more(now),
            };
        }
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.hear(now);
        }
        match self.receiver.handle(bytes) {
            Ok(Progress { consumed, item }) => Step {
                consumed,
                event: item.and_then(|item| self.handle_item(item, bytes, now)),
            },
            Err(error) => {
                self.fail(error, now);
                Step {
                    consumed: bytes.len(),
                    event: None,
                }
            }
        }
    }

    /// Takes a message that is one frame and lies at the beginning of `bytes`; `None`, and nothing
    /// has happened, for whatever else [`handle_bytes`](Self::handle_bytes) is to take.
    ///
    /// Its text is yet to be validated.
    #[inline]
    pub(crate) fn take_whole(
        &mut self,
        bytes: &mut [u8],
        now: impl FnOnce() -> Instant,
    ) -> Option<Whole> {
        if self.state != State::Open || self.has_pieces() {
            return None;
        }
        let whole = self.receiver.take_whole(bytes)?;
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.hear(now());
        }
        Some(whole)
    }

    /// The text of a message that was taken whole is not valid.
    pub(crate) fn fail_text(&mut self, now: Instant) {
        self.fail(ProtocolError::InvalidUtf8, now);
    }

    /// Whether a compressed message that is given out in pieces has more of them, out of bytes that
    /// were used already: the next calls of [`handle_bytes`](Self::handle_bytes), even without
    /// bytes, bring them.
    pub fn has_pieces(&self) -> bool {
        self.deflate
            .as_ref()
            .is_some_and(|deflate| deflate.inflater.has_more())
    }

    /// Says how compressed messages are given out, from what comes of one next; one of which pieces
    /// were given out already goes on so.
    pub fn set_delivery(&mut self, delivery: Delivery) {
        self.delivery = delivery;
    }

    /// The data frame whose payload is arriving.
    ///
    /// `None` between frames, in a control frame, in a compressed message, and when data is
    /// discarded.
    pub fn data_frame(&self) -> Option<DataFrame> {
        self.is_receiving()
            .then(|| self.receiver.data_frame())
            .flatten()
    }

    /// Whether data that arrives is given out, and not discarded: until either end has closed, also
    /// where nothing can be written any more.
    pub fn is_receiving(&self) -> bool {
        self.state == State::Open
    }

    fn handle_item(&mut self, item: Item, bytes: &[u8], now: Instant) -> Option<Event> {
        match item {
            Item::Control(Opcode::Close, payload) => {
                match CloseFrame::decode(&payload) {
                    Ok(frame) => self.handle_close(frame, payload, now),
                    Err(error) => self.fail(error, now),
                }
                None
            }
            // A pong MUST be sent unless a close frame was received (§5.5.2): ours does not matter.
            Item::Control(Opcode::Ping, payload) => {
                self.pong = Some(payload.clone());
                // At once, so that it goes before what is sent from now on.
                self.push_pong();
                Some(Event::Ping(payload))
            }
            // What else comes after our close frame is discarded.
            _ if self.state != State::Open => None,
            Item::Payload(payload) if payload.is_compressed => self.inflate(bytes, &payload, now),
            Item::Payload(payload) => Some(Event::Payload(payload)),
            Item::Control(_, payload) => {
                if let Some(keepalive) = &mut self.keepalive {
                    keepalive.take_pong(&payload, now);
                }
                Some(Event::Pong(payload))
            }
        }
    }

    /// Decompresses a piece of a message, which is given out when it is whole, or in pieces.
    fn inflate(&mut self, bytes: &[u8], payload: &Payload, now: Instant) -> Option<Event> {
        let Payload {
            kind, range, last, ..
        } = payload;
        let inflater = &mut self.deflate.as_mut()?.inflater;
        let (piece, size_max) = (&bytes[range.clone()], self.limits.size_max());
        let outcome = if self.delivery == Delivery::Pieces || inflater.is_in_pieces() {
            let next = inflater.take_in_pieces(piece, *kind, *last, size_max);
            next.map(|next| next.map(Event::Piece))
        } else {
            let whole = inflater.take(piece, *kind, *last, size_max);
            let message = |bytes| Event::Message(Message::from_validated(*kind, bytes));
            whole.map(|whole| whole.map(message))
        };
        self.event_or_fail(outcome, now)
    }

    /// The next piece out of what was used already.
    fn inflate_more(&mut self, now: Instant) -> Option<Event> {
        let inflater = &mut self.deflate.as_mut()?.inflater;
        let next = inflater.next_piece(self.limits.size_max());
        let outcome = next.map(|next| next.map(Event::Piece));
        self.event_or_fail(outcome, now)
    }

    fn event_or_fail(
        &mut self,
        outcome: Result<Option<Event>, ProtocolError>,
        now: Instant,
    ) -> Option<Event> {
        outcome.unwrap_or_else(|error| {
            self.fail(error, now);
            None
        })
    }
}
