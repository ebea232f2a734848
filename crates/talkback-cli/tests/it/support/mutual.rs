//! Servers of TLS that `talkback echo` is none of, and one that wants to see a certificate.

use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, generate_simple_self_signed};
use rustls_pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::server::{echo_all, server};

/// The URL of an echo server that speaks TLS so.
pub(crate) fn echo_with(config: ServerConfig) -> String {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let url = server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                echo_all(talkback::accept(stream).await.unwrap()).await;
            }
        }
    });
    url.replace("ws://", "wss://")
}

/// The key in PEM, encrypted as `openssl genpkey -aes256` does it.
pub(crate) fn encrypted(key: &KeyPair, passphrase: &str) -> String {
    use pkcs8::pkcs5::pbes2::Parameters;
    use pkcs8::{LineEnding, PrivateKeyInfo};

    let der = key.serialize_der();
    let info = PrivateKeyInfo::try_from(&*der).unwrap();
    let how = Parameters::pbkdf2_sha256_aes256cbc(2048, &[7; 16], &[9; 16]).unwrap();
    let encrypted = info.encrypt_with_params(how, passphrase).unwrap();
    let pem = encrypted.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF);
    pem.unwrap().to_string()
}

/// An echo server that lets in one client alone, and the files for it.
pub(crate) struct Mutual {
    pub(crate) url: String,
    /// The server's certificate, for 127.0.0.1.
    pub(crate) ca: String,
    pub(crate) cert: String,
    pub(crate) key: String,
    /// The same key, encrypted, and the file with its passphrase.
    pub(crate) encrypted_key: String,
    pub(crate) passphrase: String,
}

impl Mutual {
    /// Its files have a name, which no other test's have.
    pub(crate) fn start(name: &str) -> Self {
        let made = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let client_key = KeyPair::generate().unwrap();
        let client = CertificateParams::default()
            .self_signed(&client_key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(client.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let file = |kind: &str, text: &str| {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
            let path = folder.join(format!("{name}-{kind}"));
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        Self {
            url: echo_with(config),
            ca: file("ca.pem", &made.cert.pem()),
            cert: file("client.pem", &client.pem()),
            key: file("client.key", &client_key.serialize_pem()),
            encrypted_key: file("encrypted.key", &encrypted(&client_key, "hunter2")),
            passphrase: file("passphrase", "hunter2\n"),
        }
    }
}
