//! Compression on the way through sockets and channels (RFC 7692).

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use talkback::{
    CloseCause, CloseCode, Compression, DeflateOffer, DeflateParameters, DeflatePolicy, Error,
    Message, ProtocolError, Role, WebSocket, WebSocketChannel,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};

use crate::support::fault_proxy::Chance;

/// Text that compresses to a tenth.
fn json() -> String {
    let row = r#"{"id":17,"name":"안녕하세요","tags":["a","b"],"nested":{"ok":true}},"#;
    row.repeat(40)
}

/// A server that accepts one connection so and does `serve`; its URL.
async fn server<F, S>(policy: Option<DeflatePolicy>, serve: S) -> String
where
    S: FnOnce(WebSocket<TcpStream>) -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(talkback::accept(stream).compression(policy).await.unwrap()).await;
    });
    format!("ws://{address}/")
}

async fn echo(mut socket: WebSocket<TcpStream>) {
    while let Ok(Some(message)) = socket.recv().await {
        socket.feed(message).await.unwrap();
    }
}

#[tokio::test]
async fn every_way_to_agree_echoes_every_message() {
    let kept = DeflatePolicy::default()
        .server_no_context_takeover(false)
        .client_no_context_takeover(false);
    for policy in [None, Some(DeflatePolicy::default()), Some(kept)] {
        for offer in [None, Some(DeflateOffer::default())] {
            let url = server(policy, echo).await;
            let connecting = talkback::connect(url).compression(offer);
            let mut socket = connecting.await.unwrap();
            for message in [
                Message::from(json()),
                Message::from(""),
                Message::from(vec![0; 300_000]),
                Message::from("짧다"),
                Message::from(json()),
            ] {
                socket.send(message.clone()).await.unwrap();
                let answer = socket.recv().await.unwrap();
                assert!(answer == Some(message), "{policy:?} {offer:?}");
            }
            assert!(socket.close().await.clean);
        }
    }
}

/// A server's end over memory that has agreed on compression, and the client's raw end behind the
/// handshake.
async fn agreed() -> (WebSocket<DuplexStream>, DuplexStream) {
    let (mut client, near) = duplex(1024 * 1024);
    let accepting = tokio::spawn(talkback::accept(near).into_future());
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    let socket = accepting.await.unwrap().unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(
        head.contains(
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
             client_no_context_takeover\r\n"
        ),
        "{head}"
    );
    (socket, client)
}

#[tokio::test]
async fn a_message_from_the_threshold_on_is_compressed_unless_told_otherwise() {
    let (mut socket, mut client) = agreed().await;
    let mut first_byte_and_size = async |socket: &mut WebSocket<DuplexStream>| {
        socket.flush().await.unwrap();
        let mut bytes = vec![0; 100_000];
        let size = client.read(&mut bytes).await.unwrap();
        (bytes[0], size)
    };
    let text = json();
    socket.feed(text.clone()).await.unwrap();
    let (first, size) = first_byte_and_size(&mut socket).await;
    assert_eq!(first, 0xC1);
    assert!(size < text.len() / 10, "{size} of {}", text.len());
    let skipping = socket.feed_with(text.clone(), Compression::Skip);
    skipping.await.unwrap();
    let (first, size) = first_byte_and_size(&mut socket).await;
    assert_eq!((first, size), (0x81, text.len() + 4));
    socket.feed("short").await.unwrap();
    assert_eq!(first_byte_and_size(&mut socket).await, (0x81, 7));
}

#[tokio::test]
async fn v45_a_compressed_send_that_is_cancelled_is_sent_whole() {
    let kept = DeflatePolicy::default()
        .server_no_context_takeover(false)
        .client_no_context_takeover(false);
    let url = server(Some(kept), echo).await;
    let mut socket = talkback::connect(url).await.unwrap();
    for round in 0..20 {
        let message = format!("{round}{}", json());
        {
            let mut sending = pin!(socket.send(message.clone()));
            let mut cx = Context::from_waker(Waker::noop());
            // Dropped at its first poll, done or not.
            let _: Poll<_> = sending.as_mut().poll(&mut cx);
        }
        socket.send("after").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(message.into()));
        assert_eq!(socket.recv().await.unwrap(), Some("after".into()));
    }
}

