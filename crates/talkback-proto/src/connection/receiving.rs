//! What a connection makes of the bytes that arrive (RFC 6455 §5.4, §5.5, §6.2).

use std::time::Instant;

use bytes::buf::Limit;
use bytes::{Buf, Bytes, BytesMut};

use crate::close::CloseFrame;
use crate::connection::assembly::Assembly;
use crate::connection::frames::{DataFrame, FrameReader, Item, Payload, Progress};
use crate::connection::{Connection, State};
use crate::error::ProtocolError;
use crate::frame::Opcode;
use crate::incoming::{Delivery, Incoming, Piece};
use crate::message::Message;

impl Connection {
    /// Takes bytes that arrived, up to the next thing that is whole: the one door by which anything
    /// that the peer sent comes out.
    ///
    /// `None` means that all of `input` is used, and more must be read. What is behind a message
    /// stays in `input` for the next call. Hand in an empty `input` after a read into the
    /// [`space`](Self::space). Payload is unmasked where it lies. After the connection has failed or
    /// the closing handshake is done, all bytes are used and bring nothing (RFC 6455 §7.1.7).
    ///
    /// `now` is asked for the time only where somebody wants to know it: a message that is one frame
    /// and lies whole in `input`, as most do, needs no clock without a keepalive.
    #[inline]
    pub fn receive(&mut self, input: &mut BytesMut, now: impl Fn() -> Instant) -> Option<Incoming> {
        if let Some(incoming) = self.receive_whole_frame(input, &now) {
            return Some(incoming);
        }
        if input.is_empty() && !self.has_more() {
            return None;
        }
        self.receive_next(input, now())
    }

    /// Whether more may come out of bytes that were handed in already: further pieces of what was
    /// decompressed, or what was read into the [`space`](Self::space).
    pub fn has_more(&self) -> bool {
        self.has_pieces() || self.assembly.has_unread()
    }

    /// Where the next bytes should go, if not into the read buffer: the tail of a large message,
    /// into which they are read without a copy.
    ///
    /// Read into it, then call [`receive`](Self::receive).
    pub fn space(&mut self) -> Option<Limit<&mut BytesMut>> {
        let frame = self.data_frame()?;
        self.assembly.space(frame)
    }

    /// Says how messages are given out from now on.
    ///
    /// A message in progress of which nothing was given out comes in pieces from its beginning.
    /// The rest of one of which pieces were given out is discarded before whole messages come.
    pub fn set_delivery(&mut self, delivery: Delivery) {
        self.assembly.set_delivery(delivery);
    }

    /// Discards what still comes of the message of which pieces were given out.
    pub fn discard_message(&mut self) {
        self.assembly.discard_message();
    }

    /// Whether data that arrives is given out, and not discarded: until either end has closed, also
    /// where nothing can be written any more.
    pub fn is_receiving(&self) -> bool {
        self.state == State::Open
    }

