//! Why something cannot be sent.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

#[cfg(not(browser))]
use talkback_proto::SendError as ProtocolSendError;
use talkback_proto::{CloseCode, CloseInfo};

#[cfg(feature = "json")]
use crate::error::codec::CodecError;

/// Why something cannot be sent.
#[derive(Clone, Debug)]
pub(crate) enum Why {
    /// This end has begun to close, or fails the connection.
    Closing,
    /// The peer has begun to close, with this code and reason, or has ended the connection (1006).
    PeerCloses(CloseCode, Box<str>),
    /// The connection was lost, and there is to be another.
    Lost,
    /// The hook that had the connection has returned.
    HookReturned,
    /// The connection has ended, or could not be made; and what failed below.
    Ended(CloseInfo, Option<Arc<dyn Error + Send + Sync>>),
    /// The transport takes no more bytes.
    #[cfg(not(browser))]
    Write(Arc<io::Error>),
    /// It may not be sent.
    #[cfg(not(browser))]
    Invalid(ProtocolSendError),
    /// It has no form as a message.
    #[cfg(feature = "json")]
    NotEncoded(CodecError),
    /// The browser does not do this.
    #[cfg(browser)]
    NotInBrowser(&'static str),
}

impl Why {
    pub(crate) fn close_info(&self) -> Option<&CloseInfo> {
        match self {
            Self::Ended(info, _) => Some(info),
            _ => None,
        }
    }

    /// What failed below, if something did.
    pub(crate) fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Ended(_, Some(error)) => Some(&**error),
            #[cfg(not(browser))]
            Self::Write(error) => Some(&**error),
            _ => None,
        }
    }

    /// The kind of an I/O error that stands for this one.
    pub(crate) fn io_kind(&self) -> io::ErrorKind {
        match self {
            #[cfg(not(browser))]
            Self::Write(error) => error.kind(),
            #[cfg(not(browser))]
            Self::Invalid(ProtocolSendError::InvalidUtf8) => io::ErrorKind::InvalidData,
            #[cfg(not(browser))]
            Self::Invalid(_) => io::ErrorKind::InvalidInput,
            #[cfg(feature = "json")]
            Self::NotEncoded(_) => io::ErrorKind::InvalidData,
            #[cfg(browser)]
            Self::NotInBrowser(_) => io::ErrorKind::Unsupported,
            _ => io::ErrorKind::BrokenPipe,
        }
    }
}

/// Why, and what to do.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closing => {
                f.write_str("this end is closing. Send before you close or drop the channel")?;
            }
            Self::PeerCloses(CloseCode::ABNORMAL, _) => {
                f.write_str("the peer has ended the connection. Connect anew to send")?;
            }
            Self::PeerCloses(code, reason) => {
                f.write_str("the peer is closing, ")?;
                match *code {
                    CloseCode::NO_CODE => f.write_str("without a code")?,
                    code => write!(f, "code {code:?}")?,
                }
                if !reason.is_empty() {
                    write!(f, ", reason {reason:?}")?;
                }
                f.write_str(". Connect anew to send")?;
            }
            Self::Lost => {
                f.write_str("the connection was lost. The channel connects anew, and sends nothing twice: ask the peer what it has, or send again what may come twice")?;
            }
            Self::HookReturned => {
                f.write_str("`on_connected` has returned. Use the channel, or one of its senders")?;
            }
            // What could not be made says itself what to do.
            Self::Ended(info, Some(_)) => info.fmt(f)?,
            Self::Ended(info, None) => write!(f, "{info}. Connect anew to send")?,
            #[cfg(not(browser))]
            Self::Write(error) => {
                write!(f, "could not write to the peer: {error}. Connect anew")?;
            }
            #[cfg(not(browser))]
            Self::Invalid(error) => error.fmt(f)?,
            #[cfg(feature = "json")]
            Self::NotEncoded(error) => error.fmt(f)?,
            #[cfg(browser)]
            Self::NotInBrowser(what) => f.write_str(what)?,
        }
        Ok(())
    }
}
