//! What a socket keeps of its opening handshake, and one whose handshake somebody else has done.

use talkback::{
    CloseCode, DeflateParameters, HeadLimits, Limits, Message, Role, WebSocket, accept, connect,
};
use talkback_proto::Opcode;
use tokio::io::{AsyncWriteExt, duplex};

use crate::support::answers::listen;
use crate::support::{Fin, masked};

#[tokio::test]
async fn the_server_keeps_the_request_and_the_client_the_response() {
    let (listener, address) = listen().await;
    let serving = async {
        let (stream, peer) = listener.accept().await.unwrap();
        accept(stream).peer(peer).await.unwrap()
    };
    let connecting = connect(format!("ws://{address}/room/7?key=a")).header("X-Name", "b");
    let (mut server, client) = tokio::join!(serving, connecting);
    let mut client = client.unwrap();

    let request = server.request();
    assert_eq!(request.method(), "GET");
    assert_eq!(request.uri(), "/room/7?key=a");
    assert_eq!(request.version(), http::Version::HTTP_11);
    assert_eq!(request.headers()["x-name"], "b");
    assert_eq!(
        server.peer(),
        Some(client.transport().unwrap().local_addr().unwrap())
    );
    assert_eq!(server.response().headers().len(), 0);

    assert_eq!(client.response().status(), 101);
    assert!(
        client
            .response()
            .headers()
            .contains_key("sec-websocket-accept")
    );
    assert_eq!(client.peer(), Some(address));
    assert_eq!(client.request().uri(), "/");
    assert_eq!(client.take_request().headers().len(), 0);
    assert_eq!(client.take_response().status(), 101);
    assert_eq!(client.take_response().status(), 200);
    assert!(client.response().headers().is_empty());

    assert!(server.take_response().headers().is_empty());
    assert_eq!(server.take_request().uri(), "/room/7?key=a");
    assert_eq!(server.request().uri(), "/");
    assert!(server.request().headers().is_empty());
}

#[tokio::test]
async fn v12_what_is_kept_shows_no_secret() {
    let (near, far) = duplex(4096);
    let connecting = connect("ws://a.example/")
        .header("Authorization", "Bearer hunter2")
        .header("Proxy-Authorization", "hunter2")
        .header("Cookie", "id=hunter2")
        .header("X-Name", "shown");
    let accepting = accept(far).check(async |request| {
        assert!(!format!("{request:?}").contains("hunter2"));
        let cookie = "id=hunter2".parse().unwrap();
        Ok(talkback::Approval::default().header(http::header::SET_COOKIE, cookie))
    });
    let (client, server) = tokio::join!(connecting.over(near), accepting);
    let (client, server) = (client.unwrap(), server.unwrap());
    let shown = format!("{:?} {:?}", server.request(), client.response());
    assert!(
        shown.contains("shown") && !shown.contains("hunter2"),
        "{shown}"
    );
    assert_eq!(server.request().headers()["cookie"], "id=hunter2");
}

#[tokio::test]
async fn a_request_can_be_taken_before_it_was_looked_at() {
    let (near, far) = duplex(64 * 1024);
    // Twice the default bounds: what the program has allowed it gets.
    let mut connecting = connect("ws://a.example/room?key=a");
    for _ in 0..200 {
        connecting = connecting.header("X-Large", "x".repeat(160));
    }
    let limits = HeadLimits::default().size_max(64 * 1024).headers_max(300);
    let accepting = accept(far).head_limits(limits);
    let (client, server) = tokio::join!(connecting.over(near), accepting);
    let (_client, mut server) = (client.unwrap(), server.unwrap());
    let request = server.take_request();
    assert_eq!(request.uri(), "/room?key=a");
    assert_eq!(request.headers().get_all("x-large").iter().count(), 200);
    assert!(server.request().headers().is_empty());
}

#[tokio::test]
async fn a_request_that_is_forgotten_takes_nothing_else_along() {
    let (near, far) = tokio::io::duplex(4096);
    let peer = "192.0.2.1:1".parse().unwrap();
    let connecting = connect("ws://a.example/room").over(near);
    let (client, server) = tokio::join!(connecting, accept(far).peer(peer));
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    server.forget_request();
    client.forget_request();
    assert_eq!(server.request().uri(), "/");
    assert_eq!(server.peer(), Some(peer));
    assert_eq!(client.response().status(), 101);
}

#[test]
fn a_task_that_accepts_has_no_space_for_it() {
    let accepting = accept(tokio::io::empty()).into_future();
    assert_eq!(size_of_val(&accepting), size_of::<usize>());
}

#[tokio::test]
async fn a_socket_that_was_handed_over_has_neither() {
    let (near, _far) = duplex(1);
    let socket = WebSocket::from_upgraded(near, Role::Server);
    assert!(socket.request().headers().is_empty());
    assert!(socket.response().headers().is_empty());
    assert_eq!((socket.peer(), socket.subprotocol()), (None, None));
}

#[tokio::test]
async fn what_was_read_behind_the_handshake_comes_first() {
    let (near, mut far) = duplex(1024);
    let (first, second) = (
        masked(Fin::Last, Opcode::Text, b"first"),
        masked(Fin::Last, Opcode::Text, b"second"),
    );
    let mut socket = WebSocket::from_upgraded(near, Role::Server)
        .with_subprotocol("chat")
        .with_leftover(&first[..]);
    far.write_all(&second).await.unwrap();
    for text in ["first", "second"] {
        assert_eq!(socket.recv().await.unwrap(), Some(Message::from(text)));
    }
    assert_eq!(socket.subprotocol(), Some("chat"));
}

#[tokio::test]
async fn limits_and_compression_are_set_in_either_order() {
    let limits = Limits::default().message_size_max(4);
    let deflate = DeflateParameters::default();
    for limits_first in [true, false] {
        let (near, far) = duplex(1024);
        let socket = WebSocket::from_upgraded(near, Role::Server);
        let mut server = match limits_first {
            true => socket.with_limits(limits.clone()).with_deflate(&deflate),
            false => socket.with_deflate(&deflate).with_limits(limits.clone()),
        };
        let mut client = WebSocket::from_upgraded(far, Role::Client).with_deflate(&deflate);
        assert!(server.has_deflate());
        client.send("aaaa").await.unwrap();
        assert_eq!(server.recv().await.unwrap(), Some("aaaa".into()));
        client.send("aaaaa".repeat(1000)).await.unwrap();
        let (failed, _) = tokio::join!(server.recv(), client.recv());
        assert!(failed.is_err());
        let code = client.close_info().unwrap().code;
        assert_eq!(code, CloseCode::MESSAGE_TOO_BIG, "{limits_first}");
    }
}
