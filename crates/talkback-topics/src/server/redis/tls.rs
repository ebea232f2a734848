//! TLS to Redis: rustls with ring.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Trusts these roots, or what the platform trusts.
///
/// # Errors
/// What is wrong with the roots.
pub(crate) fn config(roots: Option<&[u8]>) -> Result<Arc<ClientConfig>, String> {
    // The provider is named: a program may have another one in it as well, and rustls would not know which is meant.
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has both versions of TLS");
    let builder = match roots {
        Some(pem) => builder.with_root_certificates(store(pem)?),
        None => builder
            .with_platform_verifier()
            .map_err(|error| format!("the platform's roots: {error}"))?,
    };
    Ok(Arc::new(builder.with_no_client_auth()))
}

fn store(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| "a root is not in PEM".to_owned())?;
        let added = store.add(certificate);
        added.map_err(|error| format!("a root is none: {error}"))?;
    }
    match store.is_empty() {
        true => Err("there is no certificate in the roots; in PEM one begins with -----BEGIN CERTIFICATE-----".to_owned()),
        false => Ok(store),
    }
}
