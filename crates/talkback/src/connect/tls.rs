//! TLS for `wss://`: rustls with ring, or a configuration of the program's own.

mod any_certificate;
mod default_roots;
mod own_roots;

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use talkback_proto::handshake::WsUrl;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::{AlertDescription, CertificateError, ClientConfig, Error};

use crate::connect::tls::any_certificate::AnyCertificate;
use crate::connect::tls::own_roots::OwnRoots;
use crate::connect::tls_options::{TlsOptions, Trust};
use crate::error::ConnectError;

/// Checks the options and makes them into a configuration.
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
            let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
                option_error("the client certificate's key", &error, KEY_ADVICE)
            })?;
            let config = builder.with_client_auth_cert(chain, key);
            config.map_err(|error| option_error(what, &error, KEY_ADVICE))?
        }
    };
    // A server must not answer with HTTP/2, which has another opening handshake.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
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

const CERTIFICATE_ADVICE: &str =
    "Give certificates in PEM, which begins with -----BEGIN CERTIFICATE-----";

const KEY_ADVICE: &str = "Give the certificate's own private key in PEM, which begins with -----BEGIN PRIVATE KEY-----, not encrypted";

/// The certificates in `pem`, at least one.
fn certificates(
    what: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let failed = |error| option_error(what, &error, CERTIFICATE_ADVICE);
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    if chain.is_empty() {
        return Err(failed(rustls_pki_types::pem::Error::NoItemsFound));
    }
    Ok(chain)
}

fn option_error(what: &'static str, error: &dyn fmt::Display, advice: &str) -> ConnectError {
    ConnectError::TlsOption {
        what,
        error: format!("{error}. {advice}"),
    }
}

/// The TLS handshake; the URL's host is sent as SNI and the certificate held against it.
pub(crate) async fn connect<T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    url: &WsUrl,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<T>, ConnectError> {
    let name = ServerName::try_from(url.host().to_owned())
        .map_err(|error| option_error("the host's name", &error, "Correct it"))?;
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

/// An error of reading, where rustls explains an end without close_notify with a link.
pub(crate) fn read_error(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        let what = "the peer ended TCP without ending TLS (no close_notify)";
        return io::Error::new(io::ErrorKind::UnexpectedEof, what);
    }
    error
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
    match error {
        Error::InvalidCertificate(error) => advice_on_certificate(error),
        Error::AlertReceived(alert) => advice_on_alert(*alert),
        Error::PeerIncompatible(_) => OTHER_VERSION,
        _ => NOT_TLS,
    }
}

fn advice_on_certificate(error: &CertificateError) -> &'static str {
    use CertificateError as C;
    match error {
        C::Expired | C::ExpiredContext { .. } => {
            "The server's certificate has expired: have it renewed, or set this machine's clock"
        }
        C::NotValidYet | C::NotValidYetContext { .. } => {
            "The server's certificate is not valid yet: set this machine's clock"
        }
        C::NotValidForName | C::NotValidForNameContext { .. } => {
            "The server's certificate is for another host: connect to the name that it was issued for"
        }
        C::UnknownIssuer => {
            "No trusted root vouches for the server's certificate: give its root with `tls_roots`; for a self-signed one in development there is `danger_accept_any_certificate`"
        }
        C::BadSignature => {
            "Either the server does not hold the key that its certificate names, and is not who it says, or what vouches for the certificate has another key than the root of that name: give its root with `tls_roots`"
        }
        _ => {
            "The server's certificate is not one that a client can check: have it replaced by one of X.509 version 3 for this host; in development give that very certificate with `tls_roots`, or use `danger_accept_any_certificate`"
        }
    }
}

const OTHER_VERSION: &str =
    "The server's TLS has nothing in common with this client's, 1.2 and 1.3: have it updated";

fn advice_on_alert(alert: AlertDescription) -> &'static str {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired
        | A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied
        | A::DecryptError
        | A::HandshakeFailure => {
            "The server refuses this client: it may want a client certificate, given with `tls_client_certificate`"
        }
        A::NoApplicationProtocol => {
            "The server does not speak HTTP/1.1 at this port, which a WebSocket is opened over: check host and port"
        }
        A::UnrecognisedName => "The server does not go by this name: check the host",
        A::ProtocolVersion | A::InsufficientSecurity => OTHER_VERSION,
        _ => NOT_TLS,
    }
}
