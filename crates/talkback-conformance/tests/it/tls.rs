//! The scenarios over TLS: the same server behind a front that ends TLS. Here the driver, the server
//! and the scenario run on threads of their own.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use talkback_conformance::server::{Server, reset};
use talkback_conformance::{check_exceptions, for_each_scenario, run_named};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::by_url::ByUrl;

async fn backend() -> ByUrl {
    let identity = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let root = identity.cert.pem();
    let acceptor = acceptor(identity);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Server::default();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            tokio::spawn(async move {
                // A client that does not trust the certificate goes away.
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                if let Some(stream) = server.serve(stream).await {
                    reset(stream.get_ref().0);
                }
            });
        }
    });
    ByUrl {
        base: format!("wss://localhost:{port}"),
        root: Some(root),
    }
}

fn acceptor(identity: CertifiedKey<rcgen::KeyPair>) -> TlsAcceptor {
    let chain = vec![identity.cert.der().clone()];
    let key = PrivateKeyDer::Pkcs8(identity.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

macro_rules! tests {
    ($($module:ident { $($name:ident [$($need:ident)*];)* })*) => {$(
        mod $module {
            use super::{backend, run_named};
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let path = concat!(stringify!($module), "::", stringify!($name));
                run_named(&backend().await, path).await.unwrap();
            }
        )*}
    )*};
}

for_each_scenario!(tests);

#[tokio::test]
async fn no_scenario_is_an_exception() {
    check_exceptions(&backend().await).unwrap();
}
