//! X12, X13, V53: close never hangs and is idempotent, whatever the peer does.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use talkback::{
    CloseCause, CloseCode, Error, Initiator, Limits, Message, ProtocolError, Role, SendErrorKind,
    WebSocket,
};
use talkback_proto::Opcode;
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::support::{Fin, Happened, Read, Script, end, masked, plain, written};

fn pair(buffer: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (client, server) = duplex(buffer);
    let limits = Limits::default;
    (
        WebSocket::from_upgraded(client, Role::Client).with_limits(limits()),
        WebSocket::from_upgraded(server, Role::Server).with_limits(limits()),
    )
}

#[tokio::test(start_paused = true)]
async fn x12_a_peer_that_ignores_close_costs_the_close_timeout() {
    for role in [Role::Client, Role::Server] {
        let (mut socket, _) = end(Script::new([Read::Silence]), role);
        let start = Instant::now();
        let info = socket.close_with(CloseCode::NORMAL, "bye").await.unwrap();
        assert_eq!(info.cause, CloseCause::CloseTimeout);
        assert_eq!((info.code, info.clean), (CloseCode::ABNORMAL, false));
        assert_eq!(info.initiator, Initiator::Local);
        assert_eq!(start.elapsed().as_secs(), 10, "of virtual time");
        assert_eq!(
            socket.close().await,
            info,
            "X13: closing again returns the same, at once"
        );
        assert_eq!(start.elapsed().as_secs(), 10);
    }
}

/// The codes that a close frame may carry (RFC 6455 §7.4, and the registry), written a second time.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// A close frame as the peer of `role` sends it, behind which it ends the connection.
fn closing(role: Role, code: u16) -> [Read; 1] {
    let frame = match role {
        Role::Client => plain(Fin::Last, Opcode::Close, &code.to_be_bytes()),
        Role::Server => masked(Fin::Last, Opcode::Close, &code.to_be_bytes()),
    };
    [Read::Bytes(frame.into())]
}

#[tokio::test(start_paused = true)]
async fn x3_a_server_that_both_have_closed_drops_the_transport_at_once() {
    let [close] = closing(Role::Server, 1000);
    let (mut socket, log) = end(Script::new([close, Read::Silence]), Role::Server);
    let start = Instant::now();
    assert_eq!(socket.recv().await.unwrap(), None);
    assert!(
        start.elapsed().is_zero(),
        "whether or not the client ends it"
    );
    assert_eq!(log.lock().unwrap().last(), Some(&Happened::Dropped));
    assert!(socket.close_info().unwrap().clean);

    // A client waits for the server to do so, for a second.
    let [close] = closing(Role::Client, 1000);
    let (mut socket, _) = end(Script::new([close, Read::Silence]), Role::Client);
    let start = Instant::now();
    assert_eq!(socket.recv().await.unwrap(), None);
    assert_eq!(start.elapsed().as_secs(), 1, "of virtual time");
    assert!(socket.close_info().unwrap().clean);
}

