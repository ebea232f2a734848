//! socket.io's engine, which speaks a protocol of its own over WebSockets: a digit before each text says what it is,
//! and the server's pings are messages (Engine.IO 4).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use talkback::{Message, Transport, WebSocket, accept, connect};
use tokio::net::TcpListener;
use tokio::time::{interval, timeout};

use crate::as_client::{large_bytes, long_text, open};
use crate::program::{Program, free_port, node};

/// How long the client may take for its checks.
const LIMIT: Duration = Duration::from_secs(60);
const PATH: &str = "engine.io/?EIO=4&transport";

#[tokio::test]
async fn server() {
    let (program, base) = start();
    let mut socket = open(connect(format!("ws{base}{PATH}=websocket"))).await;
    assert!(socket.has_deflate());
    let (opening, _) = next(&mut socket).await;
    let opening = opening.as_text().expect("it is text").to_owned();
    assert!(opening.starts_with("0{\"sid\":"), "{opening}");
    let mut pings = 0;
    exchange(&mut socket, &mut pings).await;
    while pings < 5 {
        pings += echo(&mut socket, "still there?".into()).await;
    }
    socket.send("4bye").await.expect("it is open");
    while let Some(message) = socket.recv().await.expect("the server closes normally") {
        assert_eq!(
            message.as_text(),
            Some("2"),
            "a ping may come before the end"
        );
    }
    assert!(socket.close_info().is_some_and(|info| info.clean));
    program.says("closed: forced close");
}

/// As socket.io's clients do: they begin with ordinary requests, and go on with a WebSocket.
#[tokio::test]
async fn upgrade_from_polling() {
    let (program, base) = start();
    let opening = get(&base, &format!("{PATH}=polling"));
    let id = opening.split('"').nth(3).expect("the session has a name");
    program.says("connected by polling");
    let url = format!("ws{base}{PATH}=websocket&sid={id}");
    let mut socket = open(connect(url)).await;
    socket.send("2probe").await.expect("it is open");
    let (probed, _) = next(&mut socket).await;
    assert_eq!(probed.as_text(), Some("3probe"));
    socket.send("5").await.expect("it is open");
    program.says("upgraded to websocket");
    exchange(&mut socket, &mut 0).await;
    assert!(socket.close().await.clean);
}

#[tokio::test]
async fn refusal() {
    let (_program, base) = start();
    let url = format!("ws{base}{PATH}=websocket&sid=unknown");
    let error = connect(url).await.expect_err("there is no such session");
    let refused = error.refused().expect("it answers");
    assert_eq!(refused.status, 400);
    let body = String::from_utf8_lossy(&refused.body);
    assert!(body.contains("Session ID unknown"), "{body}");
}

#[test]
fn client() {
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
    let listener = listener.expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    let url = format!("ws://{address}");
    let mut client = Program::start_logged(node("node/engineio_client.cjs").arg(url));
    let status = client.status(LIMIT);
    let log = client.log();
    let good = log.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(status.success() && good == 5, "{status}: {log}");
}

/// The server, and its address behind a scheme.
fn start() -> (Program, String) {
    let port = free_port();
    let mut command = node("node/engineio_server.cjs");
    let program = Program::serve_logged(command.arg(port.to_string()), port);
    (program, format!("://127.0.0.1:{port}/"))
}

/// The body that an ordinary request is answered with.
fn get(base: &str, path: &str) -> String {
    let authority = base.trim_matches([':', '/']);
    let mut stream = TcpStream::connect(authority).expect("the server listens");
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it is open");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is text");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head ends");
    body.to_owned()
}

/// Texts alike, bytes of either kind, and a large message.
async fn exchange(socket: &mut WebSocket<Transport>, pings: &mut usize) {
    let json = r#"{"user":"이몽룡","tags":["a","a","a","a"]}"#;
    for round in 0..3 {
        let long = long_text();
        for text in [
            "안녕하세요",
            "",
            &json.repeat(40 + round),
            long.as_text().unwrap_or_default(),
        ] {
            *pings += echo(socket, format!("4{text}").into()).await;
        }
        *pings += echo(socket, b"\0\xff".into()).await;
        *pings += echo(socket, json.as_bytes().repeat(60).into()).await;
        // The engine takes a million bytes at most, compressed as well.
        let large = large_bytes().into_bytes().slice(..900_000);
        *pings += echo(socket, large.into()).await;
    }
}

/// Sends a message, expects it back, and returns how many pings came before it.
async fn echo(socket: &mut WebSocket<Transport>, message: Message) -> usize {
    // A text is an engine's message with its digit only.
    let message = match message.as_text() {
        Some(text) if !text.starts_with('4') => format!("4{text}").into(),
        _ => message,
    };
    socket.send(message.clone()).await.expect("it is open");
    let (answer, pings) = next(socket).await;
    assert!(answer == message, "{} bytes came back", answer.len());
    pings
}

/// The next message that is no ping, and how many pings were answered.
async fn next(socket: &mut WebSocket<Transport>) -> (Message, usize) {
    let mut pings = 0;
    loop {
        let message = timeout(LIMIT, socket.recv()).await.expect("it answers");
        let message = message.expect("it is open").expect("a message");
        if message.as_text() != Some("2") {
            return (message, pings);
        }
        socket.send("3").await.expect("it is open");
        pings += 1;
    }
}

/// An engine's server that sends back what comes, and on "pongs" the number of the pongs so far.
async fn serve(stream: tokio::net::TcpStream) {
    const OPENING: &str =
        r#"0{"sid":"a","upgrades":[],"pingInterval":100,"pingTimeout":20000,"maxPayload":1000000}"#;
    let mut socket = accept(stream).await.expect("the client is valid");
    let mut pongs = 0;
    // What cannot be sent shows at the next `recv`.
    let _ = socket.send(OPENING).await;
    let mut pings = interval(Duration::from_millis(100));
    loop {
        let received = tokio::select! {
            received = socket.recv() => received,
            _ = pings.tick() => {
                let _ = socket.send("2").await;
                continue;
            }
        };
        let Ok(Some(message)) = received else {
            return;
        };
        let answer = match message.as_text() {
            Some("3") => {
                pongs += 1;
                continue;
            }
            Some("1") => return drop(socket.close().await),
            Some("4pongs") => format!("4{pongs}").into(),
            _ => message,
        };
        let _ = socket.feed(answer).await;
    }
}
