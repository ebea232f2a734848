//! Attacks by frames on a client: V21, V29, V31, V50.

use std::time::Duration;

use crate::support::attack::{
    Attacker, BINARY, CLOSE, CONSTANT, CONTINUATION, FIN, KIB, MESSAGE_SIZE_MAX, PING, PONG, Peer,
    TEXT, Usage, assert_calm, assert_linear, plain, plain_header,
};
use crate::support::{Finished, Running};

/// `talkback connect` with an open WebSocket, and what it held when it was open.
struct Client {
    program: Running,
    peer: Peer,
    usage: Usage,
    peak: u64,
}

impl Client {
    fn open(attacker: &Attacker) -> Self {
        let program = Running::start(&["connect", &attacker.url]);
        let mut peer = attacker.open();
        peer.send(&plain(FIN | TEXT, b"before"));
        program.until("it is open", |program| program.stdout() == "before\n");
        let usage = Usage::of(program.id());
        Self {
            program,
            peer,
            usage,
            peak: usage.peak(),
        }
    }

    /// The next frame, unmasked, behind the pings of its keepalive: its first byte and its payload.
    #[track_caller]
    fn frame(&mut self) -> (u8, Vec<u8>) {
        loop {
            let header = self.peer.take(2);
            assert!((0x80..0xFE).contains(&header[1]), "masked, and short");
            let size = usize::from(header[1] & 0x7F);
            let (key, payload) = (self.peer.take(4), self.peer.take(size));
            if header[0] != FIN | PING {
                let bytes = payload.iter().zip(key.iter().cycle());
                return (header[0], bytes.map(|(byte, key)| byte ^ key).collect());
            }
        }
    }

    /// The code of the close frame that it sends next.
    #[track_caller]
    fn close_code(&mut self) -> u16 {
        let (first, payload) = self.frame();
        assert_eq!(first, FIN | CLOSE);
        u16::from_be_bytes(payload.try_into().unwrap())
    }

    #[track_caller]
    fn grew_at_most(&self, bytes: u64) {
        let growth = self.usage.peak().saturating_sub(self.peak);
        println!("memory grew by {} KiB", growth / KIB);
        assert!(growth <= bytes, "{growth} bytes, {bytes} are allowed");
    }

    /// The server ends, and so does the program.
    #[track_caller]
    fn end(self) -> Finished {
        assert_calm(&self.program);
        drop(self.peer);
        self.program.finish()
    }
}

/// The code that a client closes with after these bytes, by which it fails.
#[track_caller]
fn fails(attacker: &Attacker, bytes: &[u8]) -> u16 {
    let mut client = Client::open(attacker);
    client.peer.send(bytes);
    let code = client.close_code();
    client.grew_at_most(CONSTANT);
    let finished = client.end();
    assert_eq!(
        (finished.code, &*finished.stdout),
        (Some(7), "before\n"),
        "{finished:?}"
    );
    code
}

#[test]
fn v21_lengths_and_sums_that_overflow_in_a_client() {
    let attacker = Attacker::listen();
    let top = 1 << 63;
    for (size, code) in [
        (u32::MAX.into(), 1009),
        (1 << 32, 1009),
        (top - 1, 1009),
        (top, 1002),
        (u64::MAX - 13, 1002),
        (u64::MAX, 1002),
    ] {
        let header = plain_header(FIN | BINARY, size);
        assert_eq!(fails(&attacker, &header), code, "{size}");
    }
    let begin = plain(BINARY, b"x");
    for (size, code) in [
        (MESSAGE_SIZE_MAX, 1009),
        (u32::MAX.into(), 1009),
        (top - 1, 1009),
        (u64::MAX, 1002),
    ] {
        let sum = [&begin[..], &plain_header(FIN | CONTINUATION, size)].concat();
        assert_eq!(fails(&attacker, &sum), code, "1 + {size}");
    }
}

