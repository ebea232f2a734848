//! Certificates made at run time, and TLS servers that show them.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use talkback::{WebSocket, connect};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion, version,
};

/// TLS 1.3 and 1.2, for tests of both.
pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

/// A root that vouches for others.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate for a host's name or address.
    pub(crate) fn issue(&self, host: &str) -> Identity {
        self.issue_with(host, |_| ())
    }

    /// A client that believes this authority alone.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    pub(crate) fn issue_with(
        &self,
        host: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity::new(&certificate, &key)
    }
}

/// A certificate and its key.
pub(crate) struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    pub(crate) chain_pem: String,
    pub(crate) key_pem: String,
}

impl Identity {
    fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        Self {
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            chain_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    /// A certificate that nobody else vouches for.
    pub(crate) fn self_signed(host: &str) -> Self {
        Self::self_signed_with(host, |_| ())
    }

    pub(crate) fn self_signed_with(
        host: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        change(&mut params);
        Self::new(&params.self_signed(&key).unwrap(), &key)
    }

    /// As `openssl req -x509` makes it: it says that it is an authority's (CA:TRUE).
    pub(crate) fn of_its_own_authority(host: &str) -> Self {
        Self::self_signed_with(host, |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        })
    }

    /// A server with this certificate, which asks clients for none.
    pub(crate) fn server(&self) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .unwrap()
    }

    /// The same with one version of TLS.
    pub(crate) fn server_with(&self, version: &'static SupportedProtocolVersion) -> ServerConfig {
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .unwrap()
    }

    /// A server with this certificate, which wants one from clients that the authority vouches for.
    pub(crate) fn server_for_clients_of(
        &self,
        authority: &Authority,
        version: &'static SupportedProtocolVersion,
    ) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate.clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .unwrap();
        ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .unwrap()
    }
}

/// A server that shows this certificate and signs with another key than the certificate's.
pub(crate) fn impostor(certificate_pem: &str) -> ServerConfig {
    let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).unwrap();
    let key = KeyPair::generate().unwrap().serialize_der();
    let key = ring::sign::any_supported_type(&PrivateKeyDer::try_from(key).unwrap()).unwrap();
    let certified = CertifiedKey::new(vec![certificate], key);
    let provider = Arc::new(ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
}

/// Starts an echo server on 127.0.0.1 that goes on after clients that it cannot talk to.
pub(crate) async fn serve(config: ServerConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await
                    && let Ok(socket) = talkback::accept(stream).await
                {
                    echo(socket).await;
                }
            });
        }
    });
    address
}

pub(crate) async fn echo<T: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocket<T>) {
    while let Ok(Some(message)) = socket.recv().await {
        if socket.feed(message).await.is_err() {
            return;
        }
    }
}

/// Connects, sends a message and has it back.
pub(crate) async fn say_hello(connecting: talkback::Connect) {
    let mut socket = connecting.await.unwrap_or_else(|error| panic!("{error}"));
    socket.send("Hello!").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("Hello!".into()));
    assert!(socket.close().await.clean);
}

/// A client of a server at `host`, on the port of `address`.
pub(crate) fn connect_to(host: &str, address: SocketAddr) -> talkback::Connect {
    connect(format!("wss://{host}:{}/", address.port()))
}
