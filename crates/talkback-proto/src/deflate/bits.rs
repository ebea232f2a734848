//! Bits, packed as DEFLATE has them (RFC 1951 §3.1.1): the first one lowest.

/// Writes bits into a buffer that grows.
pub(super) struct Bits<'a> {
    buffer: &'a mut Vec<u8>,
    at: At,
}

/// How far it is.
#[derive(Clone, Copy, Default)]
struct At {
    /// How many bytes are written.
    size: usize,
    /// The bits that are not written yet, and how many.
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self {
            buffer,
            at: At::default(),
        }
    }

    /// Has `work` write bits for which there is [room](Self::reserve).
    #[inline]
    pub(super) fn write(&mut self, work: impl FnOnce(&mut Writer<'_>)) {
        let mut writer = Writer {
            buffer: self.buffer,
            at: self.at,
        };
        work(&mut writer);
        writer.pass();
        self.at = writer.at;
    }

    /// Makes room for as many bits, or says that all would be more than `size_max` bytes.
    #[must_use]
    pub(super) fn reserve(&mut self, bits: usize, size_max: usize) -> bool {
        let size = self.at.size + (self.at.count as usize + bits).div_ceil(8);
        if size > size_max {
            return false;
        }
        if size + 8 > self.buffer.len() {
            self.buffer.resize((size + 8).max(self.buffer.len() * 2), 0);
        }
        true
    }

    /// How many bytes are written.
    pub(super) fn size(&self) -> usize {
        self.at.size
    }
}

/// Writes bits into a buffer that has room for them, and for 8 bytes behind.
pub(super) struct Writer<'a> {
    buffer: &'a mut [u8],
    at: At,
}

impl Writer<'_> {
    /// Adds bits; between two calls of [`pass`](Self::pass), up to 57 in all.
    #[inline]
    pub(super) fn add(&mut self, bits: u64, count: u32) {
        self.at.held |= bits << self.at.count;
        self.at.count += count;
    }

    /// Writes the whole bytes, and holds at most 7 bits.
    #[inline]
    pub(super) fn pass(&mut self) {
        self.buffer[self.at.size..][..8].copy_from_slice(&self.at.held.to_le_bytes());
        self.at.size += (self.at.count / 8) as usize;
        self.at.held >>= self.at.count & !7;
        self.at.count &= 7;
    }

    /// Writes the whole bytes if `count` more bits could be too many.
    #[inline]
    pub(super) fn pass_before(&mut self, count: u32) {
        if self.at.count + count >= 64 {
            self.pass();
        }
    }

    /// Fills the last byte.
    pub(super) fn align(&mut self) {
        self.at.count = self.at.count.next_multiple_of(8);
        self.pass();
    }

    /// Adds whole bytes where all bits are [aligned](Self::align).
    pub(super) fn add_bytes(&mut self, bytes: &[u8]) {
        self.buffer[self.at.size..self.at.size + bytes.len()].copy_from_slice(bytes);
        self.at.size += bytes.len();
    }
}
