//! What `tracing` is told.

use super::*;

use std::io;

use bytes::Bytes;
use http::Response;
use talkback::HookError;
use talkback_testing::secrets::SECRET;
use talkback_testing::traces::Told;

#[tokio::test(start_paused = true)]
async fn re123_each_step_is_an_event_in_the_span_of_its_channel() {
    let told = Told::default();
    let _guard = told.listen();
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).tries_max(2).channel();
    let mut peer = accepted(&mut server).await;
    channel.ready().await.unwrap();
    peer.close_with(1012, "bye").await.unwrap();
    in_state(&channel, ChannelState::Retrying).await;
    for _ in 0..2 {
        let refused = io::ErrorKind::ConnectionRefused;
        server.next_try().await.fail(refused);
    }
    in_state(&channel, ChannelState::Closed).await;
    settle().await;
    println!("{}", told.text());
    let lines = told.lines();
    let begins = [
        "new",
        "try number=1",
        "open connection=1",
        "lost connection=1 cause=closed by the peer, code 1012",
        "try number=1",
        "lost connection=1 cause=could not connect to ws://server.example: connection refused",
        "try number=2",
        "lost connection=1 cause=could not connect to ws://server.example: connection refused",
        "closed code=1006 cause=gave up",
        "close",
    ];
    assert_eq!(lines.len(), begins.len(), "{lines:#?}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line:?} is not {begin:?}");
    }
    let waits: Vec<_> = lines.iter().map(|line| line.contains(" wait=")).collect();
    assert_eq!(waits.iter().filter(|wait| **wait).count(), 2, "{lines:#?}");
    assert!(!waits[7], "nothing is waited for at the end");
    let span = r#"channel{host="server.example" port=80}: talkback: "#;
    let text = told.text();
    assert!(text.lines().all(|line| line.contains(span)), "{text}");
}

/// A client with a secret in every place that has room for one.
fn with_secrets(authority: &str) -> Connect {
    let url = format!("ws://user:{SECRET}@{authority}/{SECRET}?token={SECRET}");
    talkback::connect(url)
        .subprotocol("chat")
        .subprotocol(SECRET)
        .header("Authorization", format!("Bearer {SECRET}"))
        .header("Cookie", format!("id={SECRET}"))
        .header("X-Api-Key", SECRET)
}

#[tokio::test(start_paused = true)]
async fn re123_no_trace_shows_a_secret() {
    let told = Told::default();
    let _guard = told.listen();
    scripted().await;
    by_proxy().await;
    by_hook().await;
    let text = told.text();
    println!("{text}");
    for step in ["try", "open", "lost", "closed"] {
        assert!(text.contains(&format!("talkback: {step} ")), "{text}");
    }
    for cause in ["1012", "status 503", "connection refused", "reset"] {
        assert!(text.contains(cause), "{cause} is missing: {text}");
    }
    assert!(!text.contains(SECRET), "{text}");
}

/// Messages, a reason, answers and failures.
async fn scripted() {
    let mut server = ScriptedServer::new();
    let connecting = with_secrets("server.example").connector(server.connector());
    let mut channel = connecting.reconnect().channel();
    channel.send(SECRET).await.unwrap();
    let chosen = |accept: talkback::Accept<_>| accept.subprotocols([SECRET]);
    let mut peer = server.next_try().await.accept_with(chosen).await.unwrap();
    assert_eq!(peer.recv().await.unwrap(), Some(SECRET.into()));
    peer.send(SECRET).await.unwrap();
    assert_eq!(channel.recv().await.unwrap(), Some(SECRET.into()));
    peer.close_with(1012, SECRET).await.unwrap();
    let busy = Response::builder().status(StatusCode::SERVICE_UNAVAILABLE);
    let busy = busy.header("Set-Cookie", SECRET).body(Bytes::from(SECRET));
    server.next_try().await.answer(busy.unwrap()).await.unwrap();
    let refused = io::ErrorKind::ConnectionRefused;
    server.next_try().await.fail(refused);
    server.next_try().await.connect().cut();
    // Another subprotocol than before.
    let _peer = server
        .next_try()
        .await
        .accept_with(|accept| accept.subprotocols(["chat"]))
        .await;
    let moved = Response::builder().status(StatusCode::FOUND);
    let moved = moved
        .header("Location", format!("/{SECRET}"))
        .body(Bytes::new());
    server
        .next_try()
        .await
        .answer(moved.unwrap())
        .await
        .unwrap();
    channel.close_with(1000, SECRET).unwrap();
    let _ = channel.close().await;
    settle().await;
}

async fn by_proxy() {
    let connecting = with_secrets("server.example");
    let proxy = format!("http://user:{SECRET}@127.0.0.1:1");
    let channel = connecting.proxy(&*proxy).reconnect().tries_max(1).channel();
    channel.ready().await.unwrap_err();
}

async fn by_hook() {
    let server = ScriptedServer::new();
    let connecting = with_secrets("server.example").connector(server.connector());
    let failing = |_, _| async { Err(HookError::stop(format!("no token at {SECRET}"))) };
    let channel = connecting.reconnect().before_try(failing).channel();
    channel.ready().await.unwrap_err();
}
