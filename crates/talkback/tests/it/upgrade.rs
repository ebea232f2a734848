//! `upgrade` on hyper 1 and axum 0.8: the same handshake, and nothing read with the request is lost.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request as AxumRequest;
use axum::routing::get;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use talkback::{
    AcceptError, CloseCause, CloseCode, ConnectError, Keepalive, Limits, OriginPolicy, Refused,
    Upgrade, UpgradeBody, Upgraded, Upgrading, WebSocket, WebSocketChannel, connect,
};
use talkback_proto::Opcode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::support::{Fin, masked};

type Options = fn(Upgrade) -> Upgrade;
type Outcomes = mpsc::UnboundedReceiver<Result<WebSocket<Upgraded>, AcceptError>>;

/// What the servers under test do with every request.
#[derive(Clone)]
struct Service {
    options: Options,
    outcomes: mpsc::UnboundedSender<Result<WebSocket<Upgraded>, AcceptError>>,
}

impl Service {
    fn new(options: Options) -> (Self, Outcomes) {
        let (outcomes, received) = mpsc::unbounded_channel();
        (Self { options, outcomes }, received)
    }

    fn answer<B>(&self, request: &mut Request<B>) -> Response<UpgradeBody> {
        let upgrade = talkback::upgrade(request);
        let (response, upgrading): (_, Upgrading) = (self.options)(upgrade).answer();
        let outcomes = self.outcomes.clone();
        tokio::spawn(async move {
            // The test may have seen enough.
            let _ = outcomes.send(upgrading.await);
        });
        response
    }

    /// Serves one connection with hyper.
    async fn serve<T>(self, stream: T) -> hyper::Result<()>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(move |mut request: Request<Incoming>| {
            let response = self.answer(&mut request);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        connection.with_upgrades().await
    }
}

#[derive(Clone, Copy, Debug)]
enum Server {
    Hyper,
    Axum,
}

const SERVERS: [Server; 2] = [Server::Hyper, Server::Axum];

impl Server {
    async fn start(self, options: Options) -> (SocketAddr, Outcomes) {
        let (service, outcomes) = Service::new(options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        match self {
            Self::Hyper => tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(service.clone().serve(stream));
                }
            }),
            Self::Axum => {
                let open =
                    move |mut request: AxumRequest| async move { service.answer(&mut request) };
                let router = Router::new().route("/", get(open));
                tokio::spawn(async move { axum::serve(listener, router).await.unwrap() })
            }
        };
        (address, outcomes)
    }
}

async fn echo<T: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocket<T>) {
    while let Ok(Some(message)) = socket.recv().await {
        socket.feed(message).await.unwrap();
    }
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

fn refused(error: ConnectError) -> Refused {
    let Some(refused) = error.refused() else {
        panic!("{error}");
    };
    refused.clone()
}

#[tokio::test]
async fn messages_are_echoed_and_the_transport_is_the_tcp_connection() {
    for server in SERVERS {
        let (address, mut outcomes) = server.start(|upgrade| upgrade).await;
        let mut client = connect(format!("ws://{address}/")).await.unwrap();
        let socket = outcomes.recv().await.unwrap().unwrap();
        let stream = socket.transport().unwrap().tcp_stream().unwrap();
        assert_eq!(
            stream.peer_addr().unwrap(),
            client.transport().unwrap().local_addr().unwrap(),
            "{server:?}"
        );
        assert!(stream.nodelay().unwrap(), "{server:?}");
        assert_eq!(socket.subprotocol(), None);
        tokio::spawn(echo(socket));

        client.send("Hello!").await.unwrap();
        assert_eq!(client.recv().await.unwrap(), Some("Hello!".into()));
        let large = vec![7; 1 << 20];
        client.send(large.clone()).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), Some(large.into()));
        let info = client.close_with(CloseCode::NORMAL, "bye").await.unwrap();
        assert!(info.clean, "{server:?}: {info}");
    }
}

