//! What a client asks for by the path of its URL.

use std::time::{Duration, Instant};

use talkback::{ConnectError, Incoming, Limits, WebSocket};
use talkback_echo::{Echo, EchoOptions};

type Socket = WebSocket<talkback::Transport>;

/// A connection to a path; the server lives as long as its handle.
async fn at(path: &str) -> (Echo, Socket) {
    let echo = talkback_echo::start().unwrap();
    let url = format!("{}{path}", echo.url());
    let socket = talkback::connect(url).await.unwrap();
    (echo, socket)
}

async fn echoes(socket: &mut Socket) {
    socket.send("안녕").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("안녕".into()));
}

#[tokio::test]
async fn closes_with_the_code_and_reason() {
    let (_echo, mut socket) = at("close/4000/bye%20bye").await;
    assert!(socket.recv().await.is_err());
    let info = socket.close_info().unwrap();
    assert_eq!((info.code.number(), &*info.reason), (4000, "bye bye"));
}

#[tokio::test]
async fn each_echo_is_late_and_none_waits_for_another() {
    let (_echo, mut socket) = at("delay/200").await;
    let sent = Instant::now();
    for number in 0..8 {
        socket.send(number.to_string()).await.unwrap();
    }
    for number in 0..8 {
        let echoed = socket.recv().await.unwrap();
        assert_eq!(echoed, Some(number.to_string().into()));
        assert!(sent.elapsed() >= Duration::from_millis(200));
    }
}

#[tokio::test]
async fn large_messages_that_are_late_wait_for_each_other() {
    let echo = talkback_echo::start().unwrap();
    let limits = Limits::default().write_buffer_max(4 << 20);
    let connect = talkback::connect(format!("{}delay/100", echo.url())).limits(limits);
    let mut socket = connect.await.unwrap();
    let began = Instant::now();
    for _ in 0..3 {
        socket.feed(vec![0; 1 << 20]).await.unwrap();
    }
    for _ in 0..3 {
        let echoed = socket.recv().await.unwrap().unwrap();
        assert_eq!(echoed.len(), 1 << 20);
    }
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn tcp_ends_after_so_many_messages() {
    let (_echo, mut socket) = at("drop/2").await;
    echoes(&mut socket).await;
    echoes(&mut socket).await;
    assert!(socket.recv().await.is_err());
    assert_eq!(socket.close_info().unwrap().code, 1006);
}

#[tokio::test]
async fn an_echo_takes_its_time() {
    let (_echo, mut socket) = at("slow/1000").await;
    let sent = Instant::now();
    let message = "가나다".repeat(34);
    socket.send(&message).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some(message.into()));
    assert!(sent.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn while_an_echo_takes_its_time_a_ping_is_answered_and_a_close_heeded() {
    let (_echo, mut socket) = at("slow/1").await;
    for _ in 0..2 {
        socket.send("a message that takes its time").await.unwrap();
    }
    socket.ping("are you there?").await.unwrap();
    let incoming = socket.recv_incoming().await.unwrap();
    assert_eq!(incoming, Some(Incoming::Pong("are you there?".into())));
    assert!(socket.close().await.clean);
}

#[tokio::test]
async fn what_comes_while_an_echo_takes_its_time_is_echoed_behind_it() {
    let (_echo, mut socket) = at("slow/1000").await;
    let messages = ["가나다".repeat(34), "second".into(), "third".into()];
    for message in &messages {
        socket.send(message).await.unwrap();
    }
    for message in messages {
        assert_eq!(socket.recv().await.unwrap(), Some(message.into()));
    }
}

#[tokio::test]
async fn the_handshake_is_answered_as_asked() {
    let echo = talkback_echo::start().unwrap();
    for (path, status) in [
        ("status/503/7", 503),
        ("redirect/size/3", 302),
        ("close", 404),
    ] {
        let refused = talkback::connect(format!("{}{path}", echo.url())).await;
        let Err(ConnectError::Handshake { error, .. }) = refused else {
            panic!("{path}: {refused:?}");
        };
        assert!(error.to_string().contains(&status.to_string()), "{error}");
    }
    let redirected = talkback::connect(format!("{}redirect/size/3", echo.url())).redirects(1);
    let mut socket = redirected.await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("xxx".into()));
    echoes(&mut socket).await;
}

#[tokio::test]
async fn the_headers_come_as_json() {
    let echo = talkback_echo::start().unwrap();
    let connect = talkback::connect(format!("{}headers", echo.url())).header("x-quoted", "\"1\"");
    let mut socket = connect.await.unwrap();
    let headers = socket.recv().await.unwrap().unwrap().to_string();
    assert!(headers.contains(r#""x-quoted":"\"1\"""#), "{headers}");
    echoes(&mut socket).await;
}

#[tokio::test]
async fn a_stream_counts_and_echoes_beside_and_behind() {
    let (_echo, mut socket) = at("stream/3/ms/20").await;
    let began = Instant::now();
    socket.send("mine").await.unwrap();
    let mut received = Vec::new();
    for _ in 0..4 {
        received.push(socket.recv().await.unwrap().unwrap().to_string());
    }
    assert!(began.elapsed() >= Duration::from_millis(20));
    received.retain(|text| text != "mine");
    assert_eq!(received, ["0", "1", "2"]);
    echoes(&mut socket).await;
}

#[tokio::test]
async fn a_size_and_a_ping_come_as_asked() {
    let (_echo, mut socket) = at("size/1048576").await;
    assert_eq!(socket.recv().await.unwrap().unwrap().len(), 1 << 20);
    let (_echo, mut socket) = at("ping/1").await;
    for _ in 0..2 {
        let incoming = socket.recv_incoming().await.unwrap().unwrap();
        assert!(matches!(incoming, Incoming::Ping(_)), "{incoming:?}");
    }
}

#[tokio::test]
async fn a_subprotocol_that_is_offered_is_spoken() {
    let spoken = async |options: EchoOptions, path: &str| {
        let echo = Echo::start(options).unwrap();
        let connect = talkback::connect(format!("{}{path}", echo.url()));
        let connect = connect.subprotocol("one").subprotocol("two");
        let socket = connect.await.unwrap();
        socket.subprotocol().map(str::to_owned)
    };
    let any = EchoOptions::default;
    assert_eq!(spoken(any(), "").await.as_deref(), Some("one"));
    assert_eq!(spoken(any(), "size/1").await.as_deref(), Some("one"));
    assert_eq!(
        spoken(any(), "subprotocol/two").await.as_deref(),
        Some("two")
    );
    assert_eq!(spoken(any(), "subprotocol/three").await, None);
    let one = || any().subprotocols(["two"]);
    assert_eq!(spoken(one(), "").await.as_deref(), Some("two"));
    assert_eq!(spoken(one(), "size/1").await.as_deref(), Some("two"));
    assert_eq!(spoken(one(), "subprotocol/three").await, None);
}

#[tokio::test]
async fn a_server_that_stops_does_not_wait_for_what_was_asked() {
    for path in ["stream/100000/ms/1000", "delay/60000", "slow/1", "ping/60"] {
        let (echo, mut socket) = at(path).await;
        socket.send("a message that takes its time").await.unwrap();
        drop(echo);
        while let Ok(Some(_)) = socket.recv().await {}
        assert_eq!(socket.close_info().unwrap().code, 1012, "{path}");
    }
}
