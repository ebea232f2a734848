//! TLS for `wss://`: rustls with ring, or a configuration of the program's own.

mod any_certificate;
#[cfg(feature = "platform-roots")]
mod caught;
mod default_roots;
pub(crate) mod errors;
mod own_roots;

use std::io;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};

use crate::connect::tls::any_certificate::AnyCertificate;
use crate::connect::tls::errors::option_error;
use crate::connect::tls::own_roots::OwnRoots;
use crate::connect::tls_options::{TlsOptions, Trust};
use crate::error::ConnectError;
use crate::pem::{self, CERTIFICATE_ADVICE, KEY_ADVICE};

/// Checks the options and makes them into a configuration, the first time.
pub(crate) fn config(options: &TlsOptions) -> Result<Arc<ClientConfig>, ConnectError> {
    #[cfg(feature = "rustls-0-23")]
    if let Some(config) = &options.config {
        return match options.asked() {
            None => Ok(Arc::clone(config)),
            Some(option) => Err(ConnectError::TlsOption {
                what: option,
                error: "`rustls_0_23` gave a whole configuration. Say it there".to_owned(),
            }),
        };
    }
    if let Some(config) = options.made.get() {
        return Ok(Arc::clone(config));
    }
    let config = Arc::new(make(options)?);
    Ok(Arc::clone(options.made.get_or_init(|| config)))
}

fn make(options: &TlsOptions) -> Result<ClientConfig, ConnectError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(options, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has both versions of TLS")
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &options.identity_pem {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let what = "the client certificate";
            let chain = certificates(what, chain)?;
            let key = pem::private_key(key).map_err(|error| {
                option_error("the client certificate's key", &error, KEY_ADVICE)
            })?;
            let config = builder.with_client_auth_cert(chain, key);
            config.map_err(|error| option_error(what, &error, KEY_ADVICE))?
        }
    };
    // A server must not answer with HTTP/2, which has another opening handshake.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn verifier(
    options: &TlsOptions,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, ConnectError> {
    if options.trust == Trust::Anything {
        return Ok(Arc::new(AnyCertificate));
    }
    let Some(pem) = &options.roots_pem else {
        return default_roots::verifier(provider);
    };
    let what = "the roots";
    let roots = OwnRoots::new(certificates(what, pem)?, Arc::clone(provider));
    let roots = roots.map_err(|error| option_error(what, &error, CERTIFICATE_ADVICE))?;
    Ok(Arc::new(roots))
}

fn certificates(
    what: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    pem::certificates(pem).map_err(|error| option_error(what, &error, CERTIFICATE_ADVICE))
}

/// What is sent as SNI, unless it is an address, and the certificate held against.
pub(crate) type ServerName = rustls_pki_types::ServerName<'static>;

/// That of a URL's host.
pub(crate) fn server_name(host: &str) -> Result<ServerName, ConnectError> {
    let name = ServerName::try_from(host.to_owned());
    name.map_err(|error| option_error("the host's name", &error, "Correct it"))
}

/// The one that the program gives.
pub(crate) fn given_name(name: &str) -> Result<ServerName, ConnectError> {
    ServerName::try_from(name.to_owned()).map_err(|_| ConnectError::Option {
        option: "server_name",
        error: "it is neither a name nor an address: give what the server's certificate has, without a port, as in a.example".to_owned(),
    })
}

/// The TLS handshake.
pub(crate) async fn connect<T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    name: ServerName,
    config: Arc<ClientConfig>,
) -> io::Result<TlsStream<T>> {
    TlsConnector::from(config).connect(name, stream).await
}
