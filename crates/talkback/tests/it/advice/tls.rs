//! TLS that fails: what was given already is not advised. What each fault of a certificate is told, is in
//! the tests of certificates.

use std::sync::Arc;

use talkback::{Connect, ConnectError, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::TlsAcceptor;

use crate::support::certificates::{Authority, Identity};

/// What a client of `localhost` says of a server with this identity, or of one that answers so to its
/// first bytes.
async fn advice(change: impl FnOnce(Connect) -> Connect, server: Server<'_>) -> String {
    let (near, mut far) = duplex(64 * 1024);
    let connecting = change(connect("wss://localhost/")).over(near);
    let serving = async {
        match server {
            Server::Tls(identity) => {
                let acceptor = TlsAcceptor::from(Arc::new(identity.server()));
                let _ = acceptor.accept(far).await;
            }
            Server::Plain(answer) => {
                far.read_u8().await.unwrap();
                far.write_all(answer).await.unwrap();
                far.shutdown().await.unwrap();
                // Until the client has gone.
                let _ = far.read_to_end(&mut Vec::new()).await;
            }
        }
    };
    let (outcome, ()) = tokio::join!(connecting, serving);
    let error = outcome.map(drop).unwrap_err();
    let ConnectError::Tls { advice, .. } = &error else {
        panic!("{error}");
    };
    let text = error.to_string();
    assert!(text.ends_with(advice) && !text.contains('\n'), "{text}");
    (*advice).to_owned()
}

enum Server<'a> {
    Tls(&'a Identity),
    Plain(&'static [u8]),
}

const NOT_TLS: &str = "Check that the server speaks TLS at this port, or use ws://";

#[tokio::test]
async fn what_is_no_tls_is_told_so() {
    for answer in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ] {
        let told = advice(|it| it, Server::Plain(answer)).await;
        assert_eq!(told, NOT_TLS);
    }
    // An alert: a handshake that fails, and a version that is none of theirs (RFC 8446 §6).
    let told = advice(|it| it, Server::Plain(b"\x15\x03\x03\x00\x02\x02\x46")).await;
    assert!(told.ends_with("have it updated"), "{told}");
}

#[tokio::test]
async fn an_unknown_root_is_told_by_what_was_given() {
    let (authority, stranger) = (Authority::new("A root"), Authority::new("Another root"));
    let identity = stranger.issue("localhost");
    let told = advice(
        |it| it.tls_roots(authority.pem.as_str()),
        Server::Tls(&identity),
    );
    assert_eq!(
        told.await,
        "None of the roots given with `tls_roots` vouches for the server's certificate: add that under which it was issued (itself, if it is self-signed), and have the server send the certificates between"
    );
    #[cfg(feature = "rustls-0-23")]
    {
        let config = Arc::new(authority.client());
        let told = advice(|it| it.rustls_0_23(config), Server::Tls(&identity));
        assert_eq!(
            told.await,
            "No root of the configuration given with `rustls_0_23` vouches for the server's certificate: add that under which it was issued"
        );
    }
}

/// A certificate that is not for servers, not for this host, or an authority's: no root would help.
#[tokio::test]
async fn a_certificate_of_the_wrong_kind_is_told_so() {
    let authority = Authority::new("A root");
    let for_clients = authority.issue_with("localhost", |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    });
    let of_an_authority = authority.issue_with("localhost", |params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    let for_nobody = authority.issue_with("localhost", |params| {
        params.subject_alt_names = Vec::new();
    });
    for (identity, says) in [
        (for_clients, "extendedKeyUsage has serverAuth"),
        (
            of_an_authority,
            "in development add that very certificate to those given with `tls_roots`, or use `danger_accept_any_certificate`",
        ),
        (for_nobody, "-addext subjectAltName=DNS:localhost` does"),
    ] {
        let told = advice(
            |it| it.tls_roots(authority.pem.as_str()),
            Server::Tls(&identity),
        );
        let told = told.await;
        assert!(told.ends_with(says), "{told}");
    }
}
