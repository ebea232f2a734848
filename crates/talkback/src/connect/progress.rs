//! What a program is told while a connection is made, and of the bytes that go over it.

use std::fmt;
use std::net::SocketAddr;
#[cfg(not(browser))]
use std::sync::Arc;

use http::{Request, Response};

/// A step on the way to a connection, or bytes on it: what [`Connect::on_progress`](crate::Connect::on_progress) is told.
///
/// `Debug` shows neither headers nor payloads, which may be secrets.
#[non_exhaustive]
pub enum Progress<'a> {
    /// The host was looked up, and has these addresses: that of the proxy, where one leads to the server.
    Resolved(&'a [SocketAddr]),
    /// The way leads to the server: by TCP, through a proxy, or over a transport of another kind, which has no
    /// addresses.
    Connected {
        /// The address of the server, or of the proxy before it.
        peer: Option<SocketAddr>,
        /// The address of this end.
        local: Option<SocketAddr>,
    },
    /// TLS is spoken with the server.
    Secured {
        /// The version, such as `TLSv1_3`.
        version: &'a str,
        /// The cipher suite, such as `TLS13_AES_256_GCM_SHA384`.
        cipher: &'a str,
        /// The server's certificates in DER, its own first.
        certificates: &'a [&'a [u8]],
    },
    /// This request was sent; its headers may hold secrets.
    Requested(&'a Request<()>),
    /// The server answered so, be it a 101 or something else.
    Answered(&'a Response<()>),
    /// These bytes came on the open connection, TLS taken off: frames, or parts of them.
    Received(&'a [u8]),
    /// These bytes were given to the transport of the open connection, before TLS: frames, masked, or parts of
    /// them.
    Sent(&'a [u8]),
}

impl fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolved(addresses) => f.debug_tuple("Resolved").field(addresses).finish(),
            Self::Connected { peer, local } => f
                .debug_struct("Connected")
                .field("peer", peer)
                .field("local", local)
                .finish(),
            Self::Secured {
                version, cipher, ..
            } => f
                .debug_struct("Secured")
                .field("version", version)
                .field("cipher", cipher)
                .finish_non_exhaustive(),
            Self::Requested(_) => f.write_str("Requested"),
            Self::Answered(response) => {
                f.debug_tuple("Answered").field(&response.status()).finish()
            }
            Self::Received(bytes) => write!(f, "Received({} bytes)", bytes.len()),
            Self::Sent(bytes) => write!(f, "Sent({} bytes)", bytes.len()),
        }
    }
}

#[cfg(not(browser))]
type Watch = dyn Fn(Progress<'_>) + Send + Sync;

/// Whom to tell, if anybody.
#[derive(Clone, Default)]
pub(crate) struct Watcher(
    #[cfg(not(browser))] Option<Arc<Watch>>,
    #[cfg(browser)] bool,
);

#[cfg(not(browser))]
impl Watcher {
    pub(crate) fn new(watch: impl Fn(Progress<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(watch)))
    }

    pub(crate) fn tell(&self, progress: Progress<'_>) {
        if let Some(watch) = &self.0 {
            watch(progress);
        }
    }

    pub(crate) fn is_there(&self) -> bool {
        self.0.is_some()
    }
}

#[cfg(browser)]
impl Watcher {
    pub(crate) fn new(_: impl Fn(Progress<'_>) + Send + Sync + 'static) -> Self {
        Self(true)
    }

    pub(crate) fn is_there(&self) -> bool {
        self.0
    }
}
