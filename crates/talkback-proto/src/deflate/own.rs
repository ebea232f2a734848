//! A compressor of our own (RFC 1951) for what a connection mostly sends: small messages, each one
//! flushed.
//!
//! zlib's begins each message by clearing 128 KiB, and makes its codes in three trees at a pace meant
//! for large files; on a message of 1 KiB that is most of the work. This one clears nothing: a place
//! in its table counts on from one message to the next, so that what an earlier message left there is
//! seen to be out of reach. It takes the first match that is good enough, of two that it looks at.

use crate::deflate::bits::Bits;
use crate::deflate::block::{Block, Effort, MATCH_SIZE_MAX};
use crate::deflate::parameters::WindowBits;
use crate::deflate::settings::TAIL;
use crate::deflate::takeover::Takeover;

/// How many bytes are hashed, and so the smallest match.
const HASHED_SIZE: usize = 4;

/// How many bytes are taken into the history at once, if the window is not larger.
const PART_SIZE: usize = 16 * 1024;

/// The largest message that is compressed where it lies, and the most that places count up to.
const WHOLE_SIZE_MAX: usize = 1 << 30;
const PLACE_MAX: u32 = 3 << 30;

/// The history of a connection, or of a message, and where in it what stands: 32 KiB, and up to twice
/// the window.
pub(super) struct Own {
    window_size: usize,
    effort: Effort,
    table: Table,
    /// What later bytes may look back at: up to the window, and what came since it was last cut.
    history: Vec<u8>,
    /// The place of the first byte of the history.
    begin: u32,
}

/// By the hash of four bytes, the last two places where they may stand; 0 is nowhere.
struct Table(Box<[[u32; 2]; 1 << HASH_BITS]>);

const HASH_BITS: u32 = 12;

impl Own {
    pub(super) fn new(window_bits: WindowBits, effort: Effort) -> Self {
        let places = vec![[0; 2]; 1 << HASH_BITS].into_boxed_slice();
        Self {
            window_size: 1 << window_bits.get(),
            effort,
            table: Table(places.try_into().expect("it has that size")),
            history: Vec::new(),
            begin: 1,
        }
    }

    /// Forgets what was compressed.
    pub(super) fn reset(&mut self) {
        self.advance(self.history.len());
        self.history.clear();
    }

    /// Compresses `message` up to a byte boundary into a buffer that grows, and says how much came
    /// out; or `None` if it is more than `size_max` bytes, and then all is forgotten.
    ///
    /// What comes next may look back at it if it is taken over.
    pub(super) fn compress(
        &mut self,
        message: &[u8],
        takeover: Takeover,
        block: &mut Block,
        buffer: &mut Vec<u8>,
        size_max: usize,
    ) -> Option<usize> {
        let mut bits = Bits::new(buffer);
        let is_alone = takeover == Takeover::None && message.len() <= WHOLE_SIZE_MAX;
        let is_written = if is_alone {
            debug_assert!(self.history.is_empty(), "it was reset");
            let encoding = Encoding {
                data: message,
                begin: self.begin,
                window_size: self.window_size,
                effort: self.effort,
                size_max,
            };
            let is_written = encoding.write(0, &mut self.table, block, &mut bits);
            self.advance(message.len());
            is_written
        } else {
            self.write_in_parts(message, block, &mut bits, size_max)
        };
        // An empty block up to the next byte, whose rest is the tail (RFC 7692 §7.2.1).
        if !is_written || !bits.reserve(3 + 32, size_max) {
            block.clear();
            self.reset();
            return None;
        }
        bits.write(|bits| {
            bits.add(0b000, 3);
            bits.align();
            bits.add_bytes(&TAIL);
        });
        Some(bits.size())
    }

    fn write_in_parts(
        &mut self,
        message: &[u8],
        block: &mut Block,
        bits: &mut Bits<'_>,
        size_max: usize,
    ) -> bool {
        message.chunks(self.window_size.max(PART_SIZE)).all(|part| {
            let beyond = self.history.len().saturating_sub(self.window_size);
            if beyond > 0 && self.history.len() + part.len() > 2 * self.window_size {
                self.history.drain(..beyond);
                self.advance(beyond);
            }
            let start = self.history.len();
            self.reserve(part.len());
            self.history.extend_from_slice(part);
            let encoding = Encoding {
                data: &self.history,
                begin: self.begin,
                window_size: self.window_size,
                effort: self.effort,
                size_max,
            };
            encoding.write(start, &mut self.table, block, bits)
        })
    }

