//! Nothing grows with what has no end: input, output that nobody reads, a peer's flood. Each process has so many
//! addresses and no more, and is held to what it has resident.

use std::io::Read as _;
use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::attack::{
    Attacker, BINARY, FIN, MESSAGE_SIZE_MAX, PING, Peer, REQUEST, TEXT, frame, plain,
};
use crate::support::first_line;
use crate::support::held::{Held, flood, is_bounded};
use crate::support::terminal::{Folder, Terminal};
use crate::support::wire::in_parallel;

/// Arguments, what comes again and again, and the size of the largest message if that counts.
type Case = (&'static [&'static str], Vec<u8>, u64);

/// How long a peer floods what does not hold it up.
const TIME: Duration = Duration::from_secs(2);

fn largest(byte: u8) -> Vec<u8> {
    vec![byte; usize::try_from(MESSAGE_SIZE_MAX).unwrap()]
}

/// So many bytes of messages of the same kind.
fn messages(first: u8, payload: &[u8]) -> Vec<u8> {
    let one = plain(first, payload);
    one.repeat((64 * 1024_usize).div_ceil(one.len()))
}

/// The address in the line that a server begins with.
fn address_in(line: &str) -> SocketAddr {
    let url = line.split_whitespace().find(|word| word.contains("://"));
    url.unwrap().split('/').nth(2).unwrap().parse().unwrap()
}

fn line(size: usize, byte: u8) -> Vec<u8> {
    [&*vec![byte; size], b"\n"].concat()
}

#[test]
fn endless_input_for_a_server_that_reads_nothing() {
    let megabytes = usize::try_from(MESSAGE_SIZE_MAX).unwrap();
    let cases: [Case; 9] = [
        (&[], line(1000, b'x'), 0),
        (&[], b"\n".repeat(65_536), 0),
        (&["-0"], vec![0; 65_536], 0),
        (&["--binary", "--frame", "64KiB"], vec![7; 65_536], 0),
        (&["--hex"], line(1000, b'0'), 0),
        (&["--reconnect"], line(1000, b'x'), 0),
        (
            &["--binary", "--frame", "16MiB"],
            vec![7; 65_536],
            MESSAGE_SIZE_MAX,
        ),
        (&[], line(megabytes, b'x'), MESSAGE_SIZE_MAX),
        (&["--base64"], line(megabytes, b'A'), MESSAGE_SIZE_MAX),
    ];
    in_parallel(cases.len(), |number| {
        let (arguments, input, size_max) = &cases[number];
        let attacker = Attacker::listen();
        let mut client = Held::start(&[&["connect", &attacker.url], *arguments].concat());
        let _peer = attacker.open();
        client.feed(input.clone());
        client.rests();
        client.is_bounded(&format!("{arguments:?}"), *size_max);
    });
}

#[test]
fn endless_input_while_there_is_no_connection() {
    let attacker = Attacker::listen();
    let mut client = Held::start(&["connect", &attacker.url, "--reconnect"]);
    drop(attacker.open());
    drop(attacker);
    client.feed(line(1000, b'x'));
    client.rests();
    client.is_bounded("reconnecting", 0);
}

#[test]
fn a_server_s_flood_whose_messages_nobody_reads() {
    let text = FIN | TEXT;
    let json = br#"{"a":[1,2,{"b":"\u0007"}]}"#;
    let cases: [Case; 14] = [
        (&[], messages(text, &[b'x'; 1000]), 0),
        (&[], messages(text, b""), 0),
        (&[], messages(FIN | PING, b"there?"), 0),
        (&["--json"], messages(text, &[1; 1000]), 0),
        (&["--json"], messages(FIN | PING, b"there?"), 0),
        (&["--escape"], messages(text, &[1; 1000]), 0),
        (&["--color", "always"], messages(text, json), 0),
        (&["--hex"], messages(FIN | BINARY, &[7; 60_000]), 0),
        (&["-vv"], messages(text, b"x"), 0),
        (&["--reconnect"], messages(text, &[b'x'; 1000]), 0),
        (&[], plain(text, &largest(b'x')), MESSAGE_SIZE_MAX),
        (&["--json"], plain(text, &largest(1)), MESSAGE_SIZE_MAX),
        (
            &["--base64"],
            plain(FIN | BINARY, &largest(1)),
            MESSAGE_SIZE_MAX,
        ),
        (
            &["--reconnect"],
            plain(text, &largest(b'x')),
            MESSAGE_SIZE_MAX,
        ),
    ];
    in_parallel(cases.len(), |number| {
        let (arguments, frames, size_max) = &cases[number];
        let attacker = Attacker::listen();
        let mut client = Held::start(&[&["connect", &attacker.url], *arguments].concat());
        let mut peer = attacker.open();
        flood(&mut peer, frames, TIME);
        client.is_bounded(&format!("{arguments:?}"), *size_max);
    });
}

