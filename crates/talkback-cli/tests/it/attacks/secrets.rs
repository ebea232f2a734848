//! Attacks on what a caller hands in, and on secrets in it: V7, V11, V12.

use std::process::Command;
use std::sync::Arc;

use rustls_pki_types::PrivateKeyDer;
use talkback::{CloseCode, Connect};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use crate::support::attack::{Attacker, Target};
use crate::support::{Finished, Running};

/// A client that logs all there is to log.
fn trace(arguments: &[&str]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_talkback"));
    Running::spawn(command.args(arguments).env("RUST_LOG", "trace"))
}

#[test]
fn v07_line_ends_in_what_the_caller_gives_the_program() {
    let attacker = Attacker::listen();
    let url = attacker.url.as_str();
    let authority = url.trim_start_matches("ws://");
    for bad in ["\r\nX-Evil: 1", "\r", "\n"] {
        let value = format!("a{bad}");
        let header = format!("X-Good: a{bad}b");
        let name = format!("X{bad}: good");
        let cookie = format!("Cookie: a{bad}b");
        for arguments in [
            &[url, "-H", &header][..],
            &[url, "-H", &name],
            &[url, "-H", &cookie],
            &[url, "--origin", &format!("http://a{bad}b")],
            &[url, "--subprotocol", &value],
            &[&format!("{url}{value}b")],
            &[&format!("{url}?{value}b")],
            &[&format!("ws://{value}@{authority}")],
            &[&format!("ws://{value}.{authority}")],
        ] {
            let finished = crate::support::connect(arguments, "");
            assert!(
                matches!(finished.code, Some(2 | 3)),
                "{arguments:?}: {finished:?}"
            );
        }
    }
    attacker.assert_nobody_came();
}

#[tokio::test(flavor = "multi_thread")]
async fn v07_line_ends_and_nul_in_what_the_caller_gives_the_library() {
    let attacker = Attacker::listen();
    let url = attacker.url.as_str();
    for bad in ["\r\nX-Evil: 1", "\r", "\n", "\0"] {
        let value = format!("a{bad}b");
        let connects: [Connect; 7] = [
            talkback::connect(url).header("X-Good", &value),
            talkback::connect(url).header(&value, "good"),
            talkback::connect(url).header("Cookie", &value),
            talkback::connect(url).origin(&value),
            talkback::connect(url).subprotocol(&value),
            talkback::connect(format!("{url}{value}")),
            talkback::connect(url.replace("127", &value)),
        ];
        for connecting in connects {
            connecting.await.map(drop).unwrap_err();
        }
    }
    attacker.assert_nobody_came();

    let target = Target::start(&[]);
    let mut socket = talkback::connect(&*target.url).await.unwrap();
    for bad in ["a\r\nb", "\r", "\n", "a\0"] {
        let refused = socket.close_with(CloseCode::NORMAL, bad).await;
        assert!(refused.is_err(), "{bad:?}: {refused:?}");
    }
    socket.send("open").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("open".into()));
}

const SECRETS: [&str; 3] = ["hunter2", "dXNlcjpodW50ZXIy", "t0ken"];

#[track_caller]
fn assert_no_secret(finished: &Finished) {
    for secret in SECRETS {
        let is_shown = finished.stdout.contains(secret) || finished.stderr.contains(secret);
        assert!(!is_shown, "{secret}: {finished:?}");
    }
}

fn with_credentials(url: &str) -> String {
    format!("{}?key=t0ken", url.replace("://", "://user:hunter2@"))
}

#[test]
fn v11_redirects_with_credentials() {
    let (attacker, other) = (Attacker::listen(), Attacker::listen());
    let url = with_credentials(&attacker.url);
    for status in [301, 302, 303, 307, 308] {
        let client = trace(&["connect", "-H", "Cookie: hunter2", &url]);
        let (mut peer, request) = attacker.asked();
        assert!(request.contains("\r\nAuthorization: Basic dXNlcjpodW50ZXIy\r\n"));
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
            other.url
        );
        peer.send(answer.as_bytes());
        let finished = client.finish();
        assert_eq!(finished.code, Some(6), "{finished:?}");
        assert_no_secret(&finished);
        attacker.assert_nobody_came();
        other.assert_nobody_came();
    }
}

/// TLS for 127.0.0.1.
fn acceptor() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[test]
fn v11_a_redirect_from_wss_to_ws() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let other = Attacker::listen();
    let acceptor = acceptor();
    let location = other.url.clone();
    let url = crate::support::server::server(move |stream| {
        let (acceptor, location) = (acceptor.clone(), location.clone());
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let answer =
                format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            let _ = stream.shutdown().await;
        }
    });
    let url = with_credentials(&url.replace("ws://", "wss://"));
    let finished = trace(&["connect", "--insecure", &url]).finish();
    assert_eq!(finished.code, Some(6), "{finished:?}");
    assert!(finished.stderr.contains("302"), "{finished:?}");
    assert_no_secret(&finished);
    other.assert_nobody_came();
}

/// The library writes no log of its own: what there is comes from the two programs.
#[tokio::test]
async fn v12_l3_secrets_in_a_log_of_everything() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_talkback"));
    command.args(["echo", "--listen", "127.0.0.1:0", "--verbose"]);
    command.args(["--subprotocol", "bearer", "--subprotocol", "hunter2"]);
    let server = Running::spawn(command.env("RUST_LOG", "trace"));
    let url = with_credentials(&crate::support::url_of(&server));
    let bearer = ["--subprotocol", "bearer", "--subprotocol", "hunter2"];
    let client = ["connect", "-v", "-H", "X-Api-Key: hunter2", &url];
    let mut client = trace(&[&client[..], &bearer].concat());
    client.type_in("hunter2\n");
    client.stdin = None;
    let mut finished = client.finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(finished.stdout, "hunter2\n");
    finished.stdout.clear();
    assert_no_secret(&finished);
    server.until("the end is logged", |server| {
        server.stderr().contains("code=1005")
    });
    let connecting = talkback::connect(&*url).subprotocol("hunter2");
    let mut socket = connecting.await.unwrap();
    socket.ping("hunter2").await.unwrap();
    socket.send(&b"hunter2"[..]).await.unwrap();
    socket.close_with(4000, "hunter2").await.unwrap();
    server.until("the other end is logged", |server| {
        server.stderr().contains("code=4000")
    });
    let log = server.stderr();
    for secret in SECRETS {
        assert!(!log.contains(secret), "{log}");
    }
}
