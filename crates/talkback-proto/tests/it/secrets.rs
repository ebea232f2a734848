//! V12: no public type shows a secret, wherever it stands in what the caller or the peer gave.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, LOCATION, SET_COOKIE, UPGRADE};
use http::{Request, Response, StatusCode, Version};
use talkback_proto::handshake::{
    ClientHandshake, ClientOptions, DeflateError, ExtensionOffer, HandshakeError, HeadError,
    HeadLimits, HeadReader, OriginPolicy, Refusal, RefusedBody, ServerHandshake, WsUrl,
    encode_request,
};
use talkback_proto::{
    Binary, CloseCause, CloseCode, CloseFrame, CloseFrameError, CloseInfo, Connection, Delivery,
    Incoming, Initiator, Limits, Message, MessageKind, Outgoing, Prepared, ProtocolError, Role,
    Text,
};
use talkback_testing::secrets::{SECRET, Shown};
use talkback_testing::shown_variant;

use crate::support::connection;
use crate::support::wire::{peer_close, peer_frame};

const API: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/api/talkback-proto.txt"
);

/// Numbers, flags and names of their own: no text can get in.
const PLAIN: [&str; 22] = [
    "CloseCode",
    "Compression",
    "CompressionLevel",
    "DeflateAnswer",
    "DeflateOffer",
    "DeflateParameters",
    "DeflatePolicy",
    "DeflateTuning",
    "Delivery",
    "EncodedHeader",
    "Fin",
    "HeadLimits",
    "Header",
    "Initiator",
    "Keepalive",
    "Limits",
    "MemoryLevel",
    "MessageKind",
    "Opcode",
    "Role",
    "Unfollowed",
    "WindowBits",
];

const NAMES: [&str; 3] = ["authorization", "cookie", "x-api-key"];

#[test]
fn v12_l3_no_public_type_shows_a_secret() {
    let mut shown = Shown::default();
    urls(&mut shown);
    client(&mut shown);
    server(&mut shown);
    heads_and_bodies(&mut shown);
    refusals(&mut shown);
    handshake_errors(&mut shown);
    messages(&mut shown);
    connections(&mut shown);
    closes(&mut shown);
    let api = std::fs::read_to_string(API).unwrap();
    shown.finish(
        &api,
        &PLAIN,
        &[("HandshakeError", &[]), ("CloseCause", &[])],
    );
}

fn url() -> WsUrl {
    WsUrl::parse("ws://user:hunter2@host.example:81/chat?token=hunter2").unwrap()
}

fn value() -> HeaderValue {
    HeaderValue::from_static(SECRET)
}

fn urls(shown: &mut Shown) {
    shown.debug(&url());
    shown.display(&url());
    // Which server it is, and what is there, may be known.
    assert_eq!(url().to_string(), "ws://host.example:81/chat?…");
    shown.text("basic_auth", &format!("{:?}", url().basic_auth()));
    for wrong in [
        "hunter2",
        "hunter2://host/",
        "http://hunter2@host/",
        "ws://host/#hunter2",
        "ws://host/?a b=hunter2",
        "ws://a:hunter2@b:hunter2@host/",
        "ws://user:hunter2@/?hunter2",
        "ws://user:hunter2@한국/?hunter2",
        "ws://user:hunter2@host:hunter2/",
    ] {
        shown.unwrap(WsUrl::parse(wrong));
    }
    shown.unwrap(WsUrl::parse(&format!(
        "ws://host/?{}",
        SECRET.repeat(10_000)
    )));
}

fn options() -> ClientOptions {
    let mut options = ClientOptions::default();
    options.subprotocols = vec!["bearer".to_owned(), SECRET.to_owned()];
    for name in NAMES {
        options.headers.insert(name, value());
    }
    // Where a page comes from is no secret, and a server that refuses it names it.
    options.origin = Some(HeaderValue::from_static("https://app.example"));
    options.extensions = Some(HeaderValue::from_static("x-ext"));
    options
}

fn client(shown: &mut Shown) {
    shown.debug(&options());
    let handshake = ClientHandshake::new(&url(), options(), [7; 16]).unwrap();
    shown.debug(&handshake);
    // What the caller gave is not to be shown where the request's headers are printed.
    shown.text(
        "the request",
        &format!("{:?}", handshake.request().headers()),
    );

    let mut response = Response::builder()
        .status(101)
        .version(Version::HTTP_11)
        .header("upgrade", "websocket")
        .header("connection", "upgrade")
        .header("sec-websocket-protocol", SECRET)
        .header("set-cookie", SECRET)
        .body(())
        .unwrap();
    let key = handshake.request().headers()["sec-websocket-key"].clone();
    let accept = talkback_proto::handshake::accept_key(key.to_str().unwrap());
    let accept = HeaderValue::try_from(accept).unwrap();
    response
        .headers_mut()
        .insert("sec-websocket-accept", accept);
    let negotiated = handshake.validate(&response).unwrap();
    assert_eq!(negotiated.subprotocol.as_deref(), Some(SECRET));
    shown.debug(&negotiated);
}

