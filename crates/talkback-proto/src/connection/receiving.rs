//! Bytes in, payload out: the door of a connection, and every rule of RFC 6455 §5 that needs its
//! context.

use std::ops::Range;
use std::time::Instant;

use bytes::buf::Limit;
use bytes::{Buf, Bytes, BytesMut};

use crate::connection::assembly::Assembly;
use crate::connection::fast_path::take_message;
use crate::connection::incomplete::{self, Incomplete};
use crate::connection::parse_state::{DataFrame, Fragments, Frame, FrameReader, Payload, Rules};
use crate::connection::{Connection, State, limits_of};
use crate::error::ProtocolError;
use crate::frame::{HEADER_SIZE_MAX, Header, Opcode};
use crate::incoming::{Delivery, Incoming};
use crate::limits::Limits;
use crate::mask::mask;
use crate::message::{Message, MessageKind};
use crate::role::Role;

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
        let mut used = 0;
        match self.receive_message(input, &mut used, &now) {
            Some(message) => {
                input.advance(used);
                Some(Incoming::Message(message))
            }
            None if input.is_empty() && !self.has_more() => None,
            None => self.receive_next(input, now()),
        }
    }

    /// As [`receive`](Self::receive), for a message that is one frame and lies whole in `input` behind what is
    /// `used` of it, as most do; `None`, and nothing has happened, for whatever else there is.
    ///
    /// What a small message has used is added to `used`; before a larger one `input` is advanced by it.
    #[doc(hidden)]
    #[inline(always)]
    pub fn receive_message(
        &mut self,
        input: &mut BytesMut,
        used: &mut usize,
        now: impl FnOnce() -> Instant,
    ) -> Option<Message> {
        let message = self.receive_whole_frame(input, used)?;
        // Once for all that came in one read.
        if self.keepalive.is_some() & (*used == input.len()) {
            self.hear(now());
        }
        Some(message)
    }

    /// Whether more may come out of bytes that were handed in already: further pieces of what was
    /// decompressed, or what was read into the [`space`](Self::space).
    pub fn has_more(&self) -> bool {
        let incomplete = self.incomplete.as_ref();
        incomplete.is_some_and(|incomplete| incomplete.assembly.has_unread()) || self.has_pieces()
    }

    /// Where the next bytes should go, if not into the read buffer: the tail of a large message,
    /// into which they are read without a copy.
    ///
    /// Read into it, then call [`receive`](Self::receive).
    pub fn space(&mut self) -> Option<Limit<&mut BytesMut>> {
        let frame = self.data_frame()?;
        self.incomplete().assembly.space(frame)
    }

    /// Says how messages are given out from now on.
    ///
    /// A message in progress of which nothing was given out comes in pieces from its beginning.
    /// The rest of one of which pieces were given out is discarded before whole messages come.
    #[inline]
    pub fn set_delivery(&mut self, delivery: Delivery) {
        if self.incomplete.is_some() | (delivery == Delivery::Pieces) {
            self.set_delivery_of_incomplete(delivery);
        }
    }

    #[inline(never)]
    fn set_delivery_of_incomplete(&mut self, delivery: Delivery) {
        self.incomplete().assembly.set_delivery(delivery);
        self.end_incomplete();
    }

    /// Discards what still comes of the message of which pieces were given out.
    pub fn discard_message(&mut self) {
        if let Some(incomplete) = &mut self.incomplete {
            incomplete.assembly.discard_message();
        }
    }

    /// Whether data that arrives is given out, and not discarded: until the peer has closed, or this end by
    /// [`close`](Self::close); also where nothing can be written any more.
    #[inline]
    pub fn is_receiving(&self) -> bool {
        matches!(self.state, State::Open | State::HalfClosed)
    }

    /// The size in bytes of the message in progress, as far as it is known: what its frames have
    /// declared so far or, if more has come out of a compressed one, that. 0 between messages.
    ///
    /// A driver whose reader is full may leave a large message where it is.
    pub fn unfinished_size(&self) -> u64 {
        let declared = self
            .incomplete
            .as_ref()
            .and_then(|incomplete| incomplete.frames.message.as_ref())
            .map_or(0, |message| message.size);
        let deflate = self.deflate.as_ref();
        let inflated = deflate.map_or(0, |deflate| deflate.inflater.message_size() as u64);
        declared.max(inflated)
    }

    /// The fast path. It stands apart, so that the compiler has all registers for it.
    #[inline(never)]
    fn receive_whole_frame(&mut self, input: &mut BytesMut, used: &mut usize) -> Option<Message> {
        // Who has pieces left has begun a message, which is given out in pieces, or discarded.
        if !(self.is_receiving() & self.incomplete.is_none()) {
            return None;
        }
        debug_assert!(!self.has_pieces());
        take_message(input, used, self.role, limits_of(&self.limits))
    }

    #[inline(never)]
    fn hear(&mut self, now: Instant) {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.hear(now);
        }
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
            } else if self.incomplete().assembly.has_unread() {
                self.receive_unread(now)
            } else if !input.is_empty() {
                self.receive_input(input, now)
            } else {
                self.end_incomplete();
                return None;
            };
            if incoming.is_some() {
                self.end_incomplete();
                return incoming;
            }
        }
    }

    /// Takes the next item out of the read buffer.
    fn receive_input(&mut self, input: &mut BytesMut, now: Instant) -> Option<Incoming> {
        let Progress { consumed, item } =
            self.parse(now, |frames, _, rules| frames.next(input, rules))?;
        let payload = match item {
            Some(Item::Payload(payload)) if self.is_receiving() => payload,
            Some(Item::Control(opcode, payload)) => {
                input.advance(consumed);
                return self.handle_control(opcode, payload, now);
            }
            // Data behind the close frame of who wants no more is discarded.
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
        let Incomplete { frames, assembly } = self.incomplete();
        assembly.take(input, &payload, frames.data_frame())
    }

    /// Takes what was read into the message itself.
    fn receive_unread(&mut self, now: Instant) -> Option<Incoming> {
        let progress = self.parse(now, |frames, assembly, rules| {
            frames.next(assembly.unread(), rules)
        })?;
        match progress.item {
            Some(Item::Payload(payload)) if self.is_receiving() => {
                self.incomplete().assembly.take_unread(&payload)
            }
            _ => {
                self.incomplete().assembly.clear();
                None
            }
        }
    }

    /// Something came: takes it, or fails the connection.
    #[inline]
    fn parse(
        &mut self,
        now: Instant,
        take: impl FnOnce(&mut FrameReader, &mut Assembly, Rules<'_>) -> Result<Progress, ProtocolError>,
    ) -> Option<Progress> {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.hear(now);
        }
        let rules = Rules {
            role: self.role,
            limits: limits_of(&self.limits),
            has_deflate: self.has_agreed_deflate,
        };
        let Incomplete { frames, assembly } = incomplete::begin(&mut self.incomplete);
        let progress = take(frames, assembly, rules);
        progress.map_err(|error| self.fail(error, now)).ok()
    }

    /// The data frame whose payload is arriving.
    ///
    /// `None` between frames, in a control frame, in a compressed message, and when data is
    /// discarded.
    fn data_frame(&self) -> Option<DataFrame> {
        self.is_receiving()
            .then(|| self.incomplete.as_ref()?.frames.data_frame())
            .flatten()
    }
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

impl FrameReader {
    /// The data frame whose payload is arriving, if one is and it is not compressed.
    pub(super) fn data_frame(&self) -> Option<DataFrame> {
        let frame = self.frame.as_ref()?;
        let is_compressed = self.message.as_ref().is_some_and(|m| m.is_compressed);
        (!frame.opcode.is_control() && !is_compressed).then_some(DataFrame {
            payload_size: frame.payload_size,
            remaining: frame.remaining,
        })
    }

    /// Whether a frame or a message has begun and not ended.
    pub(super) fn is_in_message(&self) -> bool {
        self.message.is_some() | self.frame.is_some() | (self.header_size > 0)
    }

    /// Takes bytes up to the next item, unmasking payload where it lies.
    pub(super) fn next(
        &mut self,
        bytes: &mut [u8],
        rules: Rules<'_>,
    ) -> Result<Progress, ProtocolError> {
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
                self.begin_frame(header, rules)?;
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
            let (opcode, ended) = (frame.opcode, frame.remaining == 0);
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
                self.header_size = bytes.len() as u8;
            }
            return Ok(decoded);
        }
        let kept = usize::from(self.header_size);
        let added = bytes.len().min(HEADER_SIZE_MAX - kept);
        self.header[kept..kept + added].copy_from_slice(&bytes[..added]);
        match Header::decode(&self.header[..kept + added])? {
            Some((header, size)) => {
                self.header_size = 0;
                Ok(Some((header, size - kept)))
            }
            None => {
                self.header_size += added as u8;
                Ok(None)
            }
        }
    }

    /// Holds a header against role, message in progress and limits.
    fn begin_frame(&mut self, header: Header, rules: Rules<'_>) -> Result<(), ProtocolError> {
        // RSV1 is for extensions (§5.2). With permessage-deflate it stands on the first frame of a
        // message and MUST NOT be set on the others, nor on control frames (RFC 7692 §6.1).
        if header.rsv1 {
            let begins_message = matches!(header.opcode, Opcode::Text | Opcode::Binary);
            if !(rules.has_deflate && begins_message) {
                return Err(ProtocolError::ReservedBits);
            }
        }
        match (rules.role, header.mask) {
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
            self.count_fragment(header.payload_size, rules.limits)?;
        }
        self.frame = Some(Frame {
            opcode: header.opcode,
            fin: header.fin,
            key: header.mask,
            payload_size: header.payload_size,
            remaining: header.payload_size,
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
    fn count_fragment(&mut self, payload_size: u64, limits: &Limits) -> Result<(), ProtocolError> {
        let Some(message) = &mut self.message else {
            return Err(ProtocolError::UnexpectedContinuation);
        };
        message.count = message.count.saturating_add(1);
        if message.count > limits.fragments_limit() {
            return Err(ProtocolError::TooManyFragments(limits.fragments_limit()));
        }
        let size = message.size.saturating_add(payload_size);
        let size_max = limits.size_max();
        if size > size_max && size > limits.wire_size_max(message.is_compressed) {
            return Err(ProtocolError::MessageTooBig { size, size_max });
        }
        message.size = size;
        Ok(())
    }

    fn take_control(&mut self, opcode: Opcode, bytes: &[u8], ended: bool) -> Option<Item> {
        if !ended {
            self.control.get_or_insert_default().push(bytes);
            return None;
        }
        self.frame = None;
        let payload = match self.control.take() {
            Some(mut begun) => Bytes::copy_from_slice(begun.push(bytes)),
            None => Bytes::copy_from_slice(bytes),
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
        let (kind, last) = (message.kind, ended && frame.fin);
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
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::close::CloseInfo;
    use crate::connection::test_frames::{KEY, frame};
    use crate::deflate::parameters::DeflateParameters;

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

    #[test]
    fn l7_the_size_of_a_message_in_progress_is_what_is_known_of_it() {
        let parameters = DeflateParameters::default();
        let mut connection = Connection::client(Limits::default(), || [1, 2, 3, 4]);
        connection.set_deflate(&parameters);
        let mut known = |bytes: &[u8]| {
            let mut input = BytesMut::from(bytes);
            let incoming = connection.receive(&mut input, Instant::now);
            (incoming.is_some(), connection.unfinished_size())
        };
        // A fragment of 3 bytes, and one of 1000 of which 2 bytes come.
        assert_eq!(known(&[0x02, 3, 7, 7, 7]), (false, 3));
        assert_eq!(known(&[0x80, 126, 3, 0xe8, 7, 7]), (false, 1003));
        assert_eq!(known(&[7; 998]), (true, 0));
        // 2000 bytes that are compressed, all but the last one of which come.
        let mut server = Connection::server(Limits::default()).with_deflate(&parameters);
        server.send(Message::from(vec![7; 2000])).unwrap();
        let packed = server.output().chunk().to_vec();
        assert!(packed.len() < 100);
        let (last, rest) = packed.split_last().unwrap();
        assert_eq!(known(rest), (false, 2000));
        assert_eq!(known(&[*last]), (true, 0));
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
