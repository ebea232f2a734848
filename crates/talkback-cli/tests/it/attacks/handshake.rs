//! Attacks on a server's opening handshake: V1 to V5, V8, V17.

use std::io::Read as _;
use std::net::SocketAddr;
use std::thread;

use talkback::{AcceptError, OriginPolicy};

use crate::support::attack::{CONSTANT, Peer, REQUEST, Target, assert_linear, frame};

const HEAD_SIZE_MAX: usize = 16 * 1024;

/// The request with other lines in it, before its empty line.
fn request_with(lines: &str) -> Vec<u8> {
    let head = REQUEST.strip_suffix("\r\n").unwrap();
    format!("{head}{lines}\r\n").into_bytes()
}

/// A request of `size` bytes, of which the most stand in one header.
fn request_of(size: usize) -> Vec<u8> {
    let shortest = request_with("X: \r\n").len();
    request_with(&format!("X: {}\r\n", "x".repeat(size - shortest)))
}

/// Holds that a refused connection ends, and that no frame came.
fn assert_refused(peer: &mut Peer, status: &str) {
    let answer = String::from_utf8(peer.rest()).unwrap();
    let head = format!("HTTP/1.1 {status} ");
    assert!(answer.starts_with(&head), "{status}: {answer:?}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let size = format!("Content-Length: {}\r\n", body.len());
    assert!(answer.contains(&size), "nothing follows it: {answer:?}");
}

#[test]
fn v01_a_head_of_20_mb_in_1_byte_writes() {
    let target = Target::start(&[]);
    let mut peer = Peer::connect(target.address);
    let mut reader = peer.stream.try_clone().unwrap();
    let answer = thread::spawn(move || crate::support::attack::read_head(&mut reader));
    // At the latest 2 s after the refusal nobody takes more.
    peer.drip(request_with("X: ").strip_suffix(b"\r\n").unwrap());
    let endless = vec![b'x'; 20_000_000];
    let taken = peer.drip(&endless);
    println!("{taken} bytes were taken");
    assert!(taken < endless.len());
    let answer = answer.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
    target.serves();

    // The same sum of bytes in short heads and in long ones: for the long ones, a reader that begins
    // anew with each byte takes 8 times as long.
    let drip = |size: usize, count: usize| {
        let before = target.usage.ticks();
        let head = &request_of(size)[..size - 1];
        for _ in 0..count {
            let mut peer = Peer::connect(target.address);
            assert_eq!(peer.drip(head), head.len());
            peer.send(b"\n");
            assert!(peer.head().starts_with("HTTP/1.1 101 "));
        }
        target.usage.ticks() - before
    };
    assert_linear("heads", drip(HEAD_SIZE_MAX / 8, 64), drip(HEAD_SIZE_MAX, 8));
    let status = Peer::status(target.address, &request_of(HEAD_SIZE_MAX + 1));
    assert_eq!(status, 431, "one byte more than the limit");
    target.grew_at_most(CONSTANT);
    target.recovers();
}

#[test]
fn v02_one_header_more_than_the_limit_with_upgrade_last() {
    let target = Target::start(&[]);
    // The four others, then what fills up to the limit or beyond, then `Upgrade`.
    let request = |count: usize| {
        let fill = "X: x\r\n".repeat(count - 5);
        let head = REQUEST.replace("Upgrade: websocket\r\n", "");
        let head = head.strip_suffix("\r\n").unwrap();
        format!("{head}{fill}Upgrade: websocket\r\n\r\n").into_bytes()
    };
    assert_eq!(Peer::status(target.address, &request(100)), 101);
    for count in [101, 102, 2000] {
        let mut peer = Peer::connect(target.address);
        peer.send(&request(count));
        peer.stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_refused(&mut peer, "431");
    }
    target.grew_at_most(CONSTANT);
    target.recovers();
}

#[test]
fn v03_extension_and_protocol_lists_that_invite_backtracking() {
    let target = Target::start(&["--subprotocol", "chat"]);
    let escapes = |size: usize| {
        format!(
            "Sec-WebSocket-Extensions: a; b=\"{}",
            "\\c".repeat(size / 2)
        )
    };
    let spaces = |size: usize| format!("Sec-WebSocket-Protocol: a{}b", " ".repeat(size));
    for line in [escapes(100_000), spaces(50_000)] {
        let status = Peer::status(target.address, &request_with(&format!("{line}\r\n")));
        assert_eq!(status, 431, "it does not fit a head");
    }
    // As much as fits, against the same sum in small lists.
    let lists: [&dyn Fn(usize) -> String; 2] = [&escapes, &spaces];
    for list in lists {
        let send = |size: usize, count: usize| {
            let before = target.usage.ticks();
            let request = request_with(&format!("{}\r\n", list(size)));
            for _ in 0..count {
                assert_eq!(Peer::status(target.address, &request), 400);
            }
            target.usage.ticks() - before
        };
        assert_linear("lists", send(1000, 640), send(16_000, 40));
    }
    target.grew_at_most(CONSTANT);
    target.recovers();
}

#[test]
fn v04_every_byte_in_every_header() {
    let target = Target::start(&["--subprotocol", "chat"]);
    let whole = request_with(
        "Origin: http://127.0.0.1\r\nSec-WebSocket-Protocol: chat, b\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12\r\n",
    );
    assert_eq!(Peer::status(target.address, &whole), 101);
    let text = String::from_utf8(whole.clone()).unwrap();
    // The beginnings, middles and ends of names and values.
    let places = [
        "GET ",
        "\r\n",
        "Host",
        "Host: ",
        "Upgrade",
        "Upgrade: ",
        "web",
        "websocket",
        "Connection: ",
        "Key: ",
        "Key: dGhl",
        "ZQ==",
        "Version",
        "Version: ",
        "Version: 1",
        "Version: 13",
        "Origin: ",
        "http:",
        "http://127.0.0.1",
        "Protocol: ",
        "ch",
        "chat",
        "chat, b",
        "Extensions: ",
        "permessage",
        "deflate; ",
        "bits",
        "bits=",
        "bits=12",
    ];
    for place in places {
        let at = text.find(place).unwrap_or_else(|| panic!("{place}")) + place.len();
        for byte in 0..=u8::MAX {
            let mut request = whole.clone();
            request.insert(at, byte);
            let mut peer = Peer::connect(target.address);
            peer.send(&request);
            peer.stream.shutdown(std::net::Shutdown::Write).unwrap();
            let head = peer.head();
            // A WebSocket, the page of a request without `Upgrade`, or a refusal.
            let class = head.strip_prefix("HTTP/1.1 ").unwrap_or_default();
            let is_answer = class.starts_with(['1', '2', '4']);
            assert!(is_answer, "{place:?}, then {byte:#x}: {head:?}");
        }
    }
    target.grew_at_most(CONSTANT);
    target.recovers();
}

#[test]
fn v05_an_upgrade_with_a_body() {
    let target = Target::start(&[]);
    let hello = frame(0x81, b"Hello");
    let size = hello.len();
    let chunk = [format!("{size:x}\r\n").as_bytes(), &hello, b"\r\n0\r\n\r\n"].concat();
    for (lines, body) in [
        (format!("Content-Length: {size}\r\n"), &hello),
        ("Transfer-Encoding: chunked\r\n".to_owned(), &chunk),
        (
            format!("Content-Length: {size}\r\nTransfer-Encoding: chunked\r\n"),
            &chunk,
        ),
        (
            format!("Content-Length: {size}\r\nContent-Length: 0\r\n"),
            &hello,
        ),
    ] {
        let mut peer = Peer::connect(target.address);
        peer.send(&[&request_with(&lines), &body[..]].concat());
        peer.stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_refused(&mut peer, "400");
    }
    target.grew_at_most(CONSTANT);
    target.recovers();
}

/// Pages that are not of `http://a.example`.
const ORIGINS: [&str; 20] = [
    "http://evil.example",
    "null",
    "",
    "http://a.example.evil.example",
    "http://evil-a.example",
    "http://evil.example/a.example",
    "http://evil.example#a.example",
    "http://evil.example?a.example",
    "http://a.example@evil.example",
    "http://evil.example@a.example",
    "http://a.example/",
    "http://a.example:8080",
    "https://a.example:80",
    "http://sub.a.example",
    "http://example",
    "a.example",
    "ws://a.example",
    "file://a.example",
    "http://a.example, http://a.example",
    "http://a.example\r\nOrigin: http://a.example",
];

fn request_of_page(origin: &str) -> Vec<u8> {
    let request = request_with(&format!("Origin: {origin}\r\n"));
    let request = String::from_utf8(request).unwrap();
    request.replace("Host: x", "Host: a.example").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn v08_foreign_origins() {
    // The echo server lets every page in unless it is told which; the library does not.
    let target = Target::start(&["--origin", "http://a.example"]);
    for origin in ORIGINS {
        let status = Peer::status(target.address, &request_of_page(origin));
        assert_eq!(status, 403, "{origin:?}");
    }
    assert_eq!(
        Peer::status(target.address, &request_of_page("http://a.example")),
        101
    );
    tokio::task::block_in_place(|| target.recovers());

    assert_eq!(OriginPolicy::default(), OriginPolicy::SameOrigin);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    for origin in ORIGINS {
        let request = request_of_page(origin);
        let asking = tokio::task::spawn_blocking(move || Peer::status(address, &request));
        let (stream, _) = listener.accept().await.unwrap();
        let refused = talkback::accept(stream).await.unwrap_err();
        assert!(matches!(refused, AcceptError::Refused(_)), "{refused:?}");
        assert_eq!(asking.await.unwrap(), 403, "{origin:?}");
    }
}

#[test]
fn v17_frames_in_the_segment_of_the_request_cut_at_every_byte() {
    let target = Target::start(&[]);
    let session = [
        REQUEST.as_bytes(),
        &frame(0x81, b"one"),
        &frame(0x82, b""),
        &frame(0x01, b"tw"),
        &frame(0x80, b"o"),
        &frame(0x88, b"\x03\xE8"),
    ]
    .concat();
    let echo = b"\x81\x03one\x82\x00\x81\x03two\x88\x02\x03\xE8";
    for cut in 0..session.len() {
        let mut peer = Peer::connect(target.address);
        peer.send(&session[..cut]);
        // Another thread may run now, such as the one that reads the first part.
        thread::yield_now();
        peer.send(&session[cut..]);
        assert!(peer.head().starts_with("HTTP/1.1 101 "));
        let mut rest = Vec::new();
        peer.stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, echo, "cut after {cut} bytes");
    }
    target.grew_at_most(CONSTANT);
    target.recovers();
}
