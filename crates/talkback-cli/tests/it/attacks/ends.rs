//! Ends that come too early, and descriptors that run out: V54, V56.

use std::net::Shutdown;

use crate::support::Running;
use crate::support::attack::{Attacker, CONSTANT, Peer, Target, frame, plain, until};

/// Makes a frame: a client's or a server's.
type Frame = fn(u8, &[u8]) -> Vec<u8>;

/// A session: the bytes of its parts, each with what is known to the receiver once it has come.
fn session(frame: Frame) -> Vec<(Vec<u8>, &'static [&'static str])> {
    vec![
        (frame(0x81, b"one"), &["one"]),
        (frame(0x01, b"t"), &["one"]),
        (frame(0x89, b"!"), &["one"]),
        (frame(0x80, b"wo"), &["one", "two"]),
        (frame(0x81, "셋".as_bytes()), &["one", "two", "셋"]),
    ]
}

/// The session up to each byte, and the messages that are whole then.
fn cuts(frame: Frame) -> Vec<(Vec<u8>, &'static [&'static str])> {
    let mut cuts = vec![(Vec::new(), &[][..])];
    let mut bytes = Vec::new();
    for (part, known) in session(frame) {
        let before = cuts.last().unwrap().1;
        for (index, byte) in part.iter().enumerate() {
            bytes.push(*byte);
            let is_whole = index + 1 == part.len();
            cuts.push((bytes.clone(), if is_whole { known } else { before }));
        }
    }
    cuts
}

/// The payloads of the text frames among a server's frames, and whether a close frame is there.
fn read_frames(mut bytes: &[u8]) -> (Vec<String>, bool) {
    let (mut texts, mut is_closed) = (Vec::new(), false);
    while let [first, size, rest @ ..] = bytes {
        let (payload, rest) = rest.split_at(usize::from(*size));
        match first {
            0x81 => texts.push(String::from_utf8(payload.to_vec()).unwrap()),
            0x88 => is_closed = true,
            _ => {}
        }
        bytes = rest;
    }
    (texts, is_closed)
}

#[test]
fn v54_clients_that_end_or_reset_after_every_byte() {
    let target = Target::start(&[]);
    let cuts = cuts(frame);
    for (bytes, whole) in &cuts {
        let mut peer = Peer::open(target.address);
        peer.send(bytes);
        peer.stream.shutdown(Shutdown::Write).unwrap();
        let (texts, is_closed) = read_frames(&peer.rest());
        assert_eq!(texts, *whole, "FIN after {} bytes", bytes.len());
        assert!(!is_closed, "nothing follows the end");
    }
    for (bytes, _) in &cuts {
        let mut peer = Peer::open(target.address);
        // An answer that is there and not read makes a reset of the end.
        peer.send(&frame(0x81, b"unread"));
        peer.stream.peek(&mut [0]).unwrap();
        peer.send(bytes);
    }
    until("every end is logged", || {
        target.server.stderr().matches("code 1006").count() >= 2 * cuts.len()
    });
    target.grew_at_most(CONSTANT);
    target.recovers();
}

#[test]
fn v54_servers_that_end_or_reset_after_every_byte() {
    let attacker = Attacker::listen();
    for (bytes, whole) in cuts(plain) {
        let client = Running::start(&["connect", &attacker.url]);
        let mut peer = attacker.open();
        peer.send(&bytes);
        peer.stream.shutdown(Shutdown::Write).unwrap();
        let finished = client.finish();
        assert_eq!(
            finished.code,
            Some(8),
            "FIN after {}: {finished:?}",
            bytes.len()
        );
        let lines: Vec<&str> = finished.stdout.lines().collect();
        assert_eq!(lines, whole, "FIN after {} bytes", bytes.len());
        assert!(finished.stderr.contains("1006"), "{finished:?}");

        let mut client = Running::start(&["connect", &attacker.url]);
        let mut peer = attacker.open();
        client.type_in("unread\n");
        peer.stream.peek(&mut [0]).unwrap();
        peer.send(&bytes);
        drop(peer);
        let finished = client.finish();
        assert_eq!(
            finished.code,
            Some(8),
            "RST after {}: {finished:?}",
            bytes.len()
        );
        // A reset may overtake what came before it, but brings nothing that is not whole.
        let lines: Vec<&str> = finished.stdout.lines().collect();
        assert!(
            whole.starts_with(&lines),
            "RST after {}: {lines:?}",
            bytes.len()
        );
    }
}

#[cfg(unix)]
#[test]
fn v56_accepting_without_descriptors() {
    let target = Target::with_descriptors(64);
    // What is not accepted waits in the kernel's queue, which holds at least as many.
    let hoard: Vec<Peer> = (0..120).map(|_| Peer::connect(target.address)).collect();
    target.server.until("it has run out", |server| {
        server.stderr().contains("could not accept")
    });
    // It waits, longer from time to time.
    target.usage.is_idle(std::time::Duration::from_secs(1), 20);
    let complaints = target.server.stderr().matches("could not accept").count();
    assert!(complaints <= 10, "{complaints} in about a second");
    println!(
        "{} of 120 connections taken, {complaints} failures to accept",
        target.descriptors()
    );
    target.grew_at_most(CONSTANT);
    drop(hoard);
    target.recovers();
    crate::support::attack::assert_calm(&target.server);
}
