//! Bytes of which a few lie in place: what text and binary data are made of.

use std::ops::{Deref, Range};

use bytes::Bytes;

/// Up to this size in bytes, a payload lies in place.
pub(crate) const IN_PLACE_MAX: usize = 23;

/// Bytes that cannot be changed: a few of them lie in place, and cost neither memory nor a count of those
/// who hold them; more are shared.
#[derive(Clone)]
pub(crate) enum SmallBytes {
    InPlace(InPlace),
    Shared(Bytes),
}

/// The bytes, and behind them how many they are: so large that the enum is no larger than [`Bytes`] where addresses
/// have 64 bits.
#[derive(Clone, Copy)]
pub(crate) struct InPlace([u8; IN_PLACE_MAX + 1]);

impl SmallBytes {
    pub(crate) const EMPTY: Self = Self::InPlace(InPlace([0; IN_PLACE_MAX + 1]));

    /// A copy in place, if there is space for it.
    #[inline]
    fn in_place(bytes: &[u8]) -> Option<Self> {
        Self::unmasked_in_place(bytes, 0..bytes.len(), None)
    }

    /// A copy in place of the payload at this range, unmasked, if there is space for it.
    #[inline(always)]
    pub(crate) fn unmasked_in_place(
        bytes: &[u8],
        range: Range<usize>,
        key: Option<[u8; 4]>,
    ) -> Option<Self> {
        let size = range.len();
        if size > IN_PLACE_MAX {
            return None;
        }
        // What lies behind the payload is copied as well, and looked at by nobody: that costs less than
        // to copy as many bytes as there are.
        let mut copy = match bytes[range.start..].first_chunk() {
            Some(copy) => *copy,
            None => copy_last(&bytes[range]),
        };
        let (words, _) = copy.as_chunks_mut::<4>();
        for word in words {
            *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key.unwrap_or_default()))
                .to_ne_bytes();
        }
        copy[IN_PLACE_MAX] = size as u8;
        Some(Self::InPlace(InPlace(copy)))
    }

    /// A copy, in place or not.
    pub(crate) fn copy(bytes: &[u8]) -> Self {
        Self::in_place(bytes).unwrap_or_else(|| Self::Shared(Bytes::copy_from_slice(bytes)))
    }

    /// The bytes, to be shared, if they do not lie in place.
    pub(crate) fn shared(&self) -> Option<&Bytes> {
        match self {
            Self::InPlace(_) => None,
            Self::Shared(bytes) => Some(bytes),
        }
    }

    /// The bytes, without a copy unless they lie in place.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::InPlace(_) => Bytes::copy_from_slice(&self),
            Self::Shared(bytes) => bytes,
        }
    }
}

#[inline(never)]
fn copy_last(bytes: &[u8]) -> [u8; IN_PLACE_MAX + 1] {
    let mut copy = [0; IN_PLACE_MAX + 1];
    copy[..bytes.len()].copy_from_slice(bytes);
    copy
}

impl Deref for SmallBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::InPlace(InPlace(bytes)) => &bytes[..usize::from(bytes[IN_PLACE_MAX])],
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Default for SmallBytes {
    fn default() -> Self {
        Self::EMPTY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn is_no_larger_than_bytes() {
        assert_eq!(size_of::<SmallBytes>(), size_of::<Bytes>());
    }

    #[test]
    fn holds_the_same_bytes_in_place_or_not() {
        let bytes: Vec<u8> = (0..64).collect();
        for size in 0..bytes.len() {
            let copy = SmallBytes::copy(&bytes[..size]);
            assert_eq!(matches!(copy, SmallBytes::InPlace(_)), size <= IN_PLACE_MAX);
            assert_eq!(copy[..], bytes[..size]);
            assert_eq!(copy.clone().into_bytes(), bytes[..size]);
        }
        assert!(SmallBytes::default().is_empty());
    }
}
