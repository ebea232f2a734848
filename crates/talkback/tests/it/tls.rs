//! `wss://`: what is on the wire, ports that speak something else, and TLS that is cut.

use std::net::SocketAddr;
use std::sync::Arc;

use talkback::{AcceptError, CloseCode, ConnectError, Error, HandshakeError, Message, connect};
use talkback_proto::Opcode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;

use crate::support::certificates::{Authority, connect_to, echo, say_hello, serve};
use crate::support::cut::{CutServer, End};
use crate::support::{Fin, plain};

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// One line that begins with what was tried.
fn assert_one_line(message: &str) {
    assert!(!message.contains('\n'), "{message:?}");
    assert!(
        message.contains("ws://127.0.0.1:") || message.contains("wss://127.0.0.1:"),
        "{message}"
    );
}

#[tokio::test]
async fn c4_tls_comes_before_any_byte_of_http() {
    let (listener, address) = listen().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.shutdown().await.unwrap();
        let mut bytes = Vec::new();
        // A reset behind the bytes is as good as their end.
        let _ = stream.read_to_end(&mut bytes).await;
        bytes
    };
    let (bytes, outcome) = tokio::join!(server, connect(format!("wss://{address}/secret")));
    // A TLS record with a handshake message, and in it a ClientHello (RFC 8446 §4, §5.1).
    assert_eq!((bytes[0], bytes[1], bytes[5]), (0x16, 3, 1));
    assert!(!bytes.windows(6).any(|window| window == b"secret"));
    let message = outcome.map(drop).unwrap_err().to_string();
    assert_one_line(&message);
    assert!(
        message.contains("Check that the server speaks TLS at this port"),
        "{message}"
    );
}

/// What a ClientHello says: the server's name, and the protocols.
async fn client_hello(host: &str) -> (Option<String>, Vec<Vec<u8>>) {
    let authority = Authority::new("A root");
    let mut config = authority.issue(host).server();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let (listener, address) = listen().await;
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream);
        let start = start.await.unwrap();
        let hello = start.client_hello();
        let name = hello.server_name().map(str::to_owned);
        let protocols = hello
            .alpn()
            .into_iter()
            .flatten()
            .map(<[u8]>::to_vec)
            .collect();
        let stream = start.into_stream(Arc::new(config)).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        echo(talkback::accept(stream).await.unwrap()).await;
        (name, protocols)
    };
    let client = connect_to(host, address).tls_roots(authority.pem.as_str());
    tokio::join!(server, say_hello(client)).0
}

#[tokio::test]
async fn c5_the_host_is_sent_as_sni_and_http_1_1_as_alpn() {
    let (name, protocols) = client_hello("localhost").await;
    assert_eq!(name.as_deref(), Some("localhost"));
    assert_eq!(protocols, [b"http/1.1"]);
}

#[tokio::test]
async fn c5_an_address_is_no_name_and_is_not_sent() {
    // "Literal IPv4 and IPv6 addresses are not permitted in HostName" (RFC 6066 §3).
    let (name, protocols) = client_hello("127.0.0.1").await;
    assert_eq!(name, None);
    assert_eq!(protocols, [b"http/1.1"]);
}

#[tokio::test]
async fn a_server_of_http_2_alone_is_named() {
    let authority = Authority::new("A root");
    let mut config = authority.issue("127.0.0.1").server();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let address = serve(config).await;
    let connecting = connect_to("127.0.0.1", address).tls_roots(authority.pem);
    let message = connecting.await.map(drop).unwrap_err().to_string();
    assert_one_line(&message);
    assert!(
        message.contains("does not speak HTTP/1.1 at this port"),
        "{message}"
    );
}

#[tokio::test]
async fn ws_to_a_port_of_tls_says_so() {
    let address = serve(Authority::new("A root").issue("127.0.0.1").server()).await;
    let error = connect(format!("ws://{address}/"))
        .await
        .map(drop)
        .unwrap_err();
    let message = error.to_string();
    assert!(
        matches!(
            error,
            ConnectError::Handshake {
                error: HandshakeError::Head(_),
                ..
            }
        ),
        "{message}"
    );
    assert_one_line(&message);
    assert!(
        message.ends_with("the server speaks TLS at this port: use wss://"),
        "{message}"
    );
}

#[tokio::test]
async fn wss_to_a_port_of_plain_http_says_so_at_both_ends() {
    let (listener, address) = listen().await;
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        talkback::accept(stream).await.map(drop).unwrap_err()
    };
    let (server_error, outcome) = tokio::join!(server, connect(format!("wss://{address}/")));
    let error = outcome.map(drop).unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, ConnectError::Tls { .. }), "{message}");
    assert_one_line(&message);
    assert!(
        message.contains("Check that the server speaks TLS at this port, or use ws://"),
        "{message}"
    );

    let message = server_error.to_string();
    assert!(matches!(server_error, AcceptError::Refused(_)), "{message}");
    assert!(message.contains("speaks TLS"), "{message}");
}

