//! What can be seen of a session from outside.

use talkback_proto::{CloseInfo, Incoming};

/// The message that the caller sends.
pub(crate) const SENT: &str = "from this end";

/// What came and what was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) incoming: Vec<Incoming>,
    pub(crate) output: Vec<u8>,
}

/// All that can be seen of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Empty where it is not kept.
    pub(crate) seen: Seen,
    pub(crate) wants_read: bool,
    pub(crate) wants_shutdown: bool,
    pub(crate) info: CloseInfo,
}