#[tokio::test]
async fn the_request_and_the_peer_are_kept() {
    let other = "192.0.2.1:7".parse().unwrap();
    let options: [(Options, Option<SocketAddr>); 2] = [
        (|upgrade| upgrade, None),
        (
            |upgrade| upgrade.peer("192.0.2.1:7".parse().unwrap()),
            Some(other),
        ),
    ];
    for (server, (options, told)) in SERVERS.into_iter().zip(options) {
        let (address, mut outcomes) = server.start(options).await;
        let connecting = connect(format!("ws://{address}/?room=7")).header("X-Name", "a");
        let connecting = connecting.header("Cookie", "id=hunter2");
        let client = connecting.await.unwrap();
        let mut socket = outcomes.recv().await.unwrap().unwrap();
        let local = client.transport().unwrap().local_addr().unwrap();
        assert_eq!(socket.peer(), Some(told.unwrap_or(local)), "{server:?}");
        let request = socket.take_request();
        assert_eq!(request.uri().query(), Some("room=7"), "{server:?}");
        assert_eq!(request.headers()["x-name"], "a", "{server:?}");
        assert_eq!(request.headers()["cookie"], "id=hunter2", "{server:?}");
        assert!(!format!("{request:?}").contains("hunter2"), "{server:?}");
        assert!(socket.request().headers().is_empty(), "{server:?}");
    }
}

#[tokio::test]
async fn the_keepalive_is_the_one_given() {
    for server in SERVERS {
        let options: Options = |upgrade| upgrade.keepalive(Duration::from_millis(20));
        let (address, mut outcomes) = server.start(options).await;
        // It is not polled, and so answers no ping.
        let _client = connect(format!("ws://{address}/")).await.unwrap();
        let mut socket = outcomes.recv().await.unwrap().unwrap();
        let end = socket.recv().await.unwrap_err();
        assert!(
            matches!(&end, talkback::Error::Closed(info) if info.cause == CloseCause::KeepaliveTimeout),
            "{server:?}: {end}"
        );
    }
}

