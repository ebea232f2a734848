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
#[derive(Clone, PartialEq, Eq)]
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

/// As [`Display`](fmt::Display): it is what a `main` prints that returns it.
impl fmt::Debug for TopicNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for TopicNameError {}

/// What the backplane said, which is for the program: it may tell where a store is, and clients are shown the error alone.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Why(Arc<str>);

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Why {}

/// Nothing was published, or it is not known whether it was. What the backplane said of it is its source.
#[derive(Clone, PartialEq, Eq)]
pub struct PublishError {
    kind: PublishErrorKind,
    why: Option<Why>,
}

/// Why nothing was published, or it is not known whether it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishErrorKind {
    /// The id is empty, or longer than 255 bytes. Nothing was published.
    Id,
    /// The [backplane](crate::Backplane) cannot be reached. Nothing was published.
    Unavailable,
    /// The [backplane](crate::Backplane) has not answered, within 2 s or until it was lost: it may have been published. Publishing it again
    /// with the same [id](crate::Publish::id) does so at most once.
    Uncertain,
    /// The message is larger than the [backplane](crate::Backplane) takes. Nothing was published.
    TooLarge {
        /// The bytes that it takes.
        size_max: usize,
    },
}

impl PublishError {
    pub(crate) fn new(kind: PublishErrorKind) -> Self {
        Self { kind, why: None }
    }

    pub(crate) fn because(kind: PublishErrorKind, why: &str) -> Self {
        let why = Some(Why(why.into()));
        Self { kind, why }
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
            PublishErrorKind::Unavailable => {
                f.write_str("nothing was published, as the backplane cannot be reached")
            }
            PublishErrorKind::Uncertain => f.write_str(
                "it may have been published, or not: to publish it again with the same id is safe",
            ),
            PublishErrorKind::TooLarge { size_max } => write!(
                f,
                "nothing was published, as the message is too large for the backplane: it takes {size_max} bytes"
            ),
        }
    }
}

/// As [`Display`](fmt::Display), with what the backplane said: it is what a `main` prints that returns it.
impl fmt::Debug for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(self, self.why.as_ref(), f)
    }
}

impl Error for PublishError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        source(self.why.as_ref())
    }
}

fn shown(error: &dyn Error, why: Option<&Why>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match why {
        Some(why) => write!(f, "{error} ({why})"),
        None => write!(f, "{error}"),
    }
}

fn source(why: Option<&Why>) -> Option<&(dyn Error + 'static)> {
    why.map(|why| why as _)
}

/// A subscription has not begun. What the backplane said of it is its source.
#[derive(Clone, PartialEq, Eq)]
pub struct SubscribeError {
    kind: SubscribeErrorKind,
    why: Option<Why>,
}

/// Why a subscription has not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeErrorKind {
    /// This subscriber is subscribed to the topic.
    Subscribed,
    /// This subscriber was too slow, and has ended.
    TooSlow,
    /// The [backplane](crate::Backplane) cannot be reached, and what is here is not enough: a client is to try again later.
    Unavailable,
}

impl SubscribeError {
    pub(crate) fn new(kind: SubscribeErrorKind) -> Self {
        Self { kind, why: None }
    }

    pub(crate) fn unavailable(why: &str) -> Self {
        Self {
            kind: SubscribeErrorKind::Unavailable,
            why: Some(Why(why.into())),
        }
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
            SubscribeErrorKind::Unavailable => "the backplane cannot be reached: try again later",
        })
    }
}

/// As [`Display`](fmt::Display), with what the backplane said: it is what a `main` prints that returns it.
impl fmt::Debug for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(self, self.why.as_ref(), f)
    }
}

impl Error for SubscribeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        source(self.why.as_ref())
    }
}

/// A subscriber with [`Slow::Close`](crate::Slow::Close) was too far behind, and has ended.
#[derive(Clone, PartialEq, Eq)]
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

/// As [`Display`](fmt::Display): it is what a `main` prints that returns it.
impl fmt::Debug for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for TooSlow {}
