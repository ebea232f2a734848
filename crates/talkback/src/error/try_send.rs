//! What was not queued at once.

use std::error::Error;
use std::fmt;

use talkback_proto::{CloseInfo, Message};

#[cfg(feature = "json")]
use crate::error::send::SendError;
use crate::error::size::Size;
use crate::error::why::Why;

/// A channel did not take a message at once, and hands it back.
///
/// Its texts show the message's length, never its payload: that may be a secret.
#[derive(Clone)]
pub struct TrySendError {
    message: Message,
    /// `None` if the queue is full.
    why: Option<Box<Why>>,
}

/// Why a channel did not take a message at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrySendErrorKind {
    /// The queue is full: wait with `send`, or drop the message.
    Full,
    /// The channel is closing or closed, or could not be opened.
    Closed,
    /// It is a value that has no form as a message: the channel goes on.
    Invalid,
}

impl TrySendError {
    pub(crate) fn full(message: Message) -> Self {
        Self { message, why: None }
    }

    pub(crate) fn refused(message: Message, why: Why) -> Self {
        Self {
            message,
            why: Some(Box::new(why)),
        }
    }

    /// A value of which there is no message.
    #[cfg(feature = "json")]
    pub(crate) fn invalid(error: SendError) -> Self {
        Self::refused(Message::text(""), error.into_why())
    }

    /// Why it was not taken.
    pub fn kind(&self) -> TrySendErrorKind {
        match self.why.as_deref() {
            None => TrySendErrorKind::Full,
            #[cfg(feature = "json")]
            Some(Why::NotEncoded(_)) => TrySendErrorKind::Invalid,
            Some(_) => TrySendErrorKind::Closed,
        }
    }

    /// Whether the queue is full; a later try may succeed.
    pub fn is_full(&self) -> bool {
        self.kind() == TrySendErrorKind::Full
    }

    /// The message that was not taken; an empty one for a value that has no form as a message.
    pub fn into_message(self) -> Message {
        self.message
    }

    /// How the channel ended, if it has.
    pub fn close_info(&self) -> Option<&CloseInfo> {
        self.why.as_ref()?.close_info()
    }
}

impl fmt::Display for TrySendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(feature = "json")]
        if self.kind() == TrySendErrorKind::Invalid
            && let Some(why) = &self.why
        {
            return write!(f, "a value was not sent: {why}");
        }
        write!(
            f,
            "a message of {} was not sent: ",
            Size(self.message.len())
        )?;
        match &self.why {
            None => f.write_str("the queue is full. Wait with `send`, or drop it"),
            Some(why) => why.fmt(f),
        }
    }
}

/// Shows no payload: it may be a secret.
impl fmt::Debug for TrySendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrySendError({self})")
    }
}

impl Error for TrySendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.why.as_ref()?.source()
    }
}
