//! What was not queued at once.

use std::error::Error;
use std::fmt;

use talkback_proto::{CloseInfo, Message};

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

    /// Why it was not taken.
    pub fn kind(&self) -> TrySendErrorKind {
        match self.why {
            None => TrySendErrorKind::Full,
            Some(_) => TrySendErrorKind::Closed,
        }
    }

    /// Whether the queue is full; a later try may succeed.
    pub fn is_full(&self) -> bool {
        self.kind() == TrySendErrorKind::Full
    }

    /// The message that was not taken.
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
        write!(
            f,
            "a message of {} bytes was not sent: ",
            self.message.len()
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
