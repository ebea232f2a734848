//! `wss://` from both ends: `talkback echo` with a certificate, `talkback connect` with roots.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedKey, IsCa, KeyPair, generate_simple_self_signed,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::support::mutual::{Mutual, echo_with, encrypted};
use crate::support::{Finished, Running, connect, echo, run};
use talkback_testing::old_certificates::{RSA_1024, VERSION_1};

const GREETINGS: &str = "Hello!\n안녕하세요\n";

/// Where a test's own file lies.
fn path(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    folder.join(name).to_str().unwrap().to_owned()
}

fn file(name: &str, text: &str) -> String {
    let path = path(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn made_for(host: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([host.to_owned()]).unwrap()
}

/// A server with a self-signed certificate, its URL, and the file with that certificate.
fn echo_self_signed(name: &str) -> (Running, String, String) {
    let file = path(name);
    let (server, url) = echo(&[&format!("--tls-self-signed={file}")]);
    assert!(url.starts_with("wss://127.0.0.1:"), "{url}");
    (server, url, file)
}

#[track_caller]
fn comes_back(finished: &Finished) {
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(finished.stdout, GREETINGS);
}

/// Holds a failure against its exit code, and to one line that has these words.
#[track_caller]
fn fails(finished: &Finished, code: i32, words: &[&str]) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    for word in words {
        assert!(finished.stderr.contains(word), "{word}: {finished:?}");
    }
}

#[test]
fn a_self_signed_certificate_is_trusted_by_its_file() {
    let (_server, url, file) = echo_self_signed("trusted.pem");
    comes_back(&connect(&[&url, "--ca", &file], GREETINGS));
    let by_name = url.replace("127.0.0.1", "localhost");
    comes_back(&connect(&[&by_name, "--ca", &file], GREETINGS));
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written.starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(!written.contains("PRIVATE KEY"));
}

#[test]
fn insecure_accepts_a_self_signed_certificate() {
    let (server, url) = echo(&["--tls-self-signed"]);
    comes_back(&connect(&[&url, "--insecure"], GREETINGS));
    server.until("the fingerprint is told", |server| {
        server.stdout().contains("SHA-256 fingerprint: ")
    });
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (_server, url, _) = echo_self_signed("refused.pem");
    let other = file("other.pem", &made_for("127.0.0.1").cert.pem());
    // What was given already is not advised.
    let advice = ["certificate", "None of the roots given with `--ca FILE`"];
    fails(&connect(&[&url, "--ca", &other], GREETINGS), 6, &advice);

    let mut command = Command::new(env!("CARGO_BIN_EXE_talkback"));
    // The platform's roots, of which a machine may have none.
    command.args(["connect", &url]).env("SSL_CERT_FILE", other);
    let advice = ["certificate", "`--ca FILE`", "`--insecure`"];
    fails(&Running::spawn(&mut command).finish(), 6, &advice);
}

#[test]
fn a_certificate_and_its_key_are_read_from_files() {
    let made = made_for("127.0.0.1");
    let cert = file("own.pem", &made.cert.pem());
    let key = file("own.key", &made.signing_key.serialize_pem());
    let (_server, url) = echo(&["--tls-cert", &cert, "--tls-key", &key]);
    assert!(url.starts_with("wss://"), "{url}");
    comes_back(&connect(&[&url, "--ca", &cert], GREETINGS));
}

/// As `openssl req -x509` makes it: the certificate says that it is an authority's.
#[test]
fn a_certificate_of_its_own_authority_is_trusted_by_its_file() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    let cert = file("authority.pem", &pem);
    let key = file("authority.key", &key.serialize_pem());
    let (_server, url) = echo(&["--tls-cert", &cert, "--tls-key", &key]);
    comes_back(&connect(&[&url, "--ca", &cert], GREETINGS));
    let other = file("another-root.pem", &made_for("127.0.0.1").cert.pem());
    fails(&connect(&[&url, "--ca", &other], ""), 6, &["`--ca FILE`"]);
    let elsewhere = url.replace("127.0.0.1", "localhost");
    let refused = connect(&[&elsewhere, "--ca", &cert], "");
    fails(&refused, 6, &["for another host"]);
}

/// rustls signs with no such key, so that the servers sign with another; nobody looks.
#[test]
fn insecure_accepts_version_1_and_rsa_of_1024_bits() {
    for certificate in [VERSION_1, RSA_1024] {
        let own = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::try_from(KeyPair::generate().unwrap().serialize_der()).unwrap();
        let key = ring::sign::any_supported_type(&key).unwrap();
        let certified = SingleCertAndKey::from(rustls::sign::CertifiedKey::new(vec![own], key));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(certified));
        let url = echo_with(config);
        comes_back(&connect(&[&url, "--insecure"], GREETINGS));
        let pem = file("old.pem", certificate);
        fails(&connect(&[&url, "--ca", &pem], ""), 6, &["TLS failed"]);
    }
}

#[test]
fn a_server_without_tls_is_named_as_such() {
    let (_server, url) = echo(&[]);
    let secure = url.replace("ws://", "wss://");
    fails(&connect(&[&secure, "--insecure"], ""), 6, &["ws://"]);
}

#[test]
fn a_client_shows_its_certificate_to_a_server_that_wants_one() {
    let Mutual {
        url, ca, cert, key, ..
    } = Mutual::start("mutual");
    let known = ["--ca", &ca, "--cert", &cert, "--key", &key];
    comes_back(&connect(&[&[&*url], &known[..]].concat(), GREETINGS));
    let unknown = connect(&[&url, "--ca", &ca], "");
    fails(&unknown, 6, &["`--cert FILE` and `--key FILE`"]);
}

