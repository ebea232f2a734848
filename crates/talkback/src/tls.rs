//! TLS for `wss://`: rustls with ring, the platform's roots or one's own.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use talkback_proto::handshake::WsUrl;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, ConfigBuilder, Error, RootCertStore,
    WantsVerifier, client::WantsClientCert,
};

use crate::any_certificate::AnyCertificate;
use crate::error::ConnectError;

/// What a client wants of TLS; the default trusts what the platform trusts.
#[derive(Clone, Default)]
pub(crate) struct TlsOptions {
    /// Own roots in PEM, in place of the platform's.
    pub(crate) roots_pem: Option<Vec<u8>>,
    /// A certificate chain and its private key, in PEM.
    pub(crate) identity_pem: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) trust: Trust,
}

/// Which certificates of servers are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Those that a root vouches for.
    #[default]
    Roots,
    /// Any at all.
    Anything,
}

/// Keys are secrets.
impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions")
            .field("has_own_roots", &self.roots_pem.is_some())
            .field("has_identity", &self.identity_pem.is_some())
            .field("trust", &self.trust)
            .finish()
    }
}

impl TlsOptions {
    /// Checks the options and makes them into a configuration.
    pub(crate) fn config(&self) -> Result<ClientConfig, ConnectError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| option_error("the TLS versions", &error))?;
        let builder = self.with_verifier(builder, provider)?;
        let mut config = match &self.identity_pem {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let what = "the client certificate";
                let chain = certificates(chain).map_err(|error| option_error(what, &error))?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|error| option_error("the client certificate's key", &error))?;
                let config = builder.with_client_auth_cert(chain, key);
                config.map_err(|error| option_error(what, &error))?
            }
        };
        // A server must not answer with HTTP/2, which has another opening handshake.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn with_verifier(
        &self,
        builder: ConfigBuilder<ClientConfig, WantsVerifier>,
        provider: Arc<CryptoProvider>,
    ) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, ConnectError> {
        if self.trust == Trust::Anything {
            let verifier = Arc::new(AnyCertificate::new(provider));
            return Ok(builder
                .dangerous()
                .with_custom_certificate_verifier(verifier));
        }
        let Some(pem) = &self.roots_pem else {
            let verifier = platform_verifier(provider)?;
            return Ok(builder
                .dangerous()
                .with_custom_certificate_verifier(verifier));
        };
        let what = "the roots";
        let mut roots = RootCertStore::empty();
        for root in certificates(pem).map_err(|error| option_error(what, &error))? {
            roots
                .add(root)
                .map_err(|error| option_error(what, &error))?;
        }
        Ok(builder.with_root_certificates(roots))
    }
}

/// The platform's roots, read when they are first wanted.
fn platform_verifier(
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, ConnectError> {
    static VERIFIER: OnceLock<Arc<rustls_platform_verifier::Verifier>> = OnceLock::new();
    if let Some(verifier) = VERIFIER.get() {
        return Ok(Arc::clone(verifier) as _);
    }
    let verifier = rustls_platform_verifier::Verifier::new(provider)
        .map_err(|error| option_error("the platform's roots", &error))?;
    Ok(Arc::clone(VERIFIER.get_or_init(|| Arc::new(verifier))) as _)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, rustls_pki_types::pem::Error> {
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
    if chain.is_empty() {
        return Err(rustls_pki_types::pem::Error::NoItemsFound);
    }
    Ok(chain)
}

fn option_error(what: &'static str, error: &dyn fmt::Display) -> ConnectError {
    ConnectError::TlsOption {
        what,
        error: error.to_string(),
    }
}

/// The TLS handshake; the URL's host is sent as SNI and the certificate held against it.
pub(crate) async fn connect(
    stream: TcpStream,
    url: &WsUrl,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let name = ServerName::try_from(url.host().to_owned())
        .map_err(|error| option_error("the host's name", &error))?;
    let connecting = TlsConnector::from(config).connect(name, stream);
    connecting.await.map_err(|error| tls_error(url, error))
}

/// An error of TLS as one that says which check failed and what would help.
pub(crate) fn tls_error(url: &WsUrl, error: io::Error) -> ConnectError {
    let advice = error_of(&error).map_or(NOT_TLS, advice);
    ConnectError::Tls {
        url: url.to_string(),
        error: Arc::new(error),
        advice,
    }
}

/// Whether an I/O error is one of TLS, as when a server refuses a client after the handshake.
pub(crate) fn is_tls_error(error: &io::Error) -> bool {
    error_of(error).is_some()
}

fn error_of(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

const NOT_TLS: &str = "Check that the server speaks TLS at this port, or use ws://";

fn advice(error: &Error) -> &'static str {
    use CertificateError as C;
    match error {
        Error::InvalidCertificate(certificate) => match certificate {
            C::Expired | C::ExpiredContext { .. } => {
                "The server's certificate has expired: have it renewed, or set this machine's clock"
            }
            C::NotValidYet | C::NotValidYetContext { .. } => {
                "The server's certificate is not valid yet: set this machine's clock"
            }
            C::NotValidForName | C::NotValidForNameContext { .. } => {
                "The server's certificate is for another host: connect to the name that it was issued for"
            }
            _ => {
                "No trusted root vouches for the server's certificate: give its root with `tls_roots`; for a self-signed one in development there is `danger_accept_any_certificate`"
            }
        },
        Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::HandshakeFailure,
        ) => {
            "The server refuses this client: it may want a client certificate, given with `tls_client_certificate`"
        }
        _ => NOT_TLS,
    }
}
