//! What can go wrong.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use talkback::CloseCode;

/// How many bytes the name of a topic may have.
pub(crate) const NAME_SIZE_MAX: usize = 255;
/// How many bytes the id of a publication may have.
pub(crate) const ID_SIZE_MAX: usize = 255;

/// A name is none for a topic, which has 1 to 255 bytes of UTF-8 without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicNameError(NameFault);

#[derive(Clone, Debug, PartialEq, Eq)]
enum NameFault {
    Empty,
    TooLong(usize),
    Control,
}

impl TopicNameError {
    pub(crate) fn check(name: &str) -> Result<(), Self> {
        if name.is_empty() {
            return Err(Self(NameFault::Empty));
        }
        if name.len() > NAME_SIZE_MAX {
            return Err(Self(NameFault::TooLong(name.len())));
        }
        match name.chars().any(char::is_control) {
            true => Err(Self(NameFault::Control)),
            false => Ok(()),
        }
    }
}

impl fmt::Display for TopicNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            NameFault::Empty => f.write_str("the name of a topic is empty"),
            NameFault::TooLong(size) => write!(
                f,
                "the name of a topic is {size} bytes long: {NAME_SIZE_MAX} are the most"
            ),
            NameFault::Control => f.write_str("the name of a topic has a control character"),
        }
    }
}

impl Error for TopicNameError {}

/// Nothing was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishError {
    kind: PublishErrorKind,
}

/// Why nothing was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishErrorKind {
    /// The id is empty, or longer than 255 bytes.
    Id,
}

impl PublishError {
    pub(crate) fn new(kind: PublishErrorKind) -> Self {
        Self { kind }
    }

    /// Why.
    pub fn kind(&self) -> PublishErrorKind {
        self.kind
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            PublishErrorKind::Id => write!(
                f,
                "the id of a publication has to have 1 to {ID_SIZE_MAX} bytes"
            ),
        }
    }
}

impl Error for PublishError {}

/// A subscription has not begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeError {
    kind: SubscribeErrorKind,
}

/// Why a subscription has not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeErrorKind {
    /// This subscriber is subscribed to the topic.
    Subscribed,
    /// This subscriber was too slow, and has ended.
    TooSlow,
}

impl SubscribeError {
    pub(crate) fn new(kind: SubscribeErrorKind) -> Self {
        Self { kind }
    }

    /// Why.
    pub fn kind(&self) -> SubscribeErrorKind {
        self.kind
    }
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            SubscribeErrorKind::Subscribed => {
                "this subscriber is subscribed to the topic: unsubscribe first to begin elsewhere in it"
            }
            SubscribeErrorKind::TooSlow => "this subscriber was too slow, and has ended: make another",
        })
    }
}

impl Error for SubscribeError {}

/// A subscriber with [`Slow::Close`](crate::Slow::Close) was too far behind, and has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooSlow {
    topic: Arc<str>,
}

impl TooSlow {
    pub(crate) fn new(topic: Arc<str>) -> Self {
        Self { topic }
    }

    /// The topic that it was too far behind in.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// What to close its connection with: 1013, "try again later".
    pub fn close_code(&self) -> CloseCode {
        CloseCode::TRY_AGAIN_LATER
    }
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the subscriber was too slow for the topic {:?}: it can subscribe anew with its position",
            self.topic
        )
    }
}

impl Error for TooSlow {}
