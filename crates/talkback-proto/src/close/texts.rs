//! What a close says to a person.

use std::error::Error;
use std::fmt;

use crate::close::{CloseCause, CloseFrame, CloseFrameError, CloseInfo, Initiator};
use crate::close_code::CloseCode;

impl fmt::Display for CloseFrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(
                f,
                "the close code {code} may not be sent: use 1000, 1001–1003, 1007–1014 or 3000–4999"
            ),
            Self::CodeInBrowser(code) => write!(
                f,
                "a browser lets a page close with 1000 or 3000–4999 only, not with {code}: use one of those"
            ),
            Self::ReasonTooLong(size) => write!(
                f,
                "a close reason has at most 123 bytes of UTF-8, this one has {size}: shorten it"
            ),
            Self::ReasonLineEnd => write!(f, "a close reason has no CR, LF or NUL: leave them out"),
        }
    }
}

impl Error for CloseFrameError {}

impl fmt::Display for CloseCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClosingHandshake => f.write_str("closing handshake"),
            Self::Protocol(error) => error.fmt(f),
            Self::Transport(what) | Self::NotOpened(what) => f.write_str(what),
            Self::Overflow => f.write_str("more came than the program took and there was room for"),
            Self::KeepaliveTimeout => f.write_str("the peer did not answer a ping in time"),
            Self::CloseTimeout => {
                f.write_str("the peer did not finish the closing handshake in time")
            }
        }
    }
}

impl fmt::Display for CloseInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.cause, self.initiator) {
            (CloseCause::ClosingHandshake, Initiator::Local) => {
                f.write_str("closed by this end")?;
            }
            (CloseCause::ClosingHandshake, Initiator::Remote) => {
                f.write_str("closed by the peer")?;
            }
            (CloseCause::Protocol(error), _) => write!(f, "failed: {error}")?,
            (CloseCause::NotOpened(what), _) => return write!(f, "not open: {what}"),
            (cause, _) if self.code == CloseCode::ABNORMAL => {
                write!(f, "connection lost without a close frame: {cause}")?;
            }
            (cause, _) => write!(
                f,
                "closed by the peer, which did not take the answer: {cause}"
            )?,
        }
        match self.code {
            CloseCode::NO_CODE => f.write_str(", without a code"),
            code => write!(f, ", code {code:?}"),
        }?;
        if !self.reason.is_empty() {
            write!(f, ", reason {:?}", self.reason)?;
        }
        match (self.code, self.initiator) {
            (CloseCode::MESSAGE_TOO_BIG, Initiator::Remote) => {
                f.write_str(": a message from this end is over the peer's limit")
            }
            _ => Ok(()),
        }
    }
}

/// Shows the reason's size: the reason may be a secret.
impl fmt::Debug for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseFrame")
            .field("code", &self.code())
            .field("reason_size", &self.reason().len())
            .finish()
    }
}

/// Shows the reason's size, so that what holds this can be logged: the reason may be a secret.
impl fmt::Debug for CloseInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseInfo")
            .field("code", &self.code)
            .field("reason_size", &self.reason.len())
            .field("initiator", &self.initiator)
            .field("clean", &self.clean)
            .field("cause", &self.cause)
            .finish()
    }
}
