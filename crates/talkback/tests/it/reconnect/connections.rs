//! What each connection has of its own: its end, its way, its compression, its turn.

use super::*;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use talkback::test_util::ScriptedStream;
use talkback::{
    Backoff, ChannelEvent, CloseCause, CloseCode, Compression, Connect, ConnectError, Error,
    LostCause, Stage,
};
use talkback_proto::Header;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::unbounded_channel;

use crate::support::answers::{answer, listen};
use crate::support::certificates::{Authority, connect_to, serve};
use crate::support::site::switching;

/// Waits that are over at once.
fn quick() -> Backoff {
    let longest = Duration::from_millis(1);
    Backoff::default().first(longest).longest(longest)
}

// ── Its end ──────────────────────────────────────────────────────────────────────────────────

#[tokio::test(start_paused = true)]
async fn re22_the_late_end_of_a_connection_is_not_that_of_the_next() {
    let close = |peer: &Peer| peer.send_close(1001, "restart").unwrap();
    for loses in [true, false] {
        let (mut server, mut channel, old) = open().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        // It is lost, or given up; its transport goes on.
        match loses {
            true => close(&old),
            false => assert!(channel.reconnect_now()),
        }
        let mut peer = accepted(&mut server).await;
        channel.ready().await.unwrap();
        // Its end comes now, as what was lost or as what nobody waits for.
        if !loses {
            close(&old);
        }
        old.cut();
        old.gone().await;
        settle().await;
        assert_eq!(channel.state(), ChannelState::Open);
        assert_eq!(channel.link().connection(), 2);
        peer.send("new").await.unwrap();
        let mut numbers = Vec::new();
        while numbers.len() < 3 {
            numbers.push(match channel.recv_event().await.unwrap().unwrap() {
                talkback::ChannelEvent::Lost(lost) => -(lost.connection() as i64),
                talkback::ChannelEvent::Opened(opened) => opened.connection() as i64,
                _ => 0,
            });
        }
        assert_eq!(numbers, [-1, 2, 0]);
        assert!(no_try(&mut server, Duration::from_secs(15)).await);
    }
}

#[tokio::test]
async fn re28_a_reset_in_the_midst_of_a_message_is_a_loss() {
    let (listener, address) = listen().await;
    let connect = talkback::connect(format!("ws://{address}/"));
    let mut channel = connect.reconnect().backoff(quick()).channel();
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = upgraded(stream, "").await;
    channel.ready().await.unwrap();
    // Text of 5 bytes, of which 2 come.
    stream.write_all(b"\x81\x05Ha").await.unwrap();
    stream.set_zero_linger().unwrap();
    drop(stream);
    let (stream, _) = listener.accept().await.unwrap();
    let mut peer = talkback::accept(stream).await.unwrap();
    peer.send("again").await.unwrap();
    let mut lost = None;
    loop {
        match channel.recv_event().await.unwrap().unwrap() {
            ChannelEvent::Message(message) => break assert_eq!(message, "again".into()),
            ChannelEvent::Lost(event) => lost = Some(event),
            _ => {}
        }
    }
    let lost = lost.unwrap();
    let info = lost.close_info().unwrap();
    assert_eq!(info.code, CloseCode::ABNORMAL);
    assert!(
        matches!(info.cause, CloseCause::Transport(_)),
        "{:?}",
        info.cause
    );
}

#[tokio::test]
async fn re20_a_certificate_for_another_name_is_the_end() {
    let authority = Authority::new("A root");
    let address = serve(authority.issue("other.example").server()).await;
    let connect = connect_to("localhost", address).tls_roots(authority.pem.as_str());
    let reconnecting = connect.reconnect().backoff(quick());
    let channel = reconnecting.tries_max(3).channel();
    let error = channel.ready().await.unwrap_err();
    assert!(
        matches!(error, Error::Connect(ConnectError::Tls { .. })),
        "{error:?}"
    );
    let advice = "connect to the name that it was issued for";
    assert!(error.to_string().contains(advice), "{error}");
    assert_eq!(channel.state(), ChannelState::Closed);
    assert_eq!(channel.link().tries(), 1);
}

// ── Its way ──────────────────────────────────────────────────────────────────────────────────

/// The connection that comes next, to either.
async fn next(first: &TcpListener, second: &TcpListener) -> (usize, TcpStream) {
    tokio::select! {
        accepted = first.accept() => (0, accepted.unwrap().0),
        accepted = second.accept() => (1, accepted.unwrap().0),
    }
}

#[tokio::test]
async fn re53_the_name_is_looked_up_for_each_try() {
    let ((first, one), (second, other)) = (listen().await, listen().await);
    let lookups = AtomicUsize::new(0);
    let connect = talkback::connect("ws://server.invalid/").resolver(move |_, _| {
        // The service moves behind the first.
        let address = match lookups.fetch_add(1, Ordering::Relaxed) {
            0 => one,
            _ => other,
        };
        async move { Ok::<Vec<SocketAddr>, io::Error>(vec![address]) }
    });
    let channel = connect.reconnect().backoff(quick()).channel();
    for (expected, connection) in [(0, 1), (1, 2)] {
        let (reached, stream) = next(&first, &second).await;
        assert_eq!(reached, expected);
        let _peer = talkback::accept(stream).await.unwrap();
        while channel.link().connection() < connection {
            channel.ready().await.unwrap();
        }
    }
}

