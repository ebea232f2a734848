//! Pings over a channel, in virtual time, and what else is known of its connection.

use std::pin::pin;
use std::time::Duration;

use futures_util::{FutureExt, poll};
use talkback::{Role, SendErrorKind, WebSocket, WebSocketChannel};
use talkback_proto::Opcode;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::support::{Fin, plain};

/// A channel, and the other end of its transport.
fn channel(role: Role) -> (WebSocketChannel, DuplexStream) {
    let (near, far) = duplex(64 * 1024);
    (WebSocket::from_upgraded(near, role).into(), far)
}

/// Lets every task run until all of them wait.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_ping_ends_with_its_pong_and_says_how_long_that_took() {
    let (channel, far) = channel(Role::Client);
    let (sender, _receiver) = channel.split();
    let mut server = WebSocket::from_upgraded(far, Role::Server);
    let serving = tokio::spawn(async move {
        sleep(Duration::from_secs(3)).await;
        server.recv().await
    });
    let after = sender.ping("are you there?").await.unwrap();
    assert_eq!(after.as_secs(), 3, "of virtual time");
    assert!(sender.close().await.unwrap().clean);
    assert!(serving.await.unwrap().unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_ping_goes_before_what_is_queued() {
    let (channel, mut far) = channel(Role::Server);
    channel.try_send("x").unwrap();
    let mut pinging = pin!(channel.ping("p"));
    assert!(poll!(&mut pinging).is_pending());
    settle().await;
    let mut frames = [0; 6];
    far.read_exact(&mut frames).await.unwrap();
    assert_eq!(&frames, b"\x89\x01p\x81\x01x");
}

#[tokio::test(start_paused = true)]
async fn the_pong_of_a_later_ping_answers_the_earlier_ones() {
    let (channel, mut far) = channel(Role::Client);
    let (mut first, mut second) = (pin!(channel.ping("a")), pin!(channel.ping("b")));
    let mut third = pin!(channel.ping("c"));
    for pinging in [&mut first, &mut second, &mut third] {
        assert!(poll!(pinging).is_pending());
    }
    settle().await;
    // One that nobody asked for answers nobody.
    let pongs = [
        plain(Fin::Last, Opcode::Pong, b"x"),
        plain(Fin::Last, Opcode::Pong, b"b"),
    ];
    far.write_all(&pongs[0]).await.unwrap();
    settle().await;
    assert!(poll!(&mut first).is_pending());
    far.write_all(&pongs[1]).await.unwrap();
    settle().await;
    assert!(poll!(&mut first).is_ready() && poll!(&mut second).is_ready());
    assert!(poll!(&mut third).is_pending());
    drop(far);
    let error = third.await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Closed);
    assert!(error.close_info().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_is_dropped_holds_up_nothing() {
    let (channel, far) = channel(Role::Client);
    // Before its driver has run, and after.
    assert!(channel.ping("never sent").now_or_never().is_none());
    let mut sent = Box::pin(channel.ping("sent"));
    assert!(poll!(&mut sent).is_pending());
    settle().await;
    drop(sent);
    let mut server = WebSocket::from_upgraded(far, Role::Server);
    let serving = tokio::spawn(async move { server.recv().await });
    channel.ping("answered").await.unwrap();
    channel.send("through").await.unwrap();
    assert_eq!(serving.await.unwrap().unwrap(), Some("through".into()));
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_may_not_be_sent_says_why() {
    let (channel, far) = channel(Role::Client);
    let error = channel.ping(vec![0; 126]).await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Invalid);
    assert!(error.to_string().contains("at most 125 bytes"), "{error}");
    channel.close();
    let error = channel.ping("late").await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Closed);
    drop(far);
}

#[tokio::test]
async fn a_channel_keeps_the_response_and_a_servers_end_has_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = WebSocketChannel::connect(format!("ws://{}/", listener.local_addr().unwrap()));
    assert!(channel.response().is_none(), "it is not open yet");
    let (stream, _) = listener.accept().await.unwrap();
    let server = WebSocketChannel::from(talkback::accept(stream).await.unwrap());
    channel.ready().await.unwrap();
    let response = channel.response().unwrap();
    assert_eq!(response.status(), 101);
    assert!(response.headers().contains_key("sec-websocket-accept"));
    assert!(server.response().is_none());
    let (sender, receiver) = channel.split();
    assert!(sender.response().is_some() && receiver.response().is_some());
}

#[tokio::test]
async fn a_channel_over_a_socket_that_is_open_keeps_the_response() {
    let (near, far) = duplex(1024);
    let connecting = talkback::connect("ws://a.example/").over(near);
    let (client, server) = tokio::join!(connecting, talkback::accept(far));
    let channel = WebSocketChannel::from(client.unwrap());
    assert_eq!(channel.response().unwrap().status(), 101);
    let mut server = server.unwrap();
    channel.try_send("through").unwrap();
    assert_eq!(server.recv().await.unwrap(), Some("through".into()));
    assert_eq!(channel.response().unwrap().status(), 101);
}
