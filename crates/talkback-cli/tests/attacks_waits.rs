//! Attacks that only wait, until a timeout ends them: V15, V53, V55.

mod attacks_support;
mod support;

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use attacks_support::{Attacker, CONSTANT, KIB, Peer, Target, Usage, assert_calm, frame, until};
use support::{LIMIT, Running};
use talkback::{CloseCause, Error, Keepalive};

/// How many connections a test may open: its own limit of descriptors, halved, but not too many.
fn connections_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let limit = line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    (limit.unwrap_or(256) / 2).min(2000)
}

/// Connections that never say enough.
struct Stalled(Vec<Peer>);

impl Stalled {
    fn start(address: SocketAddr, count: usize, beginning: &[u8]) -> Self {
        let peers = (0..count).map(|_| {
            let mut peer = Peer::connect(address);
            peer.send(beginning);
            peer
        });
        Self(peers.collect())
    }

    /// Sends one byte more on each of them.
    fn drip(&mut self, byte: u8) {
        for peer in &mut self.0 {
            peer.try_send(&[byte]);
        }
    }

    /// Holds that the server has ended each of them without an answer in HTTP.
    fn assert_gone(&mut self) {
        for peer in &mut self.0 {
            let rest = peer.rest();
            assert!(!rest.starts_with(b"HTTP"), "{rest:?}");
        }
    }
}

#[test]
fn v15_connections_that_send_nothing_or_a_byte_a_second_or_stall_in_tls() {
    let plain = Target::start(&[]);
    let tls = Target::start(&["--tls-self-signed"]);
    let count = connections_max() / 4;
    let mut silent = Stalled::start(plain.address, count, b"");
    let mut dripping = Stalled::start(plain.address, count, b"GET /");
    let mut stalled = Stalled::start(tls.address, count, &[22, 3, 1, 2, 0]);
    let mut mute = Stalled::start(tls.address, count, b"");
    until("all are accepted", || {
        plain.usage.descriptors() >= 2 * count && tls.usage.descriptors() >= 2 * count
            || cfg!(not(target_os = "linux"))
    });
    plain.serves();
    if cfg!(target_os = "linux") {
        assert!(
            plain.descriptors() > count,
            "served while the others hold on"
        );
    }
    let begun = std::time::Instant::now();
    let is_over = || plain.descriptors() == 0 && begun.elapsed() > Duration::from_secs(1);
    while !is_over() && begun.elapsed() < support::LIMIT {
        dripping.drip(b'x');
        thread::sleep(Duration::from_secs(1));
    }
    for group in [&mut silent, &mut dripping, &mut stalled, &mut mute] {
        group.assert_gone();
    }
    println!("{} connections, half of them over TLS", 4 * count);
    // A connection may hold what TLS needs for its handshake.
    plain.grew_at_most(CONSTANT + 2 * count as u64 * 4 * KIB);
    tls.grew_at_most(CONSTANT + 2 * count as u64 * 16 * KIB);
    plain.recovers();
    until("TLS has given up as well", || tls.descriptors() == 0);
    assert_calm(&tls.server);
}

#[test]
fn v53_peers_that_ignore_the_closing_handshake() {
    // The same time passes for clients.
    let clients = thread::spawn(servers_that_ignore_the_closing_handshake);
    let target = Target::start(&[]);
    // It closes TCP at once after the close frames, whatever the client does.
    let mut closing = Peer::open(target.address);
    closing.send(&frame(0x88, b"\x03\xE8"));
    assert_eq!(closing.rest(), b"\x88\x02\x03\xE8");
    until("the descriptor is free", || target.descriptors() == 0);

    // It fails the connection, and reads on until the client ends TCP or the close timeout is over.
    let mut broken: Vec<Peer> = (0..10).map(|_| Peer::open(target.address)).collect();
    for peer in &mut broken {
        peer.send(&frame(0xFF, b""));
        assert_eq!(peer.take(4), b"\x88\x02\x03\xEA");
    }
    let flood = frame(0x82, &[7; 1000]);
    let mut flooding = broken.pop().unwrap();
    let flooding = thread::spawn(move || {
        let begun = Instant::now();
        while flooding.try_send(&flood) && begun.elapsed() < LIMIT {
            thread::sleep(Duration::from_millis(20));
        }
        assert!(begun.elapsed() < LIMIT, "nobody cuts it");
    });
    target.serves();
    until("all are cut", || target.descriptors() == 0);
    flooding.join().unwrap();
    target.grew_at_most(CONSTANT);
    drop((closing, broken));
    target.recovers();
    clients.join().unwrap();
}

fn servers_that_ignore_the_closing_handshake() {
    let attacker = Attacker::listen();
    // The input ends, so that the client closes.
    let start = || {
        let mut client = Running::start(&["connect", &attacker.url]);
        client.stdin = None;
        let peer = attacker.open();
        (client, peer)
    };
    let (ignored, mut ignoring) = start();
    let (answered, mut answering) = start();
    for peer in [&mut ignoring, &mut answering] {
        assert_eq!(peer.take(2), [0x88, 0x80], "a close frame without a code");
        peer.take(4);
    }
    // The close frame is answered, but TCP is kept open.
    answering.send(b"\x88\x02\x03\xE8");
    for client in [&ignored, &answered] {
        Usage::of(client.id()).is_idle(Duration::from_millis(500), 10);
    }
    assert_eq!(ignored.finish().code, Some(8), "lost");
    assert_eq!(answered.finish().code, Some(0), "closed");
    drop((ignoring, answering));
}

/// A server that freezes: the kernel still acknowledges what comes.
#[cfg(unix)]
#[tokio::test]
async fn v55_a_server_that_freezes() {
    assert_eq!(Keepalive::default().interval, Duration::from_secs(20));
    assert_eq!(Keepalive::default().timeout, Duration::from_secs(20));
    let target = Target::start(&[]);
    let keepalive = Keepalive {
        interval: Duration::from_millis(500),
        timeout: Duration::from_millis(500),
    };
    let connecting = talkback::connect(&*target.url).keepalive(keepalive);
    let mut socket = connecting.await.unwrap();
    socket.send("alive").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("alive".into()));
    target.server.signal("STOP");
    let dead = tokio::time::timeout(LIMIT, socket.recv()).await.unwrap();
    assert!(
        matches!(&dead, Err(Error::Closed(info)) if info.cause == CloseCause::KeepaliveTimeout),
        "{dead:?}"
    );
    assert!(socket.transport().is_none(), "the descriptor is free");
    target.server.signal("CONT");
    tokio::task::spawn_blocking(move || target.recovers())
        .await
        .unwrap();
}