/// A text of so many fragments with this payload each.
fn fragmented(count: usize, payload: &[u8]) -> Vec<u8> {
    let middle = plain(CONTINUATION, payload);
    let mut bytes = plain(TEXT, payload);
    for _ in 2..count {
        bytes.extend_from_slice(&middle);
    }
    bytes.extend_from_slice(&plain(FIN | CONTINUATION, payload));
    bytes
}

#[test]
fn v29_a_million_fragments_for_a_client() {
    let attacker = Attacker::listen();
    let mut client = Client::open(&attacker);
    let mut lines = 1;
    // The bytes, and the messages in them, each of which is printed; the ticks that this took.
    let mut printed = |client: &mut Client, bytes: &[u8], count: usize| {
        let before = client.usage.ticks();
        client.peer.send(bytes);
        lines += count;
        client.program.until("all is printed", |program| {
            program.stdout().lines().count() == lines
        });
        client.usage.ticks() - before
    };
    let empty = fragmented(100_000, b"").repeat(10);
    printed(&mut client, &empty, 10);
    let small = fragmented(1000, b"x").repeat(500);
    let small = printed(&mut client, &small, 500);
    let large = fragmented(100_000, b"x").repeat(5);
    let large = printed(&mut client, &large, 5);
    assert_linear("fragments", small, large);
    let message = fragmented(10_000, b"x");
    assert_eq!(
        client.peer.drip(&message),
        message.len(),
        "in 1-byte writes"
    );
    printed(&mut client, b"", 1);
    let stdout = client.program.stdout();
    assert!(stdout.ends_with(&format!("\n{}\n", "x".repeat(10_000))));
    client.grew_at_most(CONSTANT);
    client.usage.is_idle(Duration::from_millis(500), 10);
    client.peer.send(&fragmented(131_073, b""));
    assert_eq!(client.close_code(), 1008);
    client.grew_at_most(CONSTANT);
    assert_eq!(client.end().code, Some(7));
}

#[test]
fn v31_close_codes_received_by_a_client() {
    let attacker = Attacker::listen();
    let listed = [1000, 1003, 1007, 1014, 3000, 3999, 4999];
    let others = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535];
    for code in listed.into_iter().chain(others) {
        let mut client = Client::open(&attacker);
        client
            .peer
            .send(&plain(FIN | CLOSE, &u16::to_be_bytes(code)));
        let answer = if listed.contains(&code) { code } else { 1002 };
        assert_eq!(client.close_code(), answer, "{code}");
        let finished = client.end();
        assert_eq!(
            finished.code == Some(0),
            code == 1000,
            "{code}: {finished:?}"
        );
    }
}

/// A million of them are many times what the buffers of TCP and [`CONSTANT`] hold.
const PAYLOAD: [u8; 40] = [b'p'; 40];

#[test]
fn v50_a_million_pings_for_a_client_whose_answers_are_never_read() {
    let attacker = Attacker::listen();
    let mut client = Client::open(&attacker);
    let pings = plain(FIN | PING, &PAYLOAD).repeat(10_000);
    for _ in 0..100 {
        client.peer.send(&pings);
    }
    client.peer.send(&plain(FIN | TEXT, b"last"));
    client
        .program
        .until("the last message is there", |program| {
            program.stdout() == "before\nlast\n"
        });
    client.grew_at_most(CONSTANT);
    client.usage.is_idle(Duration::from_millis(500), 10);
    // It is a connection as any other once its answers are read.
    client.program.stdin = None;
    let mut pongs = 0;
    loop {
        let (first, payload) = client.frame();
        if first == FIN | CLOSE {
            break;
        }
        assert_eq!((first, &payload[..]), (FIN | PONG, &PAYLOAD[..]));
        pongs += 1;
    }
    println!("{pongs} pongs for 1,000,000 pings");
    assert!((1..1_000_000).contains(&pongs));
    client.peer.send(&plain(FIN | CLOSE, b"\x03\xE8"));
    assert_eq!(client.end().code, Some(0));
}
