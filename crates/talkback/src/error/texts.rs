//! What errors say to a person, and what failed below them.

use std::error::Error;
use std::fmt;
#[cfg(not(browser))]
use std::io;
use std::time::Duration;

use talkback_proto::CloseFrameError;
#[cfg(not(browser))]
use talkback_proto::handshake::HeadError;
#[cfg(not(browser))]
use talkback_proto::handshake::Refusal;
use talkback_proto::handshake::{HandshakeError, UrlError};

#[cfg(not(browser))]
use crate::error::AcceptError;
#[cfg(not(browser))]
use crate::error::os_advice::{on_lookup, on_tcp, on_unix_socket};
use crate::error::send::SendError;
use crate::error::span::Span;
use crate::error::try_send::TrySendError;
use crate::error::{self, ConnectError, Stage};

/// Each text is that of the error within.
impl fmt::Display for error::Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Closed(info) => write!(f, "{info}"),
            Self::Send(error) => error.fmt(f),
            Self::TrySend(error) => error.fmt(f),
            Self::CloseFrame(error) => error.fmt(f),
            Self::Lost(lost) => lost.fmt(f),
            Self::GaveUp { tries, after, last } => {
                let tries = match tries {
                    1 => "1 try".to_owned(),
                    _ => format!("{tries} tries"),
                };
                let after = Duration::from_secs(after.as_secs());
                write!(f, "gave up after {tries} in {}", Span(after))?;
                match last {
                    Some(last) => write!(f, ": {last}"),
                    None => Ok(()),
                }
            }
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
            Self::Lost(lost) => lost.cause().source(),
            Self::GaveUp { last, .. } => last.as_ref()?.cause().source(),
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
            #[cfg(not(browser))]
            Self::NoTls { url } => write!(
                f,
                "{url} asks for TLS, which this build leaves out: turn on talkback's feature `platform-roots`, or use ws:// if the server allows it"
            ),
            #[cfg(not(browser))]
            Self::TlsOption { what, error } => write!(f, "{what} cannot be used for TLS: {error}"),
            #[cfg(not(browser))]
            Self::Tls { url, error, advice } => {
                write!(f, "could not open {url}: TLS failed: {error}. {advice}")
            }
            #[cfg(not(browser))]
            Self::Header { name, error } => {
                write!(f, "the header {name:?} cannot be sent: {error}")
            }
            Self::Option { option, error } => {
                write!(f, "the option `{option}` cannot be used: {error}")
            }
            #[cfg(not(browser))]
            Self::Resolve { host, error } => write!(
                f,
                "could not find the address of {host:?}: {error}. {}",
                on_lookup(error)
            ),
            #[cfg(not(browser))]
            Self::Tcp { url, error } => {
                write!(f, "could not connect to {url}: {error}. {}", on_tcp(error))
            }
            #[cfg(not(browser))]
            Self::UnixSocket { path, error } => write!(
                f,
                "could not connect to the Unix socket {path:?}: {error}. {}",
                on_unix_socket(error)
            ),
            #[cfg(not(browser))]
            Self::Proxy { url, proxy, error } => {
                write!(f, "could not open {url}: the proxy {proxy} {error}")
            }
            #[cfg(not(browser))]
            Self::Lost { url, error } => write!(
                f,
                "the connection to {url} was lost during the opening handshake: {error}. Check that the port is that of a WebSocket server, which may hang up on a path or a subprotocol that it does not know{}",
                or_tls(url)
            ),
            Self::Handshake { url, error } => write_handshake(f, url, error),
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
                "could not open {url} within {}: time ran out while {stage}. {}",
                Span(*after),
                advice_on_timeout(*stage)
            ),
            #[cfg(browser)]
            _ => f.write_str(NATIVE_ONLY),
        }
    }
}

#[cfg(not(browser))]
fn write_handshake(f: &mut fmt::Formatter<'_>, url: &str, error: &HandshakeError) -> fmt::Result {
    match error {
        HandshakeError::Head(HeadError::Tls) if url.starts_with("wss:") => write!(
            f,
            "could not open {url}: the server speaks TLS within TLS: have it, or the proxy before it, do so once"
        ),
        _ => write!(f, "could not open {url}: {error}"),
    }
}

#[cfg(browser)]
fn write_handshake(f: &mut fmt::Formatter<'_>, url: &str, error: &HandshakeError) -> fmt::Result {
    write!(f, "could not open {url}: {}", error.of_subprotocols())
}

/// What a page would say of errors that it never meets. Their texts would be a tenth of what the library adds to
/// it, and what they hold as much again.
#[cfg(browser)]
const NATIVE_ONLY: &str = "an error of native programs, whose text is left out in a browser";

/// What to do about a time that ran out; a browser tells of no other stage.
#[cfg(browser)]
fn advice_on_timeout(_: Stage) -> &'static str {
    ON_SLOW_ANSWER
}

/// What to do about a time that ran out.
#[cfg(not(browser))]
fn advice_on_timeout(stage: Stage) -> &'static str {
    match stage {
        Stage::Resolve => "Check the network and its name servers, or raise `timeout`",
        Stage::Tcp => "Check the host, the port and firewalls between, or raise `timeout`",
        Stage::Proxy => {
            "Check the proxy, which the option `proxy` or a variable such as HTTPS_PROXY names, and firewalls between, or raise `timeout`"
        }
        Stage::Tls => "Check that the server speaks TLS at this port, or raise `timeout`",
        Stage::Handshake => ON_SLOW_ANSWER,
    }
}

const ON_SLOW_ANSWER: &str = "Check that the server does not hang and the port is that of a WebSocket server, or raise `timeout`";

/// What else to do about a connection that was lost before the answer.
#[cfg(not(browser))]
fn or_tls(url: &str) -> &'static str {
    match url.starts_with("wss:") {
        true => "",
        false => "; if it speaks TLS, use wss://",
    }
}

/// The source is the transport's own error, not the `Arc` around it: a derived one could not be
/// downcast to [`io::Error`]. In a browser no error has one below it.
impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            #[cfg(not(browser))]
            Self::Tls { error, .. }
            | Self::Resolve { error, .. }
            | Self::Tcp { error, .. }
            | Self::UnixSocket { error, .. }
            | Self::Lost { error, .. } => Some(&**error),
            #[cfg(not(browser))]
            Self::Handshake { error, .. } => Some(error),
            #[cfg(not(browser))]
            Self::Proxy { error, .. } => error.source(),
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
            // What is not the system's says itself what to do.
            Self::Lost(error) if error.kind() == io::ErrorKind::Other => write!(
                f,
                "the connection was lost during the opening handshake: {error}"
            ),
            Self::Lost(error) => write!(
                f,
                "the connection was lost during the opening handshake: {error}. It is the client's doing, or the network's: accept the next one"
            ),
            Self::Timeout(after) => write!(
                f,
                "the client did not finish the opening handshake within {after:?}: if clients are as slow as that, raise `timeout`"
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