#[tokio::test]
async fn l31_a_channel_over_an_upgraded_socket_has_a_keepalive_by_default() {
    let options: [(Options, _); 2] = [
        (|upgrade| upgrade, true),
        (|upgrade| upgrade.keepalive(Keepalive::OFF), false),
    ];
    for (options, is_noticed) in options {
        let (service, mut outcomes) = Service::new(options);
        let (near, far) = duplex(1024);
        tokio::spawn(service.serve(far));
        // It is not polled, and so answers no ping.
        let _stopped = connect("ws://a/").over(near).await.unwrap();
        let mut channel = WebSocketChannel::from(outcomes.recv().await.unwrap().unwrap());
        tokio::time::pause();
        let start = tokio::time::Instant::now();
        let end = tokio::time::timeout(Duration::from_secs(3600), channel.recv()).await;
        let time = Duration::from_secs(if is_noticed { 40 } else { 3600 });
        assert!(start.elapsed().abs_diff(time) < Duration::from_secs(1));
        assert_eq!(matches!(end, Ok(Err(_))), is_noticed, "{end:?}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn l7_an_unread_channel_over_an_upgraded_socket_is_told_of_its_end() {
    const COUNT: u32 = 4000;
    for server in SERVERS {
        let (address, mut outcomes) = server.start(|upgrade| upgrade).await;
        let mut client = connect(format!("ws://{address}/")).await.unwrap();
        let mut channel = WebSocketChannel::from(outcomes.recv().await.unwrap().unwrap());
        for number in 0..COUNT {
            client.feed(number.to_string()).await.unwrap();
        }
        client.flush().await.unwrap();
        drop(client);
        let ending = tokio::time::timeout(Duration::from_secs(60), channel.closed());
        let info = ending.await.unwrap().unwrap();
        assert_eq!(info.code, CloseCode::ABNORMAL, "{server:?}");
        for number in 0..COUNT {
            let message = channel.recv().await.unwrap();
            assert_eq!(message, Some(number.to_string().into()));
        }
        assert!(channel.recv().await.is_err());
    }
}

#[tokio::test]
async fn extensions_are_kept_and_no_header_is_shown() {
    let mut request = Request::get("/").body(()).unwrap();
    request.extensions_mut().insert(7_u8);
    let secret = http::HeaderValue::from_static("hunter2");
    request.headers_mut().insert("x-key", secret);
    for (name, value) in [
        ("host", "a.example"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "hunter2"),
    ] {
        let value = http::HeaderValue::from_static(value);
        request.headers_mut().insert(name, value);
    }
    let upgrade = talkback::upgrade(&mut request);
    assert_eq!(request.extensions().get(), Some(&7_u8));
    assert!(!format!("{upgrade:?}").contains("hunter2"));
    let (_, upgrading) = upgrade.answer();
    assert!(!format!("{upgrading:?}").contains("hunter2"));
}

#[tokio::test]
async fn the_limits_are_those_given() {
    let options: Options = |upgrade| upgrade.limits(Limits::default().message_size_max(5));
    for server in SERVERS {
        let (address, mut outcomes) = server.start(options).await;
        let mut client = connect(format!("ws://{address}/")).await.unwrap();
        tokio::spawn(echo(outcomes.recv().await.unwrap().unwrap()));
        client.send("too long").await.unwrap();
        client.recv().await.unwrap_err();
        let code = client.close_info().unwrap().code;
        assert_eq!(code, CloseCode::MESSAGE_TOO_BIG, "{server:?}");
    }
}

#[tokio::test]
async fn v17_frames_in_the_same_segment_as_the_request_are_kept_cut_at_every_byte() {
    let request = [
        REQUEST,
        &masked(Fin::Last, Opcode::Text, b"first"),
        &masked(Fin::Last, Opcode::Text, b"second"),
    ]
    .concat();
    for server in SERVERS {
        let (address, mut outcomes) = server.start(|upgrade| upgrade).await;
        for cut in REQUEST.len() - 1..=request.len() {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.set_nodelay(true).unwrap();
            client.write_all(&request[..cut]).await.unwrap();
            tokio::task::yield_now().await;
            client.write_all(&request[cut..]).await.unwrap();
            let mut socket = outcomes.recv().await.unwrap().unwrap();
            for text in ["first", "second"] {
                let message = socket.recv().await.unwrap();
                assert_eq!(message, Some(text.into()), "{server:?}, cut at {cut}");
            }
        }
    }
}

#[tokio::test]
async fn v17_frames_are_kept_on_a_transport_of_any_other_kind() {
    let (service, mut outcomes) = Service::new(|upgrade| upgrade);
    let (mut client, server) = duplex(4096);
    tokio::spawn(service.serve(server));
    let frame = masked(Fin::Last, Opcode::Text, b"first");
    client.write_all(&[REQUEST, &frame].concat()).await.unwrap();
    let mut socket = outcomes.recv().await.unwrap().unwrap();
    assert!(socket.transport().unwrap().tcp_stream().is_none());
    assert_eq!(socket.recv().await.unwrap(), Some("first".into()));
    socket.send("second").await.unwrap();

    let mut answer = vec![0; 1024];
    let mut size = 0;
    while !answer[..size].ends_with(b"\x81\x06second") {
        size += client.read(&mut answer[size..]).await.unwrap();
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
    drop(client);
    socket.recv().await.unwrap_err();
    assert_eq!(socket.close_info().unwrap().code, CloseCode::ABNORMAL);
}

#[tokio::test]
async fn s16_the_subprotocol_is_the_clients_first_that_the_server_speaks() {
    for server in SERVERS {
        let options: Options = |upgrade| upgrade.subprotocols(["superchat", "chat"]);
        let (address, mut outcomes) = server.start(options).await;
        for (offered, chosen) in [
            (&["mqtt", "chat", "superchat"][..], Some("chat")),
            (&["mqtt"], None),
            (&[], None),
        ] {
            let mut connecting = connect(format!("ws://{address}/"));
            for name in offered {
                connecting = connecting.subprotocol(*name);
            }
            let client = connecting.await.unwrap();
            let socket = outcomes.recv().await.unwrap().unwrap();
            assert_eq!(client.subprotocol(), chosen, "{server:?}, {offered:?}");
            assert_eq!(socket.subprotocol(), chosen, "{server:?}, {offered:?}");
        }
    }
}

#[tokio::test]
async fn s13_an_origin_that_is_not_allowed_is_refused_with_403() {
    for server in SERVERS {
        let (address, mut outcomes) = server.start(|upgrade| upgrade).await;
        let connecting = connect(format!("ws://{address}/")).origin("https://evil.example");
        let refused = refused(connecting.await.unwrap_err());
        assert_eq!(refused.status, 403, "{server:?}");
        assert!(
            refused
                .body
                .starts_with(b"the Origin \"https://evil.example\" may not connect"),
            "the reason is the body"
        );
        assert_eq!(refused.headers["connection"], "close");
        let error = outcomes.recv().await.unwrap().unwrap_err();
        assert!(matches!(error, AcceptError::Refused(refusal) if refusal.status() == 403));

        let same = connect(format!("ws://{address}/")).origin(format!("http://{address}"));
        same.await.unwrap();
        outcomes.recv().await.unwrap().unwrap();
    }
    let any: Options = |upgrade| upgrade.origin_policy(OriginPolicy::Any);
    for server in SERVERS {
        let (address, _outcomes) = server.start(any).await;
        let connecting = connect(format!("ws://{address}/")).origin("https://evil.example");
        connecting.await.unwrap();
    }
}

/// Sends bytes and reads what comes until the server ends the connection.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A reset behind the answer is as good as its end.
    let _ = client.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_request_that_asks_for_no_websocket_is_refused_with_what_it_lacks() {
    for server in SERVERS {
        let (address, mut outcomes) = server.start(|upgrade| upgrade).await;
        let answer = exchange(address, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 426 "), "{server:?}: {answer}");
        let answer_lower = answer.to_ascii_lowercase();
        assert!(
            answer_lower.contains("\r\nupgrade: websocket\r\n"),
            "{answer}"
        );
        assert!(
            answer_lower.contains("\r\nconnection: upgrade, close\r\n"),
            "{answer}"
        );
        assert!(
            answer_lower.contains("\r\nsec-websocket-version: 13\r\n"),
            "{answer}"
        );
        assert!(
            answer.contains("connect with a WebSocket client"),
            "{answer}"
        );
        let error = outcomes.recv().await.unwrap().unwrap_err();
        assert!(matches!(error, AcceptError::Refused(_)), "{error}");
    }
}

#[tokio::test]
async fn s22_s23_a_request_with_a_body_is_refused_and_its_bytes_are_no_frames() {
    let frame = masked(Fin::Last, Opcode::Text, b"first");
    let head = std::str::from_utf8(REQUEST).unwrap().trim_end();
    let request = format!("{head}\r\nContent-Length: {}\r\n\r\n", frame.len());
    for server in SERVERS {
        let (address, mut outcomes) = server.start(|upgrade| upgrade).await;
        let answer = exchange(address, &[request.as_bytes(), &frame].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{server:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        outcomes.recv().await.unwrap().unwrap_err();
    }
}

#[tokio::test]
async fn a_request_whose_connection_nobody_hands_over_is_refused_with_500() {
    let mut request = Request::get("/")
        .header("Host", "a.example")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Version", "13")
        .body(())
        .unwrap();
    let (response, upgrading) = talkback::upgrade(&mut request).answer();
    assert_eq!(response.status(), 500);
    let error = upgrading.await.unwrap_err().to_string();
    assert!(error.contains("call `upgrade` once"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_hand_over_its_connections_is_named() {
    let (service, mut outcomes) = Service::new(|upgrade| upgrade);
    let (mut client, server) = duplex(4096);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let response = service.answer(&mut request);
        async move { Ok::<_, Infallible>(response) }
    });
    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(server), service));
    client.write_all(REQUEST).await.unwrap();
    let error = outcomes.recv().await.unwrap().unwrap_err();
    assert!(matches!(error, AcceptError::Lost(_)), "{error}");
    assert!(error.to_string().contains("with_upgrades"), "{error}");
}

#[tokio::test]
async fn a_response_that_is_not_returned_ends_the_future() {
    let (client, server) = duplex(4096);
    let (errors, mut received) = mpsc::unbounded_channel();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (response, upgrading) = talkback::upgrade(&mut request).answer();
        drop(response);
        let errors = errors.clone();
        tokio::spawn(async move { errors.send(upgrading.await.unwrap_err()).unwrap() });
        async move { Err::<Response<UpgradeBody>, _>(Arc::new(io::Error::other("no"))) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(server), service);
    tokio::spawn(connection.with_upgrades());
    let mut client = client;
    client.write_all(REQUEST).await.unwrap();
    let error = received.recv().await.unwrap();
    assert!(matches!(error, AcceptError::Lost(_)), "{error}");
}
