//! So many bytes, in words.

use std::fmt;

/// A number of bytes; one of them is no plural.
pub(super) struct Size(pub(super) usize);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 byte"),
            size => write!(f, "{size} bytes"),
        }
    }
}
