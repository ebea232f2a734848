//! Attacks by compressed messages on both programs, and a sender that gives up: V40, V45, V51.

use std::future::Future as _;
use std::num::NonZero;
use std::pin::pin;
use std::task::{Context, Waker};
use std::thread::available_parallelism;

use crate::support::Running;
use crate::support::attack::by_hand::{compressed_letters, compressed_zeros};
use crate::support::attack::{
    Attacker, CONSTANT, KIB, MIB, Peer, Target, Usage, assert_calm, frame, plain, until,
};

const GIB: usize = 1 << 30;
const MESSAGE_SIZE_MAX: u64 = 16 * MIB;
/// A window, and 64 KiB.
const BEYOND: u64 = (32 + 64) * KIB;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const BINARY: u8 = 0x2;
const CONTINUATION: u8 = 0x0;

/// A compressed message whole, and in fragments of these sizes.
fn forms(frame: fn(u8, &[u8]) -> Vec<u8>, payload: &[u8]) -> [Vec<u8>; 3] {
    let in_fragments = |size: usize| {
        let mut bytes = frame(RSV1 | BINARY, b"");
        for part in payload.chunks(size) {
            bytes.extend_from_slice(&frame(CONTINUATION, part));
        }
        bytes.extend_from_slice(&frame(FIN | CONTINUATION, b""));
        bytes
    };
    let whole = frame(FIN | RSV1 | BINARY, payload);
    [whole, in_fragments(100), in_fragments(64 * 1024)]
}

#[test]
fn v40_a_gibibyte_of_zeros_for_a_server() {
    let target = Target::start(&[]);
    // What is within the limit comes back.
    let mut peer = Peer::open_compressed(target.address);
    peer.send(&frame(FIN | RSV1 | BINARY, &compressed_zeros(100_000)));
    assert_eq!(peer.take(1), [FIN | RSV1 | BINARY]);
    drop(peer);
    target.recovers();
    for bytes in forms(frame, &compressed_zeros(GIB)) {
        // A server of its own: what one message took may be the allocator's for the next.
        let target = Target::start(&[]);
        let mut peer = Peer::open_compressed(target.address);
        peer.send(&bytes);
        target.serves();
        peer.stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(peer.rest(), b"\x88\x02\x03\xF1", "1009, and nothing else");
        target.grew_at_most(MESSAGE_SIZE_MAX + BEYOND + CONSTANT);
        target.recovers();
    }
}

#[test]
fn v51_messages_that_are_dear_to_compress() {
    let target = Target::start(&[]);
    let size = MESSAGE_SIZE_MAX as usize - 1000;
    let frame = frame(FIN | RSV1 | BINARY, &compressed_letters(size));
    println!("{} KiB each", frame.len() as u64 / KIB);
    // More than there are processors for.
    let count = (3 * available_parallelism().map_or(1, NonZero::get)).max(12);
    let mut peers: Vec<Peer> = (0..count)
        .map(|_| Peer::open_compressed(target.address))
        .collect();
    let before = target.usage.ticks();
    for peer in &mut peers {
        peer.send(&frame);
    }
    // Served while it works, as far as that can be known.
    if cfg!(target_os = "linux") {
        until("it works", || target.usage.ticks() > before + 10);
    }
    target.serves();
    for peer in &mut peers {
        assert_eq!(peer.take(1), [FIN | RSV1 | BINARY]);
    }
    println!("{} ticks", target.usage.ticks() - before);
    drop(peers);
    target.recovers();
}

#[test]
fn v40_a_gibibyte_of_zeros_for_a_client() {
    let attacker = Attacker::listen();
    for bytes in forms(plain, &compressed_zeros(GIB)) {
        let client = Running::start(&["connect", &attacker.url]);
        let mut peer = attacker.open_compressed();
        peer.send(&plain(0x81, b"before"));
        client.until("it is open", |client| client.stdout() == "before\n");
        let usage = Usage::of(client.id());
        let before = usage.peak();
        // It ends this side at once, and reads away what still comes.
        let _ = peer.try_send(&bytes);
        let close = peer.take(8);
        let code = [close[6] ^ close[2], close[7] ^ close[3]];
        assert_eq!(u16::from_be_bytes(code), 1009);
        let growth = usage.peak() - before;
        println!("memory grew by {} KiB", growth / KIB);
        assert!(growth <= MESSAGE_SIZE_MAX + BEYOND + CONSTANT, "{growth}");
        assert_calm(&client);
        drop(peer);
        let finished = client.finish();
        assert_eq!((finished.code, &*finished.stdout), (Some(7), "before\n"));
    }
}

/// A message that compresses, but not to nothing.
fn message(number: usize) -> String {
    let lines =
        (0..4000).map(|line: usize| format!("{number}: {:x}\n", line.wrapping_mul(0x9e37_79b1)));
    lines.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn v45_compressed_sends_to_a_server_given_up_at_any_poll() {
    let target = Target::start(&[]);
    let mut socket = talkback::connect(&*target.url).await.unwrap();
    socket.feed(message(0)).await.unwrap();
    let size = socket.buffered_amount();
    assert!(size < message(0).len() / 2, "there is a context to break");
    assert_eq!(socket.recv().await.unwrap(), Some(message(0).into()));
    let mut whole = 0;
    for number in 0..100 {
        {
            let mut sending = pin!(socket.send(message(number)));
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..number % 4 {
                if sending.as_mut().poll(&mut cx).is_ready() {
                    break;
                }
            }
        }
        let after = format!("after {number}");
        socket.send(after.clone()).await.unwrap();
        let mut echo = socket.recv().await.unwrap().unwrap();
        if echo == message(number).into() {
            whole += 1;
            echo = socket.recv().await.unwrap().unwrap();
        }
        assert_eq!(echo, after.into());
    }
    println!("{whole} of 100 were sent whole");
    assert!((1..100).contains(&whole), "{whole}");
    assert!(socket.close().await.clean);
    drop(socket);
    tokio::task::block_in_place(|| target.recovers());
}
