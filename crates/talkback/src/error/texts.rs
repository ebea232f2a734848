//! What errors say to a person, and what failed below them.

use std::error::Error;
use std::fmt;
use std::io;

use http::HeaderName;
use talkback_proto::CloseFrameError;
#[cfg(not(browser))]
use talkback_proto::handshake::Refusal;
use talkback_proto::handshake::UrlError;

#[cfg(not(browser))]
use crate::error::AcceptError;
use crate::error::send::SendError;
use crate::error::try_send::TrySendError;
use crate::error::{self, ConnectError};

/// Each text is that of the error within.
impl fmt::Display for error::Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Closed(info) => write!(f, "{info}"),
            Self::Send(error) => error.fmt(f),
            Self::TrySend(error) => error.fmt(f),
            Self::CloseFrame(error) => error.fmt(f),
        }
    }
}

/// An error within says itself what it is, so that the source is what failed below it.
impl Error for error::Error {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Connect(error) => error.source(),
            Self::Closed(_) => None,
            Self::Send(error) => error.source(),
            Self::TrySend(error) => error.source(),
            Self::CloseFrame(error) => error.source(),
        }
    }
}

impl From<ConnectError> for error::Error {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<SendError> for error::Error {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl From<TrySendError> for error::Error {
    fn from(error: TrySendError) -> Self {
        Self::TrySend(error)
    }
}

impl From<CloseFrameError> for error::Error {
    fn from(error: CloseFrameError) -> Self {
        Self::CloseFrame(error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::NoTls { url } => write!(
                f,
                "{url} asks for TLS, which this build leaves out: turn on talkback's feature `platform-roots`, or use ws:// if the server allows it"
            ),
            Self::TlsOption { what, error } => write!(f, "{what} cannot be used for TLS: {error}"),
            Self::Tls { url, error, advice } => {
                write!(f, "could not open {url}: TLS failed: {error}. {advice}")
            }
            // It may be a whole line, or the value in the name's place.
            Self::Header { name } if HeaderName::try_from(name.as_str()).is_err() => write!(
                f,
                "a header has a name of {} bytes that HTTP forbids: give `header` the name, of letters, digits and -, and the value apart",
                name.len()
            ),
            Self::Header { name } => write!(
                f,
                "the header {name:?} has a name or a value that HTTP forbids: remove line ends, control characters and characters beyond ASCII"
            ),
            Self::Resolve { host, error } => write!(
                f,
                "could not find the address of {host:?}: {error}. Check the name and the network"
            ),
            Self::Tcp { url, error } => {
                write!(f, "could not connect to {url}: {error}. {}", advice(error))
            }
            Self::Lost { url, error } => write!(
                f,
                "the connection to {url} was lost during the opening handshake: {error}. Check that the port is that of a WebSocket server"
            ),
            Self::Handshake { url, error } => write!(f, "could not open {url}: {error}"),
            Self::NotInBrowser { option, instead } => write!(
                f,
                "a browser cannot honour the option {option}: {instead}. To ask for it in native programs only, set it inside `native`"
            ),
            Self::BrowserRefused { url, error, advice } => write!(
                f,
                "the browser refused to connect to {url}: {error}. {advice}"
            ),
            Self::Browser { url } => write!(
                f,
                "the browser could not connect to {url}, and tells only its console why. Check that the server runs, speaks WebSocket there, and allows this page's origin"
            ),
            Self::Timeout { url, after, stage } => write!(
                f,
                "could not open {url} within {after:?}: time ran out while {stage}. Check host and port, or raise the timeout"
            ),
        }
    }
}

/// The errors of Unix for too many open files, of the system and of the process.
const TOO_MANY_OPEN: [i32; 2] = [23, 24];

/// What to do about a connection that could not be made.
fn advice(error: &io::Error) -> &'static str {
    if cfg!(unix)
        && error
            .raw_os_error()
            .is_some_and(|code| TOO_MANY_OPEN.contains(&code))
    {
        return "Raise the limit of open files (`ulimit -n`)";
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "Check the port, and that the server is running",
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            "Check the host and the network"
        }
        _ => "Check the host, the port and the network",
    }
}

/// The source is the transport's own error, not the `Arc` around it: a derived one could not be
/// downcast to [`io::Error`].
impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Tls { error, .. }
            | Self::Resolve { error, .. }
            | Self::Tcp { error, .. }
            | Self::Lost { error, .. } => Some(&**error),
            Self::Handshake { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<UrlError> for ConnectError {
    fn from(error: UrlError) -> Self {
        Self::Url(error)
    }
}

#[cfg(not(browser))]
impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Answered(status) => {
                write!(f, "an ordinary HTTP request was answered with {status}")
            }
            Self::Lost(error) => write!(
                f,
                "the connection was lost during the opening handshake: {error}"
            ),
            Self::Timeout(after) => write!(
                f,
                "the client did not finish the opening handshake within {after:?}"
            ),
        }
    }
}

#[cfg(not(browser))]
impl Error for AcceptError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Lost(error) => Some(&**error),
            _ => None,
        }
    }
}

#[cfg(not(browser))]
impl From<Refusal> for AcceptError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// `Debug` is the sentence: a person reads it when `main` ends with `?`.
macro_rules! debug_as_display {
    ($($type:ty),*) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

debug_as_display!(crate::error::Error, ConnectError);

#[cfg(not(browser))]
debug_as_display!(AcceptError);
