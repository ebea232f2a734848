//! Binary data.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use bytes::Bytes;

use crate::small_bytes::SmallBytes;

/// The bytes of a binary message; cheap to clone.
///
/// Up to 23 bytes lie in place, without memory of their own.
#[derive(Clone, Default)]
pub struct Binary(SmallBytes);

impl Binary {
    /// Bytes that are part of the program, which costs no copy.
    pub const fn from_static(bytes: &'static [u8]) -> Self {
        Self(SmallBytes::Shared(Bytes::from_static(bytes)))
    }

    /// Bytes that arrived.
    #[inline]
    pub(crate) fn new(bytes: SmallBytes) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, to be shared, if they do not lie in place.
    pub(crate) fn shared(&self) -> Option<&Bytes> {
        self.0.shared()
    }

    #[inline]
    pub(crate) fn into_small_bytes(self) -> SmallBytes {
        self.0
    }

    /// The bytes, without a copy if there are more than 23.
    pub fn into_bytes(self) -> Bytes {
        self.0.into_bytes()
    }
}

impl Deref for Binary {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsRef<[u8]> for Binary {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// Equal bytes are hashed as slices are.
impl Borrow<[u8]> for Binary {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Hash for Binary {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Binary {
    fn eq(&self, other: &T) -> bool {
        self.as_bytes() == other.as_ref()
    }
}

impl Eq for Binary {}

/// Shows the size and no bytes: they may be a secret.
impl fmt::Debug for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Binary({} bytes)", self.len())
    }
}

impl From<&[u8]> for Binary {
    fn from(bytes: &[u8]) -> Self {
        Self(SmallBytes::copy(bytes))
    }
}

impl<const N: usize> From<&[u8; N]> for Binary {
    fn from(bytes: &[u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

/// The bytes of a text, to be sent as binary data.
impl From<&str> for Binary {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<String> for Binary {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<Bytes> for Binary {
    fn from(bytes: Bytes) -> Self {
        Self(SmallBytes::Shared(bytes))
    }
}

impl From<Vec<u8>> for Binary {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<Box<[u8]>> for Binary {
    fn from(bytes: Box<[u8]>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<Cow<'_, [u8]>> for Binary {
    fn from(bytes: Cow<'_, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => bytes.into(),
            Cow::Owned(bytes) => bytes.into(),
        }
    }
}

impl From<Binary> for Bytes {
    fn from(binary: Binary) -> Self {
        binary.into_bytes()
    }
}

impl From<Binary> for Vec<u8> {
    fn from(binary: Binary) -> Self {
        binary.into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_is_its_bytes_whatever_it_is_made_of() {
        for size in [0, 3, 23, 24, 100] {
            let bytes = vec![7; size];
            let made: [Binary; 6] = [
                bytes.as_slice().into(),
                bytes.clone().into(),
                bytes.clone().into_boxed_slice().into(),
                Bytes::from(bytes.clone()).into(),
                Cow::from(&bytes).into(),
                Cow::<'_, [u8]>::from(bytes.clone()).into(),
            ];
            for binary in &made {
                assert_eq!((binary, binary.len()), (&made[0], size));
                assert_eq!(*binary, bytes);
                assert_eq!(binary.clone().into_bytes(), bytes);
                assert_eq!(Vec::from(binary.clone()), bytes);
            }
            let set = std::collections::HashSet::from(made);
            assert!(set.len() == 1 && set.contains(&bytes[..]));
        }
        assert_eq!(Binary::from(b"ab"), Binary::from_static(b"ab"));
    }
}
