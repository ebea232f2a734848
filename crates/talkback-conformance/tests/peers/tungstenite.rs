//! axum's own WebSockets as the server, and tokio-tungstenite, which they are made of, as the client. It has no
//! compression.

use std::sync::mpsc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::ws::{CloseFrame, Message as AxumMessage, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use talkback::connect;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame as TheirCloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::as_client::{self, Server, echo, large_bytes, long_text, open};
use crate::as_server::{self, policies};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[tokio::test]
async fn axum_server() {
    let (told, closes) = mpsc::channel();
    let runtime = Runtime::new().expect("the system gives threads");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.set_nonblocking(true).expect("it can be told so");
    let base = format!("ws://{}/", listener.local_addr().expect("it listens"));
    runtime.spawn(async move {
        let listener = TcpListener::from_std(listener).expect("the runtime has I/O");
        let open = move |path, upgrade| accept(path, upgrade, told);
        let missing = (StatusCode::NOT_FOUND, "there is nothing here\n");
        let router = Router::new()
            .route("/missing", get(move || async move { missing }))
            .route("/", get(open.clone()))
            .route("/{path}", get(open));
        axum::serve(listener, router).await
    });
    let server = Server {
        deflate: ["none"; 4],
        ..Server::WITH_PINGS
    };
    as_client::check(&base, &server).await;
    assert!(
        closes
            .try_iter()
            .any(|close| close == (4002, "done".to_owned()))
    );
    let mut socket = open(connect(&base)).await;
    echo(&mut socket, &"open".into()).await;
    runtime.shutdown_background();
    as_client::lost(socket).await;
}

type Told = mpsc::Sender<(u16, String)>;

async fn accept(path: Option<Path<String>>, upgrade: WebSocketUpgrade, told: Told) -> Response {
    let path = path.map(|Path(path)| path).unwrap_or_default();
    let upgrade = upgrade.protocols(["chat"]);
    upgrade.on_upgrade(move |socket| serve(socket, path, told))
}

/// The library answers a close frame by itself, and pings.
async fn serve(mut socket: WebSocket, path: String, told: Told) {
    let begin = match &*path {
        "bye" => Some(AxumMessage::Close(Some(CloseFrame {
            code: 4001,
            reason: "bye".into(),
        }))),
        "ping" => Some(AxumMessage::Ping(Bytes::from_static(b"there?"))),
        _ => None,
    };
    if let Some(message) = begin {
        socket.send(message).await.expect("it is open");
    }
    while let Some(Ok(message)) = socket.recv().await {
        let answer = match message {
            AxumMessage::Close(Some(frame)) => {
                // The test may have ended.
                let _ = told.send((frame.code, frame.reason.to_string()));
                continue;
            }
            AxumMessage::Pong(payload) => {
                let text = String::from_utf8_lossy(&payload);
                AxumMessage::from(format!("pong {text}"))
            }
            AxumMessage::Text(_) | AxumMessage::Binary(_) => message,
            _ => continue,
        };
        // What cannot be sent shows at the next `recv`.
        let _ = socket.send(answer).await;
    }
}

#[tokio::test]
async fn tungstenite_client() {
    let servers = policies().map(as_server::Server::start);
    let base = &servers[0].url;
    for server in &servers {
        messages(&server.url).await;
    }
    messages(&format!("{base}fragments")).await;
    burst(base).await;
    subprotocols(base).await;
    pings(base).await;
    let refused = connect_async(format!("{base}missing")).await;
    let is_missing = |error| matches!(error, Error::Http(response) if response.status() == 404);
    assert!(refused.is_err_and(is_missing));

    let mut socket = opened(&format!("{base}bye")).await;
    assert_eq!(
        socket.next().await.expect("it closes").ok(),
        Some(frame(4001, "bye"))
    );
    let mut socket = opened(&format!("{base}cut")).await;
    assert!(socket.next().await.is_none_or(|lost| lost.is_err()));

    let mut socket = opened(&format!("{base}told")).await;
    socket.send(frame(4002, "done")).await.expect("it is open");
    assert_eq!(
        socket.next().await.expect("it answers").ok(),
        Some(frame(4002, "done"))
    );
    let told = tokio::task::spawn_blocking(move || servers[0].told()).await;
    as_server::is_done(&told.expect("it was told"));
}

async fn opened(url: &str) -> Socket {
    let (socket, response) = connect_async(url).await.expect("our server accepts");
    assert!(!response.headers().contains_key("sec-websocket-extensions"));
    socket
}

fn frame(code: u16, reason: &'static str) -> Message {
    Message::Close(Some(TheirCloseFrame {
        code: code.into(),
        reason: reason.into(),
    }))
}

async fn messages(url: &str) {
    let mut socket = opened(url).await;
    let long = long_text();
    let texts = [
        "안녕하세요",
        "👋🏽 🇰🇷",
        "",
        long.as_text().unwrap_or_default(),
    ];
    let bytes = [vec![], vec![0, 255], large_bytes().as_bytes().to_vec()];
    for message in texts
        .map(Message::text)
        .into_iter()
        .chain(bytes.map(Message::binary))
    {
        socket.send(message.clone()).await.expect("it is open");
        let answer = socket
            .next()
            .await
            .expect("it is open")
            .expect("it is valid");
        assert!(
            answer == message,
            "another message, of {} bytes",
            answer.len()
        );
    }
    close(socket).await;
}

async fn close(mut socket: Socket) {
    socket.close(None).await.expect("it is open");
    let rest: Vec<_> = socket.collect().await;
    assert!(
        rest.iter()
            .all(|message| matches!(message, Ok(Message::Close(None)))),
        "{rest:?}"
    );
}

async fn burst(url: &str) {
    let mut socket = opened(url).await;
    for number in 0..1000 {
        let message = Message::text(number.to_string());
        socket.feed(message).await.expect("it is open");
    }
    socket.flush().await.expect("it is open");
    for number in 0..1000 {
        let answer = socket
            .next()
            .await
            .expect("it is open")
            .expect("it is valid");
        assert_eq!(answer, Message::text(number.to_string()));
    }
    close(socket).await;
}

async fn subprotocols(url: &str) {
    let mut request = url.into_client_request().expect("it is a URL");
    let offered = "other, chat".parse().expect("it is ASCII");
    request
        .headers_mut()
        .insert("sec-websocket-protocol", offered);
    let (socket, response) = connect_async(request).await.expect("our server accepts");
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    close(socket).await;
}

async fn pings(url: &str) {
    let mut socket = opened(url).await;
    for payload in [&b""[..], &[0; 125]] {
        let ping = Message::Ping(payload.to_vec().into());
        socket.send(ping).await.expect("it is open");
        let pong = socket
            .next()
            .await
            .expect("it is open")
            .expect("it is valid");
        assert_eq!(pong, Message::Pong(payload.to_vec().into()));
    }
    close(socket).await;
    // The client answers by itself while it reads.
    let mut socket = opened(&format!("{url}ping")).await;
    let ping = socket
        .next()
        .await
        .expect("it is open")
        .expect("it is valid");
    assert_eq!(ping, Message::Ping("there?".into()));
    let text = socket
        .next()
        .await
        .expect("it is open")
        .expect("it is valid");
    assert_eq!(text, Message::text("answered"));
    close(socket).await;
}
