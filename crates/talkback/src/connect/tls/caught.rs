//! A verifier of the platform's whose panics are errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::{DigitallySignedStruct, Error, SignatureScheme};

/// Fails the handshake where this verifier panics, as Android's does in an app that has not initialised it.
#[derive(Debug)]
pub(crate) struct Caught<V>(pub(crate) V);

impl<V: ServerCertVerifier> ServerCertVerifier for Caught<V> {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = || {
            let verifier = &self.0;
            verifier.verify_server_cert(certificate, intermediates, name, ocsp, now)
        };
        // A check that was broken off has accepted nothing, and the next one begins anew.
        catch_unwind(AssertUnwindSafe(verify)).unwrap_or_else(|panic| Err(error(&*panic)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verifier = &self.0;
        verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verifier = &self.0;
        verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// What the panic said.
fn error(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("it did not say why");
    Error::General(format!(
        "the platform's verifier of certificates panicked ({text})"
    ))
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::io;
    use std::sync::Arc;

    use rcgen::{CertificateParams, KeyPair};
    use talkback_proto::handshake::WsUrl;
    use tokio::io::duplex;
    use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
    use tokio_rustls::rustls::{ClientConfig, ServerConfig};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;
    use crate::connect::tls::errors::{Given, tls_error};
    use crate::connect::tls_options::TlsOptions;

    /// Android's, in an app that has not initialised it.
    #[derive(Debug)]
    struct Uninitialized(Arc<CryptoProvider>);

    impl ServerCertVerifier for Uninitialized {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            None.expect("Expect rustls-platform-verifier to be initialized")
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            let algorithms = &self.0.signature_verification_algorithms;
            algorithms.supported_schemes()
        }
    }

    /// The error of a handshake with this verifier.
    async fn failure(verifier: impl ServerCertVerifier + 'static) -> io::Error {
        let provider = Arc::new(ring::default_provider());
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key.serialize_der().try_into().unwrap())
            .unwrap();
        let (near, far) = duplex(64 * 1024);
        let name = ServerName::try_from("localhost").unwrap();
        let (connecting, accepting) = (
            TlsConnector::from(Arc::new(client)).connect(name, near),
            TlsAcceptor::from(Arc::new(server)).accept(far),
        );
        tokio::join!(connecting, accepting).0.map(drop).unwrap_err()
    }

    #[tokio::test]
    async fn a_verifier_that_panics_fails_the_handshake() {
        let provider = Arc::new(ring::default_provider());
        let error = failure(Caught(Uninitialized(provider))).await;
        let url = WsUrl::parse("wss://localhost/").unwrap();
        let error = tls_error(&url, error, Given::of(&TlsOptions::default()));
        assert_eq!(
            error.to_string(),
            "could not open wss://localhost/: TLS failed: unexpected error: the platform's verifier of certificates panicked (Expect rustls-platform-verifier to be initialized). This platform cannot check the server's certificate by itself. On Android the app has to initialize rustls-platform-verifier, and to have its Kotlin part; or give roots with `tls_roots`, or build talkback with its feature `webpki-roots` in place of `platform-roots`"
        );
        assert!(!error.is_retryable());
    }
}
