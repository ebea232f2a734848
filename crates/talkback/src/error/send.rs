//! What was not sent.

use std::error::Error;
use std::fmt;
use std::io;

use talkback_proto::{CloseInfo, Message};

use crate::error::size::Size;
use crate::error::why::Why;

/// Something was not sent: a message, a piece of one, a ping, or what had been queued.
///
/// Its texts show lengths, never a payload: that may be a secret.
///
/// ```
/// # async fn example(channel: talkback::WebSocketChannel) {
/// if let Err(error) = channel.send("Hello!").await {
///     eprintln!("{error}"); // a message of 6 bytes was not sent: closed by the peer, code 1008 …
///     let again = error.into_message();
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct SendError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    what: Unsent,
    why: Why,
}

/// What was not sent; sizes in bytes.
#[derive(Clone, Debug)]
pub(crate) enum Unsent {
    /// A message, which is handed back.
    Message(Message),
    /// A value that is no message.
    #[cfg(feature = "json")]
    Value,
    /// A message that has not been named yet.
    Next,
    /// As many messages that a channel had queued.
    Queued(u64),
    /// As many messages that a connection had, and perhaps wrote, when it was lost.
    InFlight(u64),
    /// A ping with a payload of this size.
    Ping(usize),
    /// What a socket had queued.
    #[cfg(not(browser))]
    Output,
    /// A message of this size that is queued, and perhaps not written.
    #[cfg(not(browser))]
    Unwritten(usize),
    /// A piece of this size of a message that is sent as a stream.
    #[cfg(not(browser))]
    Piece(usize),
}

/// Why something was not sent.
///
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// The connection is closing or closed, broke, or could not be made.
    Closed,
    /// It may not be sent so: the connection goes on.
    Invalid,
    /// The connection was lost with it, and whether the peer has got it is not known. The channel
    /// reconnects and goes on.
    InFlight,
}

impl SendError {
    pub(crate) fn new(what: Unsent, why: Why) -> Self {
        Self(Box::new(Inner { what, why }))
    }

    /// Why it was not sent.
    pub fn kind(&self) -> SendErrorKind {
        match &self.0.why {
            #[cfg(not(browser))]
            Why::Invalid(_) => SendErrorKind::Invalid,
            #[cfg(feature = "json")]
            Why::NotEncoded(_) => SendErrorKind::Invalid,
            #[cfg(browser)]
            Why::NotInBrowser(_) => SendErrorKind::Invalid,
            Why::Lost => SendErrorKind::InFlight,
            _ => SendErrorKind::Closed,
        }
    }

    /// The message that was not taken; `None` if it was queued already, or was no whole message.
    pub fn into_message(self) -> Option<Message> {
        match self.0.what {
            Unsent::Message(message) => Some(message),
            _ => None,
        }
    }

    /// How the connection ended, if it has.
    pub fn close_info(&self) -> Option<&CloseInfo> {
        self.0.why.close_info()
    }

    #[cfg(feature = "json")]
    pub(crate) fn into_why(self) -> Why {
        self.0.why
    }

    pub(crate) fn io_kind(&self) -> io::ErrorKind {
        self.0.why.io_kind()
    }
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) => {
                write!(f, "a message of {} was not sent", Size(message.len()))
            }
            #[cfg(feature = "json")]
            Self::Value => f.write_str("a value was not sent"),
            Self::Next => f.write_str("nothing can be sent"),
            Self::Queued(1) => f.write_str("a message that was queued was not written"),
            Self::Queued(count) => write!(f, "{count} messages that were queued were not written"),
            Self::InFlight(1) => f.write_str("a message may not have arrived"),
            Self::InFlight(count) => write!(f, "{count} messages may not have arrived"),
            Self::Ping(size) => {
                write!(f, "a ping of {} was not sent, or not answered", Size(*size))
            }
            #[cfg(not(browser))]
            Self::Output => f.write_str("what was queued was not written"),
            #[cfg(not(browser))]
            Self::Unwritten(size) => {
                write!(
                    f,
                    "a message of {} was queued, but not written",
                    Size(*size)
                )
            }
            #[cfg(not(browser))]
            Self::Piece(0) => f.write_str("the end of a message was not sent"),
            #[cfg(not(browser))]
            Self::Piece(1) => f.write_str("a byte of a message was not sent"),
            #[cfg(not(browser))]
            Self::Piece(size) => write!(f, "{size} bytes of a message were not sent"),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.what, self.0.why)
    }
}

/// Shows no payload: it may be a secret.
impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendError({self})")
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.why.source()
    }
}

/// For what reads and writes a message as bytes.
impl From<SendError> for io::Error {
    fn from(error: SendError) -> Self {
        Self::new(error.io_kind(), error)
    }
}
