//! A server's own TLS.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use crate::connect::transport::Transport;
use crate::pem::{self, CERTIFICATE_ADVICE, KEY_ADVICE};
use crate::server::error::ServeError;

/// Who a server says it is.
pub(super) enum Identity {
    /// A certificate chain and its private key.
    Pem { chain: Vec<u8>, key: Vec<u8> },
    /// The program's own configuration.
    #[cfg(feature = "rustls-0-23")]
    Config(Arc<ServerConfig>),
}

impl Identity {
    pub(super) fn acceptor(self) -> Result<TlsAcceptor, ServeError> {
        let config = match self {
            Self::Pem { chain, key } => Arc::new(config(&chain, &key)?),
            #[cfg(feature = "rustls-0-23")]
            Self::Config(config) => config,
        };
        Ok(config.into())
    }
}

fn config(chain: &[u8], key: &[u8]) -> Result<ServerConfig, ServeError> {
    let failed = |what, error: &dyn fmt::Display, advice: &str| ServeError::Tls {
        what,
        error: format!("{error}. {advice}"),
    };
    let what = "the server's certificate";
    let chain = pem::certificates(chain);
    let chain = chain.map_err(|error| failed(what, &error, CERTIFICATE_ADVICE))?;
    let key = pem::private_key(key);
    let key = key.map_err(|error| failed("the server's key", &error, KEY_ADVICE))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has both versions of TLS")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| failed(what, &error, KEY_ADVICE))?;
    // A browser must not ask for HTTP/2, which has another opening handshake.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
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
