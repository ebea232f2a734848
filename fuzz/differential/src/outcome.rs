//! What a decoder makes of a stream, in words that all of them share.

use talkback_proto::ProtocolError;

/// A message, ping or pong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// How the stream ended for the decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The bytes ran out.
    Open,
    /// A close frame came: its code and reason, if it had them.
    Closed(Option<(u16, String)>),
    /// The decoder failed; what it said.
    Failed(Failure),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Ours(ProtocolError),
    Theirs(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) events: Vec<Event>,
    pub(crate) end: End,
}

impl Outcome {
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.end, End::Failed(_))
    }

    /// Our failure, if this is ours.
    pub(crate) fn error(&self) -> Option<&ProtocolError> {
        match &self.end {
            End::Failed(Failure::Ours(error)) => Some(error),
            _ => None,
        }
    }

    /// Whether both brought the same and ended alike. Why one failed is its own choice: a frame
    /// may break several rules.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let is_same_end = self.end == other.end || self.has_failed() && other.has_failed();
        is_same_end && self.events == other.events
    }
}
