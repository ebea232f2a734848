//! Compression of messages as they are queued (RFC 7692 §7.2.1).

use bytes::Bytes;
use zlib_rs::{Deflate, DeflateFlush};

use crate::deflate::parameters::{DeflateTuning, WindowBits};
use crate::deflate::pool::{SCRATCH_SIZE, give_back_deflater, take_deflater, with_scratch};
use crate::deflate::settings::Settings;
use crate::deflate::takeover::Takeover;
use crate::frame::Fin;

/// What is taken away from the end of each message (§7.2.1).
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The payload of an empty message: the header of the block whose rest is the tail (§7.2.3.6).
const EMPTY: [u8; 1] = [0x00];

/// The most bytes that are handed to zlib at a time: it counts them in 32 bits.
const PART_SIZE_MAX: usize = 1 << 30;

/// A compressed message.
#[derive(Debug)]
pub(crate) enum Compressed<'a> {
    /// To be copied.
    Small(&'a [u8]),
    /// To be kept.
    Large(Bytes),
}

/// Compresses the messages of one connection.
pub(crate) struct Deflater {
    takeover: Takeover,
    settings: Settings,
    threshold: usize,
    /// Ours from the first compressed message on with takeover, else never between messages.
    context: Option<Deflate>,
}

impl Deflater {
    pub(super) fn new(takeover: Takeover, window_bits: WindowBits, tuning: DeflateTuning) -> Self {
        Self {
            takeover,
            settings: Settings {
                window_bits,
                level: tuning.level,
                memory_level: tuning.memory_level,
            },
            threshold: tuning.threshold,
            context: None,
        }
    }