    /// The fast path: a message that is one frame and lies whole at the beginning of `input`.
    /// `None`, and nothing has happened, for whatever else there is.
    #[inline(always)]
    fn receive_whole_frame(
        &mut self,
        input: &mut BytesMut,
        now: impl Fn() -> Instant,
    ) -> Option<Incoming> {
        // Who has pieces left is not gathering: the message is given out in pieces, or discarded.
        if !(self.is_receiving() & self.assembly.is_gathering()) {
            return None;
        }
        debug_assert!(!self.has_pieces());
        let frame = self.frames.take_whole_frame(input)?;
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.hear(now());
        }
        match frame.into_message(input) {
            Ok(message) => Some(Incoming::Message(message)),
            Err(_) => self.fail_text(now()),
        }
    }

    #[cold]
    fn fail_text(&mut self, now: Instant) -> Option<Incoming> {
        self.fail(ProtocolError::InvalidUtf8, now);
        None
    }

    /// The path that knows every rule; apart, so that it costs the fast path nothing.
    #[inline(never)]
    fn receive_next(&mut self, input: &mut BytesMut, now: Instant) -> Option<Incoming> {
        loop {
            let incoming = if matches!(self.state, State::Draining | State::Ended) {
                input.clear();
                return None;
            } else if self.has_pieces() {
                self.inflate_more(now)
            } else if self.assembly.has_unread() {
                self.receive_unread(now)
            } else if !input.is_empty() {
                self.receive_input(input, now)
            } else {
                return None;
            };
            if incoming.is_some() {
                return incoming;
            }
        }
    }

    /// Takes the next item out of the read buffer.
    fn receive_input(&mut self, input: &mut BytesMut, now: Instant) -> Option<Incoming> {
        let Progress { consumed, item } = self.parse(now, |frames, _| frames.next(input))?;
        let payload = match item {
            Some(Item::Payload(payload)) if self.is_receiving() => payload,
            Some(Item::Control(opcode, payload)) => {
                input.advance(consumed);
                return self.handle_control(opcode, payload, now);
            }
            // Data after our close frame is discarded.
            _ => {
                input.advance(consumed);
                return None;
            }
        };
        if payload.is_compressed {
            let incoming = self.inflate(&input[payload.range.clone()], &payload, now);
            input.advance(consumed);
            return incoming;
        }
        let frame = self.frames.data_frame();
        self.assembly.take(input, &payload, frame)
    }

    /// Takes what was read into the message itself.
    fn receive_unread(&mut self, now: Instant) -> Option<Incoming> {
        let progress = self.parse(now, |frames, assembly| frames.next(assembly.unread()))?;
        match progress.item {
            Some(Item::Payload(payload)) if self.is_receiving() => {
                self.assembly.take_unread(&payload)
            }
            _ => {
                self.assembly.clear();
                None
            }
        }
    }

    /// Something came: takes it, or fails the connection.
    #[inline]
    fn parse(
        &mut self,
        now: Instant,
        take: impl FnOnce(&mut FrameReader, &mut Assembly) -> Result<Progress, ProtocolError>,
    ) -> Option<Progress> {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.hear(now);
        }
        let progress = take(&mut self.frames, &mut self.assembly);
        progress.map_err(|error| self.fail(error, now)).ok()
    }

    fn handle_control(&mut self, opcode: Opcode, payload: Bytes, now: Instant) -> Option<Incoming> {
        match opcode {
            Opcode::Close => {
                match CloseFrame::decode(&payload) {
                    Ok(frame) => self.handle_close(frame, payload, now),
                    Err(error) => self.fail(error, now),
                }
                None
            }
            // A pong MUST be sent unless a close frame was received (§5.5.2): ours does not matter.
            Opcode::Ping => {
                self.pong = Some(payload.clone());
                // At once, so that it goes before what is sent from now on.
                self.push_pong();
                Some(Incoming::Ping(payload))
            }
            // What else comes after our close frame is discarded.
            _ if !self.is_receiving() => None,
            _ => {
                if let Some(keepalive) = &mut self.keepalive {
                    keepalive.take_pong(&payload, now);
                }
                Some(Incoming::Pong(payload))
            }
        }
    }

    /// Decompresses a piece of a message, which is given out when it is whole, or in pieces.
    fn inflate(&mut self, piece: &[u8], payload: &Payload, now: Instant) -> Option<Incoming> {
        let Payload { kind, last, .. } = *payload;
        let inflater = &mut self.deflate.as_mut()?.inflater;
        let size_max = self.limits.size_max();
        if self.assembly.delivery() == Delivery::Pieces || inflater.is_in_pieces() {
            let piece = inflater.take_in_pieces(piece, kind, last, size_max);
            return self.pass_or_fail(piece, now);
        }
        match inflater.take(piece, kind, last, size_max) {
            Ok(bytes) => bytes.map(|bytes| Incoming::Message(Message::from_validated(kind, bytes))),
            Err(error) => {
                self.fail(error, now);
                None
            }
        }
    }

    /// The next piece out of what was used already.
    fn inflate_more(&mut self, now: Instant) -> Option<Incoming> {
        let inflater = &mut self.deflate.as_mut()?.inflater;
        let piece = inflater.next_piece(self.limits.size_max());
        self.pass_or_fail(piece, now)
    }

    fn pass_or_fail(
        &mut self,
        piece: Result<Option<Piece>, ProtocolError>,
        now: Instant,
    ) -> Option<Incoming> {
        match piece {
            Ok(piece) => self.assembly.pass(piece?).map(Incoming::Piece),
            Err(error) => {
                self.fail(error, now);
                None
            }
        }
    }

    /// Whether a compressed message that is given out in pieces has more of them.
    fn has_pieces(&self) -> bool {
        self.deflate
            .as_ref()
            .is_some_and(|deflate| deflate.inflater.has_more())
    }

    /// The data frame whose payload is arriving.
    ///
    /// `None` between frames, in a control frame, in a compressed message, and when data is
    /// discarded.
    fn data_frame(&self) -> Option<DataFrame> {
        self.is_receiving()
            .then(|| self.frames.data_frame())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::close::CloseInfo;
    use crate::connection::test_frames::{KEY, frame};
    use crate::limits::Limits;

    fn any_frame() -> impl Strategy<Value = (u8, Vec<u8>)> {
        let first = prop_oneof![
            4 => Just(0x81), 4 => Just(0x82),
            1 => Just(0x01), 1 => Just(0x80), 1 => Just(0x89), 1 => Just(0x88), 1 => any::<u8>(),
        ];
        let text = prop_oneof![
            4 => "[a-z가-나]{0,90}".prop_map(String::into_bytes),
            1 => (100usize..40_000).prop_map(|size| vec![b'a'; size]),
            1 => proptest::collection::vec(any::<u8>(), 0..130),
        ];
        (first, text)
    }

    /// Hands `wire` to a connection by one of the two paths: what comes, and what is left.
    fn outcome(
        mut connection: Connection,
        wire: &[u8],
        next: fn(&mut Connection, &mut BytesMut, Instant) -> Option<Incoming>,
    ) -> (Vec<Incoming>, Option<CloseInfo>, Vec<u8>) {
        let (mut input, now) = (BytesMut::from(wire), Instant::now());
        let incoming = std::iter::from_fn(|| next(&mut connection, &mut input, now)).collect();
        assert!(input.is_empty() && !connection.has_more());
        let size = connection.output().remaining();
        let output = connection.output().copy_to_bytes(size).to_vec();
        connection.handle_end("the end");
        (incoming, connection.close_info().cloned(), output)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn the_fast_path_brings_what_its_plain_twin_does(
            frames in proptest::collection::vec(any_frame(), 1..6),
            is_server in any::<bool>(),
            rest in 0usize..100,
        ) {
            let key = is_server.then_some(KEY);
            let mut wire: Vec<u8> =
                frames.iter().flat_map(|(first, payload)| frame(*first, key, payload)).collect();
            wire.truncate(wire.len().saturating_sub(rest.saturating_sub(50)));
            let connection = || match is_server {
                true => Connection::server(Limits::default()),
                false => Connection::client(Limits::default(), || [1, 2, 3, 4]),
            };
            let fast = outcome(connection(), &wire, |c, input, now| c.receive(input, || now));
            let plain = outcome(connection(), &wire, Connection::receive_next);
            prop_assert_eq!(fast, plain);
        }
    }
}
