//! Who an echo server is by TLS.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use talkback::server::Server;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use crate::identity_error::IdentityError;

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
    config: Arc<ServerConfig>,
    certificate_pem: String,
    fingerprint: String,
}

impl Identity {
    /// Reads a certificate chain, the server's own first, and its private key, both in PEM.
    ///
    /// # Errors
    /// If one of them cannot be read, or they do not belong together.
    pub fn from_pem(chain_pem: &str, key_pem: &str) -> Result<Self, IdentityError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain_pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| IdentityError::Certificate(fault(&error)))?;
        let Some(own) = chain.first() else {
            let error = "there is none in it".to_owned();
            return Err(IdentityError::Certificate(error));
        };
        let fingerprint = fingerprint(own);
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())
            .map_err(|error| IdentityError::Key(fault(&error)))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has both versions of TLS")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| IdentityError::Key(error.to_string()))?;
        // A browser must not ask for HTTP/2, which has another opening handshake.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            certificate_pem: chain_pem.to_owned(),
            fingerprint,
        })
    }

    /// Makes a certificate that nobody else vouches for, and its key; for hosts with these names
    /// and IP addresses, and for a year from now.
    ///
    /// Clients that should trust it need its [`certificate_pem`](Self::certificate_pem).
    ///
    /// # Errors
    /// If a name is not one of DNS.
    pub fn self_signed(names: impl Into<Vec<String>>) -> Result<Self, IdentityError> {
        let failed = |error: rcgen::Error| IdentityError::SelfSigned(error.to_string());
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new(names).map_err(failed)?;
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, "talkback echo, self-signed");
        let now = SystemTime::now();
        params.not_before = (now - VALID_BEFORE).into();
        params.not_after = (now + VALID_AFTER).into();
        let certificate = params.self_signed(&key).map_err(failed)?;
        Self::from_pem(&certificate.pem(), &key.serialize_pem())
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
        server.rustls_0_23(Arc::clone(&self.config))
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

/// What is wrong with PEM, without the line that it is wrong in: where line breaks were lost, that is the
/// whole key.
fn fault(error: &pem::Error) -> String {
    match error {
        pem::Error::IllegalSectionStart { .. } => {
            "a line that begins with -----BEGIN does not end with -----, as if line breaks were lost"
                .to_owned()
        }
        pem::Error::MissingSectionEnd { .. } => {
            "a section has no line that begins with -----END".to_owned()
        }
        error => error.to_string(),
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
    use rustls_pki_types::ServerName;
    use tokio::io::{DuplexStream, duplex};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    fn identity() -> Identity {
        Identity::self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
    }

    /// A server in memory; its client's end.
    fn serve(identity: &Identity) -> DuplexStream {
        let (near, far) = duplex(64 * 1024);
        let accepting = TlsAcceptor::from(Arc::clone(&identity.config)).accept(far);
        // Its end is the client's to tell.
        tokio::spawn(async { accepting.await.map(drop) });
        near
    }

    fn connector(identity: &Identity, protocols: &[&[u8]]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(identity.certificate_pem().as_bytes());
        roots.add(certificate.unwrap()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config).into()
    }

    fn localhost() -> ServerName<'static> {
        ServerName::try_from("localhost").unwrap()
    }

    #[tokio::test]
    async fn alpn_takes_http_1_1_and_no_other() {
        let identity = identity();
        let protocols: [&[u8]; 2] = [b"h2", b"http/1.1"];
        let stream = serve(&identity);
        let connecting = connector(&identity, &protocols).connect(localhost(), stream);
        let stream = connecting.await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));

        let stream = serve(&identity);
        let connecting = connector(&identity, &protocols[..1]).connect(localhost(), stream);
        assert!(connecting.await.is_err());
    }

    #[test]
    fn what_belongs_to_others_is_refused() {
        let key = KeyPair::generate().unwrap().serialize_pem();
        let identity = identity();
        let mismatch = Identity::from_pem(identity.certificate_pem(), &key);
        assert!(matches!(mismatch, Err(IdentityError::Key(_))));
        let keyless = Identity::from_pem(identity.certificate_pem(), "");
        assert!(matches!(keyless, Err(IdentityError::Key(_))));
        let empty = Identity::from_pem("", &key);
        assert!(matches!(empty, Err(IdentityError::Certificate(_))));
        let name = Identity::self_signed(["é".to_owned()]);
        assert!(matches!(name, Err(IdentityError::SelfSigned(_))));
    }

    #[test]
    fn v12_l3_a_key_without_its_line_breaks_is_not_shown() {
        let identity = identity();
        let key = KeyPair::generate().unwrap().serialize_pem();
        for wrong in [key.replace('\n', ""), key.replace("-----END", "END")] {
            let certificate = Identity::from_pem(&wrong, &key).unwrap_err();
            let error = Identity::from_pem(identity.certificate_pem(), &wrong).unwrap_err();
            for shown in [
                format!("{error} {error:?}"),
                format!("{certificate} {certificate:?}"),
            ] {
                // Neither as text nor as the numbers of its bytes.
                assert!(
                    !shown.contains("PRIVATE KEY-----M") && !shown.contains("45, 45"),
                    "{shown}"
                );
            }
        }
    }

    #[test]
    fn a_fingerprint_has_32_bytes_in_hex() {
        // The SHA-256 of "abc", from FIPS 180-2.
        let text = fingerprint(&CertificateDer::from(&b"abc"[..]));
        assert!(text.starts_with("BA:78:16:BF:8F:01:CF:EA:"), "{text}");
        assert_eq!(text.split(':').count(), 32);
    }
}