    /// Makes room in the history: twice as much as there was, but no more than it ever holds.
    fn reserve(&mut self, size: usize) {
        let needed = self.history.len() + size;
        let capacity = self.history.capacity();
        if needed > capacity {
            let most = self.window_size + self.window_size.max(PART_SIZE);
            let wanted = (2 * capacity).min(most).max(needed);
            self.history.reserve_exact(wanted - self.history.len());
        }
    }

    /// Moves the places on, so that none is used twice.
    fn advance(&mut self, size: usize) {
        let begin = self.begin as usize + size;
        self.begin = if begin > PLACE_MAX as usize {
            self.table.0.fill([0; 2]);
            1
        } else {
            begin as u32
        };
    }
}

/// What is compressed, and what it looks back at.
struct Encoding<'a> {
    data: &'a [u8],
    /// The place of its first byte.
    begin: u32,
    window_size: usize,
    effort: Effort,
    size_max: usize,
}

impl Encoding<'_> {
    /// Writes what stands from `start` on, in blocks.
    fn write(
        &self,
        start: usize,
        table: &mut Table,
        block: &mut Block,
        bits: &mut Bits<'_>,
    ) -> bool {
        let (mut at, mut written) = (start, start);
        while at < self.data.len() {
            at = self.fill(at, table, block);
            if !block.write(&self.data[written..at], self.effort, bits, self.size_max) {
                return false;
            }
            written = at;
        }
        true
    }

    /// Fills a block, and says up to where.
    fn fill(&self, mut at: usize, table: &mut Table, block: &mut Block) -> usize {
        let data = self.data;
        let mut last_distance = usize::MAX;
        while !block.is_full() {
            let Some(word) = word(data, at) else {
                let Some(byte) = data.get(at) else { break };
                block.add_literal(*byte);
                at += 1;
                continue;
            };
            let place = self.begin.wrapping_add(at as u32);
            let places = table.replace(word, place);
            let (mut size, mut distance) = match self.effort {
                Effort::Least => (0, 0),
                // As far back as the last match: where a message resembles an earlier one, it goes on there.
                Effort::More => self.same(at, word, last_distance),
            };
            for earlier in [places[0], places[1]] {
                // What an earlier message left there is further back than this one reaches.
                let other = place.wrapping_sub(earlier) as usize;
                if other != distance {
                    let other = self.same(at, word, other);
                    if other.0 > size {
                        (size, distance) = other;
                    }
                }
            }
            if size == 0 {
                block.add_literal(word as u8);
                at += 1;
                continue;
            }
            block.add_match(size, distance);
            last_distance = distance;
            // What begins where a match does, or ends with it, is the likeliest to come again: to remember
            // all that is in it costs a tenth more time, and saves a hundredth.
            let end = at + size;
            self.insert(at + 1, table);
            self.insert(end - 2, table);
            self.insert(end - 1, table);
            at = end;
        }
        at
    }

    #[inline]
    fn insert(&self, at: usize, table: &mut Table) {
        if let Some(word) = word(self.data, at) {
            table.replace(word, self.begin.wrapping_add(at as u32));
        }
    }

    /// How many bytes are the same as so far back, and how far that is; or 0.
    #[inline]
    fn same(&self, at: usize, word: u32, distance: usize) -> (usize, usize) {
        if distance > at.min(self.window_size) || self::word(self.data, at - distance) != Some(word)
        {
            return (0, 0);
        }
        (common(self.data, at, at - distance), distance)
    }
}

impl Table {
    /// The places where these four bytes may stand; from now on at this one, too.
    #[inline]
    fn replace(&mut self, word: u32, place: u32) -> [u32; 2] {
        let hash = word.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS);
        let places = &mut self.0[hash as usize];
        let before = *places;
        *places = [place, before[0]];
        before
    }
}

#[inline]
fn word(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..)?.first_chunk::<HASHED_SIZE>()?;
    Some(u32::from_le_bytes(*bytes))
}

/// How many bytes are the same at both places, of which the second is the earlier one, from the fifth
/// on; the first four are.
#[inline]
fn common(data: &[u8], at: usize, earlier: usize) -> usize {
    let these = &data[at..data.len().min(at + MATCH_SIZE_MAX)];
    let those = &data[earlier..earlier + these.len()];
    let (words, rest) = these[HASHED_SIZE..].as_chunks::<8>();
    let (other_words, other_rest) = those[HASHED_SIZE..].as_chunks::<8>();
    let mut size = HASHED_SIZE;
    for (word, other) in words.iter().zip(other_words) {
        let unlike = u64::from_le_bytes(*word) ^ u64::from_le_bytes(*other);
        if unlike != 0 {
            return size + (unlike.trailing_zeros() / 8) as usize;
        }
        size += 8;
    }
    let same = rest.iter().zip(other_rest).take_while(|(a, b)| a == b);
    size + same.count()
}

