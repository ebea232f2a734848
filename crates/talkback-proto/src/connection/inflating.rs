//! Compressed messages that arrive (RFC 7692 §7.2.2).

use std::time::Instant;

use crate::connection::Connection;
use crate::connection::parse_state::Payload;
use crate::error::ProtocolError;
use crate::incoming::{Delivery, Incoming, Piece};
use crate::message::Message;
use crate::small_bytes::SmallBytes;

impl Connection {
    /// Decompresses a piece of a message, which is given out when it is whole, or in pieces.
    pub(super) fn inflate(
        &mut self,
        piece: &[u8],
        payload: &Payload,
        now: Instant,
    ) -> Option<Incoming> {
        let Payload { kind, last, .. } = *payload;
        let size_max = self.limits().size_max();
        let delivery = self.incomplete().assembly.delivery();
        let inflater = &mut self.deflate.as_mut()?.inflater;
        if delivery == Delivery::Pieces || inflater.is_in_pieces() {
            let piece = inflater.take_in_pieces(piece, kind, last, size_max);
            return self.pass_or_fail(piece, now);
        }
        match inflater.take(piece, kind, last, size_max) {
            Ok(bytes) => bytes.map(|bytes| {
                Incoming::Message(Message::from_validated(kind, SmallBytes::Shared(bytes)))
            }),
            Err(error) => {
                self.fail(error, now);
                None
            }
        }
    }

    /// The next piece out of what was used already.
    pub(super) fn inflate_more(&mut self, now: Instant) -> Option<Incoming> {
        let size_max = self.limits().size_max();
        let inflater = &mut self.deflate.as_mut()?.inflater;
        let piece = inflater.next_piece(size_max);
        self.pass_or_fail(piece, now)
    }

    fn pass_or_fail(
        &mut self,
        piece: Result<Option<Piece>, ProtocolError>,
        now: Instant,
    ) -> Option<Incoming> {
        match piece {
            Ok(piece) => {
                let assembly = &mut self.incomplete().assembly;
                assembly.pass(piece?).map(Incoming::Piece)
            }
            Err(error) => {
                self.fail(error, now);
                None
            }
        }
    }

    /// Whether a compressed message that is given out in pieces has more of them.
    pub(super) fn has_pieces(&self) -> bool {
        self.deflate
            .as_ref()
            .is_some_and(|deflate| deflate.inflater.has_more())
    }
}
