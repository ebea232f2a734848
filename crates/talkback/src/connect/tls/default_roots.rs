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

    use crate::connect::tls::caught::Caught;

    static VERIFIER: OnceLock<Arc<Caught<Verifier>>> = OnceLock::new();
    if let Some(verifier) = VERIFIER.get() {
        return Ok(Arc::clone(verifier) as _);
    }
    #[cfg(target_os = "android")]
    if cfg!(panic = "abort") && !is_initialized() {
        let error = &"the app has not initialized rustls-platform-verifier";
        let advice = "Have it done once, when the app starts";
        return Err(option_error("the platform's roots", error, advice));
    }
    let verifier = Verifier::new(Arc::clone(provider)).map_err(|error| {
        let advice = "Install them, give the server's root with `tls_roots`, or turn on talkback's feature `webpki-roots`";
        option_error("the platform's roots", &error, advice)
    })?;
    Ok(Arc::clone(VERIFIER.get_or_init(|| Arc::new(Caught(verifier)))) as _)
}

/// Whether the app has initialized Android's verifier, which else panics when it is used: what cannot be caught has to be
/// asked before. To initialize it once more does nothing; and without a context the first time fails.
#[cfg(all(feature = "platform-roots", target_os = "android"))]
fn is_initialized() -> bool {
    use jni::JavaVM;
    use jni::objects::JObject;
    use rustls_platform_verifier::android::init_with_env;

    let again = |machine: JavaVM| {
        machine.attach_current_thread_for_scope(|env| init_with_env(env, JObject::null()))
    };
    JavaVM::singleton().and_then(again).is_ok()
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
