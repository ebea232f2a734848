//! What the library does as the client of an echo server, whoever wrote that.

use std::time::Duration;

use futures_util::join;
use talkback::bytes::Bytes;
use talkback::http::header::SEC_WEBSOCKET_EXTENSIONS;
use talkback::{
    CloseCause, CloseCode, CloseInfo, Compression, Connect, ConnectError, DeflateOffer, Error,
    HandshakeError, Initiator, Message, MessageKind, Transport, WebSocket, WebSocketChannel,
    WindowBits, connect,
};
use tokio::time::timeout;

/// An echo server, and what it does in a way of its own.
pub(crate) struct Server {
    /// What it answers to each of the [`offers`] of compression, or `none`, or why we do not take its answer.
    pub(crate) deflate: [&'static str; 4],
    /// How our close with 4002 "done" comes back.
    pub(crate) close: (u16, &'static str),
    /// What it prints of our close.
    pub(crate) told: &'static str,
    /// With which code it closes when it is told to stop; one that has none is killed.
    pub(crate) stopped: Option<u16>,
    /// How a message in fragments may be sent that a ping interrupts.
    pub(crate) interrupted: Compression,
    /// Whether its pings are asked for, on the path /ping; else it pings by itself.
    pub(crate) pings: bool,
    /// Whether it sends in fragments what is asked for on the path /fragments.
    pub(crate) fragments: bool,
}

impl Server {
    /// What a server answers that does as it is asked.
    pub(crate) const AS_ASKED: [&str; 4] = [
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10",
        "permessage-deflate",
    ];
    pub(crate) const DEFAULT: Self = Self {
        deflate: Self::AS_ASKED,
        close: (4002, "done"),
        told: "closed 4002",
        stopped: None,
        interrupted: Compression::Auto,
        pings: false,
        fragments: false,
    };
    pub(crate) const WITH_PINGS: Self = Self {
        pings: true,
        ..Self::DEFAULT
    };
}

/// The longest that a server may take for all of the checks.
const LIMIT: Duration = Duration::from_secs(300);
/// How long a connection is idle: longer than asgi_server.py waits for a pong.
const IDLE: Duration = Duration::from_secs(6);

/// The offers of compression: the default, without contexts, with small windows, with the client's window left out.
fn offers() -> [DeflateOffer; 4] {
    let default = DeflateOffer::default();
    let small = WindowBits::new(10);
    [
        default,
        default
            .server_no_context_takeover(true)
            .client_no_context_takeover(true),
        default
            .server_max_window_bits(small)
            .client_max_window_bits(small),
        default.client_max_window_bits(None),
    ]
}

/// Runs all checks but those that end the server.
pub(crate) async fn check(base: &str, server: &Server) {
    let checks = async {
        echoes_every_kind(base).await;
        let mut answers = [const { String::new() }; 4];
        for (offer, answer) in offers().into_iter().zip(&mut answers) {
            *answer = compresses(base, offer).await;
        }
        assert_eq!(answers, server.deflate);
        uncompressed(base).await;
        a_message_in_fragments(base, None).await;
        a_message_in_fragments(base, Some(server.interrupted)).await;
        a_burst_keeps_its_order(base).await;
        the_subprotocol(base).await;
        a_ping_of_ours(base).await;
        a_close_of_ours(base, server.close).await;
        a_close_of_theirs(base).await;
        a_refused_handshake(base).await;
        if server.pings {
            a_ping_of_theirs(base).await;
        }
        if server.fragments {
            a_message_in_their_fragments(base).await;
        }
    };
    let checks = async { timeout(LIMIT, checks).await.expect("the server is stuck") };
    let idle = async {
        if !server.pings {
            an_idle_connection_stays(base).await;
        }
    };
    join!(checks, idle);
}

pub(crate) async fn open(connect: Connect) -> WebSocket<Transport> {
    connect.await.expect("the server accepts")
}

pub(crate) async fn echo(socket: &mut WebSocket<Transport>, message: &Message) {
    socket.send(message.clone()).await.expect("it is open");
    expect(socket, message).await;
}

async fn expect(socket: &mut WebSocket<Transport>, message: &Message) {
    let answer = socket.recv().await.expect("it is open");
    let answer = answer.expect("an answer comes before the end");
    // They may have a megabyte.
    let sizes = (answer.kind(), answer.len());
    assert_eq!(sizes, (message.kind(), message.len()));
    assert!(answer == *message, "another message of the same size");
}

/// Text that compresses well, with characters of every length.
pub(crate) fn long_text() -> Message {
    "가나다 abc é 👋🏽 ".repeat(5_000).into()
}

/// A megabyte that does not compress.
pub(crate) fn large_bytes() -> Message {
    let mut bytes = vec![0; 1024 * 1024];
    getrandom::fill(&mut bytes).expect("the system is random");
    bytes.into()
}

async fn echoes_every_kind(base: &str) {
    let mut socket = open(connect(base)).await;
    for text in ["안녕하세요", "👋🏽 🇰🇷 👩‍👩‍👧", "", "\0", "a"] {
        echo(&mut socket, &text.into()).await;
    }
    for bytes in [&b""[..], b"\0\xff", b"\xec\x95"] {
        echo(&mut socket, &Message::binary(bytes.to_vec())).await;
    }
    echo(&mut socket, &large_bytes()).await;
    echo(&mut socket, &long_text()).await;
    assert!(socket.close().await.clean);
}

/// Messages like those before them, which a context makes shorter, and which are lost if one end has forgotten it.
///
/// Returns what the server answered to the offer.
async fn compresses(base: &str, offer: DeflateOffer) -> String {
    let mut socket = match connect(base).compression(offer).await {
        Err(ConnectError::Handshake { error, .. }) => {
            let HandshakeError::Deflate(error) = error else {
                panic!("{error}");
            };
            return format!("refused: {error:?}");
        }
        opened => opened.expect("the server accepts"),
    };
    let header = socket.response().headers().get(SEC_WEBSOCKET_EXTENSIONS);
    let answer = header.map_or("none", |value| value.to_str().expect("it is of ASCII"));
    let answer = answer.to_owned();
    assert_eq!(socket.has_deflate(), answer != "none");
    let json = r#"{"user":"이몽룡","text":"안녕하세요","tags":["a","a","a","a"]}"#;
    for round in 0..3 {
        echo(&mut socket, &json.repeat(20 + round).into()).await;
        echo(&mut socket, &json.as_bytes().repeat(30).into()).await;
        echo(&mut socket, &"".into()).await;
        if round == 1 {
            echo(&mut socket, &large_bytes()).await;
        }
        echo(&mut socket, &long_text()).await;
    }
    assert!(socket.close().await.clean);
    answer
}

async fn uncompressed(base: &str) {
    let mut socket = open(connect(base).compression(None)).await;
    assert!(!socket.has_deflate());
    echo(&mut socket, &long_text()).await;
    echo(&mut socket, &large_bytes()).await;
    assert!(socket.close().await.clean);
}

/// The first cut is within a character; a ping comes before the last fragment if that is said, with how the message is
/// compressed then.
async fn a_message_in_fragments(base: &str, interrupted: Option<Compression>) {
    let mut socket = open(connect(base)).await;
    for message in [long_text(), large_bytes(), "안".into(), "".into()] {
        let bytes = message.as_bytes();
        let compression = interrupted.unwrap_or(Compression::Auto);
        let writer = socket.send_stream_with(message.kind(), compression);
        let mut writer = writer.expect("it is open");
        let (head, tail) = bytes.split_at(bytes.len().min(1));
        for piece in [head, &[], tail] {
            let piece = Bytes::copy_from_slice(piece);
            writer.write(piece).await.expect("it is open");
            writer.flush().await.expect("it is open");
        }
        if interrupted.is_some() {
            writer.ping("between").await.expect("it is open");
        }
        writer.finish().await.expect("it is open");
        drop(writer);
        expect(&mut socket, &message).await;
    }
    assert!(socket.close().await.clean);
}

async fn a_message_in_their_fragments(base: &str) {
    let mut socket = open(connect(format!("{base}fragments"))).await;
    for message in [long_text(), large_bytes(), "안".into(), "".into()] {
        echo(&mut socket, &message).await;
    }
    assert!(socket.close().await.clean);
}

async fn a_burst_keeps_its_order(base: &str) {
    let mut socket = open(connect(base)).await;
    for number in 0..1000 {
        let text = number.to_string();
        let message = [Message::text(text.as_str()), Message::binary(text.clone())];
        let fed = socket.feed(message[number % 2].clone()).await;
        fed.expect("it is open");
    }
    for number in 0..1000 {
        let answer = socket.recv().await.expect("it is open").expect("a message");
        let kind = [MessageKind::Text, MessageKind::Binary][number % 2];
        assert_eq!(answer.kind(), kind);
        assert_eq!(answer.as_bytes(), number.to_string().as_bytes());
    }
    assert!(socket.close().await.clean);
}

async fn the_subprotocol(base: &str) {
    let offers = connect(base).subprotocol("other").subprotocol("chat");
    let mut socket = open(offers).await;
    assert_eq!(socket.subprotocol(), Some("chat"));
    echo(&mut socket, &"with chat".into()).await;
    assert!(socket.close().await.clean);
    let mut socket = open(connect(base)).await;
    assert_eq!(socket.subprotocol(), None);
    assert!(socket.close().await.clean);
}

async fn a_ping_of_ours(base: &str) {
    let channel = WebSocketChannel::from(open(connect(base)).await);
    for payload in ["", "\0ping", &"p".repeat(125)] {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        channel.ping(payload).await.expect("its pong comes");
    }
    let info = channel.close().await.expect("it was open");
    assert!(info.clean, "{info}");
}

async fn a_ping_of_theirs(base: &str) {
    let mut socket = open(connect(format!("{base}ping"))).await;
    expect(&mut socket, &"pong there?".into()).await;
    assert!(socket.close().await.clean);
}

async fn a_close_of_ours(base: &str, (code, reason): (u16, &str)) {
    let mut socket = open(connect(base)).await;
    let info = socket.close_with(4002, "done").await.expect("it is valid");
    let ended = (info.code, &*info.reason, info.initiator, info.clean);
    assert_eq!(ended, (code.into(), reason, Initiator::Local, true));
    assert_eq!(info.cause, CloseCause::ClosingHandshake);
}

async fn a_close_of_theirs(base: &str) {
    let mut socket = open(connect(format!("{base}bye"))).await;
    let info = end(&mut socket).await;
    let ended = (info.code, &*info.reason, info.initiator, info.clean);
    let bye = CloseCode::new(4001);
    assert_eq!(ended, (bye, "bye", Initiator::Remote, true), "{info:?}");
    assert_eq!(info.cause, CloseCause::ClosingHandshake);
}

async fn a_refused_handshake(base: &str) {
    let refused = connect(format!("{base}missing")).await;
    let error = refused.expect_err("there is nothing");
    let refused = error.refused().expect("it answers").clone();
    assert_eq!(refused.status, 404);
    let body = String::from_utf8_lossy(&refused.body);
    let text = error.to_string();
    // WebSocket-Node puts its reason into a header.
    let header = refused.headers.get("x-websocket-reject-reason");
    let header = header.map_or("", |value| value.to_str().unwrap_or_default());
    assert!(
        [&body, header]
            .iter()
            .any(|text| text.contains("nothing here")),
        "{body}"
    );
    assert!(text.contains("404"), "{text}");
}

/// A server that pings, and hears nothing for a while, would give it up.
async fn an_idle_connection_stays(base: &str) {
    let mut socket = open(connect(base)).await;
    let nothing = timeout(IDLE, socket.recv()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    echo(&mut socket, &"still there".into()).await;
    assert!(socket.close().await.clean);
}

/// What is left of a connection whose server was killed.
pub(crate) async fn lost(mut socket: WebSocket<Transport>) {
    let info = end(&mut socket).await;
    let ended = (info.code, info.initiator, info.clean);
    assert_eq!(ended, (CloseCode::ABNORMAL, Initiator::Remote, false));
    assert!(matches!(info.cause, CloseCause::Transport(_)), "{info:?}");
}

/// … and of one whose server has stopped, and said so.
pub(crate) async fn stopped(mut socket: WebSocket<Transport>, code: u16) {
    let info = end(&mut socket).await;
    let ended = (info.code.number(), info.initiator, info.clean);
    assert_eq!(ended, (code, Initiator::Remote, true), "{info:?}");
}

async fn end(socket: &mut WebSocket<Transport>) -> CloseInfo {
    let ended = timeout(LIMIT, socket.recv()).await.expect("it ends");
    let info = socket.close_info().expect("it has ended").clone();
    assert!(
        matches!(&ended, Err(Error::Closed(told)) if *told == info),
        "{ended:?}"
    );
    info
}
