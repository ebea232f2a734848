//! Roots that the program gave.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// Accepts what one of the roots vouches for, and each of them as a server's own certificate: with
/// `openssl req -x509` people make one that says that it is an authority's, give it to the server, and
/// trust that very certificate.
#[derive(Debug)]
pub(crate) struct OwnRoots {
    certificates: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl OwnRoots {
    /// # Errors
    /// If one of them cannot be a root.
    pub(crate) fn new(
        certificates: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone())?;
        }
        Ok(Self {
            certificates,
            roots,
            provider,
        })
    }
}

impl ServerCertVerifier for OwnRoots {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let verify = |now| {
            let (roots, chain) = (&self.roots, intermediates);
            verify_server_cert_signed_by_trust_anchor(&parsed, roots, chain, now, algorithms)
        };
        if let Err(error) = verify(now)
            && !(self.certificates.contains(certificate) && is_in_date(&error, verify))
        {
            return Err(error);
        }
        verify_server_name(&parsed, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// Whether a certificate that fails now for `error` fails for another reason than its dates.
///
/// The dates are looked at first: at the end of time they are what is wrong. Were they not, this would
/// refuse.
fn is_in_date(error: &Error, verify: impl Fn(UnixTime) -> Result<(), Error>) -> bool {
    let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    verify(end_of_time).is_err_and(|error| is_about_dates(&error)) && !is_about_dates(error)
}

fn is_about_dates(error: &Error) -> bool {
    use CertificateError as C;
    matches!(
        error,
        Error::InvalidCertificate(
            C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. }
        )
    )
}
