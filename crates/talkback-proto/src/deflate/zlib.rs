//! Compression by zlib-rs, at the levels that are not [ours](super::own).

use zlib_rs::{Deflate, DeflateFlush};

use crate::deflate::settings::TAIL;

/// The most bytes that are handed to zlib at a time: it counts them in 32 bits.
pub(super) const PART_SIZE_MAX: usize = 1 << 30;

/// Compresses a message up to a byte boundary into a buffer that grows, and says how much came
/// out; or `None` if it is more than `size_max` bytes. It goes in by `part_size_max` at a time.
pub(super) fn deflate(
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
pub(super) fn discard_pending(context: &mut Deflate, buffer: &mut [u8]) {
    loop {
        let given = context.total_out();
        let status = context.compress(&[], buffer, DeflateFlush::NoFlush);
        let size = (context.total_out() - given) as usize;
        if status.is_err() || size < buffer.len() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use zlib_rs::{Inflate, InflateFlush};

    use super::*;
    use crate::deflate::parameters::{CompressionLevel, MemoryLevel, WindowBits};
    use crate::deflate::settings::Settings;
    use crate::deflate::takeover::Takeover;

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
        let settings = Settings {
            window_bits: WindowBits::MAX,
            level: CompressionLevel::MAX,
            memory_level: MemoryLevel::MAX,
            takeover: Takeover::None,
        };
        for part_size_max in [1, 999, 8000, PART_SIZE_MAX] {
            let mut context = Deflate::new_with_config(settings.into());
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