/// A request with a secret in every place that has room for one.
fn request() -> Request<()> {
    let handshake = ClientHandshake::new(&url(), options(), [7; 16]).unwrap();
    let mut reader = HeadReader::new(HeadLimits::default());
    reader
        .handle(&encode_request(&handshake.request()))
        .unwrap();
    reader.request().unwrap()
}

fn server(shown: &mut Shown) {
    let request = request();
    let mut headers = request.headers().clone();
    // Nothing tells a server that a header of the client's own holds a secret.
    headers.remove("x-api-key");
    shown.text("the request", &format!("{headers:?}"));
    let handshake = ServerHandshake::read(&request).unwrap();
    assert_eq!(handshake.subprotocols(), ["bearer", SECRET]);
    shown.debug(&handshake);
    shown.debug(&OriginPolicy::List(vec!["https://app.example".to_owned()]));
    // What the two ends agree on is written, and shown, as it is.
    let extension = ExtensionOffer {
        name: "x-ext".to_owned(),
        params: vec![("bits".to_owned(), Some("9".to_owned()))],
    };
    shown.debug(&extension);
    shown.display(&extension);
}

fn heads_and_bodies(shown: &mut Shown) {
    let head = format!("HTTP/1.1 403 Forbidden\r\nSet-Cookie: {SECRET}\r\n\r\n");
    let mut reader = HeadReader::new(HeadLimits::default());
    reader.handle(head.as_bytes()).unwrap();
    shown.debug(&reader);
    let response = reader.response().unwrap();
    shown.text("the response", &format!("{response:?}"));
    let mut body = RefusedBody::new(&response);
    body.handle(SECRET.as_bytes());
    shown.debug(&body);
    for wrong in [
        "hunter2 hunter2\r\n\r\n",
        "GET /?hunter2 HTTP/9.9\r\n\r\n",
        "GET /#hunter2 HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhunter2\r\n\r\n",
        "GET / HTTP/1.1\r\nA: hunter2\0\r\n\r\n",
        "GET / HTTP/1.1\r\nA: hunter2\n\r\n",
        "HTTP/1.1 hunter2\r\n\r\n",
    ] {
        for limits in [HeadLimits::default(), HeadLimits::default().size_max(9)] {
            let mut reader = HeadReader::new(limits);
            let read = reader.handle(wrong.as_bytes());
            let read = read.and_then(|_| reader.request().map(drop));
            let Err(error) = read else {
                panic!("{wrong} passes");
            };
            shown.debug(&reader);
            shown.error(&reader.refusal(error));
            shown.unwrap(Err::<(), HeadError>(error));
        }
    }
}

fn refusals(shown: &mut Shown) {
    let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "log in first")
        .with_header(SET_COOKIE, value())
        .with_header(HeaderName::from_static("x-api-key"), value());
    shown.unwrap(Err::<(), Refusal>(refusal));

    let response = Response::builder()
        .status(302)
        .header(SET_COOKIE, SECRET)
        .header(LOCATION, format!("ws://user:{SECRET}@host/?{SECRET}"))
        .header("x-api-key", SECRET)
        .body(())
        .unwrap();
    let error = HandshakeError::refused(&response, Bytes::from_static(b"hunter2 hunter2"));
    let HandshakeError::Status(refused) = &error else {
        panic!("it is a refusal");
    };
    shown.error(&**refused);
    shown_handshake_error(shown, error);
}

fn shown_handshake_error(shown: &mut Shown, error: HandshakeError) {
    shown_variant!(shown, error => HandshakeError:
        InvalidSubprotocol, DuplicateSubprotocol, ReservedHeader, TooManyHeaders,
        InvalidExtensions, ChosenSubprotocol, ChosenExtension, Head, Status, Version, Upgrade,
        Connection, Accept, Repeated, Malformed, SubprotocolNotOffered, ExtensionNotOffered,
        Deflate,
    );
    shown.unwrap(Err::<(), HandshakeError>(error));
}

fn handshake_errors(shown: &mut Shown) {
    use HandshakeError as E;
    let new = |change: fn(&mut ClientOptions)| {
        let mut options = ClientOptions::default();
        change(&mut options);
        ClientHandshake::new(&url(), options, [7; 16]).unwrap_err()
    };
    let server = ServerHandshake::read(&request()).unwrap();
    let errors = vec![
        new(|options| options.subprotocols.push("Bearer hunter2".to_owned())),
        new(|options| options.subprotocols.push("hunter2=".to_owned())),
        new(|options| options.subprotocols = vec![SECRET.to_owned(); 2]),
        new(|options| drop(options.headers.insert(UPGRADE, value()))),
        new(|options| options.extensions = Some(HeaderValue::from_static("hunter2 hunter2"))),
        server.accept(Some("other-hunter2"), None).unwrap_err(),
        server
            .accept(None, Some(HeaderValue::from_static("x-other")))
            .unwrap_err(),
        E::SubprotocolNotOffered {
            subprotocol: SECRET.to_owned(),
        },
        E::Deflate(DeflateError::ServerWindow),
        E::Head(HeadError::NotHttp),
        E::TooManyHeaders,
        E::Upgrade,
        E::Connection,
        E::Accept,
        E::Version {
            version: Version::HTTP_10,
        },
        E::Repeated { name: COOKIE },
        E::Malformed {
            name: AUTHORIZATION,
        },
        E::ExtensionNotOffered {
            extension: "x-other".to_owned(),
        },
    ];
    for error in errors {
        shown_handshake_error(shown, error);
    }
    shown.error(&DeflateError::UnknownParameter {
        name: "x".to_owned(),
    });
}

