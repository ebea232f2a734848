//! What can go wrong, a stage at a time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

#[cfg(not(browser))]
use http::StatusCode;
#[cfg(not(browser))]
use talkback_proto::handshake::Refusal;
use talkback_proto::handshake::{HandshakeError, UrlError};
use talkback_proto::{CloseCode, CloseFrameError, CloseInfo, Initiator, Message, SendError};

/// An open connection went wrong, or was used wrongly.
///
/// A normal close is not an error: the stream ends, and `close_info()` says how.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection could not be made.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection ended otherwise than by a normal close.
    #[error("{0}")]
    Closed(CloseInfo),
    /// The transport took no more bytes; the stream of messages will tell how it ended.
    #[error("could not write to the peer: {0}")]
    Write(Arc<io::Error>),
    /// The caller asked for something that may not be sent; nothing was queued.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The caller's close code or reason may not be sent; nothing was queued.
    #[error(transparent)]
    CloseFrame(#[from] CloseFrameError),
    /// A page in a browser may close with fewer codes than a program.
    #[error(
        "a browser lets a page close with 1000 or 3000–4999 only, not with {0}: use one of those"
    )]
    CloseCodeInBrowser(CloseCode),
}

impl Error {
    /// Who brought a connection to its end that was never open.
    pub(crate) fn initiator(&self) -> Initiator {
        use ConnectError as C;
        match self {
            // These never left this machine.
            Self::Connect(
                C::Url(_)
                | C::NoTls { .. }
                | C::TlsOption { .. }
                | C::Header { .. }
                | C::NotInBrowser { .. }
                | C::BrowserRefused { .. },
            ) => Initiator::Local,
            _ => Initiator::Remote,
        }
    }
}

/// For what reads and writes a message as bytes.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Write(error) => error.kind(),
            Error::Send(SendError::Closed) => io::ErrorKind::BrokenPipe,
            Error::Send(SendError::InvalidUtf8) => io::ErrorKind::InvalidData,
            Error::Closed(_) => io::ErrorKind::ConnectionAborted,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// A channel did not take a message, and hands it back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrySendError {
    /// The queue is full: wait with `send`, or drop the message.
    #[error("the channel's queue is full: wait with `send`, or drop the message")]
    Full(Message),
    /// The channel is closing or closed; its `close_info()` says how.
    #[error("nothing can be sent: the channel is closing or closed")]
    Closed(Message),
}

impl TrySendError {
    /// The message that was not taken.
    pub fn into_message(self) -> Message {
        match self {
            Self::Full(message) | Self::Closed(message) => message,
        }
    }
}

/// A client could not connect.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL does not name a WebSocket server.
    #[error("{0}")]
    Url(#[from] UrlError),
    /// The URL asks for TLS, and this build has none.
    #[error(
        "{url} asks for TLS, which this build leaves out: turn on talkback's feature `platform-roots`, or use ws:// if the server allows it"
    )]
    NoTls {
        /// The URL, without its secrets.
        url: String,
    },
    /// An option of TLS cannot be used, or the platform's roots cannot.
    #[error("{what} cannot be used for TLS: {error}")]
    TlsOption {
        /// What cannot be used.
        what: &'static str,
        /// Why.
        error: String,
    },
    /// The TLS handshake failed, or the server refused this client in it.
    #[error("could not open {url}: TLS failed: {error}. {advice}")]
    Tls {
        /// The URL, without its secrets.
        url: String,
        /// Which check failed.
        error: Arc<io::Error>,
        /// What to do.
        advice: &'static str,
    },
    /// A header cannot be sent.
    #[error(
        "the header {name:?} has a name or a value that HTTP forbids: remove line ends, control characters and characters beyond ASCII"
    )]
    Header {
        /// The name as the caller gave it; the value may be a secret.
        name: String,
    },
    /// The host's name has no address.
    #[error("could not find the address of {host:?}: {error}. Check the name and the network")]
    Resolve {
        /// The host of the URL.
        host: String,
        /// What the resolver said.
        error: Arc<io::Error>,
    },
    /// No address of the host took the connection.
    #[error("could not connect to {url}: {error}. {advice}", advice = advice(error))]
    Tcp {
        /// The URL, without its secrets.
        url: String,
        /// What the first address that failed said.
        error: Arc<io::Error>,
    },
    /// The connection was lost during the opening handshake.
    #[error(
        "the connection to {url} was lost during the opening handshake: {error}. Check that the port is that of a WebSocket server"
    )]
    Lost {
        /// The URL, without its secrets.
        url: String,
        /// What the transport said.
        error: Arc<io::Error>,
    },
    /// The opening handshake failed: the server's answer, or the caller's options.
    #[error("could not open {url}: {error}")]
    Handshake {
        /// The URL, without its secrets.
        url: String,
        /// What was wrong.
        error: HandshakeError,
    },
    /// An option that a browser cannot honour.
    #[error(
        "a browser cannot honour the option {option}: {instead}. To ask for it in native programs only, set it inside `native`"
    )]
    NotInBrowser {
        /// The option's name.
        option: &'static str,
        /// The way round it.
        instead: &'static str,
    },
    /// The browser refused to try.
    #[error("the browser refused to connect to {url}: {error}. {advice}")]
    BrowserRefused {
        /// The URL, without its secrets.
        url: String,
        /// What the browser said.
        error: String,
        /// What to do.
        advice: &'static str,
    },
    /// The browser could not connect, and does not tell a page why.
    #[error(
        "the browser could not connect to {url}, and tells only its console why. Check that the server runs, speaks WebSocket there, and allows this page's origin"
    )]
    Browser {
        /// The URL, without its secrets.
        url: String,
    },
    /// Time ran out.
    #[error(
        "could not open {url} within {after:?}: time ran out while {stage}. Check host and port, or raise the timeout"
    )]
    Timeout {
        /// The URL, without its secrets.
        url: String,
        /// The connect timeout.
        after: Duration,
        /// What was being done.
        stage: Stage,
    },
}

/// How far a connect has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Looking up the host's addresses.
    Resolve,
    /// Connecting to one of them.
    Tcp,
    /// The TLS handshake.
    Tls,
    /// Waiting for the server's answer to the opening handshake.
    Handshake,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Resolve => "looking up the address",
            Self::Tcp => "connecting",
            Self::Tls => "waiting for the TLS handshake",
            Self::Handshake => "waiting for the answer to the opening handshake",
        })
    }
}

/// A server could not accept a connection.
#[cfg(not(browser))]
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The request was refused; the client has been told.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The request was an ordinary one of HTTP and has been answered with this status.
    #[error("an ordinary HTTP request was answered with {0}")]
    Answered(StatusCode),
    /// The client went away.
    #[error("the connection was lost during the opening handshake: {0}")]
    Lost(Arc<io::Error>),
    /// The client did not finish the opening handshake in time.
    #[error("the client did not finish the opening handshake within {0:?}")]
    Timeout(Duration),
}

/// What to do about a connection that could not be made.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "Check the port, and that the server is running",
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            "Check the host and the network"
        }
        _ => "Check the host, the port and the network",
    }
}
