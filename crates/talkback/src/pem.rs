//! Certificates and keys in PEM.

use std::fmt;

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

pub(crate) const CERTIFICATE_ADVICE: &str =
    "Give certificates in PEM, which begins with -----BEGIN CERTIFICATE-----";

pub(crate) const KEY_ADVICE: &str = "Give the certificate's own private key in PEM, which begins with -----BEGIN PRIVATE KEY-----, not encrypted";

/// The certificates in a text of PEM, at least one.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?;
    match chain.is_empty() {
        true => Err(pem::Error::NoItemsFound.into()),
        false => Ok(chain),
    }
}

/// The private key in a text of PEM.
pub(crate) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Fault> {
    Ok(PrivateKeyDer::from_pem_slice(pem)?)
}

/// What is wrong with PEM, without the line that it is wrong in: where line breaks were lost, that is the
/// whole key.
#[derive(Debug)]
pub(crate) struct Fault(String);

impl From<pem::Error> for Fault {
    fn from(error: pem::Error) -> Self {
        Self(match error {
            pem::Error::IllegalSectionStart { .. } => {
                "a line that begins with -----BEGIN does not end with -----, as if line breaks were lost"
                    .to_owned()
            }
            pem::Error::MissingSectionEnd { .. } => {
                "a section has no line that begins with -----END".to_owned()
            }
            pem::Error::NoItemsFound => "there is none in it".to_owned(),
            error => error.to_string(),
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
