//! Attacks that only wait, until a timeout ends them: V15, V53, V55.

use std::io::Write as _;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use talkback::{CloseCause, Error, Keepalive};

use crate::support::attack::{
    Attacker, CONSTANT, KIB, Peer, Target, Usage, frame, raise_descriptors, until,
};
use crate::support::{LIMIT, Running};

const CONNECTIONS: usize = 10_000;

/// Descriptors that are none of this test's connections.
const OTHER_DESCRIPTORS: usize = 300;

/// How many connections V15 is tried with: all of them, if the machine lets a process have so many.
fn connections() -> usize {
    let limit = raise_descriptors();
    let count = CONNECTIONS.min(limit.saturating_sub(OTHER_DESCRIPTORS));
    if count < CONNECTIONS {
        // What the macros print is not shown for a test that passes.
        let _ = writeln!(
            std::io::stderr(),
            "V15: {count} connections instead of {CONNECTIONS}: a process may have {limit} descriptors"
        );
    }
    count
}

/// The time that the closing handshake is given by default, less what a clock may be off.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(9_900);

/// The time that a server gives both handshakes together.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

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

/// The servers that are to serve others meanwhile, and how many connections each of them has to bear.
struct Besieged {
    plain: Target,
    tls: Target,
    each: usize,
}

impl Besieged {
    /// Waits until all are held at the same time. On a machine so slow that the first are gone before
    /// the last have come, it is as many as there are then.
    fn wait_until_held(&self, begun: Instant) {
        let held = || self.plain.descriptors() + self.tls.descriptors();
        let all = 2 * self.each;
        until("all are held", || {
            cfg!(not(target_os = "linux"))
                || held() >= all
                || begun.elapsed() > HANDSHAKE_TIMEOUT * 3 / 4
        });
        let (held, after) = (held(), begun.elapsed());
        println!("{held} of {all} connections are held after {after:?}");
        if held < all && cfg!(target_os = "linux") {
            let _ = writeln!(std::io::stderr(), "V15: {held} of {all} at the same time");
        }
    }

    fn assert_served_meanwhile(&self) {
        for target in [&self.plain, &self.tls] {
            let asked = Instant::now();
            target.serves();
            println!("a client was served in {:?}", asked.elapsed());
            if cfg!(target_os = "linux") {
                assert!(target.descriptors() > 0, "the others hold on");
            }
        }
    }

    /// How many connections the servers have given up for want of time.
    fn given_up(&self) -> usize {
        let given_up = |target: &Target| {
            let log = target.server.stderr();
            log.matches("did not finish the opening handshake within 10s")
                .count()
        };
        given_up(&self.plain) + given_up(&self.tls)
    }
}

#[test]
fn v15_connections_that_send_nothing_or_a_byte_a_second_or_stall_in_tls() {
    // The limit comes first: the servers inherit it.
    let count = connections() / 4;
    let besieged = Besieged {
        plain: Target::start(&[]),
        tls: Target::start(&["--tls-self-signed"]),
        each: 2 * count,
    };
    let (plain, tls) = (&besieged.plain, &besieged.tls);
    let begun = Instant::now();
    // Side by side: a full queue of connections that wait to be accepted holds a client up for seconds.
    let [mut silent, mut dripping, mut stalled, mut mute] = thread::scope(|scope| {
        let start = |address, beginning: &'static [u8]| {
            scope.spawn(move || Stalled::start(address, count, beginning))
        };
        let groups = [
            start(plain.address, b""),
            start(plain.address, b"GET /"),
            start(tls.address, &[22, 3, 1, 2, 0]),
            start(tls.address, b""),
        ];
        groups.map(|group| group.join().unwrap())
    });
    besieged.wait_until_held(begun);
    besieged.assert_served_meanwhile();
    while besieged.given_up() < 4 * count && begun.elapsed() < 2 * LIMIT {
        dripping.drip(b'x');
        thread::sleep(Duration::from_secs(1));
    }
    println!("all are gone after {:?}", begun.elapsed());
    assert_eq!(
        besieged.given_up(),
        4 * count,
        "gone by the timeout, each of them"
    );
    for group in [&mut silent, &mut dripping, &mut stalled, &mut mute] {
        group.assert_gone();
    }
    // A connection may hold what TLS needs for its handshake.
    plain.grew_at_most(CONSTANT + 2 * count as u64 * 4 * KIB);
    tls.grew_at_most(CONSTANT + 2 * count as u64 * 16 * KIB);
    plain.recovers();
    tls.recovers();
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
    let begun = Instant::now();
    let mut broken: Vec<Peer> = (0..10).map(|_| Peer::open(target.address)).collect();
    for peer in &mut broken {
        peer.send(&frame(0xFF, b""));
        assert_eq!(peer.take(4), b"\x88\x02\x03\xEA");
    }
    let flood = frame(0x82, &[7; 1000]);
    let mut flooding = broken.pop().unwrap();
    let flooding = thread::spawn(move || {
        while flooding.try_send(&flood) && begun.elapsed() < LIMIT {
            thread::sleep(Duration::from_millis(20));
        }
        assert!(begun.elapsed() < LIMIT, "nobody cuts it");
        assert!(begun.elapsed() > CLOSE_TIMEOUT, "it was read away");
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
    let begun = Instant::now();
    // The input ends, so that the client closes after a second without a message.
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
    let waited = begun.elapsed();
    assert!(
        waited > CLOSE_TIMEOUT + Duration::from_secs(1),
        "{waited:?}"
    );
    drop((ignoring, answering));
}

/// The program finds out by itself, and a person who types nothing learns of it.
#[test]
fn v55_a_server_that_freezes_while_the_program_waits() {
    let attacker = Attacker::listen();
    let client = Running::start(&["connect", &attacker.url]);
    let begun = Instant::now();
    let frozen = attacker.open();
    // Less than 20 s of silence and 20 s for the answer to its ping.
    thread::sleep(Duration::from_secs(38));
    assert!(!client.stderr().contains("ping"), "{}", client.stderr());
    let finished = client.finish();
    assert!(begun.elapsed() > Duration::from_millis(39_900));
    assert_eq!(finished.code, Some(8), "lost");
    let why = "the peer did not answer a ping in time";
    assert!(finished.stderr.contains(why), "{}", finished.stderr);
    drop(frozen);
}

/// A server that freezes: the kernel still acknowledges what comes.
#[cfg(unix)]
#[tokio::test]
async fn v55_a_server_that_freezes() {
    assert_eq!(Keepalive::default().ping_after(), Duration::from_secs(20));
    assert_eq!(Keepalive::default().end_after(), Duration::from_secs(20));
    let target = Target::start(&[]);
    let keepalive = Duration::from_millis(500);
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