/// Bytes that do not compress.
fn noise(size: usize) -> Vec<u8> {
    let mut chance = Chance(45);
    (0..size).map(|_| chance.below(256) as u8).collect()
}

/// The transport takes 16 bytes at a time, so the send is dropped at a poll where it waits, with its
/// message queued; what comes behind it is compressed in the same context.
#[tokio::test]
async fn v45_a_compressed_send_that_is_dropped_while_it_waits_is_sent_whole() {
    let agreed = DeflateParameters::default();
    for polls in [1, 2, 3, 10, 100, 1000] {
        let (near, far) = duplex(16);
        let end = |io, role| {
            let socket = WebSocket::from_upgraded(io, role);
            socket.with_deflate(Some(&agreed))
        };
        let mut socket = end(near, Role::Client);
        let mut peer = end(far, Role::Server);
        let receiving = tokio::spawn(async move {
            let mut received = Vec::new();
            while let Ok(Some(message)) = peer.recv().await {
                received.push(message);
            }
            received
        });
        let messages: [Message; 3] = [noise(100_000).into(), json().into(), noise(2000).into()];
        {
            let mut sending = pin!(socket.send(messages[0].clone()));
            for _ in 0..polls {
                let waits = std::future::poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx)));
                assert!(waits.await.is_pending(), "it is dropped while it waits");
                tokio::task::yield_now().await;
            }
        }
        for message in &messages[1..] {
            socket.send(message.clone()).await.unwrap();
        }
        assert!(socket.close().await.clean);
        assert!(
            receiving.await.unwrap() == messages,
            "dropped at poll {polls}"
        );
    }
}

#[tokio::test]
async fn v40_a_message_that_inflates_beyond_the_limit_is_1009_on_both_ends() {
    let url = server(Some(DeflatePolicy::default()), async |mut socket| {
        let error = socket.recv().await.unwrap_err();
        let Error::Closed(info) = error else {
            panic!("{error}");
        };
        assert!(
            matches!(
                info.cause,
                CloseCause::Protocol(ProtocolError::MessageTooBig { .. })
            ),
            "{info:?}"
        );
    })
    .await;
    let mut socket = talkback::connect(url).await.unwrap();
    // 17 MiB of zeros are some 17 KiB on the wire.
    socket.send(vec![0; 17 * 1024 * 1024]).await.unwrap();
    let error = socket.recv().await.unwrap_err();
    let Error::Closed(info) = error else {
        panic!("{error}");
    };
    assert_eq!(info.code, CloseCode::new(1009));
}

/// RFC 7692 §7.2.3.2: "Hello" again, by a client that looks back at the first though it was told not to.
#[tokio::test]
async fn l29_a_client_that_takes_its_context_over_is_named() {
    let (mut socket, mut client) = agreed().await;
    let hello = b"\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\x00";
    let again = b"\xc1\x85\0\0\0\0\xf2\x00\x11\x00\x00";
    client.write_all(hello).await.unwrap();
    client.write_all(again).await.unwrap();
    // What is neither read nor written any more would hold up the end.
    client.shutdown().await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("Hello".into()));
    let error = socket.recv().await.unwrap_err().to_string();
    assert!(
        error.contains("against the client_no_context_takeover that was agreed on")
            && error.contains("DeflatePolicy::client_no_context_takeover(false)"),
        "{error}"
    );
    drop(client);
}

#[tokio::test]
async fn a_channel_compresses_unless_told_otherwise() {
    let url = server(Some(DeflatePolicy::default()), echo).await;
    let mut channel = WebSocketChannel::connect(url);
    for compression in [Compression::Auto, Compression::Skip] {
        channel.send_with(json(), compression).await.unwrap();
        assert_eq!(channel.recv().await.unwrap(), Some(json().into()));
    }
    assert!(channel.close().await.unwrap().clean);
}
