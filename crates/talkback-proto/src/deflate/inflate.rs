//! Decompression of messages as they arrive (RFC 7692 §7.2.2).

use bytes::Bytes;
use zlib_rs::{Inflate, InflateFlush, Status};

use crate::deflate::pool::{SCRATCH_SIZE, give_back_inflater, take_inflater, with_scratch};
use crate::deflate::settings::TAIL;
use crate::deflate::takeover::Takeover;
use crate::error::ProtocolError;
use crate::message::MessageKind;
use crate::role::Role;
use crate::utf8::Utf8Validator;

/// What the sender took away from the end of a message (§7.2.1), 00 00 FF FF, and an empty block
/// without compression: only a stream that was cut there has the end of a block between the two, and
/// takes the second from its first bit on.
const TAIL_AND_EMPTY_BLOCK: [u8; 9] = [0x00, 0x00, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0xFF, 0xFF];

/// The same and an empty last block: only a stream that was cut there ends with it.
const TAIL_AND_LAST_BLOCK: [u8; 6] = [0x00, 0x00, 0xFF, 0xFF, 0x03, 0x00];

/// The most bytes that are decompressed at once. What is not needed of them was zeroed in vain.
const CHUNK_SIZE_MAX: usize = 256 * 1024;

/// The message that is arriving compressed, and the context that decompresses it.
pub(crate) struct Inflater {
    /// Who compresses.
    sender: Role,
    takeover: Takeover,
    /// Whether no compressed message has arrived whole so far.
    is_first: bool,
    /// Ours from the first compressed message on with takeover, else while a message arrives.
    context: Option<Inflate>,
    /// Whether the stream may end here even without its tail: nothing of it came, or its last
    /// block was marked as the last one.
    is_at_end: bool,
    /// What has been decompressed of the message, unless all of it was in one piece.
    pub(super) message: Vec<u8>,
    /// How far the message is, if it is given out in pieces.
    pub(super) progress: Progress,
    utf8: Utf8Validator,
}

/// How far a message is that is given out in pieces.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// How many bytes of it were given out.
    pub(super) size: usize,
    pub(super) is_begun: bool,
    /// Payload that was taken, and out of which more may come.
    pub(super) rest: Option<Rest>,
}

#[derive(Debug)]
pub(super) struct Rest {
    pub(super) payload: Bytes,
    pub(super) kind: MessageKind,
    pub(super) is_last: bool,
}

impl Inflater {
    pub(super) fn new(sender: Role, takeover: Takeover) -> Self {
        Self {
            sender,
            takeover,
            is_first: true,
            context: None,
            is_at_end: true,
            message: Vec::new(),
            progress: Progress::default(),
            utf8: Utf8Validator::default(),
        }
    }

    /// How many bytes of the message in progress have been decompressed and not given out.
    pub(crate) fn message_size(&self) -> usize {
        self.message.len()
    }

    /// Takes a piece of a compressed message's payload; with the last one the message is whole.
    ///
    /// # Errors
    /// A stream that is not DEFLATE, more than `size_max` bytes out of it, text that is not UTF-8:
    /// each as soon as the pieces so far show it.
    pub(crate) fn take(
        &mut self,
        mut piece: &[u8],
        kind: MessageKind,
        is_last: bool,
        size_max: u64,
    ) -> Result<Option<Bytes>, ProtocolError> {
        let size_max = usize::try_from(size_max).unwrap_or(usize::MAX);
        // A small message passes through the thread's buffer, and is copied out of it once.
        let whole = with_scratch(|scratch| {
            let capacity = SCRATCH_SIZE.min(size_max - self.message.len());
            let size = self.inflate(&mut piece, kind, &mut scratch[..capacity])?;
            let is_used_up = size < capacity;
            if is_used_up && is_last && self.message.is_empty() {
                return Ok(Some(Bytes::copy_from_slice(&scratch[..size])));
            }
            self.grow(size, size_max);
            self.message.extend_from_slice(&scratch[..size]);
            if !is_used_up {
                self.take_large(&mut piece, kind, size_max)?;
            }
            Ok(None)
        })?;
        if !is_last {
            return Ok(None);
        }
        self.finish()?;
        let message = std::mem::take(&mut self.message);
        Ok(Some(
            whole.unwrap_or_else(|| message.into_boxed_slice().into()),
        ))
    }

    /// Decompresses the rest of a piece into the message itself, by ever larger chunks.
    fn take_large(
        &mut self,
        piece: &mut &[u8],
        kind: MessageKind,
        size_max: usize,
    ) -> Result<(), ProtocolError> {
        let mut chunk_size = SCRATCH_SIZE;
        loop {
            let start = self.message.len();
            if start == size_max {
                return self.expect_nothing_more(piece, kind, size_max);
            }
            self.grow(1, size_max);
            chunk_size = (chunk_size * 2).min(CHUNK_SIZE_MAX);
            let capacity = chunk_size.min(self.message.capacity() - start);
            let mut message = std::mem::take(&mut self.message);
            message.resize(start + capacity, 0);
            let size = self.inflate(piece, kind, &mut message[start..])?;
            message.truncate(start + size);
            self.message = message;
            if size < capacity {
                return Ok(());
            }
        }
    }

