//! Attacks on a client: V1, V2, V4, V17, V20, V51.

use std::thread;
use std::time::Duration;

use talkback::ConnectError;

use crate::support::Running;
use crate::support::attack::{
    Attacker, CONSTANT, MIB, Peer, Usage, accept_head, assert_calm, plain, until, with_line,
};

#[test]
fn v01_a_response_head_of_20_mb_in_1_byte_writes() {
    let attacker = Attacker::listen();
    // Where a byte takes its time.
    let client = Running::start(&["connect", "--timeout", "60", &attacker.url]);
    let (mut peer, request) = attacker.asked();
    let usage = Usage::of(client.id());
    let before = usage.peak();
    let head = accept_head(&request);
    peer.send(format!("{}X: ", head.strip_suffix("\r\n").unwrap()).as_bytes());
    assert_eq!(peer.drip(&[b'x'; 15_000]), 15_000, "it is within the limit");
    let growth = usage.peak().saturating_sub(before);
    assert!(growth <= CONSTANT, "{growth}");
    let endless = vec![b'x'; 20_000_000];
    let taken = peer.drip(&endless);
    println!(
        "memory grew by {} KiB; {taken} bytes more were taken",
        growth / 1024
    );
    assert!(taken < endless.len());
    let finished = client.finish();
    assert_eq!(finished.code, Some(6), "{finished:?}");
    assert!(finished.stderr.contains("16384"), "{finished:?}");
}

#[test]
fn v02_a_response_with_one_header_more_than_the_limit() {
    let attacker = Attacker::listen();
    for (count, code) in [(100, 0), (101, 6), (700, 6)] {
        let client = Running::start(&["connect", &attacker.url]);
        let (mut peer, request) = attacker.asked();
        // Three headers are there already.
        let fill = "X: x\r\n".repeat(count - 3);
        let head = accept_head(&request).replace("Upgrade: ", &format!("{fill}Upgrade: "));
        peer.send(&[head.as_bytes(), &plain(0x88, b"\x03\xE8")].concat());
        drop(peer.end());
        assert_eq!(client.finish().code, Some(code), "{count}");
    }
}

#[test]
fn v03_extension_and_protocol_lists_that_invite_backtracking() {
    let attacker = Attacker::listen();
    let escapes = |size: usize| {
        let escapes = "\\c".repeat(size / 2);
        format!("Sec-WebSocket-Extensions: a; b=\"{escapes}")
    };
    let spaces = |size: usize| format!("Sec-WebSocket-Protocol: a{}b", " ".repeat(size));
    for (line, why) in [
        (escapes(100_000), "16384"),
        (spaces(50_000), "16384"),
        (escapes(15_000), "Sec-WebSocket-Extensions"),
        (spaces(15_000), "Sec-WebSocket-Protocol"),
    ] {
        let client = Running::start(&["connect", &attacker.url]);
        let (mut peer, request) = attacker.asked();
        // It may be gone before it has all.
        peer.try_send(with_line(&accept_head(&request), &line).as_bytes());
        let finished = client.finish();
        assert_eq!(finished.code, Some(6), "{finished:?}");
        assert!(finished.stderr.contains(why), "{finished:?}");
    }
}

/// Where a byte is added to the response.
const PLACES: [&str; 17] = [
    "HTTP/1.1 ",
    "101",
    "Upgrade",
    "Upgrade: ",
    "Upgrade: web",
    "Upgrade: websocket",
    "Connection: ",
    "Sec-WebSocket-Accept",
    "Accept: ",
    "Protocol: ",
    "ch",
    "chat",
    "Extensions: ",
    "permessage",
    "bits=",
    "bits=12",
    "\r\n",
];

/// The response with this byte at this place, and behind it a close frame.
fn response(request: &str, place: &str, byte: u8) -> Vec<u8> {
    let lines = "Sec-WebSocket-Protocol: chat\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12";
    let head = with_line(&accept_head(request), lines);
    let mut bytes = head.as_bytes().to_vec();
    bytes.insert(head.find(place).unwrap() + place.len(), byte);
    bytes.extend_from_slice(&plain(0x88, b"\x03\xE8"));
    bytes
}

