//! What can be sent, from where: everything that makes an `Outgoing`, by each method that sends, and by
//! sinks.

use std::borrow::Cow;
use std::sync::{Arc, mpsc};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use talkback::{
    Compression, Limits, Message, Outgoing, Prepared, Role, Text, WebSocket, WebSocketChannel, pair,
};
use talkback_testing::wire;
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::net::TcpListener;

use crate::support::{Read, Script, server, written};

fn sockets() -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (client, server) = duplex(64 * 1024);
    let end = WebSocket::from_upgraded;
    (end(client, Role::Client), end(server, Role::Server))
}

/// Sends each kind of text, then each kind of bytes; how many there are of each.
macro_rules! send_all_kinds {
    (|$message:ident| $send:expr) => {{
        let text = String::from("ab");
        let (vec, bytes) = (b"ab".to_vec(), Bytes::from_static(b"ab"));
        let (shared, whole) = (Text::from("ab"), Message::text("ab"));
        let prepared = Prepared::new("ab");
        {
            let $message = "ab";
            $send;
        }
        {
            let $message = &text;
            $send;
        }
        {
            let $message = text.clone();
            $send;
        }
        {
            let $message = Cow::Borrowed("ab");
            $send;
        }
        {
            let $message = Box::<str>::from("ab");
            $send;
        }
        {
            let $message = Arc::<str>::from("ab");
            $send;
        }
        {
            let $message = &shared;
            $send;
        }
        {
            let $message = shared.clone();
            $send;
        }
        {
            let $message = &whole;
            $send;
        }
        {
            let $message = whole.clone();
            $send;
        }
        {
            let $message = &prepared;
            $send;
        }
        {
            let $message = b"ab";
            $send;
        }
        {
            let $message = &vec[..];
            $send;
        }
        {
            let $message = &vec;
            $send;
        }
        {
            let $message = vec.clone();
            $send;
        }
        {
            let $message = vec.clone().into_boxed_slice();
            $send;
        }
        {
            let $message = Cow::<'_, [u8]>::Borrowed(b"ab");
            $send;
        }
        {
            let $message = &bytes;
            $send;
        }
        {
            let $message = bytes.clone();
            $send;
        }
        (11, 8)
    }};
}

/// Holds what arrives to be so many texts and then so many times bytes.
async fn arrive(receiver: &mut WebSocketChannel, (texts, binaries): (usize, usize)) {
    for _ in 0..texts {
        assert_eq!(receiver.recv().await.unwrap(), Some(Message::text("ab")));
    }
    for _ in 0..binaries {
        assert_eq!(receiver.recv().await.unwrap(), Some(Message::binary("ab")));
    }
}

#[tokio::test]
async fn a_socket_sends_and_feeds_every_kind() {
    let (mut socket, server) = sockets();
    let mut server = WebSocketChannel::from(server);
    let kinds = send_all_kinds!(|message| socket.send(message).await.unwrap());
    arrive(&mut server, kinds).await;
    let skip = Compression::Skip;
    let kinds = send_all_kinds!(|message| socket.send_with(message, skip).await.unwrap());
    arrive(&mut server, kinds).await;
    let kinds = send_all_kinds!(|message| socket.feed(message).await.unwrap());
    socket.flush().await.unwrap();
    arrive(&mut server, kinds).await;
    let kinds = send_all_kinds!(|message| socket.feed_with(message, skip).await.unwrap());
    socket.flush().await.unwrap();
    arrive(&mut server, kinds).await;
}

#[tokio::test]
async fn a_channel_and_its_sender_send_every_kind_by_every_method() {
    let (channel, mut server) = pair();
    let mut sender = channel.sender();
    let kinds = send_all_kinds!(|message| channel.send(message).await.unwrap());
    arrive(&mut server, kinds).await;
    let kinds = send_all_kinds!(|message| sender.feed(message).await.unwrap());
    arrive(&mut server, kinds).await;
    let skip = Compression::Skip;
    let kinds = send_all_kinds!(|message| sender.send_with(message, skip).await.unwrap());
    arrive(&mut server, kinds).await;
    let kinds = send_all_kinds!(|message| channel.feed_with(message, skip).await.unwrap());
    arrive(&mut server, kinds).await;
    let kinds = send_all_kinds!(|message| sender.try_send(message).unwrap());
    arrive(&mut server, kinds).await;
    // A sink's item is a message, which is made of the same kinds.
    let kinds = send_all_kinds!(|message| {
        let message = Outgoing::from(message).into_message();
        SinkExt::send(&mut sender, message).await.unwrap();
    });
    arrive(&mut server, kinds).await;
}

#[test]
fn a_thread_without_a_runtime_sends_and_receives() {
    let (client, server) = pair();
    let (sender, mut receiver) = client.split();
    let echoing = std::thread::spawn(move || {
        let mut server = server;
        while let Ok(Some(message)) = server.blocking_recv() {
            server.blocking_send(message).unwrap();
        }
    });
    // More than a queue holds, so that sending has to wait for the echo.
    let sending = {
        let sender = sender.clone();
        std::thread::spawn(move || {
            for number in 0..500 {
                sender.blocking_send(number.to_string()).unwrap();
            }
        })
    };
    for number in 0..500 {
        let message = receiver.blocking_recv().unwrap().unwrap();
        assert_eq!(message.as_text(), Some(number.to_string().as_str()));
    }
    sending.join().unwrap();
    receiver.close().wait().unwrap();
    echoing.join().unwrap();
}

