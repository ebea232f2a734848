//! What can go wrong for a client.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// Something that a client of topics asked for was refused, or its connection has ended for good.
///
/// `Debug` is the same sentence as `Display`.
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    text: String,
    cause: Option<talkback::Error>,
    topic: Option<Arc<str>>,
    number: Option<u64>,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server does not let this client subscribe to [`topic`](Error::topic). The other topics go on.
    NotSubscribed,
    /// The server has not published what has this [`number`](Error::number), or does not know whether it has, as the text says. Everything
    /// else goes on.
    NotPublished,
    /// Too much of what this client published waits for an answer: nothing was published. Receive first.
    Full,
    /// The connection has ended for good, as [`connection`](Error::connection) says.
    Connection,
    /// The server does not speak the subprotocol, or not as it should. The connection is closed.
    Protocol,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            cause: None,
            topic: None,
            number: None,
        }
    }

    pub(crate) fn topic_is(mut self, topic: &Arc<str>) -> Self {
        self.topic = Some(Arc::clone(topic));
        self
    }

    pub(crate) fn number_is(mut self, number: u64) -> Self {
        self.number = Some(number);
        self
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The topic that it is about, if it is about one.
    pub fn topic(&self) -> Option<&str> {
        self.topic.as_deref()
    }

    /// The number of the publication that it is about, if it is about one.
    pub fn number(&self) -> Option<u64> {
        self.number
    }

    /// How the connection has ended, if it is about that.
    pub fn connection(&self) -> Option<&talkback::Error> {
        self.cause.as_ref()
    }
}

impl From<talkback::Error> for Error {
    fn from(error: talkback::Error) -> Self {
        Self {
            cause: Some(error),
            ..Self::new(ErrorKind::Connection, "")
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        let topic = self.topic.as_deref().unwrap_or_default();
        match (self.kind, &self.cause) {
            (_, Some(error)) => error.fmt(f),
            (ErrorKind::NotSubscribed, _) => {
                write!(
                    f,
                    "the server refused the subscription to {topic:?}: {text}"
                )
            }
            (ErrorKind::NotPublished, _) => {
                write!(f, "the server has not published to {topic:?}: {text}")
            }
            (ErrorKind::Protocol, _) => {
                write!(
                    f,
                    "the server broke the subprotocol talkback.topics.v1: {text}"
                )
            }
            (ErrorKind::Full | ErrorKind::Connection, _) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An error within says itself what it is, so that the source is what failed below it.
impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_ref()?.source()
    }
}
