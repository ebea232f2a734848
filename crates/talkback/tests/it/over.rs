//! `over`: the opening handshake on a stream that is there already.

use std::time::Duration;

use talkback::{ConnectError, Stage, accept, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::support::local::Local;

#[tokio::test]
async fn a_stream_in_memory_is_as_good_as_tcp() {
    let (near, far) = duplex(1024);
    let connecting = connect("ws://a.example:81/room?key=7").subprotocol("chat");
    let accepting = accept(far).subprotocols(["chat"]);
    let (client, server) = tokio::join!(connecting.over(near), accepting);
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    assert_eq!(server.request().headers()["host"], "a.example:81");
    assert_eq!(server.request().uri(), "/room?key=7");
    assert_eq!(client.subprotocol(), Some("chat"));
    assert_eq!(
        (client.peer(), client.response().status().as_u16()),
        (None, 101)
    );
    client.send("Hello!").await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some("Hello!".into()));
    let (closed, _) = tokio::join!(client.close(), server.recv());
    assert!(closed.clean);
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_goes_on_top() {
    use std::sync::Arc;

    use crate::support::certificates::{Authority, echo};

    let authority = Authority::new("A root");
    let config = Arc::new(authority.issue("a.example").server());
    let (near, far) = duplex(1024);
    tokio::spawn(async move {
        let stream = tokio_rustls::TlsAcceptor::from(config).accept(far).await;
        echo(accept(stream.unwrap()).await.unwrap()).await;
    });
    let connecting = connect("wss://a.example/").tls_roots(authority.pem.as_str());
    let mut client = connecting.over(near).await.unwrap();
    client.send("Hello!").await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some("Hello!".into()));
    assert!(client.close().await.clean);
}

#[tokio::test(start_paused = true)]
async fn the_timeout_is_over_the_opening_handshake() {
    let (near, _far) = duplex(1024);
    let connecting = connect("ws://a.example/").timeout(Duration::from_secs(3));
    let began = tokio::time::Instant::now();
    let error = connecting.over(near).await.map(drop).unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 3);
    let is_apt = matches!(
        error,
        ConnectError::Timeout {
            stage: Stage::Handshake,
            ..
        }
    );
    assert!(is_apt, "{error}");
}

#[tokio::test]
async fn a_refusal_comes_with_its_reason() {
    let (near, mut far) = duplex(1024);
    let server = async {
        far.read_u8().await.unwrap();
        let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\ngo away";
        far.write_all(answer).await.unwrap();
    };
    let (refused, ()) = tokio::join!(connect("ws://a.example/").over(near), server);
    let refused = crate::support::answers::refused(refused.map(drop).unwrap_err());
    assert_eq!(refused.body, "go away");
}

#[tokio::test]
async fn a_stream_need_be_neither_send_nor_static() {
    let (mut near, far) = duplex(1024);
    let connecting = connect("ws://a.example/").over(Local::new(&mut near));
    let (client, server) = tokio::join!(connecting, accept(far));
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    client.send("Hello!").await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some("Hello!".into()));
}
