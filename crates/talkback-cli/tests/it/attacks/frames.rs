//! Attacks by frames on a server: V20, V21, V29, V31, V50, V51.

use std::io::Write as _;
use std::thread;
use std::time::Duration;

use talkback::CloseCode;

use crate::support::attack::{
    BINARY, CLOSE, CONSTANT, CONTINUATION, FIN, KIB, MESSAGE_SIZE_MAX, MIB, PING, PONG, Peer,
    REQUEST, TEXT, Target, assert_linear, frame, header, plain,
};

/// The close code in the server's only frame, behind which the connection ends.
#[track_caller]
fn close_code(peer: &mut Peer) -> u16 {
    let rest = peer.rest();
    match rest[..] {
        [0x88, 2, high, low] => u16::from_be_bytes([high, low]),
        _ => panic!("{rest:?}"),
    }
}

/// The code that the server closes with after these frames.
#[track_caller]
fn fails(target: &Target, frames: &[u8]) -> u16 {
    let mut peer = Peer::open(target.address);
    peer.send(frames);
    // The server waits for this end until the close timeout.
    peer.stream.shutdown(std::net::Shutdown::Write).unwrap();
    close_code(&mut peer)
}

#[test]
fn v20_headers_that_declare_much_and_bring_little() {
    let target = Target::start(&[]);
    for size in [MESSAGE_SIZE_MAX + 1, 1 << 32, 1 << 62] {
        let code = fails(&target, &header(FIN | BINARY, size));
        assert_eq!(code, 1009, "{size} bytes, of which none came");
    }
    let mut peers: Vec<Peer> = (0..100).map(|_| Peer::open(target.address)).collect();
    let reserved = target.usage.reserved();
    for peer in &mut peers {
        peer.send(&header(FIN | BINARY, MESSAGE_SIZE_MAX));
    }
    target.serves();
    target.grew_at_most(CONSTANT);
    // What is reserved and never touched takes no memory: all of it would be 1,600 MiB.
    let reserved = target.usage.reserved().saturating_sub(reserved);
    println!("{} KiB more are reserved", reserved / KIB);
    assert!(reserved < 128 * MIB, "{reserved}");
    // At most 16 times what came is reserved; less of that is ever touched.
    let part = vec![7; 8 * 1024];
    for peer in &mut peers {
        peer.send(&part);
    }
    target.serves();
    target.grew_at_most(CONSTANT + 100 * 16 * 8 * KIB);
    drop(peers);
    target.recovers();
}

#[test]
fn v21_lengths_and_sums_that_overflow() {
    let target = Target::start(&[]);
    let top = 1 << 63;
    for size in [u32::MAX.into(), 1 << 32, top - 1] {
        assert_eq!(fails(&target, &header(FIN | BINARY, size)), 1009, "{size}");
    }
    for size in [top, top + 1, u64::MAX - 13, u64::MAX] {
        assert_eq!(fails(&target, &header(FIN | BINARY, size)), 1002, "{size}");
    }
    let begin = frame(BINARY, b"x");
    for (size, code) in [
        (MESSAGE_SIZE_MAX, 1009),
        (u32::MAX.into(), 1009),
        (top - 1, 1009),
        (u64::MAX, 1002),
    ] {
        let sum = [&begin[..], &header(FIN | CONTINUATION, size)].concat();
        assert_eq!(fails(&target, &sum), code, "1 + {size}");
    }
    target.grew_at_most(CONSTANT);
    target.recovers();
}

/// A message of so many fragments with this payload each.
fn fragmented(count: usize, payload: &[u8]) -> Vec<u8> {
    let middle = frame(CONTINUATION, payload);
    let mut bytes = frame(BINARY, payload);
    for _ in 2..count {
        bytes.extend_from_slice(&middle);
    }
    bytes.extend_from_slice(&frame(FIN | CONTINUATION, payload));
    bytes
}

/// Sends messages and reads their echoes, each of `size` bytes; the ticks that this took.
fn echoed(target: &Target, messages: &[u8], count: usize, size: usize) -> u64 {
    let before = target.usage.ticks();
    let mut peer = Peer::open(target.address);
    let mut reader = Peer::on(peer.stream.try_clone().unwrap());
    let reading = thread::spawn(move || {
        let frame = plain(FIN | BINARY, &vec![b'x'; size]);
        for _ in 0..count {
            assert!(reader.take(frame.len()) == frame, "an echo differs");
        }
    });
    peer.send(messages);
    reading.join().unwrap();
    target.usage.ticks() - before
}

