//! What keeps a client from connecting.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use talkback_proto::handshake::{HandshakeError, Refused, UrlError};

use crate::error::proxy::ProxyError;

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