/// Against running programs a sample is tried: each code costs a connection.
#[tokio::test(start_paused = true)]
async fn v31_all_65536_close_codes_received() {
    for role in [Role::Client, Role::Server] {
        for code in 0..=u16::MAX {
            let (mut socket, log) = end(Script::new(closing(role, code)), role);
            let received = socket.recv().await;
            let info = socket.close_info().unwrap();
            if may_be_sent(code) {
                assert_eq!(info.code, code, "{role:?}");
                assert!(info.clean && info.cause == CloseCause::ClosingHandshake);
                assert_eq!(received.is_ok(), code <= 1001, "{role:?}, {code}");
                continue;
            }
            assert!(received.is_err(), "{role:?}, {code}");
            let error = CloseCause::Protocol(ProtocolError::InvalidCloseCode(code));
            assert_eq!(info.cause, error, "{role:?}, {code}");
            // 1002, masked by a client.
            let answer = written(&log);
            let body = match role {
                Role::Client => [answer[6] ^ answer[2], answer[7] ^ answer[3]],
                Role::Server => [answer[2], answer[3]],
            };
            assert_eq!(u16::from_be_bytes(body), 1002, "{role:?}, {code}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn v31_all_65536_close_codes_sent() {
    for role in [Role::Client, Role::Server] {
        for code in 0..=u16::MAX {
            let answer = closing(role, 1000);
            let (mut socket, log) = end(Script::new(answer), role);
            let closed = socket.close_with(CloseCode::new(code), "").await;
            assert_eq!(closed.is_ok(), may_be_sent(code), "{role:?}, {code}");
            assert_eq!(
                written(&log).is_empty(),
                closed.is_err(),
                "{role:?}, {code}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn x12_a_peer_that_reads_nothing_cannot_hold_a_full_queue_open() {
    let (client, _silent) = duplex(16);
    let limits = Limits::default();
    let mut socket = WebSocket::from_upgraded(client, Role::Client).with_limits(limits);
    socket.feed(vec![0; 100_000]).await.unwrap();
    let info = socket.close().await;
    assert_eq!(info.cause, CloseCause::CloseTimeout);
}

#[tokio::test(start_paused = true)]
async fn x12_a_peer_that_never_ends_tcp_costs_the_client_a_second() {
    // The server's close frame comes, the end of the stream does not.
    let close = [0x88, 2, 3, 0xE8];
    let reads = [Read::Bytes(close.to_vec().into()), Read::Silence];
    let (mut socket, log) = end(Script::new(reads), Role::Client);
    let start = Instant::now();
    let info = socket.close().await;
    assert_eq!(start.elapsed().as_secs(), 1, "of virtual time");
    // Both close frames were exchanged, so the close is clean all the same (§7.1.4).
    assert_eq!((info.code, info.clean), (CloseCode::NORMAL, true));
    assert_eq!(log.lock().unwrap().last(), Some(&Happened::Dropped), "V53");
}

#[tokio::test(start_paused = true)]
async fn x13_close_from_two_tasks_gives_both_the_same() {
    let (client, mut server) = pair(1024);
    let client = Arc::new(Mutex::new(client));
    let serving = tokio::spawn(async move { server.recv().await });
    let close = |code: u16| {
        let client = Arc::clone(&client);
        async move {
            client
                .lock()
                .await
                .close_with(CloseCode::new(code), "")
                .await
                .unwrap()
        }
    };
    let (first, second) = tokio::join!(tokio::spawn(close(4000)), tokio::spawn(close(4001)));
    assert_eq!(first.unwrap(), second.unwrap());
    let error = serving.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Closed(info) if info.code == 4000 && info.clean));
}

#[tokio::test(start_paused = true)]
async fn x13_close_in_one_half_ends_the_other_half() {
    for is_ignored in [false, true] {
        let (client, mut server) = pair(1024);
        let (mut sender, mut receiver) = client.split();
        let serving = tokio::spawn(async move {
            if is_ignored {
                std::future::pending::<()>().await;
            }
            while let Ok(Some(_)) = server.recv().await {}
        });
        let receiving = tokio::spawn(async move { receiver.next().await });
        tokio::task::yield_now().await;
        sender.close().await.unwrap();
        let end = receiving.await.unwrap();
        assert_eq!(end.is_some(), is_ignored, "{end:?}");
        let sent = sender.send(Message::from("late")).await;
        assert!(
            matches!(&sent, Err(Error::Send(error)) if error.kind() == SendErrorKind::Closed),
            "X1: {sent:?}"
        );
        serving.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_peer_writes_after_close_is_ignored() {
    let (mut client, mut server) = pair(64 * 1024);
    let serving = tokio::spawn(async move {
        for _ in 0..10_000 {
            server.feed("late").await.unwrap();
        }
        server.flush().await.unwrap();
        while let Ok(Some(_)) = server.recv().await {}
        server.close_info().cloned()
    });
    let info = client.close().await;
    assert_eq!((info.code, info.clean), (CloseCode::NO_CODE, true));
    assert!(client.recv().await.unwrap().is_none());
    assert!(serving.await.unwrap().unwrap().clean);
}

#[tokio::test(start_paused = true)]
async fn f10_messages_of_concurrent_senders_do_not_interleave() {
    let (client, mut server) = pair(4096);
    let client = Arc::new(Mutex::new(client));
    let senders = (0..8u8).map(|number| {
        let client = Arc::clone(&client);
        tokio::spawn(async move {
            for _ in 0..50 {
                // A lock for each message, dropped between queueing and writing.
                client.lock().await.feed(vec![number; 5_000]).await.unwrap();
                tokio::task::yield_now().await;
            }
        })
    });
    let sending: Vec<_> = senders.collect();
    let receiving = tokio::spawn(async move {
        let mut count = 0;
        while let Ok(Some(message)) = server.recv().await {
            let bytes = message.into_bytes();
            assert_eq!(bytes.len(), 5_000);
            assert!(bytes.iter().all(|byte| *byte == bytes[0]));
            count += 1;
        }
        count
    });
    for sender in sending {
        sender.await.unwrap();
    }
    client.lock().await.close().await;
    assert_eq!(receiving.await.unwrap(), 400);
}

/// Counts the polls of a future.
struct Counted<F> {
    future: Pin<Box<F>>,
    polls: Arc<AtomicUsize>,
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.future.as_mut().poll(cx)
    }
}

#[tokio::test]
async fn v53_a_peer_that_ignores_close_frees_the_descriptor_and_costs_no_cpu() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let limits = Limits::default().close_timeout(Duration::from_millis(300));
    let mut socket = WebSocket::from_upgraded(stream, Role::Server).with_limits(limits);
    let polls = Arc::new(AtomicUsize::new(0));
    let closing = Counted {
        future: Box::pin(socket.close()),
        polls: Arc::clone(&polls),
    };
    let info = closing.await;
    assert_eq!(info.cause, CloseCause::CloseTimeout);
    assert!(
        polls.load(Ordering::Relaxed) < 8,
        "{polls:?} polls while waiting"
    );
    assert!(
        socket.transport().is_none(),
        "the descriptor is freed, though the socket lives on"
    );
    // The peer sees the close frame and then the end of TCP.
    let mut received = Vec::new();
    peer.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, [0x88, 0]);
}

#[tokio::test(start_paused = true)]
async fn v51_a_peer_that_stops_reading_makes_send_wait_with_bounded_buffers() {
    let (client, _silent) = duplex(1024);
    let limits = Limits::default();
    let mut socket = WebSocket::from_upgraded(client, Role::Client).with_limits(limits.clone());
    let mut queued = 0;
    let feeding = async {
        loop {
            socket.feed(vec![0; 10_000]).await.unwrap();
            queued += 1;
        }
    };
    let outcome = tokio::time::timeout(Duration::from_secs(60), feeding).await;
    assert!(outcome.is_err(), "feeding waits");
    assert!(queued < 10, "{queued} messages of 10,000 bytes were taken");
    assert!(socket.buffered_amount() <= limits.write_buffer_limit() + 10_000 + 14);
}