#[test]
fn v29_a_million_fragments() {
    let target = Target::start(&[]);
    let empty = fragmented(100_000, b"").repeat(10);
    echoed(&target, &empty, 10, 0);
    let small = fragmented(1000, b"x").repeat(500);
    let small = echoed(&target, &small, 500, 1000);
    let large = fragmented(100_000, b"x").repeat(5);
    let large = echoed(&target, &large, 5, 100_000);
    assert_linear("fragments", small, large);
    target.grew_at_most(CONSTANT);
    let message = fragmented(10_000, b"x");
    let mut peer = Peer::open(target.address);
    assert_eq!(peer.drip(&message), message.len(), "in 1-byte writes");
    assert_eq!(peer.take(4 + 10_000)[..4], [0x82, 126, 0x27, 0x10]);
    assert_eq!(fails(&target, &fragmented(131_073, b"")), 1008);
    drop(peer);
    // Ten messages at once, each as far as it may go: what is kept of a fragment is its payload.
    let unfinished = {
        let whole = fragmented(131_072, b"x");
        whole[..whole.len() - frame(CONTINUATION, b"x").len()].to_vec()
    };
    let mut peers: Vec<Peer> = (0..10).map(|_| Peer::open(target.address)).collect();
    for peer in &mut peers {
        peer.send(&unfinished);
    }
    target.serves();
    // Each has been read to its end when the pong is here.
    for peer in &mut peers {
        peer.send(&frame(FIN | PING, b"?"));
        assert_eq!(peer.take(3), [FIN | PONG, 1, b'?']);
    }
    drop(peers);
    target.grew_at_most(CONSTANT);
    target.recovers();
}

/// The codes of RFC 6455 §7.4 and of the registry.
fn is_listed(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[test]
fn v31_close_codes_received() {
    let target = Target::start(&[]);
    let samples = (0..=u16::MAX).step_by(97);
    let bounds = (0..8).chain(990..1030).chain(2990..3010).chain(4990..5010);
    for code in samples.chain(bounds).chain([u16::MAX]) {
        let close = frame(FIN | CLOSE, &code.to_be_bytes());
        let mut peer = Peer::connect(target.address);
        peer.send(&[REQUEST.as_bytes(), &close].concat());
        assert!(peer.head().starts_with("HTTP/1.1 101 "));
        peer.stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = if is_listed(code) { code } else { 1002 };
        assert_eq!(close_code(&mut peer), answer, "{code}");
    }
    target.grew_at_most(CONSTANT);
    target.recovers();
}

#[tokio::test(flavor = "multi_thread")]
async fn v31_close_codes_sent() {
    let target = Target::start(&[]);
    let mut socket = talkback::connect(&*target.url).await.unwrap();
    for code in (0..=u16::MAX).filter(|code| !is_listed(*code)) {
        let refused = socket.close_with(CloseCode::new(code), "").await;
        assert!(refused.is_err(), "{code}: {refused:?}");
    }
    // None of them has reached the wire.
    socket.send("open").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("open".into()));
    for code in (0..=u16::MAX).filter(|code| is_listed(*code)) {
        if code < 3000 || code % 97 == 0 || code == 4999 {
            let mut socket = talkback::connect(&*target.url).await.unwrap();
            let info = socket.close_with(CloseCode::new(code), "").await.unwrap();
            assert_eq!((info.code.number(), info.clean), (code, true));
        }
    }
    drop(socket);
    tokio::task::block_in_place(|| target.recovers());
}

#[test]
fn v50_a_million_pings_whose_answers_are_never_read() {
    let target = Target::start(&[]);
    let mut peer = Peer::open(target.address);
    // A million answers are many times what the buffers of TCP and the constant hold.
    let payload = [b'p'; 40];
    let pings = frame(FIN | PING, &payload).repeat(10_000);
    for _ in 0..100 {
        peer.send(&pings);
    }
    target.serves();
    target.grew_at_most(CONSTANT);
    // It is a connection as any other once it reads.
    peer.send(&frame(FIN | TEXT, b"last"));
    let mut pongs = 0;
    let frame = loop {
        let header = peer.take(2);
        let answer = peer.take(usize::from(header[1]));
        if header[0] != 0x8A {
            break [header, answer].concat();
        }
        assert_eq!(answer, payload);
        pongs += 1;
    };
    assert_eq!(frame, b"\x81\x04last");
    println!("{pongs} pongs for 1,000,000 pings");
    assert!((1..1_000_000).contains(&pongs));
    drop(peer);
    target.recovers();
}

#[test]
fn v51_peers_that_stop_reading() {
    let target = Target::start(&["--max-message", "1MiB"]);
    let message = frame(FIN | BINARY, &vec![7; 256 * 1024]);
    let mut peers: Vec<Peer> = (0..10).map(|_| Peer::open(target.address)).collect();
    let mut sent = 0;
    for peer in &mut peers {
        // What they send meets a server that waits, once the buffers of TCP are full.
        peer.stream
            .set_write_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        while let Ok(size) = peer.stream.write(&message) {
            sent += size;
            if size < message.len() {
                break;
            }
        }
    }
    println!("{} KiB were taken", sent as u64 / KIB);
    target.serves();
    // A message in hand, one on its way in, and the 64 KiB before sending waits; for each.
    target.grew_at_most(CONSTANT + 10 * (2 * 256 + 2 * 64) * KIB);
    target.usage.is_idle(Duration::from_millis(500), 10);
    // It goes on where it was as soon as they read.
    let echo = peers[0].take(10 + 256 * 1024);
    assert_eq!(echo[..2], [0x82, 127]);
    peers[0].take(10 + 256 * 1024);
    drop(peers);
    target.recovers();
}
