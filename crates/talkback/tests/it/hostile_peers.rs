//! What an attack on the channel and the socket has found, in virtual time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use talkback::{
    ChannelState, CloseCause, Initiator, Keepalive, Limits, Message, Role, WebSocket,
    WebSocketChannel,
};
use talkback_proto::Opcode;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Fin, Read, Script, end, plain};

fn client(io: DuplexStream) -> WebSocket<DuplexStream> {
    WebSocket::from_upgraded(io, Role::Client)
}

async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn v51_what_comes_between_close_and_the_close_frame_is_discarded() {
    // The peer reads nothing, so that the close frame waits behind a full queue, and it floods.
    let (io, mut peer) = duplex(1024);
    let mut channel = WebSocketChannel::from(client(io));
    while channel.try_send(vec![0; 100_000]).is_ok() {
        settle().await;
    }
    let closing = channel.close();
    let frame = plain(Fin::Last, Opcode::Binary, &[7; 1000]);
    // A pause between, as virtual time passes only when nobody has anything to do.
    let flooding = async {
        while peer.write_all(&frame).await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    let (info, ()) = tokio::join!(closing, flooding);
    // The messages before the close frame were not written either.
    assert!(info.is_err());
    let info = channel.close_info().unwrap();
    assert_eq!(info.cause, CloseCause::CloseTimeout);
    assert!(channel.recv().await.is_err() && channel.recv().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn x8_a_lost_transport_is_noticed_though_the_receive_queue_is_full() {
    let messages: Vec<u8> = (0..80)
        .flat_map(|_| plain(Fin::Last, Opcode::Text, b"x"))
        .collect();
    let reads = [Read::Bytes(messages.into()), Read::Silence];
    let script = Script::new(reads).write_error(io::ErrorKind::ConnectionReset);
    let (socket, _) = end(script, Role::Client);
    let channel = WebSocketChannel::from(socket);
    settle().await;
    channel.try_send("lost").unwrap();
    assert!(channel.flush().await.is_err());
    assert!(channel.try_send("late").is_err());
    assert!(channel.closed().await.is_err());
    let info = channel.close_info().unwrap();
    assert!(matches!(info.cause, CloseCause::Transport(_)), "{info:?}");
}

#[tokio::test(start_paused = true)]
async fn x8_a_flush_of_what_was_lost_is_an_error() {
    let (io, peer) = duplex(1024);
    let channel = WebSocketChannel::from(client(io));
    channel.try_send(vec![0; 100_000]).unwrap();
    settle().await;
    let flushing = channel.flush();
    drop(peer);
    assert!(flushing.await.is_err());

    // The same for the halves of a socket: the receiver finds the end, the sender has to be told.
    let (io, peer) = duplex(1024);
    let (mut sender, mut receiver) = client(io).split();
    let receiving = tokio::spawn(async move { receiver.next().await });
    let sending = tokio::spawn(async move { sender.send(Message::from(vec![0; 100_000])).await });
    settle().await;
    drop(peer);
    assert!(sending.await.unwrap().is_err());
    assert!(receiving.await.unwrap().unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn x1_a_send_after_the_peers_close_frame_is_an_error_at_once() {
    // The peer closes and keeps TCP open.
    let close = plain(Fin::Last, Opcode::Close, &1000u16.to_be_bytes());
    let (socket, _) = end(
        Script::new([Read::Bytes(close.into()), Read::Silence]),
        Role::Client,
    );
    let channel = WebSocketChannel::from(socket);
    settle().await;
    assert_eq!(channel.state(), ChannelState::Closed);
    assert!(channel.try_send("late").is_err());
    assert!(channel.closed().await.unwrap().clean);
}

/// A client whose ping was answered, and that has not read the answer for an hour; and its server.
async fn busy_for_an_hour() -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (io, peer) = duplex(1024);
    let mut socket = client(io);
    socket.set_keepalive(Duration::from_secs(1));
    let mut server = WebSocket::from_upgraded(peer, Role::Server);
    // It pings after a second, and is busy before the server answers.
    let waiting = timeout(Duration::from_millis(1001), socket.recv());
    assert!(waiting.await.is_err());
    let serving = timeout(Duration::from_millis(10), server.recv());
    assert!(serving.await.is_err());
    sleep(Duration::from_secs(3600)).await;
    (socket, server)
}

#[tokio::test(start_paused = true)]
async fn v55_a_pong_that_has_come_counts_though_the_program_was_busy() {
    let (mut socket, mut server) = busy_for_an_hour().await;
    server.send("alive").await.unwrap();
    let message = socket.recv().await.unwrap().unwrap();
    assert_eq!(message.as_text(), Some("alive"));

    // The same for a program that goes on with sending more than the transport takes at once.
    let (mut socket, mut server) = busy_for_an_hour().await;
    let (sent, received) = tokio::join!(socket.send(vec![0; 100_000]), server.recv());
    sent.unwrap();
    assert_eq!(received.unwrap().unwrap().len(), 100_000);
    // What was read to see that it lives is not lost.
    server
        .send("more than a look takes ".repeat(9))
        .await
        .unwrap();
    let message = socket.recv().await.unwrap().unwrap();
    assert_eq!(message.len(), 9 * 23);
}

#[tokio::test(start_paused = true)]
async fn v55_a_peer_that_answers_is_alive_to_a_program_that_only_sends() {
    let (io, peer) = duplex(1024);
    let mut socket = client(io);
    socket.set_keepalive(Duration::from_secs(2));
    let mut server = WebSocket::from_upgraded(peer, Role::Server);
    // Each message waits for the one before it, for 100 s: many times the keepalive.
    let sending = async {
        for _ in 0..200 {
            socket.send(vec![0; 5000]).await.unwrap();
        }
    };
    let serving = async {
        for _ in 0..200 {
            assert_eq!(server.recv().await.unwrap().unwrap().len(), 5000);
            sleep(Duration::from_millis(500)).await;
        }
        server.send("all of it").await.unwrap();
    };
    tokio::join!(sending, serving);
    let message = socket.recv().await.unwrap().unwrap();
    assert_eq!(message.as_text(), Some("all of it"));

    // It freezes, with an answer of its that nobody has read.
    server.send("unread").await.unwrap();
    let start = Instant::now();
    let error = socket.send(vec![0; 5000]).await.unwrap_err();
    let info = error.close_info().unwrap();
    assert_eq!(info.cause, CloseCause::KeepaliveTimeout);
    let seconds = start.elapsed().as_secs();
    assert!((4..=8).contains(&seconds), "{seconds} of virtual time");
}

#[tokio::test(start_paused = true)]
async fn x8_the_end_is_found_by_a_program_that_only_sends() {
    let (io, mut peer) = duplex(1000);
    let mut socket = client(io);
    socket.set_keepalive(Duration::from_secs(5));
    // The peer ends its side and reads nothing.
    peer.shutdown().await.unwrap();
    let error = socket.send(vec![0; 100_000]).await.unwrap_err();
    let ended = CloseCause::Transport("the peer ended the connection".into());
    assert_eq!(error.close_info().unwrap().cause, ended);
}

#[tokio::test(start_paused = true)]
async fn x8_both_halves_in_one_task_learn_of_a_write_that_failed() {
    let script = Script::new([Read::Silence]).write_error(io::ErrorKind::BrokenPipe);
    let (socket, _) = end(script, Role::Client);
    let (mut sender, mut receiver) = socket.split();
    let start = Instant::now();
    let both = async { tokio::join!(receiver.next(), sender.send(Message::from("lost"))) };
    let (received, sent) = timeout(Duration::from_secs(60), both).await.unwrap();
    // What the peer may still have sent is waited for.
    assert_eq!(start.elapsed().as_secs(), 10, "of virtual time");
    assert!(sent.is_err());
    assert!(received.unwrap().is_err());
}

/// How often a task was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task that looks at an ended socket each time it is polled would run for ever.
#[tokio::test]
async fn v53_an_end_that_is_seen_again_wakes_nobody() {
    let (mut socket, _) = end(Script::new([]), Role::Client);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    assert!(matches!(
        socket.poll_next_unpin(&mut cx),
        Poll::Ready(Some(Err(_)))
    ));
    let once = woken.0.load(Ordering::Relaxed);
    for _ in 0..3 {
        assert!(matches!(socket.poll_next_unpin(&mut cx), Poll::Ready(None)));
        assert!(socket.poll_flush_unpin(&mut cx).is_ready());
    }
    assert_eq!(woken.0.load(Ordering::Relaxed), once);
}

#[tokio::test(start_paused = true)]
async fn v51_the_receive_queue_is_bounded_after_a_write_that_failed() {
    let messages = plain(Fin::Last, Opcode::Text, b"x").repeat(10_000);
    let script = Script::new([Read::Bytes(messages.into()), Read::Silence])
        .write_error(io::ErrorKind::ConnectionReset);
    let (socket, _) = end(script, Role::Client);
    let mut channel = WebSocketChannel::from(socket);
    settle().await;
    channel.try_send("lost").unwrap();
    // Longer than the close timeout: what fits the queue and the 64 KiB ahead of it is all there is.
    channel.closed().await.unwrap_err();
    let mut received = 0;
    while let Ok(Some(_)) = channel.recv().await {
        received += 1;
    }
    assert_eq!(received, 64 + (64 * 1024_usize).div_ceil(64 + 1));
}

#[tokio::test(start_paused = true)]
async fn v55_a_peer_that_takes_a_large_message_slowly_is_alive() {
    let (io, mut peer) = duplex(1000);
    let mut socket = client(io);
    socket.set_keepalive(Duration::from_secs(2));
    let channel = WebSocketChannel::from(socket);
    channel.try_send(vec![0; 100_000]).unwrap();
    // 1,000 bytes a second take 100 s, many times the keepalive.
    let reading = async {
        let mut bytes = [0; 1000];
        for _ in 0..100 {
            peer.read_exact(&mut bytes).await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
    };
    reading.await;
    assert_eq!(channel.state(), ChannelState::Open);
}

#[tokio::test(start_paused = true)]
async fn v55_a_send_to_a_frozen_peer_ends_with_the_keepalive() {
    let (io, _frozen) = duplex(1000);
    let mut socket = client(io);
    socket.set_keepalive(Duration::from_secs(5));
    let start = Instant::now();
    let error = socket.send(vec![0; 100_000]).await.unwrap_err();
    let info = error.close_info().unwrap();
    assert_eq!(info.cause, CloseCause::KeepaliveTimeout);
    assert_eq!(start.elapsed().as_secs(), 10, "of virtual time");
}

#[tokio::test(start_paused = true)]
async fn a_flush_ends_though_another_sender_never_pauses() {
    let (io, mut peer) = duplex(1024);
    let channel = WebSocketChannel::from(client(io));
    let busy = channel.sender();
    tokio::spawn(async move { while busy.send(vec![0; 5_000]).await.is_ok() {} });
    tokio::spawn(async move {
        let mut bytes = [0; 1024];
        while peer.read(&mut bytes).await.is_ok_and(|size| size > 0) {
            sleep(Duration::from_millis(1)).await;
        }
    });
    settle().await;
    timeout(Duration::from_secs(60), channel.flush())
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_was_given_up_does_not_speak_for_what_comes_after() {
    let (io, mut peer) = duplex(1024);
    let mut channel = WebSocketChannel::from(client(io));
    SinkExt::feed(&mut channel, Message::from(vec![0; 100_000]))
        .await
        .unwrap();
    assert!(SinkExt::flush(&mut channel).now_or_never().is_none());
    SinkExt::feed(&mut channel, Message::from(vec![0; 100_000]))
        .await
        .unwrap();
    // Only the first message leaves.
    let mut first = vec![0; 100_014];
    peer.read_exact(&mut first).await.unwrap();
    settle().await;
    assert!(SinkExt::flush(&mut channel).now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn endless_durations_are_no_deadlines() {
    let (io, _peer) = duplex(1024);
    let endless = Duration::MAX;
    let limits = Limits::default().close_timeout(endless);
    let mut socket = WebSocket::from_upgraded(io, Role::Client).with_limits(limits);
    socket.set_keepalive(Keepalive::default().interval(endless).timeout(endless));
    assert!(
        timeout(Duration::from_secs(3600), socket.close())
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn x12_closing_before_it_is_open_counts_the_close_timeout_once() {
    // The server takes 6 s over the handshake, and then reads nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let channel = talkback::connect(url)
        .timeout(Duration::from_secs(60))
        .channel();
    channel.try_send("queued").unwrap();
    let start = Instant::now();
    let closing = tokio::spawn(channel.close());
    let (stream, _) = listener.accept().await.unwrap();
    sleep(Duration::from_secs(6)).await;
    let _socket = talkback::accept(stream).await.unwrap();
    closing.await.unwrap().unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(11),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn v34_a_transport_that_is_always_interrupted_does_not_hold_the_thread() {
    let reads = std::iter::repeat_n(Read::Error(io::ErrorKind::Interrupted), 1_000_000);
    let (mut socket, _) = end(Script::new(reads), Role::Client);
    assert!(socket.recv().now_or_never().is_none());
}

#[tokio::test]
async fn an_error_of_the_caller_is_this_ends_doing() {
    for url in ["http://x/", "ws://a b/"] {
        let channel = WebSocketChannel::connect(url);
        assert!(channel.closed().await.is_err(), "{url}");
        let info = channel.close_info().unwrap();
        assert_eq!(info.initiator, Initiator::Local, "{url}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_message_counts_as_buffered() {
    let (io, _peer) = duplex(1024);
    let channel = WebSocketChannel::from(client(io));
    channel.try_send(vec![0; 100_000]).unwrap();
    assert!(channel.buffered_amount() >= 100_000);
    settle().await;
    // 1,024 bytes are on their way.
    assert!(
        channel.buffered_amount() >= 98_900,
        "{}",
        channel.buffered_amount()
    );
}
