//! Whether contexts outlive their message.

/// Whether the LZ77 sliding window of one message serves the next (RFC 7692 §7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takeover {
    Kept,
    None,
}

impl Takeover {
    pub(super) fn if_agreed(is_agreed: bool) -> Self {
        if is_agreed { Self::Kept } else { Self::None }
    }
}
