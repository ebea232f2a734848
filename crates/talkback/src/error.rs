//! What can go wrong, a stage at a time.

pub(crate) mod local_address;
mod os_advice;
pub(crate) mod proxy;
pub(crate) mod send;
mod texts;
pub(crate) mod try_send;
pub(crate) mod why;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[cfg(not(browser))]
use http::StatusCode;
#[cfg(not(browser))]
use talkback_proto::handshake::Refusal;
use talkback_proto::handshake::{HandshakeError, Refused, UrlError};
use talkback_proto::{CloseFrameError, CloseInfo, Initiator};

use crate::error::proxy::ProxyError;
use crate::error::send::SendError;
use crate::error::try_send::TrySendError;

/// An open connection went wrong, or was used wrongly.
///
/// A normal close is not an error: the stream ends, and `close_info()` says how. Whatever failed below,
/// an [`io::Error`] mostly, is found by following [`source`](std::error::Error::source). `Debug` is the same
/// sentence as `Display`, as it is what a `main` that ends with `?`, and an `unwrap`, show to a person.
#[derive(Clone)]
#[non_exhaustive]
pub enum Error {
    /// The connection could not be made.
    Connect(ConnectError),
    /// The connection ended otherwise than by a normal close.
    Closed(CloseInfo),
    /// Something was not sent, or not written.
    Send(SendError),
    /// A channel did not take a message at once.
    TrySend(TrySendError),
    /// The caller's close code or reason may not be sent; nothing was queued.
    CloseFrame(CloseFrameError),
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
                | C::Option { .. }
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
            Error::Send(error) => error.io_kind(),
            Error::Closed(_) => io::ErrorKind::ConnectionAborted,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// A client could not connect.
///
/// [`is_retryable`](Self::is_retryable) tells which are worth another try.
#[derive(Clone)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL does not name a WebSocket server.
    Url(UrlError),
    /// The URL asks for TLS, and this build has none.
    NoTls {
        /// The URL, without its secrets.
        url: String,
    },
    /// An option of TLS cannot be used, or the platform's roots cannot.
    TlsOption {
        /// What cannot be used.
        what: &'static str,
        /// Why.
        error: String,
    },
    /// The TLS handshake failed, or the server refused this client in it.
    Tls {
        /// The URL, without its secrets.
        url: String,
        /// Which check failed.
        error: Arc<io::Error>,
        /// What to do.
        advice: &'static str,
    },
    /// A header cannot be sent.
    Header {
        /// The name as far as it is one; what follows, and the value, may be secrets.
        name: String,
        /// Why, and what to do.
        error: String,
    },
    /// An option cannot be used, alone or beside another.
    Option {
        /// The option's name.
        option: &'static str,
        /// Why, and what to do.
        error: String,
    },
    /// The host's name has no address.
    Resolve {
        /// The host of the URL.
        host: String,
        /// What the resolver said.
        error: Arc<io::Error>,
    },
    /// No address of the host took the connection.
    Tcp {
        /// The URL, without its secrets.
        url: String,
        /// What the first address that failed said.
        error: Arc<io::Error>,
    },
    /// The Unix socket did not take the connection.
    UnixSocket {
        /// Where it is.
        path: PathBuf,
        /// What the operating system said.
        error: Arc<io::Error>,
    },
    /// The proxy could not be used, or did not lead to the server.
    Proxy {
        /// The URL, without its secrets.
        url: String,
        /// The proxy, without its secrets, and the variable that names it:
        /// `http://proxy.example:3128 (from HTTPS_PROXY)`.
        proxy: String,
        /// What was wrong.
        error: ProxyError,
    },
    /// The connection was lost during the opening handshake.
    Lost {
        /// The URL, without its secrets.
        url: String,
        /// What the transport said.
        error: Arc<io::Error>,
    },
    /// The opening handshake failed: the server's answer, or the caller's options.
    Handshake {
        /// The URL, without its secrets.
        url: String,
        /// What was wrong.
        error: HandshakeError,
    },
    /// An option that a browser cannot honour.
    NotInBrowser {
        /// The option's name.
        option: &'static str,
        /// The way round it.
        instead: &'static str,
    },
    /// The browser refused to try.
    BrowserRefused {
        /// The URL, without its secrets.
        url: String,
        /// What the browser said.
        error: String,
        /// What to do.
        advice: &'static str,
    },
    /// The browser could not connect, and does not tell a page why.
    Browser {
        /// The URL, without its secrets.
        url: String,
    },
    /// Time ran out.
    Timeout {
        /// The URL, without its secrets.
        url: String,
        /// The connect timeout.
        after: Duration,
        /// What was being done.
        stage: Stage,
    },
}

impl ConnectError {
    /// The server's answer, if it refused with a status: 401, 404, or a redirect. A proxy's is
    /// [`ProxyError::refused`].
    ///
    /// ```no_run
    /// # #[cfg(not(target_family = "wasm"))]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// if let Err(error) = talkback::connect("wss://api.example/").await {
    ///     match error.refused() {
    ///         Some(refused) if refused.status == 401 => println!("log in first"),
    ///         Some(refused) => println!("{}: {:?}", refused.status, refused.body),
    ///         None => println!("{error}"),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::Handshake {
                error: HandshakeError::Status(refused),
                ..
            } => Some(refused),
            _ => None,
        }
    }
}

/// How far a connect has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Looking up the host's addresses.
    Resolve,
    /// Connecting to one of them.
    Tcp,
    /// Reaching the proxy, and waiting for its way to the server.
    Proxy,
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
            Self::Proxy => "waiting for the proxy",
            Self::Tls => "waiting for the TLS handshake",
            Self::Handshake => "waiting for the answer to the opening handshake",
        })
    }
}

/// A server could not accept a connection.
#[cfg(not(browser))]
#[derive(Clone)]
#[non_exhaustive]
pub enum AcceptError {
    /// The request was refused; the client has been told.
    Refused(Refusal),
    /// The request was an ordinary one of HTTP and has been answered with this status.
    Answered(StatusCode),
    /// The client went away.
    Lost(Arc<io::Error>),
    /// The client did not finish the opening handshake in time.
    Timeout(Duration),
}

/// What a browser said, without the URL and the subprotocols that it was given, which it may repeat.
#[cfg(any(browser, test))]
pub(crate) fn said_by_browser(said: &str, url: &str, subprotocols: &[String]) -> String {
    let said = said.replace(url, "…");
    let names = subprotocols.iter().map(|name| format!("'{name}'"));
    names.fold(said, |said, name| said.replace(&name, "'…'"))
}

#[cfg(test)]
mod tests {
    use super::said_by_browser;

    #[test]
    fn v12_l3_what_a_browser_said_repeats_neither_the_url_nor_a_subprotocol() {
        let (url, names) = ("ws://a/?hunter2", ["hunter2".to_owned()]);
        for (said, told) in [
            (
                "The URL 'ws://a/?hunter2' is invalid.",
                "The URL '…' is invalid.",
            ),
            (
                "The subprotocol 'hunter2' is invalid.",
                "The subprotocol '…' is invalid.",
            ),
            ("The port 25 is not allowed.", "The port 25 is not allowed."),
        ] {
            assert_eq!(said_by_browser(said, url, &names), told);
        }
    }
}
