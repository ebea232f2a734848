//! What a socket has read and not used yet.

use std::mem;

use bytes::{Buf, BytesMut};

/// The bytes that were read. How many small messages have used of them is only noted, as to advance the
/// buffer costs more than to take one of them.
#[derive(Default)]
pub(super) struct Input {
    bytes: BytesMut,
    /// Fewer than there are, or none.
    used: usize,
}

impl Input {
    /// Whether all is used.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is not used yet.
    pub(super) fn bytes(&mut self) -> &mut BytesMut {
        self.bytes.advance(mem::take(&mut self.used));
        &mut self.bytes
    }

    /// The bytes, and how many of them are used. Whoever uses up all of them [takes](Self::take) them out.
    #[inline]
    pub(super) fn parts(&mut self) -> (&mut BytesMut, &mut usize) {
        (&mut self.bytes, &mut self.used)
    }

    /// Whether no more is left than was noted as used.
    #[inline]
    pub(super) fn is_used_up(&self) -> bool {
        self.used == self.bytes.len()
    }

    pub(super) fn take(&mut self) -> BytesMut {
        self.used = 0;
        mem::take(&mut self.bytes)
    }
}

impl From<BytesMut> for Input {
    fn from(bytes: BytesMut) -> Self {
        Self { bytes, used: 0 }
    }
}