#[test]
fn v04_every_byte_in_a_response_to_the_program() {
    let attacker = Attacker::listen();
    let bytes: Vec<u8> = (0..=u8::MAX).collect();
    // Several at once, as it is their start that takes the time. Who comes first is left open.
    for several in bytes.chunks(16) {
        let options = [
            "connect",
            "--timeout",
            "60",
            "--subprotocol",
            "chat",
            &attacker.url,
        ];
        let start = |_| Running::start(&options);
        let clients: Vec<Running> = several.iter().map(start).collect();
        for byte in several {
            let (mut peer, request) = attacker.asked();
            let place = PLACES[usize::from(*byte) % PLACES.len()];
            peer.send(&response(&request, place, *byte));
            drop(peer.end());
        }
        for client in clients {
            let finished = client.finish();
            let is_expected = matches!(finished.code, Some(0 | 6));
            assert!(is_expected, "{several:x?}: {finished:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn v04_every_byte_in_every_header_of_a_response() {
    let attacker = Attacker::listen();
    let url = attacker.url.clone();
    let serving = thread::spawn(move || {
        for place in PLACES {
            for byte in 0..=u8::MAX {
                let (mut peer, request) = attacker.asked();
                peer.send(&response(&request, place, byte));
                drop(peer.end());
            }
        }
    });
    for _ in 0..PLACES.len() * 256 {
        match talkback::connect(url.as_str()).subprotocol("chat").await {
            Ok(mut socket) => assert_eq!(socket.recv().await.unwrap(), None),
            Err(error) => assert!(
                matches!(
                    error,
                    ConnectError::Handshake { .. } | ConnectError::Lost { .. }
                ),
                "{error}"
            ),
        }
    }
    serving.join().unwrap();
}

/// What a server may send right behind its response.
fn frames() -> Vec<u8> {
    let close = plain(0x88, b"\x03\xE8");
    let two = [plain(0x01, b"tw"), plain(0x80, b"o")].concat();
    [plain(0x81, b"one"), two, close].concat()
}

#[test]
fn v17_frames_in_the_segment_of_the_response_to_the_program() {
    let attacker = Attacker::listen();
    let client = Running::start(&["connect", &attacker.url]);
    let (mut peer, request) = attacker.asked();
    peer.send(&[accept_head(&request).as_bytes(), &frames()].concat());
    drop(peer.end());
    let finished = client.finish();
    assert_eq!((finished.code, &*finished.stdout), (Some(0), "one\ntwo\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn v17_frames_in_the_segment_of_the_response_cut_at_every_byte() {
    let attacker = Attacker::listen();
    let url = attacker.url.clone();
    let size = accept_head("").len() + frames().len();
    let serving = thread::spawn(move || {
        for cut in 0..size {
            let (mut peer, request) = attacker.asked();
            let bytes = [accept_head(&request).as_bytes(), &frames()].concat();
            peer.send(&bytes[..cut]);
            thread::yield_now();
            peer.send(&bytes[cut..]);
            drop(peer.end());
        }
    });
    for cut in 0..size {
        let mut socket = talkback::connect(url.as_str()).await.unwrap();
        for text in [Some("one"), Some("two"), None] {
            let message = socket.recv().await.unwrap();
            assert_eq!(message, text.map(Into::into), "cut after {cut} bytes");
        }
    }
    serving.join().unwrap();
}

#[test]
fn v20_a_server_that_declares_much_and_brings_little() {
    let attacker = Attacker::listen();
    for size in [16 * MIB + 1, 1 << 62] {
        let client = Running::start(&["connect", &attacker.url]);
        let mut peer = attacker.open();
        let header = [&[0x82, 127][..], &size.to_be_bytes()].concat();
        peer.send(&header);
        let close = peer.take(8);
        let code = [close[6] ^ close[2], close[7] ^ close[3]];
        assert_eq!(u16::from_be_bytes(code), 1009);
        drop(peer);
        assert_eq!(client.finish().code, Some(7));
    }
    let client = Running::start(&["connect", &attacker.url]);
    let mut peer = attacker.open();
    peer.send(&plain(0x81, b"before"));
    client.until("it is open", |client| client.stdout() == "before\n");
    let usage = Usage::of(client.id());
    let before = usage.peak();
    peer.send(&[&[0x82, 127][..], &(16 * MIB).to_be_bytes(), &[7; 8192]].concat());
    usage.is_idle(Duration::from_millis(500), 10);
    let growth = usage.peak() - before;
    println!("memory grew by {} KiB", growth / 1024);
    assert!(growth <= CONSTANT, "{growth}");
    assert_calm(&client);
}

#[test]
fn v51_a_server_that_stops_reading() {
    let attacker = Attacker::listen();
    let mut client = Running::start(&["connect", &attacker.url]);
    let mut peer: Peer = attacker.open();
    peer.send(&plain(0x81, b"before"));
    client.until("it is open", |client| client.stdout() == "before\n");
    let usage = Usage::of(client.id());
    let before = usage.peak();
    let mut stdin = client.stdin.take().unwrap();
    let line = format!("{}\n", "x".repeat(16 * 1024));
    // The pipe fills up once the client waits; the writer ends with the client.
    let typing = thread::spawn(move || {
        use std::io::Write as _;
        (0..2000)
            .take_while(|_| stdin.write_all(line.as_bytes()).is_ok())
            .count()
    });
    let ticks = || usage.ticks();
    until("it waits", || {
        let before = ticks();
        thread::sleep(Duration::from_millis(300));
        ticks() == before
    });
    let growth = usage.peak() - before;
    println!("memory grew by {} KiB", growth / 1024);
    assert!(growth <= CONSTANT, "{growth}");
    assert_calm(&client);
    drop((client, peer));
    assert!(typing.join().unwrap() < 2000, "it took no more");
}
