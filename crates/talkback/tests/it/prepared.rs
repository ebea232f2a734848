//! A message that was prepared for many, through sockets and channels.

use std::time::Duration;

use futures_util::FutureExt;
use talkback::{
    CloseCode, Compression, DeflateParameters, DeflateTuning, Fate, Message, Prepared, Role,
    SendErrorKind, WebSocket, WebSocketChannel, WindowBits,
};
use talkback_testing::wire::{FIN, RSV1, TEXT, parse};
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::time::sleep;

/// What a program may agree on.
fn agreements() -> [Option<DeflateParameters>; 4] {
    let alone = DeflateParameters::default().server_no_context_takeover(true);
    [
        None,
        Some(DeflateParameters::default()),
        Some(alone),
        Some(alone.server_max_window_bits(WindowBits::MIN)),
    ]
}

/// A server's end and a client's, over a transport of so many bytes.
fn sockets(
    size: usize,
    deflate: Option<&DeflateParameters>,
) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (near, far) = duplex(size);
    let end = |io, role| WebSocket::from_upgraded(io, role).with_deflate(deflate);
    (end(near, Role::Server), end(far, Role::Client))
}

fn prose(size: usize) -> String {
    "one message for everybody who listens, 안녕하세요 ".repeat(size / 50 + 1)
}

#[tokio::test]
async fn pr1_sockets_of_every_kind_get_one_message() {
    // A frame that looked back at it from behind another would find something else.
    let own = "for one alone, ".repeat(40);
    for size in [10, 1_000, 100_000] {
        let text = prose(size);
        let prepared = Prepared::new(text.as_str());
        for deflate in agreements() {
            let (mut server, mut client) = sockets(1 << 20, deflate.as_ref());
            server.feed(&own).await.unwrap();
            server.feed(&prepared).await.unwrap();
            server.feed(&own).await.unwrap();
            server.send(&prepared).await.unwrap();
            for expected in [&own, &text, &own, &text] {
                let message = client.recv().await.unwrap().unwrap();
                assert_eq!(message.as_text(), Some(expected.as_str()), "{deflate:?}");
            }
        }
    }
}

/// A server's channel, whose own messages are not compressed, and the client's end of its transport.
fn channel(size: usize) -> (WebSocketChannel, DuplexStream) {
    let (near, far) = duplex(size);
    let never = DeflateTuning::default().threshold(usize::MAX);
    let agreed = DeflateParameters::default().tuning(never);
    let socket = WebSocket::from_upgraded(near, Role::Server).with_deflate(&agreed);
    (socket.into(), far)
}

#[tokio::test(start_paused = true)]
async fn pr12_a_channel_sends_the_frame_that_was_prepared() {
    let prepared = Prepared::new(prose(1_000));
    let (channel, mut client) = channel(1 << 20);
    let sender = channel.sender();
    channel.send(&prepared).await.unwrap();
    channel.feed(&prepared).await.unwrap();
    sender.try_send(&prepared).unwrap();
    let receipt = sender.send_tracked(&prepared).unwrap();
    let auto = Compression::Auto;
    sender.send_with(&prepared, auto).await.unwrap();
    sender.feed_with(&prepared, auto).await.unwrap();
    channel.send(prepared.message()).await.unwrap();
    let skip = Compression::Skip;
    channel.send_with(&prepared, skip).await.unwrap();
    channel.flush().await.unwrap();
    assert_eq!(receipt.await, Fate::Written { connection: 1 });
    drop((channel, sender));
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).await.unwrap();
    let frames = parse(&bytes);
    let [first, .., own, skipped, _close] = &frames[..] else {
        panic!("{} frames", frames.len());
    };
    assert_eq!(first.first, FIN | RSV1 | TEXT);
    assert_eq!(frames[..6], vec![first.clone(); 6]);
    assert_eq!((own.first, skipped.first), (FIN | TEXT, FIN | TEXT));
}

/// The message of this number, and whether it is one that was prepared.
fn numbered(number: usize) -> (Message, bool) {
    let size = [1, 100, 5_000, 70_000][number / 3 % 4];
    let message = format!("{number}: {}", prose(size));
    let message = match number % 2 {
        0 => Message::text(message),
        _ => Message::binary(message),
    };
    (message, !number.is_multiple_of(3))
}