    /// Compresses a message and hands it to `push`; or says `false`, and the message is to be sent
    /// as it is.
    ///
    /// Once a context that is taken over has seen the message, the peer's must see it too: then it
    /// is sent compressed even if that made it larger.
    #[must_use = "a message that was not pushed is to be sent as it is"]
    pub(crate) fn compress(&mut self, message: &[u8], push: impl FnOnce(Compressed<'_>)) -> bool {
        if message.len() < self.threshold {
            return false;
        }
        let size_max = match self.takeover {
            Takeover::Kept => usize::MAX,
            // What is not smaller without its tail is not worth it.
            Takeover::None => (message.len() + TAIL.len()).saturating_sub(1),
        };
        if message.is_empty() {
            let is_allowed = self.takeover == Takeover::Kept;
            if is_allowed {
                push(Compressed::Small(&EMPTY));
            }
            return is_allowed;
        }
        let settings = self.settings;
        let mut context = self
            .context
            .take()
            .unwrap_or_else(|| take_deflater(settings));
        let is_pushed = with_scratch(|buffer| {
            let size = deflate(&mut context, message, buffer, size_max, PART_SIZE_MAX);
            let Some(size) = size else {
                discard_pending(&mut context, buffer);
                return false;
            };
            push(payload(buffer, size - TAIL.len()));
            true
        });
        match self.takeover {
            Takeover::Kept => self.context = Some(context),
            Takeover::None => give_back_deflater(settings, context),
        }
        is_pushed
    }

    /// Compresses a fragment of a message and hands it to `push`.
    ///
    /// Whatever the takeover, the fragments of one message look back at each other. Each is given
    /// out to the last byte; the tail is taken away from the message's end only. Of a fragment
    /// without payload, which only the last one may be, nothing went into the context.
    pub(crate) fn compress_fragment(
        &mut self,
        fragment: &[u8],
        fin: Fin,
        push: impl FnOnce(Compressed<'_>),
    ) {
        if fragment.is_empty() {
            push(Compressed::Small(&EMPTY));
        } else {
            let settings = self.settings;
            let new = || take_deflater(settings);
            let context = self.context.get_or_insert_with(new);
            with_scratch(|buffer| {
                let size = deflate(context, fragment, buffer, usize::MAX, PART_SIZE_MAX);
                let size = size.expect("the buffer grows without limit");
                match fin {
                    Fin::More => push(payload(buffer, size)),
                    Fin::Last => push(payload(buffer, size - TAIL.len())),
                }
            });
        }
        if fin == Fin::Last
            && self.takeover == Takeover::None
            && let Some(context) = self.context.take()
        {
            give_back_deflater(self.settings, context);
        }
    }
}

/// Compresses a message up to a byte boundary into a buffer that grows, and says how much came
/// out; or `None` if it is more than `size_max` bytes. It goes in by `part_size_max` at a time.
fn deflate(
    context: &mut Deflate,
    mut message: &[u8],
    buffer: &mut Vec<u8>,
    size_max: usize,
    part_size_max: usize,
) -> Option<usize> {
    let mut size = 0;
    loop {
        let capacity = buffer.len().min(size_max);
        let part = &message[..message.len().min(part_size_max)];
        let flush = if part.len() == message.len() {
            DeflateFlush::SyncFlush
        } else {
            DeflateFlush::NoFlush
        };
        let (taken, given) = (context.total_in(), context.total_out());
        context
            .compress(part, &mut buffer[size..capacity], flush)
            .expect("the context is sound and the buffer has capacity");
        message = &message[(context.total_in() - taken) as usize..];
        size += (context.total_out() - given) as usize;
        // What does not fill the buffer is complete: the part, or with the last one the flush.
        if size < capacity {
            if flush == DeflateFlush::SyncFlush {
                debug_assert!(buffer[..size].ends_with(&TAIL));
                return Some(size);
            }
        } else if capacity == size_max {
            return None;
        } else {
            buffer.resize(buffer.len() * 2, 0);
        }
    }
}

/// Takes what waits in the context to be given out.
///
/// A reset of zlib-rs forgets it, but not where it lay, and then lacks that much space.
fn discard_pending(context: &mut Deflate, buffer: &mut [u8]) {
    loop {
        let given = context.total_out();
        let status = context.compress(&[], buffer, DeflateFlush::NoFlush);
        let size = (context.total_out() - given) as usize;
        if status.is_err() || size < buffer.len() {
            return;
        }
    }
}

/// The payload in the first `size` bytes of the buffer, which is kept if it has grown.
fn payload(buffer: &mut Vec<u8>, size: usize) -> Compressed<'_> {
    if buffer.len() == SCRATCH_SIZE {
        return Compressed::Small(&buffer[..size]);
    }
    let mut payload = std::mem::take(buffer);
    payload.truncate(size);
    Compressed::Large(payload.into_boxed_slice().into())
}

#[cfg(test)]
mod tests {
    use zlib_rs::{Inflate, InflateFlush};

    use super::*;

    /// Bytes that hardly compress, and behind them some that do, as the buffer for them has grown.
    fn message() -> Vec<u8> {
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        noise.take(3000).chain([0; 5000]).collect()
    }

    #[test]
    fn a_message_in_parts_is_whole() {
        let message = message();
        let tuning = DeflateTuning::default();
        for part_size_max in [1, 999, 8000, PART_SIZE_MAX] {
            let deflater = Deflater::new(Takeover::None, WindowBits::MAX, tuning);
            let mut context = take_deflater(deflater.settings);
            let mut buffer = vec![0; 64];
            let deflated = deflate(
                &mut context,
                &message,
                &mut buffer,
                usize::MAX,
                part_size_max,
            );
            let size = deflated.expect("there is no limit");
            let mut inflated = vec![0; message.len() + 1];
            let mut inflate = Inflate::new(false, 15);
            inflate
                .decompress(&buffer[..size], &mut inflated, InflateFlush::SyncFlush)
                .unwrap();
            inflated.truncate(inflate.total_out() as usize);
            assert!(inflated == message, "in parts of {part_size_max}");
        }
    }
}
