//! Whether contexts outlive their message.

/// Whether the LZ77 sliding window of one message serves the next (RFC 7692 §7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takeover {
    Kept,
    None,
}

impl Takeover {
    pub(super) fn unless(no_context_takeover: bool) -> Self {
        if no_context_takeover {
            Self::None
        } else {
            Self::Kept
        }
    }
}