#[test]
fn all_that_is_queued_arrives_at_a_server_that_opens_after_the_close() {
    let (ask, asked) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let serving = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let () = asked.recv().unwrap();
            let mut socket = talkback::accept(stream).await.unwrap();
            let mut messages = Vec::new();
            while let Some(message) = socket.recv().await.unwrap() {
                messages.push(message);
            }
            messages
        })
    });
    let channel = WebSocketChannel::connect(format!("ws://{}/", told.recv().unwrap()));
    for number in 0..50 {
        channel.try_send(number.to_string()).unwrap();
    }
    let closing = channel.close();
    ask.send(()).unwrap();
    assert!(closing.wait().unwrap().clean);
    let expected: Vec<Message> = (0..50).map(|number| number.to_string().into()).collect();
    assert_eq!(serving.join().unwrap(), expected);
}

#[tokio::test]
async fn try_recv_gives_what_has_come_and_tells_the_end_apart() {
    let (mut client, server) = pair();
    assert_eq!(client.try_recv().unwrap(), None);
    assert_eq!(client.close_info(), None);
    server.try_send("one").unwrap();
    server.close_with(4000, "enough").unwrap().await.unwrap();
    client.closed().await.unwrap();
    let (_sender, mut receiver) = client.split();
    assert_eq!(receiver.try_recv().unwrap(), Some("one".into()));
    receiver.try_recv().unwrap_err();
    assert_eq!(receiver.try_recv().unwrap(), None);
    assert_eq!(receiver.close_info().unwrap().code, 4000);
}

#[tokio::test]
async fn a_receiver_is_forwarded_to_a_sender() {
    let (client, server) = pair();
    let (sender, receiver) = server.split();
    let echoing = tokio::spawn(receiver.forward(sender));
    let mut client = client;
    for number in 0..100 {
        client.send(number.to_string()).await.unwrap();
        let message = client.recv().await.unwrap().unwrap();
        assert_eq!(message.as_text(), Some(number.to_string().as_str()));
    }
    assert!(client.close().await.unwrap().clean);
    echoing.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_halves_of_a_split_socket_are_forwarded() {
    let (mut client, server) = sockets();
    let (sink, stream) = server.split();
    let echoing = tokio::spawn(stream.forward(sink));
    for text in ["one", "two"] {
        client.send(text).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), Some(text.into()));
    }
    assert!(client.close().await.clean);
    echoing.await.unwrap().unwrap();
}

#[tokio::test]
async fn senders_that_are_sinks_flush_for_themselves() {
    let (client, mut server) = pair();
    let mut senders = [client.sender(), client.sender()];
    for sender in &mut senders {
        for number in 0..100 {
            SinkExt::feed(sender, number.to_string().into())
                .await
                .unwrap();
            if number % 50 == 49 {
                SinkExt::flush(sender).await.unwrap();
            }
            server.recv().await.unwrap().unwrap();
        }
    }
    let [mut first, second] = senders;
    let serving = tokio::spawn(async move { server.recv().await });
    SinkExt::close(&mut first).await.unwrap();
    assert!(serving.await.unwrap().unwrap().is_none());
    assert!(second.send("late").await.is_err());
}

#[tokio::test]
async fn the_halves_know_what_the_whole_knows() {
    let (client, _server) = pair();
    client.ready().await.unwrap();
    let (sender, receiver) = client.split();
    sender.ready().await.unwrap();
    receiver.ready().await.unwrap();
    assert_eq!(sender.state(), receiver.state());
    assert_eq!(sender.subprotocol(), receiver.subprotocol());
    assert_eq!(sender.latency(), receiver.latency());
    assert_eq!(receiver.buffered_amount(), 0);
    let info = receiver.close_with(4000, "enough").unwrap().await.unwrap();
    assert_eq!(sender.close_info(), Some(info.clone()));
    assert_eq!(receiver.closed().await.unwrap(), info);
}

#[tokio::test]
async fn v34_an_interrupted_write_or_flush_is_made_again() {
    let script = Script::new([Read::Silence]).interrupts_writes();
    let (mut socket, log) = server(script);
    for _ in 0..2 {
        socket.send("Hello").await.unwrap();
    }
    assert_eq!(written(&log), b"\x81\x05Hello\x81\x05Hello");
}

#[tokio::test]
async fn l26_a_channel_keeps_its_frames_within_a_bound() {
    // AWS API Gateway takes frames of 32 KiB.
    const BOUND: usize = 32 * 1024;
    let (client, mut far) = duplex(1 << 20);
    let limits = Limits::default().frame_size_max(BOUND);
    let client = WebSocket::from_upgraded(client, Role::Client).with_limits(limits);
    let channel = WebSocketChannel::from(client);
    let message = vec![7; 100_000];
    channel.send(&message).await.unwrap();
    // Four headers of 8 bytes.
    let mut sent = vec![0; message.len() + 4 * 8];
    far.read_exact(&mut sent).await.unwrap();
    let frames = wire::parse(&sent);
    let sizes: Vec<usize> = frames.iter().map(|frame| frame.payload.len()).collect();
    assert_eq!(sizes, [BOUND, BOUND, BOUND, message.len() - 3 * BOUND]);
    let payloads: Vec<&[u8]> = frames.iter().map(|frame| &*frame.payload).collect();
    assert_eq!(payloads.concat(), message);
}