#[test]
fn an_encrypted_key_is_opened_by_its_passphrase() {
    let made = made_for("client");
    let cert = file("encrypted.pem", &made.cert.pem());
    let key = file("encrypted.key", &encrypted(&made.signing_key, "hunter2"));
    let (_server, url, ca) = echo_self_signed("for-encrypted.pem");
    let asked = [&*url, "--ca", &ca, "--cert", &cert, "--key", &key, "-1"];
    let ask = |passphrase: &[&str]| connect(&[&asked[..], passphrase].concat(), "Hello!\n");
    let right = file("right.txt", "hunter2\n");
    let finished = ask(&["--key-passphrase", &right]);
    assert_eq!(finished.stdout, "Hello!\n", "{finished:?}");
    let wrong = file("wrong.txt", "hunter3\n");
    for (passphrase, word) in [
        (&[][..], "it is encrypted: give a file with its passphrase"),
        (&["--key-passphrase", &wrong], "does not open it"),
        (
            &["--key-passphrase", "/nowhere"],
            "--key-passphrase /nowhere",
        ),
    ] {
        let finished = ask(passphrase);
        fails(&finished, 2, &[word]);
        assert!(!finished.stderr.contains("hunter"), "{finished:?}");
    }
}

#[test]
fn a_client_s_file_that_cannot_be_used_is_named_with_its_option() {
    let url = "wss://127.0.0.1:1/";
    let nonsense = file("nonsense.pem", "Hello!\n");
    let missing = path("missing.pem");
    let unread = connect(&[url, "--ca", &missing], "");
    fails(&unread, 2, &["--ca", "missing.pem"]);
    let unusable = connect(&[url, "--ca", &nonsense], "");
    fails(&unusable, 2, &["--ca", "-----BEGIN CERTIFICATE-----"]);

    let made = made_for("client");
    let cert = file("usable.pem", &made.cert.pem());
    let key = file("usable.key", &made.signing_key.serialize_pem());
    let no_cert = connect(&[url, "--cert", &missing, "--key", &key], "");
    fails(&no_cert, 2, &["--cert", "missing.pem"]);
    let no_key = connect(&[url, "--cert", &cert, "--key", &missing], "");
    fails(&no_key, 2, &["--key", "missing.pem"]);
    let bad_key = connect(&[url, "--cert", &cert, "--key", &nonsense], "");
    fails(&bad_key, 2, &["--key: ", "PRIVATE KEY"]);
}

#[test]
fn a_server_s_file_that_cannot_be_used_is_named_with_its_option() {
    let made = made_for("127.0.0.1");
    let cert = file("server.pem", &made.cert.pem());
    let key = file("server.key", &made.signing_key.serialize_pem());
    let other = file("else.key", &made_for("a").signing_key.serialize_pem());
    let missing = path("missing.pem");
    for (cert, key, option) in [
        (&missing, &key, "--tls-cert "),
        (&key, &key, "--tls-cert "),
        (&cert, &missing, "--tls-key "),
        (&cert, &cert, "--tls-key "),
        (&cert, &other, "--tls-key "),
    ] {
        let finished = run(&["echo", "--tls-cert", cert, "--tls-key", key], "");
        fails(&finished, 2, &[option, "PEM"]);
    }
    let folder = format!("--tls-self-signed={}", env!("CARGO_TARGET_TMPDIR"));
    let finished = run(&["echo", "--listen", "127.0.0.1:0", &folder], "");
    fails(&finished, 1, &["--tls-self-signed"]);
}

#[test]
fn options_that_do_not_fit_together_are_wrong_usage() {
    for (arguments, word) in [
        (&["connect", "wss://a/", "--cert", "f"][..], "--key"),
        (&["connect", "wss://a/", "--key", "f"], "--cert"),
        (&["connect", "wss://a/", "--ca", "f", "--insecure"], "--ca"),
        (&["echo", "--tls-cert", "f"], "--tls-key"),
        (&["echo", "--tls-key", "f"], "--tls-cert"),
        (
            &[
                "echo",
                "--tls-self-signed",
                "--tls-cert",
                "f",
                "--tls-key",
                "f",
            ],
            "--tls-self-signed",
        ),
    ] {
        fails(&run(arguments, ""), 2, &[word, "--help"]);
    }
}

#[test]
fn v15_clients_that_stall_in_tls_hold_up_nobody_else() {
    let (_server, url, file) = echo_self_signed("stalled.pem");
    let host = url.trim_start_matches("wss://").trim_end_matches('/');
    let stalled: Vec<_> = (0..200)
        .map(|number| {
            let mut stream = TcpStream::connect(host).unwrap();
            // Half of them begin a ClientHello, the others say nothing.
            let beginning: &[u8] = &[22, 3, 1, 2, 0][..5 * (number % 2)];
            stream.write_all(beginning).unwrap();
            stream
        })
        .collect();
    let roots = std::fs::read(file).unwrap();
    let begin = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let mut socket = talkback::connect(url).tls_roots(roots).await.unwrap();
        socket.send("안녕하세요").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some("안녕하세요".into()));
    });
    assert!(begin.elapsed() < Duration::from_secs(1));
    drop(stalled);
}