#[tokio::test]
async fn pr12_a_channel_keeps_the_order_of_what_was_prepared_and_what_was_not() {
    const COUNT: usize = 300;
    for deflate in agreements() {
        // It takes little at a time, so that the queue is emptied in parts.
        let (server, mut client) = sockets(10_000, deflate.as_ref());
        let channel = WebSocketChannel::from(server);
        let sender = channel.sender();
        let sending = tokio::spawn(async move {
            for number in 0..COUNT {
                let (message, is_prepared) = numbered(number);
                if is_prepared {
                    sender.send(&Prepared::new(message)).await.unwrap();
                } else {
                    sender.send(message).await.unwrap();
                }
            }
        });
        for number in 0..COUNT {
            let message = client.recv().await.unwrap();
            assert!(message == Some(numbered(number).0), "{number}: {deflate:?}");
        }
        sending.await.unwrap();
        drop(channel);
    }
}

#[tokio::test(start_paused = true)]
async fn pr12_what_waits_counts_as_its_payload_and_a_full_queue_hands_it_back() {
    let prepared = Prepared::new(vec![7; 600_000]);
    let (near, _far) = duplex(1);
    let channel = WebSocketChannel::from(WebSocket::from_upgraded(near, Role::Server));
    for count in 1..=2 {
        channel.try_send(&prepared).unwrap();
        assert_eq!(channel.buffered_amount(), count * 600_000);
    }
    // Its mebibyte is full.
    let error = channel.try_send(&prepared).unwrap_err();
    assert!(error.is_full());
    assert_eq!(&error.into_message(), prepared.message());
    assert!(channel.send_tracked(&prepared).unwrap_err().is_full());
    let waiting = channel.send(&prepared);
    tokio::pin!(waiting);
    assert!(waiting.as_mut().now_or_never().is_none());
    let closing = channel.close();
    let error = waiting.await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Closed);
    assert_eq!(error.into_message().as_ref(), Some(prepared.message()));
    let error = channel.send(&prepared).await.unwrap_err();
    assert_eq!(error.into_message().as_ref(), Some(prepared.message()));
    closing.await.unwrap_err();
}

#[tokio::test]
async fn pr12_a_send_that_waits_goes_on_when_there_is_capacity() {
    let prepared = Prepared::new(vec![7; 600_000]);
    let (server, mut client) = sockets(100_000, None);
    let channel = WebSocketChannel::from(server);
    let sending = async {
        for _ in 0..10 {
            channel.send(&prepared).await.unwrap();
        }
        channel.flush().await.unwrap();
    };
    let receiving = async {
        for _ in 0..10 {
            let message = client.recv().await.unwrap();
            assert!(message.as_ref() == Some(prepared.message()));
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test]
async fn pr12_a_socket_that_is_closed_hands_it_back() {
    for size in [10, 1_000, 100_000] {
        let prepared = Prepared::new(prose(size));
        for deflate in agreements() {
            let (mut server, mut client) = sockets(1 << 20, deflate.as_ref());
            client.close_with(CloseCode::NORMAL, "").now_or_never();
            assert!(server.recv().await.unwrap().is_none());
            let error = server.send(&prepared).await.unwrap_err();
            assert_eq!(error.kind(), SendErrorKind::Closed);
            let message = error.into_message().unwrap();
            assert_eq!(&message, prepared.message());
            let error = server.feed(&prepared).await.unwrap_err();
            assert_eq!(error.into_message(), Some(message));
        }
    }
}

#[test]
fn pr12_a_thread_without_a_runtime_sends_it() {
    let (client, mut server) = talkback::pair();
    let prepared = Prepared::new(vec![7; 5_000]);
    client.blocking_send(&prepared).unwrap();
    let message = server.blocking_recv().unwrap();
    assert_eq!(message.as_ref(), Some(prepared.message()));
}

#[tokio::test(start_paused = true)]
async fn pr15_channels_hold_one_copy_of_what_waits() {
    let prepared = Prepared::new(vec![7; 1 << 20]);
    let channels: Vec<_> = (0..100).map(|_| channel(16)).collect();
    let queue = || {
        for (channel, _) in &channels {
            channel.try_send(&prepared).unwrap();
        }
    };
    let before = talkback_testing::heap::in_use();
    queue();
    // Their drivers have it, and cannot write it.
    sleep(Duration::from_millis(1)).await;
    let more = talkback_testing::heap::in_use() - before;
    assert!(more < 1 << 20, "{more} bytes");
    drop(channels);
}
