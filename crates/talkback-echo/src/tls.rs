//! Who an echo server is by TLS.

use std::fmt;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use talkback::server::{self, IdentityError, Server};
use tokio_rustls::rustls::crypto::ring;

use crate::self_signed_error::SelfSignedError;

/// A client's clock may be behind by as much.
const VALID_BEFORE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a self-signed certificate is valid; some platforms refuse one that is for long.
const VALID_AFTER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Who a `wss://` server says it is: a certificate chain and its private key.
///
/// ```
/// use talkback_echo::{Echo, EchoOptions, Identity};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let identity = Identity::self_signed(["127.0.0.1".to_owned()])?;
/// let roots = identity.certificate_pem().to_owned();
/// let echo = Echo::start(EchoOptions::default().tls(identity))?;
/// let mut socket = talkback::connect(echo.url()).tls_roots(roots).await?;
/// socket.send("Hello!").await?;
/// assert_eq!(socket.recv().await?, Some("Hello!".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Identity {
    own: server::Identity,
    certificate_pem: String,
    fingerprint: String,
}

impl Identity {
    /// Reads a certificate chain, the server's own first, and its private key, both in PEM.
    ///
    /// # Errors
    /// As [`talkback::server::Identity::from_pem`]: one of them cannot be read, or they do not belong together.
    pub fn from_pem(chain_pem: &str, key_pem: &str) -> Result<Self, IdentityError> {
        let own = server::Identity::from_pem(chain_pem, key_pem)?;
        let first = CertificateDer::from_pem_slice(chain_pem.as_bytes());
        Ok(Self {
            own,
            certificate_pem: chain_pem.to_owned(),
            fingerprint: fingerprint(&first.expect("it was read")),
        })
    }

    /// Makes a certificate that nobody else vouches for, and its key; for hosts with these names
    /// and IP addresses, and for a year from now.
    ///
    /// Clients that should trust it need its [`certificate_pem`](Self::certificate_pem).
    ///
    /// # Errors
    /// If a name is not one of DNS.
    pub fn self_signed(names: impl Into<Vec<String>>) -> Result<Self, SelfSignedError> {
        let failed = |error: rcgen::Error| SelfSignedError(error.to_string());
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new(names).map_err(failed)?;
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, "talkback echo, self-signed");
        let now = SystemTime::now();
        params.not_before = (now - VALID_BEFORE).into();
        params.not_after = (now + VALID_AFTER).into();
        let certificate = params.self_signed(&key).map_err(failed)?;
        let own = Self::from_pem(&certificate.pem(), &key.serialize_pem());
        own.map_err(|error| SelfSignedError(error.to_string()))
    }

    /// The certificate chain, in PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The SHA-256 of the server's own certificate, as browsers show it: `A1:B2:…`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Has a server of the library speak TLS as this one.
    #[must_use]
    pub fn secure(&self, server: Server) -> Server {
        server.tls(self.own.clone())
    }
}

/// Shows no key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let suite = ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let suite = suite.tls13().expect("it is one of TLS 1.3");
    let hash = suite.common.hash_provider.hash(certificate);
    let bytes = hash.as_ref().iter().map(|byte| format!("{byte:02X}"));
    bytes.collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_none_is_refused() {
        let error = Identity::self_signed(["é".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("Check the names"), "{error}");
    }

    #[test]
    fn a_fingerprint_has_32_bytes_in_hex() {
        // The SHA-256 of "abc", from FIPS 180-2.
        let text = fingerprint(&CertificateDer::from(&b"abc"[..]));
        assert!(text.starts_with("BA:78:16:BF:8F:01:CF:EA:"), "{text}");
        assert_eq!(text.split(':').count(), 32);
    }
}