#[cfg(test)]
mod tests {
    use zlib_rs::{Inflate, InflateFlush};

    use super::*;

    /// Messages of every make: empty but for a byte, noise, runs, words that come again near and far.
    fn messages() -> Vec<Vec<u8>> {
        let mut state = 7_u32;
        let mut noise = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let words: Vec<Vec<u8>> = (0..40)
            .map(|size| (0..size).map(|_| noise()).collect())
            .collect();
        let mut messages = vec![vec![b'x'], b"xyz".to_vec(), vec![0; 300], vec![7; 200_000]];
        messages.push((0..70_000).map(|_| noise()).collect());
        for size in [1, 3, 4, 5, 100, 513, 5000, 16_383, 16_384, 40_000, 300_000] {
            let mut message = Vec::new();
            while message.len() < size {
                message.extend_from_slice(&words[usize::from(noise()) % words.len()]);
            }
            message.truncate(size);
            messages.push(message);
        }
        messages
    }

    fn compress_all(bits: u8, effort: Effort, takeover: Takeover) {
        let mut own = Own::new(WindowBits::new(bits).unwrap(), effort);
        let (mut block, mut buffer) = (Block::default(), Vec::new());
        // A window of this size: what looked back further would not be decompressed.
        let mut inflate = Inflate::new(false, bits);
        for message in messages() {
            let size = own.compress(&message, takeover, &mut block, &mut buffer, usize::MAX);
            let size = size.expect("there is no limit");
            assert!(buffer[..size].ends_with(&TAIL));
            let mut inflated = vec![0; message.len() + 1];
            let before = inflate.total_out();
            inflate
                .decompress(&buffer[..size], &mut inflated, InflateFlush::SyncFlush)
                .unwrap();
            inflated.truncate((inflate.total_out() - before) as usize);
            assert!(inflated == message, "{} bytes, {bits} bits", message.len());
            if takeover == Takeover::None {
                own.reset();
                inflate = Inflate::new(false, bits);
            }
        }
    }

    #[test]
    fn d14_what_is_compressed_is_whole_and_within_the_window() {
        for effort in [Effort::Least, Effort::More] {
            for takeover in [Takeover::None, Takeover::Kept] {
                for bits in [9, 12, 15] {
                    compress_all(bits, effort, takeover);
                }
            }
        }
    }

    #[test]
    fn what_came_before_changes_nothing_once_it_is_forgotten() {
        let (mut block, mut buffer) = (Block::default(), Vec::new());
        let mut used = Own::new(WindowBits::MAX, Effort::More);
        // Places start anew within a few messages.
        used.begin = PLACE_MAX - 100_000;
        for message in messages() {
            let mut compressed = |own: &mut Own| {
                let size = own.compress(
                    &message,
                    Takeover::None,
                    &mut block,
                    &mut buffer,
                    usize::MAX,
                );
                buffer[..size.unwrap()].to_vec()
            };
            let mut new = Own::new(WindowBits::MAX, Effort::More);
            assert!(compressed(&mut used) == compressed(&mut new));
        }
        assert!(used.begin < PLACE_MAX - 100_000, "they did");
    }

    #[test]
    fn a_limit_is_kept_to_the_byte() {
        let (mut block, mut buffer) = (Block::default(), Vec::new());
        let mut own = Own::new(WindowBits::MAX, Effort::More);
        for message in messages() {
            let mut size = |size_max| {
                let size =
                    own.compress(&message, Takeover::None, &mut block, &mut buffer, size_max);
                own.reset();
                size
            };
            let whole = size(usize::MAX).unwrap();
            assert_eq!(size(whole), Some(whole));
            assert_eq!(size(whole - 1), None);
        }
    }

    #[test]
    fn memory_is_bounded_by_the_window() {
        let mut own = Own::new(WindowBits::new(10).unwrap(), Effort::More);
        let (mut block, mut buffer) = (Block::default(), Vec::new());
        for message in messages() {
            let _ = own.compress(
                &message,
                Takeover::Kept,
                &mut block,
                &mut buffer,
                usize::MAX,
            );
            assert!(own.history.capacity() <= PART_SIZE + (1 << 10));
        }
    }
}
