//! The roots of a program that gave none.

use std::sync::Arc;

use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::CryptoProvider;

use crate::connect::tls::errors::option_error;
use crate::error::ConnectError;

/// The platform's roots, as far as they are built in and there are any; else Mozilla's, if those are
/// built in.
pub(crate) fn verifier(
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, ConnectError> {
    platform(provider).or_else(|error| mozilla(provider).ok_or(error))
}

/// The platform's roots, read when they are first wanted.
#[cfg(feature = "platform-roots")]
fn platform(provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, ConnectError> {
    use std::sync::OnceLock;

    use rustls_platform_verifier::Verifier;

    static VERIFIER: OnceLock<Arc<Verifier>> = OnceLock::new();
    if let Some(verifier) = VERIFIER.get() {
        return Ok(Arc::clone(verifier) as _);
    }
    let verifier = Verifier::new(Arc::clone(provider)).map_err(|error| {
        let advice = "Install them, give the server's root with `tls_roots`, or turn on talkback's feature `webpki-roots`";
        option_error("the platform's roots", &error, advice)
    })?;
    Ok(Arc::clone(VERIFIER.get_or_init(|| Arc::new(verifier))) as _)
}

#[cfg(not(feature = "platform-roots"))]
fn platform(_: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, ConnectError> {
    let advice = "Turn on talkback's feature `platform-roots` or `webpki-roots`, or give the server's root with `tls_roots`";
    let error = &"this build has none";
    Err(option_error("the default roots", error, advice))
}

#[cfg(feature = "webpki-roots")]
fn mozilla(provider: &Arc<CryptoProvider>) -> Option<Arc<dyn ServerCertVerifier>> {
    use tokio_rustls::rustls::RootCertStore;
    use tokio_rustls::rustls::client::WebPkiServerVerifier;

    let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
    let roots = Arc::new(RootCertStore::from_iter(roots));
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
    Some(
        verifier
            .build()
            .expect("there are roots, and no revocations"),
    )
}

#[cfg(not(feature = "webpki-roots"))]
fn mozilla(_: &Arc<CryptoProvider>) -> Option<Arc<dyn ServerCertVerifier>> {
    None
}
