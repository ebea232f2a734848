//! `test_util`: a scripted server does what it is told, in memory and in virtual time.

use std::io::{self, ErrorKind};
use std::time::Duration;

use futures_util::FutureExt as _;
use http::{Response, StatusCode};
use talkback::test_util::{Peer, ScriptedServer};
use talkback::{
    AcceptError, CloseCause, CloseCode, CloseInfo, Connect, ConnectError, DeflatePolicy, Error,
    Message, Stage, WebSocketChannel, connect,
};
use talkback_proto::Opcode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use crate::support::answers::{assert_timeout, failure, refused};
use crate::support::{Fin, plain};

const HOUR: Duration = Duration::from_secs(3600);

/// A server, and a client of it.
fn scripted() -> (ScriptedServer, Connect) {
    let server = ScriptedServer::new();
    let connecting = connect("ws://a.example/room?key=7").connector(server.connector());
    (server, connecting)
}

/// A channel that is open, and the server's end of it.
async fn open() -> (WebSocketChannel, Peer) {
    let (mut server, connecting) = scripted();
    let channel = connecting.channel();
    let peer = server.next_try().await.accept().await.unwrap();
    channel.ready().await.unwrap();
    (channel, peer)
}

/// How a channel ended that was to end abnormally.
async fn abnormal_end(channel: &mut WebSocketChannel) -> CloseInfo {
    match channel.recv().await {
        Err(Error::Closed(info)) => info,
        other => panic!("{other:?}"),
    }
}

// ── A server that behaves ────────────────────────────────────────────────────────────────────

#[tokio::test(start_paused = true)]
async fn a_client_that_is_accepted_talks_as_to_any_server() {
    let (mut server, connecting) = scripted();
    let mut channel = connecting.subprotocol("chat").channel();
    let made = server.next_try().await;
    let destination = made.destination();
    assert_eq!(
        (
            destination.host(),
            destination.port(),
            destination.is_secure()
        ),
        ("a.example", 80, false)
    );
    let mut peer = made.accept().await.unwrap();
    assert_eq!(peer.request().uri(), "/room?key=7");
    assert_eq!(peer.request().headers()["sec-websocket-protocol"], "chat");
    channel.ready().await.unwrap();
    assert_eq!(channel.subprotocol(), None);
    for text in ["Hello!", "안녕", ""] {
        channel.send(text).await.unwrap();
        assert_eq!(peer.recv().await.unwrap(), Some(text.into()));
        peer.send(text).await.unwrap();
        assert_eq!(channel.recv().await.unwrap(), Some(text.into()));
    }
    let (info, received) = tokio::join!(channel.close(), peer.recv());
    assert!(info.unwrap().clean);
    assert_eq!(received.unwrap(), None);
    assert_eq!(peer.close_info().unwrap().code, CloseCode::NO_CODE);
}

#[tokio::test(start_paused = true)]
async fn what_is_agreed_on_is_an_option() {
    let (mut server, connecting) = scripted();
    let channel = connecting.subprotocol("chat").channel();
    let options = |accept: talkback::Accept<_>| {
        accept
            .subprotocols(["chat"])
            .compression(DeflatePolicy::default())
    };
    let mut peer = server.next_try().await.accept_with(options).await.unwrap();
    channel.ready().await.unwrap();
    assert_eq!(channel.subprotocol().as_deref(), Some("chat"));
    let text = "x".repeat(100_000);
    channel.send(&*text).await.unwrap();
    assert_eq!(peer.recv().await.unwrap(), Some(text.into()));
}

#[tokio::test(start_paused = true)]
async fn it_closes_as_told() {
    for (code, reason) in [(1000, "done"), (1001, ""), (1012, "restart"), (4999, "no")] {
        let (mut channel, mut peer) = open().await;
        let closing = peer.close_with(code, reason);
        let (closed, info) = tokio::join!(closing, channel.closed());
        let (closed, info) = (closed.unwrap(), info.unwrap());
        assert_eq!((info.code.number(), &*info.reason), (code, reason));
        assert!(info.clean && closed.clean);
        let last = channel.recv().await;
        assert_eq!(last.is_err(), ![1000, 1001].contains(&code), "{last:?}");
    }
}

// ── Refusals ─────────────────────────────────────────────────────────────────────────────────

