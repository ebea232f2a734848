//! C4 to C6 for `talkback connect`: TLS comes first, names the host, and is held to a certificate.
//! Versions of TLS, chains and client certificates are with the library's own tests.

use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls_pki_types::PrivateKeyDer;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use crate::support::scripted::{INPUT, accept, assert_nobody_came};
use crate::support::server::{echo_all, server};
use crate::support::wire::read_to_end;
use crate::support::{Finished, connect};

/// Holds a failure against exit code 6 and one line that has these words.
#[track_caller]
fn fails(finished: &Finished, words: &[&str]) {
    assert_eq!(finished.code, Some(6), "{finished:?}");
    assert_eq!(finished.stdout, "", "{finished:?}");
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    for word in words {
        assert!(finished.stderr.contains(word), "{word}: {finished:?}");
    }
}

fn file(name: &str, text: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn c04_tls_comes_before_any_byte_of_http() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://{}/s3cret", listener.local_addr().unwrap());
    let (bytes, finished) = thread::scope(|scope| {
        let serving = scope.spawn(|| {
            let mut stream = accept(&listener);
            stream.shutdown(Shutdown::Write).unwrap();
            read_to_end(&mut stream)
        });
        let finished = connect(&[&url, "--insecure"], INPUT);
        (serving.join().unwrap(), finished)
    });
    fails(&finished, &[&url, "TLS failed"]);
    // One record with a handshake message, a ClientHello (RFC 8446 §4, §5.1), and nothing else but
    // an alert.
    assert_eq!((bytes[0], bytes[1], bytes[5]), (22, 3, 1));
    let size = 5 + usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
    assert!(bytes.len() == size || bytes[size] == 21, "{bytes:?}");
    for http in [&b"GET"[..], b"HTTP", b"s3cret"] {
        assert!(!bytes.windows(http.len()).any(|window| window == http));
    }
    assert_nobody_came(&listener);
}

/// A root, and certificates that it vouches for.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    fn issue(&self, host: &str, change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        config(&certificate, &key)
    }
}

fn config(certificate: &rcgen::Certificate, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap()
}

/// A server with this certificate; its URL by this host.
fn serve(config: ServerConfig, host: &str) -> String {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let url = server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await
                && let Ok(socket) = talkback::accept(stream).await
            {
                echo_all(socket).await;
            }
        }
    });
    url.replace("ws://127.0.0.1", &format!("wss://{host}"))
}

#[test]
fn c05_the_host_is_sent_as_sni_and_an_address_is_not() {
    let authority = Authority::new();
    let ca = file("handshake_sni.pem", &authority.pem);
    for (host, expected) in [("localhost", Some("localhost")), ("127.0.0.1", None)] {
        let config = Arc::new(authority.issue(host, |_| ()));
        let (seen, names) = std::sync::mpsc::channel();
        let url = server(move |stream| {
            let (config, seen) = (Arc::clone(&config), seen.clone());
            async move {
                let start = LazyConfigAcceptor::new(Acceptor::default(), stream);
                let start = start.await.unwrap();
                let name = start.client_hello().server_name().map(str::to_owned);
                seen.send(name).unwrap();
                let stream = start.into_stream(config).await.unwrap();
                let mut socket = talkback::accept(stream).await.unwrap();
                socket.close().await;
            }
        });
        let url = url.replace("ws://127.0.0.1", &format!("wss://{host}"));
        let finished = connect(&[&url, "--ca", &ca], "");
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert_eq!(names.recv().unwrap().as_deref(), expected);
    }
}

#[test]
fn c06_a_bad_certificate_fails() {
    let (root, other) = (Authority::new(), Authority::new());
    let ca = file("handshake_root.pem", &root.pem);
    let expire = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    };
    let postpone = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(4000, 1, 1);
        params.not_after = date_time_ymd(4001, 1, 1);
    };
    let key = KeyPair::generate().unwrap();
    let self_signed = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let self_signed = config(&self_signed.self_signed(&key).unwrap(), &key);
    for (config, host, words) in [
        (root.issue("127.0.0.1", expire), "127.0.0.1", "has expired"),
        (
            root.issue("127.0.0.1", postpone),
            "127.0.0.1",
            "not valid yet",
        ),
        (
            root.issue("other.example", |_| ()),
            "localhost",
            "another host",
        ),
        // A name is not an address, nor one address another.
        (root.issue("localhost", |_| ()), "127.0.0.1", "another host"),
        (root.issue("127.0.0.2", |_| ()), "127.0.0.1", "another host"),
        (self_signed, "127.0.0.1", "itself if it is self-signed"),
        (
            other.issue("127.0.0.1", |_| ()),
            "127.0.0.1",
            "another key than the root",
        ),
    ] {
        let url = serve(config, host);
        let finished = connect(&[&url, "--ca", &ca], INPUT);
        fails(&finished, &[&url, "certificate", words]);
    }
    for host in ["localhost", "127.0.0.1"] {
        let url = serve(root.issue(host, |_| ()), host);
        let finished = connect(&[&url, "--ca", &ca], INPUT);
        assert_eq!((finished.code, &*finished.stdout), (Some(0), INPUT));
    }
}