#[test]
fn a_server_s_flood_whose_messages_are_read_slowly() {
    let small = messages(FIN | TEXT, &[1; 1000]);
    let large = plain(FIN | BINARY, &largest(1));
    let cases: [Case; 6] = [
        (&[], small.clone(), 0),
        (&["--json"], small.clone(), 0),
        (&["--escape"], small, 0),
        (&["--json"], large.clone(), MESSAGE_SIZE_MAX),
        (&["--base64"], large.clone(), MESSAGE_SIZE_MAX),
        (&["--reconnect"], large, MESSAGE_SIZE_MAX),
    ];
    in_parallel(cases.len(), |number| {
        let (arguments, frames, size_max) = &cases[number];
        let attacker = Attacker::listen();
        let mut client = Held::start(&[&["connect", &attacker.url], *arguments].concat());
        let mut peer = attacker.open();
        let mut stdout = client.stdout.take().unwrap();
        let reading = thread::spawn(move || {
            let mut bytes = vec![0; 64 * 1024];
            while stdout.read(&mut bytes).is_ok_and(|size| size > 0) {
                thread::sleep(Duration::from_millis(1));
            }
        });
        let begin = Instant::now();
        while begin.elapsed() < TIME {
            flood(&mut peer, frames, TIME);
        }
        client.is_bounded(&format!("{arguments:?}"), *size_max);
        drop(client);
        reading.join().unwrap();
    });
}

#[test]
fn floods_of_the_clients_of_listen() {
    let small = frame(FIN | TEXT, &[b'x'; 1000]).repeat(64);
    let cases: [Case; 4] = [
        (&[], small.clone(), 0),
        (&["--json"], small, 0),
        (&["--json"], frame(FIN | PING, b"there?").repeat(1000), 0),
        (&[], frame(FIN | TEXT, &largest(b'x')), MESSAGE_SIZE_MAX),
    ];
    in_parallel(cases.len(), |number| {
        let (arguments, frames, size_max) = &cases[number];
        // Each may have a message of the largest size.
        let clients = if *size_max == 0 { 8 } else { 1 };
        let mut server = Held::start(&[&["listen", "127.0.0.1:0"], *arguments].concat());
        let address = address_in(&first_line(server.stderr.as_mut().unwrap()));
        // Nobody reads what is said to the clients either.
        server.feed(line(1000, b'x'));
        thread::scope(|scope| {
            for _ in 0..clients {
                scope.spawn(|| {
                    let mut peer = Peer::connect(address);
                    peer.send(REQUEST.replace("Host: x", "Host: localhost").as_bytes());
                    peer.head();
                    flood(&mut peer, frames, TIME);
                });
            }
        });
        server.is_bounded(&format!("{arguments:?}"), *size_max);
    });
}

#[test]
fn bench_against_servers_that_flood_or_are_silent() {
    let cases: [(&[&str], Vec<u8>); 4] = [
        (&[], messages(FIN | TEXT, b"x")),
        (&["--expect-any"], messages(FIN | TEXT, &[b'x'; 1000])),
        (&["--rate", "1000000"], Vec::new()),
        (&["--pipeline", "65535", "--size", "1"], Vec::new()),
    ];
    in_parallel(cases.len(), |number| {
        let (arguments, frames) = &cases[number];
        let attacker = Attacker::listen();
        let load = [
            "bench",
            &attacker.url,
            "-c",
            "1",
            "-d",
            "60",
            "--no-compression",
        ];
        let mut client = Held::start(&[&load, *arguments].concat());
        let mut peer = attacker.open();
        match frames.is_empty() {
            true => thread::sleep(TIME / 2),
            false => flood(&mut peer, frames, TIME),
        }
        client.is_bounded(&format!("{arguments:?}"), 0);
    });
}

#[test]
fn echo_and_its_log_after_many_messages() {
    let mut server = Held::start(&["echo", "--listen", "127.0.0.1:0", "-vv"]);
    let address = address_in(&first_line(server.stdout.as_mut().unwrap()));
    let many = frame(FIN | TEXT, b"a message of some bytes").repeat(1000);
    let answers = plain(FIN | TEXT, b"a message of some bytes").repeat(1000);
    let mut peers: Vec<Peer> = (0..4).map(|_| Peer::open(address)).collect();
    for _ in 0..10 {
        for peer in &mut peers {
            peer.send(&many);
        }
        for peer in &mut peers {
            assert!(peer.take(answers.len()) == answers);
        }
    }
    // Some read nothing any more.
    for peer in &mut peers {
        flood(peer, &many, TIME);
    }
    server.is_bounded("echo", 0);
}

#[test]
fn a_server_s_flood_at_the_prompt() {
    let attacker = Attacker::listen();
    let folder = Folder::new("flood");
    let (mut terminal, usage) = Terminal::measured(&folder, &[&attacker.url]);
    let mut peer = attacker.open();
    terminal.shows("> ");
    terminal.press("typed meanwhile");
    flood(&mut peer, &messages(FIN | TEXT, &[1; 1000]), TIME);
    flood(
        &mut peer,
        &messages(FIN | TEXT, br#"{"a":[1,2,{"b":0}]}"#),
        TIME,
    );
    is_bounded("the prompt", usage);
    peer.stream.shutdown(Shutdown::Both).unwrap();
    assert_eq!(terminal.exit_code(), Some(8));
}