fn messages(shown: &mut Shown) {
    let json = r#"{"password":"hunter2"}"#;
    // Short, and longer than what a line would hold.
    for text in [SECRET.to_owned(), json.to_owned(), SECRET.repeat(100)] {
        let message = Message::from(text.clone());
        shown.debug(&message);
        shown.content(&message);
        shown.debug(&Text::from(text.clone()));
        shown.content(&Text::from(text.clone()));
        shown.debug(&Binary::from(text.clone()));
        shown.debug(&Binary::from(SECRET));
        shown.debug(&Outgoing::from(&*text));
        shown.debug(&Outgoing::from(text.clone().into_bytes()));
        shown.debug(&Prepared::new(&*text));
        let binary = Message::from(text.into_bytes());
        shown.debug(&binary);
        shown.display(&binary);
        shown.debug(&Incoming::Message(binary));
    }
    shown.debug(&Incoming::Ping(Bytes::from_static(SECRET.as_bytes())));
    shown.debug(&Incoming::Pong(Bytes::from_static(SECRET.as_bytes())));
}

fn connections(shown: &mut Shown) {
    for role in [Role::Client, Role::Server] {
        let limits = Limits::default();
        let mut connection = connection(role, &limits);
        // Copied behind its header, and riding along.
        connection.send(SECRET).unwrap();
        connection.send(SECRET.repeat(1000)).unwrap();
        connection
            .ping(Bytes::from_static(SECRET.as_bytes()))
            .unwrap();
        shown.debug(&connection);
        shown.debug(connection.output());
        shown.unwrap(connection.ping(Bytes::from(SECRET.repeat(20))));
    }
    pieces(shown);
    let mut server = Connection::server(Limits::default());
    // As a server sends it: not masked.
    let mut wire = BytesMut::from(&peer_frame(Role::Client, 0x81, SECRET.as_bytes())[..]);
    assert!(server.receive(&mut wire, Instant::now).is_none());
    server.handle_end("the peer went away");
    let info = server.close_info().unwrap().clone();
    assert_eq!(info.cause, CloseCause::Protocol(ProtocolError::NotMasked));
    shown.debug(&server);
    let CloseCause::Protocol(error) = &info.cause else {
        panic!("{info}");
    };
    shown.error(error);
    shown.debug(&info);
    shown.display(&info);
}

fn pieces(shown: &mut Shown) {
    let mut client = connection(Role::Client, &Limits::default());
    client.set_delivery(Delivery::Pieces);
    let mut wire = BytesMut::from(&peer_frame(Role::Client, 0x81, SECRET.as_bytes())[..]);
    let incoming = client.receive(&mut wire, Instant::now).unwrap();
    shown.debug(&incoming);
    let Incoming::Piece(piece) = incoming else {
        panic!("it is a piece");
    };
    assert_eq!(
        (piece.kind, &piece.bytes[..]),
        (MessageKind::Text, SECRET.as_bytes())
    );
    shown.debug(&piece);
}

fn closes(shown: &mut Shown) {
    let frame_of_this_end = CloseFrame::new(1000, SECRET).unwrap();
    shown.debug(&frame_of_this_end);
    shown.unwrap(CloseFrame::new(1005, SECRET));
    shown.unwrap(CloseFrame::new(1000, SECRET.repeat(20)));
    shown.unwrap::<CloseFrame, CloseFrameError>(CloseFrame::new(1000, "hunter2\n"));

    // What the peer gives as its reason is what a person needs: its sentence, and nothing else, says it.
    let mut client = connection(Role::Client, &Limits::default());
    let mut wire = BytesMut::from(&peer_close(Role::Client, 1008, SECRET)[..]);
    assert!(client.receive(&mut wire, Instant::now).is_none());
    shown.debug(&client);
    let mut info = CloseInfo::abnormal(
        CloseCode::POLICY_VIOLATION,
        Initiator::Remote,
        CloseCause::ClosingHandshake,
    );
    info.reason = SECRET.to_owned();
    shown.debug(&info);
    shown.content(&info);

    for cause in [
        CloseCause::ClosingHandshake,
        CloseCause::Protocol(ProtocolError::InvalidUtf8),
        CloseCause::Transport("connection reset".into()),
        CloseCause::CloseTimeout,
        CloseCause::KeepaliveTimeout,
        CloseCause::Overflow,
        CloseCause::NotOpened("no such host".into()),
    ] {
        shown_variant!(shown, cause => CloseCause:
            ClosingHandshake, Protocol, Transport, CloseTimeout, KeepaliveTimeout, Overflow,
            NotOpened,
        );
        shown.debug(&cause);
        shown.display(&cause);
    }
}