#[tokio::test]
async fn a_megabyte_comes_back_over_tls() {
    let authority = Authority::new("A root");
    let address = serve(authority.issue("127.0.0.1").server()).await;
    let connecting = connect_to("127.0.0.1", address).tls_roots(authority.pem);
    let mut socket = connecting.await.unwrap();
    assert_eq!(socket.transport().unwrap().peer_addr().unwrap(), address);
    let payload: Vec<u8> = (0..1 << 20)
        .map(|index: u32| index.to_le_bytes()[index as usize % 3])
        .collect();
    socket.send(payload.clone()).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some(payload.into()));
    assert!(socket.close().await.clean);
}

/// A short session: two messages, one of them in two fragments, each in a record of its own.
fn short_session() -> Vec<Vec<u8>> {
    vec![
        plain(Fin::Last, Opcode::Text, b"first"),
        plain(Fin::More, Opcode::Text, b"sec"),
        plain(Fin::Last, Opcode::Continuation, b"ond"),
    ]
}

/// What a client of the server sees: its messages and its end, or why it never opened.
async fn session(
    server: &CutServer,
    authority: &Authority,
) -> Result<(Vec<Message>, Option<Error>, CloseCode), ConnectError> {
    let connecting = connect_to("127.0.0.1", server.address()).tls_roots(authority.pem.as_str());
    let mut socket = connecting.await?;
    let mut messages = Vec::new();
    let error = loop {
        match socket.recv().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert_eq!(
        socket.recv().await.unwrap(),
        None,
        "one error, then the end"
    );
    let info = socket.close_info().unwrap();
    assert_eq!(info.clean, error.is_none(), "{info}");
    Ok((messages, error, info.code))
}

#[tokio::test]
async fn v54_tcp_that_ends_without_close_notify_after_every_byte() {
    let authority = Authority::new("A root");
    let server = CutServer::new(authority.issue("127.0.0.1").server()).await;
    let records = short_session();
    let whole = server.serve(&records, usize::MAX, End::Fin);
    let (places, _) = tokio::join!(whole, session(&server, &authority));
    let (tls_size, size) = (places[0].end, places[4].end);
    // The flight of the TLS handshake is a thousand bytes of other rules: every seventh will do.
    let cuts = (0..tls_size).step_by(7).chain(tls_size..=size);
    for cut in cuts {
        let serving = server.serve(&records, cut, End::Fin);
        let (places, outcome) = tokio::join!(serving, session(&server, &authority));
        let ends = |index: usize| places.get(index).is_some_and(|place| cut >= place.end);
        if !ends(1) {
            let error = outcome.map(drop).unwrap_err();
            let message = error.to_string();
            assert_one_line(&message);
            let is_apt = matches!(error, ConnectError::Lost { .. } | ConnectError::Tls { .. });
            assert!(is_apt, "cut at {cut}: {message}");
            continue;
        }
        let (messages, error, code) = outcome.unwrap();
        let received = usize::from(ends(2)) + usize::from(ends(4));
        assert_eq!(
            messages,
            [Message::from("first"), "second".into()][..received],
            "cut at {cut}"
        );
        let error = error
            .unwrap_or_else(|| panic!("cut at {cut}: no error"))
            .to_string();
        assert!(!error.contains('\n'), "{error:?}");
        assert_eq!(code, CloseCode::ABNORMAL, "cut at {cut}: {error}");
    }
}

#[tokio::test]
async fn v54_close_notify_does_not_stand_for_a_close_frame() {
    let authority = Authority::new("A root");
    let server = CutServer::new(authority.issue("127.0.0.1").server()).await;
    let session_records = short_session();
    for (count, received) in [(0, 0), (1, 1), (2, 1), (3, 2)] {
        let serving = server.serve(&session_records[..count], usize::MAX, End::CloseNotify);
        let (_, outcome) = tokio::join!(serving, session(&server, &authority));
        let (messages, error, code) = outcome.unwrap();
        assert_eq!(messages.len(), received, "{count} records");
        assert!(matches!(error, Some(Error::Closed(_))), "{count} records");
        assert_eq!(code, CloseCode::ABNORMAL, "{count} records");
    }
}

#[tokio::test]
async fn a_close_frame_is_a_clean_end_with_and_without_close_notify() {
    let authority = Authority::new("A root");
    let server = CutServer::new(authority.issue("127.0.0.1").server()).await;
    let records = [plain(Fin::Last, Opcode::Close, &[0x03, 0xe8])];
    for end in [End::Fin, End::CloseNotify] {
        let serving = server.serve(&records, usize::MAX, end);
        let (_, outcome) = tokio::join!(serving, session(&server, &authority));
        let (messages, error, code) = outcome.unwrap();
        assert!(messages.is_empty() && error.is_none(), "{end:?}: {error:?}");
        assert_eq!(code, CloseCode::NORMAL, "{end:?}");
    }
}