#[tokio::test(start_paused = true)]
async fn it_refuses_with_a_status() {
    let (mut server, connecting) = scripted();
    for status in [401, 404, 503] {
        let status = StatusCode::from_u16(status).unwrap();
        let trying = tokio::spawn(failure(connecting.clone().header("X-Id", "7")));
        let request = server.next_try().await.refuse(status).await.unwrap();
        assert_eq!(request.uri(), "/room?key=7");
        assert_eq!(request.headers()["x-id"], "7");
        let refused = refused(trying.await.unwrap());
        assert_eq!((refused.status, refused.body.len()), (status, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn it_answers_with_headers_and_a_body() {
    let (mut server, connecting) = scripted();
    let body = "x".repeat(200_000);
    let answer = Response::builder()
        .status(429)
        .header("Retry-After", "50")
        .header("Retry-After", "7")
        .body(body.clone());
    let trying = tokio::spawn(failure(connecting.clone()));
    let made = server.next_try().await;
    made.answer(answer.unwrap()).await.unwrap();
    let told = refused(trying.await.unwrap());
    let waits: Vec<_> = told.headers.get_all("retry-after").iter().collect();
    assert_eq!(waits, ["50", "7"]);
    assert_eq!(told.headers["content-length"], "200000");
    assert_eq!(told.body, body[..4096]);

    // A 101 that is wrong.
    let trying = tokio::spawn(failure(connecting));
    let made = server.next_try().await;
    made.refuse(StatusCode::SWITCHING_PROTOCOLS).await.unwrap();
    let error = trying.await.unwrap();
    assert!(matches!(error, ConnectError::Handshake { .. }), "{error}");
    assert!(error.refused().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_check_of_the_script_refuses_too() {
    let (mut server, connecting) = scripted();
    let trying = tokio::spawn(failure(connecting));
    let made = server.next_try().await;
    let accepted = made.accept_with(|accept| {
        accept.check(|_| async { Err::<(), _>(talkback::Refusal::not_found()) })
    });
    let error = accepted.await.unwrap_err();
    assert!(matches!(error, AcceptError::Refused(_)), "{error}");
    assert_eq!(refused(trying.await.unwrap()).status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_made_has_its_error() {
    let (mut server, connecting) = scripted();
    let kind = |error: ConnectError| match error {
        ConnectError::Tcp { error, .. } => error.kind(),
        error => panic!("{error}"),
    };
    for expected in [ErrorKind::ConnectionRefused, ErrorKind::NetworkUnreachable] {
        let trying = tokio::spawn(failure(connecting.clone()));
        server.next_try().await.fail(expected);
        assert_eq!(kind(trying.await.unwrap()), expected);
    }
    let trying = tokio::spawn(failure(connecting.clone()));
    server.next_try().await.fail(io::Error::other("no way"));
    assert!(trying.await.unwrap().to_string().contains(": no way. "));
    // One that is dropped, one that waits at a server that is dropped, and one that comes to none.
    let trying = tokio::spawn(failure(connecting.clone()));
    drop(server.next_try().await);
    assert_eq!(kind(trying.await.unwrap()), ErrorKind::ConnectionRefused);
    let trying = tokio::spawn(failure(connecting.clone()));
    sleep(Duration::from_secs(1)).await;
    drop(server);
    assert_eq!(kind(trying.await.unwrap()), ErrorKind::ConnectionRefused);
    let error = failure(connecting).await;
    assert_eq!(kind(error), ErrorKind::ConnectionRefused);
}

// ── Stalls ───────────────────────────────────────────────────────────────────────────────────

#[tokio::test(start_paused = true)]
async fn a_try_that_is_held_stalls_and_tells_when_the_client_gives_up() {
    let (mut server, connecting) = scripted();
    let trying = tokio::spawn(failure(connecting.clone()));
    let mut made = server.next_try().await;
    let began = Instant::now();
    made.given_up().await;
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    assert_timeout(&trying.await.unwrap(), Stage::Tcp);
    // It is no use any more.
    assert!(matches!(made.accept().await, Err(AcceptError::Lost(_))));

    let channel = connecting.channel();
    let mut made = server.next_try().await;
    assert!(
        timeout(Duration::from_secs(9), made.given_up())
            .await
            .is_err()
    );
    drop(channel);
    let began = Instant::now();
    made.given_up().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_held_stalls_in_the_handshake() {
    let (mut server, connecting) = scripted();
    let trying = tokio::spawn(failure(connecting.clone()));
    let mut stream = server.next_try().await.connect();
    let began = Instant::now();
    stream.gone().await;
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    assert_timeout(&trying.await.unwrap(), Stage::Handshake);
    let mut request = String::new();
    stream.read_to_string(&mut request).await.unwrap();
    assert!(request.starts_with("GET /room?key=7 HTTP/1.1\r\n"));

    let trying = tokio::spawn(failure(connecting));
    let mut stream = server.next_try().await.connect();
    stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").await.unwrap();
    let error = trying.await.unwrap();
    assert!(
        error
            .to_string()
            .contains("the server's answer is not HTTP")
    );
}

#[tokio::test(start_paused = true)]
async fn tries_come_in_their_order_and_none_is_lost() {
    let (mut server, connecting) = scripted();
    assert!(server.next_try().now_or_never().is_none());
    let mut channels = Vec::new();
    for number in 0..3 {
        let connecting = connecting.clone().header("X-Number", number.to_string());
        channels.push(connecting.timeout(HOUR).channel());
        sleep(Duration::from_secs(1)).await;
    }
    // One whose client has given up comes, too.
    drop(channels.remove(1));
    for number in [0, 1, 2] {
        let accepted = server.next_try().await.accept().await;
        match number {
            1 => assert!(accepted.is_err()),
            _ => {
                let peer = accepted.unwrap();
                assert_eq!(peer.request().headers()["x-number"], number.to_string());
            }
        }
    }
    assert!(timeout(HOUR, server.next_try()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_clients_are_served() {
    let (mut server, connecting) = scripted();
    let clients: Vec<_> = (0..1000).map(|_| connecting.clone().channel()).collect();
    let mut peers = Vec::new();
    for _ in &clients {
        peers.push(server.next_try().await.accept().await.unwrap());
    }
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.send(number.to_string()).await.unwrap();
    }
    let mut numbers = Vec::new();
    for mut client in clients {
        let message = client.recv().await.unwrap().unwrap();
        numbers.push(message.as_text().unwrap().parse::<usize>().unwrap());
    }
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..1000));
}

// ── Ends ─────────────────────────────────────────────────────────────────────────────────────

#[tokio::test(start_paused = true)]
async fn a_cut_lets_arrive_what_is_on_the_way() {
    let (mut channel, mut peer) = open().await;
    peer.send("whole").await.unwrap();
    let part = plain(Fin::Last, Opcode::Text, b"a part");
    peer.send_raw(&part[..part.len() - 1]);
    peer.cut();
    assert_eq!(channel.recv().await.unwrap(), Some("whole".into()));
    let info = abnormal_end(&mut channel).await;
    assert_eq!(info.code, CloseCode::ABNORMAL);
    assert!(matches!(info.cause, CloseCause::Transport(_)), "{info:?}");
    assert_eq!(channel.recv().await.unwrap(), None);
    // The server's end has ended, too.
    assert!(matches!(peer.recv().await, Err(Error::Closed(_))));
    peer.cut();
    peer.send_raw("nothing");
    peer.gone().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_dropped_ends_without_a_reset() {
    let (mut channel, mut peer) = open().await;
    peer.send("whole").await.unwrap();
    drop(peer);
    assert_eq!(channel.recv().await.unwrap(), Some("whole".into()));
    let info = abnormal_end(&mut channel).await;
    assert_eq!((info.code, info.clean), (CloseCode::ABNORMAL, false));
}

/// Two messages of a client in their frames, cut at each byte.
#[tokio::test(start_paused = true)]
async fn cut_after_takes_so_many_bytes_and_no_more() {
    let size = 6 + 10;
    for cut in 0..=2 * size {
        let (mut server, connecting) = scripted();
        let mut channel = connecting.channel();
        let mut stream = server.next_try().await.connect();
        let peer = talkback::accept(&mut stream).compression(None).await;
        drop(peer.unwrap());
        channel.ready().await.unwrap();
        stream.cut_after(cut);
        let _ = channel.try_send("0123456789");
        let _ = channel.try_send("9876543210");
        let mut taken = Vec::new();
        let read = stream.read_to_end(&mut taken).await;
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(taken.len(), cut);
        if cut < 2 * size {
            assert!(channel.flush().await.is_err());
        }
        let info = abnormal_end(&mut channel).await;
        assert!(matches!(info.cause, CloseCause::Transport(_)), "{info:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_of_a_mebibyte_is_cut_in_its_middle() {
    let (mut channel, mut peer) = open().await;
    peer.cut_after(512 * 1024);
    let receiving = tokio::spawn(async move { peer.recv().await });
    channel.send("x".repeat(1 << 20)).await.unwrap();
    assert!(channel.flush().await.is_err());
    let info = abnormal_end(&mut channel).await;
    assert_eq!(info.code, CloseCode::ABNORMAL);
    assert!(receiving.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_close_frame_may_leave_the_connection_open() {
    let (mut channel, peer) = open().await;
    peer.send_close(1012, "restart").unwrap();
    assert!(peer.send_close(1005, "").is_err());
    let sent = Instant::now();
    let info = abnormal_end(&mut channel).await;
    assert_eq!((info.code.number(), &*info.reason), (1012, "restart"));
    // It is told at once, and the client waits for the end of the connection behind its back.
    assert_eq!(sent.elapsed(), Duration::ZERO);
    peer.gone().await;
    assert_eq!(sent.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn garbage_is_told_of_by_the_client() {
    for (garbage, code) in [
        (&b"\xff\xff"[..], 1002),
        (b"\x81\x02\xc3\x28", 1007),
        (b"\x88\x01\x03", 1002),
    ] {
        let (mut channel, mut peer) = open().await;
        peer.send_raw(garbage);
        let info = abnormal_end(&mut channel).await;
        assert!(matches!(info.cause, CloseCause::Protocol(_)), "{info:?}");
        peer.recv().await.unwrap_err();
        assert_eq!(peer.close_info().unwrap().code.number(), code);
    }
}

// ── A server that does not read ──────────────────────────────────────────────────────────────

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_held_makes_the_client_wait() {
    let (channel, mut peer) = open().await;
    let message = Message::from(vec![7; 1000]);
    let mut sent = 0;
    while channel.try_send(message.clone()).is_ok() {
        sent += 1;
        tokio::task::yield_now().await;
    }
    // 64 KiB are on the way; the rest waits, up to a MiB.
    assert!(sent > 1024, "{sent}");
    let mut waiting = Box::pin(channel.send(message.clone()));
    assert!(
        timeout(Duration::from_secs(10), &mut waiting)
            .await
            .is_err()
    );
    for _ in 0..sent {
        assert_eq!(peer.recv().await.unwrap(), Some(message.clone()));
    }
    waiting.await.unwrap();
    assert_eq!(peer.recv().await.unwrap(), Some(message));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_held_answers_no_ping() {
    let (mut channel, _peer) = open().await;
    let began = Instant::now();
    let info = abnormal_end(&mut channel).await;
    assert_eq!(info.cause, CloseCause::KeepaliveTimeout);
    assert_eq!(began.elapsed(), Duration::from_secs(40));

    let (mut channel, mut peer) = open().await;
    let receiving = tokio::spawn(async move { peer.recv().await });
    assert!(timeout(HOUR, channel.recv()).await.is_err());
    drop(channel);
    receiving.await.unwrap().unwrap();
}

/// As over TCP (L7).
#[tokio::test(start_paused = true)]
async fn l7_a_client_that_does_not_read_hears_of_a_cut() {
    for ends_by_reset in [false, true] {
        let (channel, mut peer) = open().await;
        let flood = async { while peer.send("x".repeat(1000)).await.is_ok() {} };
        assert!(timeout(Duration::from_secs(60), flood).await.is_err());
        assert!(channel.try_send("1").is_ok());
        // That one is written, so that no failed write tells.
        sleep(Duration::from_secs(1)).await;
        match ends_by_reset {
            true => peer.cut(),
            false => drop(peer),
        }
        sleep(Duration::from_secs(60)).await;
        assert!(channel.try_send("2").is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn who_awaits_the_builder_is_served_as_well() {
    let (mut server, connecting) = scripted();
    let opening = tokio::spawn(connecting.into_future());
    let mut peer = server.next_try().await.accept().await.unwrap();
    let mut client = opening.await.unwrap().unwrap();
    client.send("Hello!").await.unwrap();
    assert_eq!(peer.recv().await.unwrap(), Some("Hello!".into()));
    drop(client);
    peer.gone().await;
    peer.recv().await.unwrap_err();
}
