//! Decompression of a message that is given out in pieces, however much comes out of it.

use bytes::{Buf, Bytes};

use crate::deflate::inflate::{Inflater, Progress, Rest};
use crate::deflate::pool::{SCRATCH_SIZE, with_scratch};
use crate::error::ProtocolError;
use crate::incoming::Piece;
use crate::message::MessageKind;

impl Inflater {
    /// Whether more may come out of payload that was taken already.
    pub(crate) fn has_more(&self) -> bool {
        self.progress.rest.is_some()
    }

    /// Whether a piece of the message that is arriving was given out.
    pub(crate) fn is_in_pieces(&self) -> bool {
        self.progress.is_begun
    }

    /// Takes a piece of a compressed message's payload and gives out the first piece of what comes
    /// out of it, at most 16 KiB. While it [has more](Self::has_more), that is asked for
    /// [next](Self::next_piece).
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub(crate) fn take_in_pieces(
        &mut self,
        mut payload: &[u8],
        kind: MessageKind,
        is_last: bool,
        size_max: u64,
    ) -> Result<Option<Piece>, ProtocolError> {
        if !self.message.is_empty() {
            // So far it was to be given out whole.
            let bytes = Bytes::from(std::mem::take(&mut self.message));
            self.wait_with(Bytes::copy_from_slice(payload), kind, is_last);
            return Ok(Some(self.piece(bytes, kind, false)));
        }
        let (bytes, has_more) = self.inflate_piece(&mut payload, kind, size_max)?;
        if has_more {
            self.wait_with(Bytes::copy_from_slice(payload), kind, is_last);
        }
        self.give_out(bytes, kind, is_last && !has_more)
    }

    /// The next piece that comes out of payload that was taken already, if there is one.
    pub(crate) fn next_piece(&mut self, size_max: u64) -> Result<Option<Piece>, ProtocolError> {
        let Some(Rest {
            mut payload,
            kind,
            is_last,
        }) = self.progress.rest.take()
        else {
            return Ok(None);
        };
        let mut rest = &payload[..];
        let (bytes, has_more) = self.inflate_piece(&mut rest, kind, size_max)?;
        let used = payload.len() - rest.len();
        if has_more {
            payload.advance(used);
            self.wait_with(payload, kind, is_last);
        }
        self.give_out(bytes, kind, is_last && !has_more)
    }

    fn wait_with(&mut self, payload: Bytes, kind: MessageKind, is_last: bool) {
        self.progress.rest = Some(Rest {
            payload,
            kind,
            is_last,
        });
    }

    /// Decompresses as much as fits one piece, and says whether more may come.
    fn inflate_piece(
        &mut self,
        payload: &mut &[u8],
        kind: MessageKind,
        size_max: u64,
    ) -> Result<(Bytes, bool), ProtocolError> {
        let size_max = usize::try_from(size_max).unwrap_or(usize::MAX);
        let capacity = SCRATCH_SIZE.min(size_max - self.progress.size);
        if capacity == 0 {
            self.expect_nothing_more(payload, kind, size_max)?;
            return Ok((Bytes::new(), false));
        }
        with_scratch(|scratch| {
            let size = self.inflate(payload, kind, &mut scratch[..capacity])?;
            Ok((Bytes::copy_from_slice(&scratch[..size]), size == capacity))
        })
    }

    fn give_out(
        &mut self,
        bytes: Bytes,
        kind: MessageKind,
        last: bool,
    ) -> Result<Option<Piece>, ProtocolError> {
        if last {
            self.finish()?;
            let piece = self.piece(bytes, kind, true);
            self.progress = Progress::default();
            return Ok(Some(piece));
        }
        Ok((!bytes.is_empty()).then(|| self.piece(bytes, kind, false)))
    }

    fn piece(&mut self, bytes: Bytes, kind: MessageKind, last: bool) -> Piece {
        self.progress.size += bytes.len();
        let first = !std::mem::replace(&mut self.progress.is_begun, true);
        Piece {
            kind,
            bytes,
            first,
            last,
        }
    }
}