#[tokio::test]
async fn re53_re54_an_address_where_a_try_failed_behind_tcp_comes_last() {
    let ((first, one), (second, other)) = (listen().await, listen().await);
    let (asked, mut lookups) = unbounded_channel();
    let connect = talkback::connect("ws://server.invalid/").resolver(move |host, _| {
        asked.send(host).unwrap();
        async move { Ok::<Vec<SocketAddr>, io::Error>(vec![one, other]) }
    });
    let channel = connect.reconnect().backoff(quick()).channel();
    // Each has its turn, whatever the order of the resolver.
    for expected in [0, 1, 0] {
        let (reached, stream) = next(&first, &second).await;
        assert_eq!(reached, expected);
        answer(stream, "HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
    }
    let (reached, stream) = next(&first, &second).await;
    assert_eq!(reached, 1);
    let peer = talkback::accept(stream).await.unwrap();
    channel.ready().await.unwrap();
    drop(peer);
    // Since it was open the order is the resolver's.
    let (reached, stream) = next(&first, &second).await;
    assert_eq!(reached, 0);
    // One that does not speak HTTP has failed as well.
    drop(stream);
    let (reached, _stream) = next(&first, &second).await;
    assert_eq!(reached, 1);
    for _ in 0..6 {
        assert_eq!(lookups.recv().await.unwrap(), "server.invalid");
    }
}

// ── Its compression ──────────────────────────────────────────────────────────────────────────

/// Takes a connection by hand, with these lines in the answer.
pub(super) async fn upgraded<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, lines: &str) -> S {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let answer = switching(&String::from_utf8(head).unwrap());
    let answer = format!("{}{lines}\r\n", answer.strip_suffix("\r\n").unwrap());
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream
}

/// Whether the next message is compressed.
async fn is_compressed(stream: &mut ScriptedStream) -> bool {
    let mut bytes = Vec::new();
    loop {
        bytes.push(stream.read_u8().await.unwrap());
        if let Some((header, _)) = Header::decode(&bytes).unwrap() {
            let size = usize::try_from(header.payload_size).unwrap();
            stream.read_exact(&mut vec![0; size]).await.unwrap();
            return header.rsv1;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn re107_what_is_queued_is_compressed_as_its_own_connection_agrees() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).channel();
    for agrees in [true, false, true, false] {
        // Queued before it is known.
        let text = "compressible ".repeat(100);
        channel.try_send(text.as_str()).unwrap();
        let skipped = channel.send_with(text.as_str(), Compression::Skip);
        skipped.await.unwrap();
        let lines = match agrees {
            true => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
            false => "",
        };
        let mut stream = upgraded(server.next_try().await.connect(), lines).await;
        assert_eq!(is_compressed(&mut stream).await, agrees);
        assert!(!is_compressed(&mut stream).await);
        stream.cut();
        in_state(&channel, ChannelState::Retrying).await;
    }
}

// ── Its turn ─────────────────────────────────────────────────────────────────────────────────

#[tokio::test]
async fn re125_in_turn_each_try_waits_and_the_wait_counts_into_its_timeout() {
    let (listener, address) = listen().await;
    let in_turn = || -> Connect { talkback::connect(format!("ws://{address}/")).in_turn() };
    let patient = |connect: Connect| connect.timeout(Duration::from_secs(600));
    let stalled = tokio::spawn(patient(in_turn()).into_future());
    let (stalled_at, _) = listener.accept().await.unwrap();
    let (told, mut losses) = unbounded_channel();
    let channel = in_turn()
        .timeout(Duration::from_millis(20))
        .reconnect()
        .backoff(quick())
        .before_try(move |connect, tried| async move {
            match tried.number() {
                1 | 2 => Ok(connect),
                _ => Ok(patient(connect)),
            }
        })
        .decide(move |lost, verdict| {
            told.send(lost.clone()).unwrap();
            verdict
        })
        .channel();
    for _ in 0..2 {
        let lost = losses.recv().await.unwrap();
        assert!(
            matches!(
                lost.cause(),
                LostCause::Connect(ConnectError::Timeout {
                    stage: Stage::Tcp,
                    ..
                })
            ),
            "{lost}"
        );
    }
    assert!(timeout(Duration::ZERO, listener.accept()).await.is_err());
    // The one before it has failed.
    drop(stalled_at);
    assert!(stalled.await.unwrap().is_err());
    let (stream, _) = listener.accept().await.unwrap();
    // Another one waits for the channel's try.
    let other = tokio::spawn(patient(in_turn()).into_future());
    let nobody = timeout(Duration::from_millis(20), listener.accept()).await;
    assert!(nobody.is_err() && !other.is_finished());
    let _peer = talkback::accept(stream).await.unwrap();
    channel.ready().await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let _other_peer = talkback::accept(stream).await.unwrap();
    other.await.unwrap().unwrap();
}
