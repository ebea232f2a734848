//! A server's own TLS.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use crate::connect::transport::Transport;
use crate::pem::{self, CERTIFICATE_ADVICE, KEY_ADVICE};

/// Who a server says it is by TLS: a certificate chain and its private key. [`Server::tls`](super::Server::tls) takes it;
/// clones cost little.
#[derive(Clone)]
pub struct Identity(Arc<ServerConfig>);

/// Why a server cannot say who it is: the PEM that [`Identity::from_pem`] was given.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityError {
    /// The certificate chain cannot be read.
    Certificate(String),
    /// The private key cannot be read, or is another certificate's.
    Key(String),
}

impl Identity {
    /// Reads a certificate chain, the server's own first, and its private key, both in PEM, and holds the one against the
    /// other.
    ///
    /// # Errors
    /// One of them cannot be read, or they do not belong together.
    pub fn from_pem(
        chain_pem: impl AsRef<[u8]>,
        key_pem: impl AsRef<[u8]>,
    ) -> Result<Self, IdentityError> {
        let chain = pem::certificates(chain_pem.as_ref());
        let chain = chain.map_err(|fault| IdentityError::Certificate(fault.to_string()))?;
        let key = pem::private_key(key_pem.as_ref());
        let key = key.map_err(|fault| IdentityError::Key(fault.to_string()))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has both versions of TLS")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    IdentityError::Key("it is not the certificate's".to_owned())
                }
                rustls::Error::InvalidCertificate(_) => {
                    IdentityError::Certificate(error.to_string())
                }
                error => IdentityError::Key(error.to_string()),
            })?;
        // A browser must not ask for HTTP/2, which has another opening handshake.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    #[cfg(feature = "rustls-0-23")]
    pub(super) fn of(config: Arc<ServerConfig>) -> Self {
        Self(config)
    }

    pub(super) fn acceptor(self) -> TlsAcceptor {
        self.0.into()
    }
}

/// The TLS handshake.
pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    acceptor: &TlsAcceptor,
    stream: Transport<S>,
) -> io::Result<Transport<S>> {
    Ok(Transport::served(acceptor.accept(stream).await?))
}

/// Shows no key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, why, advice) = match self {
            Self::Certificate(why) => ("certificate", why, CERTIFICATE_ADVICE),
            Self::Key(why) => ("private key", why, KEY_ADVICE),
        };
        write!(f, "the server's {what} cannot be used: {why}. {advice}")
    }
}

/// As [`Display`](fmt::Display): it is what a `main` prints that returns it.
impl fmt::Debug for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for IdentityError {}
