//! What a typed channel receives in place of a value.

use std::error::Error as StdError;
use std::fmt;

use talkback_proto::Message;

use crate::error::Error;
use crate::error::codec::CodecError;
use crate::error::size::Size;

/// A typed channel or socket has received no value: its connection has ended, or a message is not what was
/// expected.
///
/// `Debug` is the same sentence as `Display`, and shows nothing of the message.
#[derive(Clone)]
#[non_exhaustive]
pub enum RecvError {
    /// The connection has ended otherwise than by a normal close, as [`Error`] says. It is told once; then comes
    /// the end.
    Ended(Error),
    /// A message is not what was expected. The next call receives the one behind it.
    Message {
        /// What is wrong with it.
        error: CodecError,
        /// The message as it came.
        message: Message,
    },
}

impl From<Error> for RecvError {
    fn from(error: Error) -> Self {
        Self::Ended(error)
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(error) => error.fmt(f),
            Self::Message { error, message } => write!(
                f,
                "a message of {} is not what was expected: {error}",
                Size(message.len())
            ),
        }
    }
}

impl fmt::Debug for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An error within says itself what it is, so that the source is what failed below it.
impl StdError for RecvError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Ended(error) => error.source(),
            Self::Message { .. } => None,
        }
    }
}