    /// Holds that a message which has reached the limit does not go on.
    pub(super) fn expect_nothing_more(
        &mut self,
        piece: &mut &[u8],
        kind: MessageKind,
        size_max: usize,
    ) -> Result<(), ProtocolError> {
        let (mut output, mut size) = ([0], 0);
        let outcome = self.decompress(piece, &mut output, &mut size);
        self.validate(kind, &output[..size])?;
        match size {
            0 => outcome,
            // Before a fault that came behind it: so it does not matter how the payload was cut.
            _ => Err(ProtocolError::MessageTooBig {
                size: (size_max as u64).saturating_add(1),
                size_max: size_max as u64,
            }),
        }
    }

    /// Reserves `size` bytes: twice as much as there was, but not beyond the limit.
    fn grow(&mut self, size: usize, size_max: usize) {
        let needed = self.message.len() + size;
        let capacity = self.message.capacity();
        if needed > capacity {
            let wanted = capacity.saturating_mul(2).min(size_max).max(needed);
            self.message.reserve_exact(wanted - self.message.len());
        }
    }

    /// Decompresses until `piece` is used up or `output` is full, validates what came out if it is
    /// text, and says how much it is.
    pub(super) fn inflate(
        &mut self,
        piece: &mut &[u8],
        kind: MessageKind,
        output: &mut [u8],
    ) -> Result<usize, ProtocolError> {
        let mut size = 0;
        let outcome = self.decompress(piece, output, &mut size);
        // What came before a fault is judged first: so it does not matter how the payload was cut.
        self.validate(kind, &output[..size])?;
        outcome.map(|()| size)
    }

    fn validate(&mut self, kind: MessageKind, output: &[u8]) -> Result<(), ProtocolError> {
        let validated = kind.validate(&mut self.utf8, output);
        validated.map_err(|_| ProtocolError::InvalidUtf8)
    }

    fn decompress(
        &mut self,
        piece: &mut &[u8],
        output: &mut [u8],
        size: &mut usize,
    ) -> Result<(), ProtocolError> {
        let context = self.context.get_or_insert_with(take_inflater);
        while *size < output.len() {
            let (taken, given) = (context.total_in(), context.total_out());
            let status = context.decompress(piece, &mut output[*size..], InflateFlush::NoFlush);
            let taken = (context.total_in() - taken) as usize;
            *size += (context.total_out() - given) as usize;
            *piece = &piece[taken..];
            self.is_at_end &= taken == 0;
            let Ok(status) = status else {
                return Err(self.malformed());
            };
            match status {
                // A block may be marked as the last one, and others follow (§7.2.3.5).
                Status::StreamEnd => {
                    context.reset(false);
                    self.is_at_end = true;
                }
                Status::Ok => {}
                Status::BufError if piece.is_empty() => {}
                Status::BufError => return Err(self.malformed()),
            }
            if piece.is_empty() && *size < output.len() {
                break;
            }
        }
        Ok(())
    }

    /// What a stream is that cannot be decompressed: most likely one that looks back at an earlier
    /// message, if it must not and there was one.
    fn malformed(&self) -> ProtocolError {
        let sender = self.sender;
        match self.takeover {
            Takeover::None if !self.is_first => ProtocolError::ContextTakenOver { sender },
            _ => ProtocolError::MalformedDeflate,
        }
    }

    /// Ends the message's stream, and makes ready for the next one.
    pub(super) fn finish(&mut self) -> Result<(), ProtocolError> {
        if !std::mem::replace(&mut self.is_at_end, true) {
            self.take_tail()?;
        }
        self.is_first = false;
        if self.takeover == Takeover::None
            && let Some(context) = self.context.take()
        {
            give_back_inflater(context);
        }
        self.utf8.finish().map_err(|_| ProtocolError::InvalidUtf8)
    }

    /// Appends what the sender took away (§7.2.2), and holds that the stream was cut there and
    /// nowhere else.
    fn take_tail(&mut self) -> Result<(), ProtocolError> {
        let Some(context) = &mut self.context else {
            return Ok(());
        };
        let is_cut_there = match self.takeover {
            // Within a block's tables the whole would be taken, and nothing come out.
            Takeover::Kept => {
                let (tail, block) = TAIL_AND_EMPTY_BLOCK.split_at(TAIL.len());
                ends(context, &TAIL_AND_EMPTY_BLOCK, InflateFlush::Block)
                    == Some((Status::Ok, tail.len()))
                    && ends(context, block, InflateFlush::NoFlush)
                        == Some((Status::Ok, block.len()))
            }
            Takeover::None => {
                let tail = &TAIL_AND_LAST_BLOCK;
                ends(context, tail, InflateFlush::NoFlush) == Some((Status::StreamEnd, tail.len()))
            }
        };
        if is_cut_there {
            Ok(())
        } else {
            Err(self.malformed())
        }
    }
}

/// How bytes end out of which nothing comes, and how many of them are taken.
fn ends(context: &mut Inflate, bytes: &[u8], flush: InflateFlush) -> Option<(Status, usize)> {
    let (taken, given) = (context.total_in(), context.total_out());
    let status = context.decompress(bytes, &mut [0], flush).ok()?;
    let size = (context.total_in() - taken) as usize;
    (context.total_out() == given).then_some((status, size))
}
