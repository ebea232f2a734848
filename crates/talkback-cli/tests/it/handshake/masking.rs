//! F1 to F5: who masks, and how well, between the programs and sockets of the test's own.

use std::collections::HashSet;
use std::io::BufReader;
use std::net::{Shutdown, TcpListener};

use crate::support::raw_client::{dial, exchange, request, response, same};
use crate::support::scripted::{ScriptedResponse, accept, play_with};
use crate::support::wire::{
    BINARY, CLOSE, Frame, NORMAL, PING, PONG, PROTOCOL_ERROR, TEXT, masked, plain, prepare,
    read_head, read_to_end, write,
};
use crate::support::{Running, echo};

/// Frames of the five kinds that an unfragmented conversation has, empty ones among them.
const KINDS: [(u8, &[u8]); 7] = [
    (TEXT, b"Hello!"),
    (TEXT, b""),
    (BINARY, b"\xca\xfe"),
    (PING, b"ping"),
    (PING, b""),
    (PONG, b"pong"),
    (CLOSE, &NORMAL),
];

#[test]
fn f1_a_server_fails_an_unmasked_frame_with_1002_and_delivers_nothing() {
    let (_server, url) = echo(&[]);
    let failed = [response(&[]).as_bytes(), &plain(CLOSE, &PROTOCOL_ERROR)].concat();
    for (first, payload) in KINDS {
        // What follows is not looked at, masked though it is.
        let frames = [plain(first, payload), masked(TEXT, b"late")].concat();
        let sent = [request(&[], &[]).as_bytes(), &frames].concat();
        let came = exchange(&url, &sent, Some(Shutdown::Write));
        same(&came, &failed, &format!("{first:#x} {payload:?}"));
    }
}

#[test]
fn f2_a_client_fails_a_masked_frame_with_1002_and_delivers_nothing() {
    for (first, payload) in KINDS {
        let played = play_with(&[], |accept| {
            let head = crate::support::scripted::response(&[], &[]).replace("{accept}", accept);
            let frames = [masked(first, payload), plain(TEXT, b"late")].concat();
            ScriptedResponse::whole([head.as_bytes(), &frames].concat())
        });
        let what = format!("{first:#x} {payload:?}: {played:?}");
        assert_eq!(played.finished.code, Some(7), "{what}");
        assert_eq!(played.finished.stdout, "", "{what}");
        let frames = Frame::all(&played.behind);
        let last = frames.last().unwrap();
        assert_eq!(last.content(), (CLOSE, &PROTOCOL_ERROR[..]), "{what}");
        assert!(frames.iter().all(|frame| frame.key.is_some()), "{what}");
    }
}

#[test]
fn f3_a_client_masks_every_frame_control_and_empty_ones_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut client = Running::start(&["connect", &url]);
    client.type_in("Hello!\n\n");
    let mut stream = accept(&listener);
    let head = String::from_utf8(read_head(&mut stream)).unwrap();
    write(&mut stream, open(&head).as_bytes());
    let mut came: Vec<Frame> = (0..2).map(|_| Frame::read(&mut stream).unwrap()).collect();
    for ping in [&b"ping"[..], b""] {
        write(&mut stream, &plain(PING, ping));
        came.extend(Frame::read(&mut stream));
    }
    client.stdin = None;
    came.extend(Frame::read(&mut stream));
    write(&mut stream, &plain(CLOSE, b""));
    drop(stream);
    assert_eq!(client.finish().code, Some(0));

    let contents: Vec<_> = came.iter().map(Frame::content).collect();
    let expected: [(u8, &[u8]); 5] = [
        (TEXT, b"Hello!"),
        (TEXT, b""),
        (PONG, b"ping"),
        (PONG, b""),
        (CLOSE, b""),
    ];
    assert_eq!(contents, expected);
    assert!(came.iter().all(|frame| frame.key.is_some()), "{came:?}");
}

/// The 101 for this request.
fn open(request: &str) -> String {
    let key = request.split("Sec-WebSocket-Key: ").nth(1).unwrap();
    let accept = talkback::accept_key(key.lines().next().unwrap());
    crate::support::scripted::response(&[], &[]).replace("{accept}", &accept)
}

#[test]
fn f4_a_server_never_masks() {
    let (_server, url) = echo(&[]);
    let mut stream = dial(&url);
    write(&mut stream, request(&[], &[]).as_bytes());
    read_head(&mut stream);
    for (first, payload) in KINDS {
        write(&mut stream, &masked(first, payload));
        let expected = match first {
            PONG => continue,
            PING => PONG,
            first => first,
        };
        let frame = Frame::read(&mut stream).unwrap();
        assert_eq!(frame.content(), (expected, payload));
        assert_eq!(frame.key, None);
    }
    assert_eq!(read_to_end(&mut stream), b"");
}

/// Within one process, over connections: nothing is made once and kept.
#[tokio::test(flavor = "multi_thread")]
async fn c11_f5_connections_of_one_process_share_no_key() {
    const CONNECTIONS: usize = 500;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let served = (0..CONNECTIONS).map(|_| {
            let mut stream = accept(&listener);
            let head = String::from_utf8(read_head(&mut stream)).unwrap();
            write(&mut stream, open(&head).as_bytes());
            let frame = Frame::read(&mut stream).unwrap();
            let nonce = head.split("Sec-WebSocket-Key: ").nth(1).unwrap();
            (nonce[..24].to_owned(), frame.key.unwrap())
        });
        served.collect::<Vec<_>>()
    });
    for _ in 0..CONNECTIONS {
        let mut socket = talkback::connect(url.as_str()).await.unwrap();
        socket.send("x").await.unwrap();
    }
    let (nonces, keys): (Vec<_>, Vec<_>) = serving.join().unwrap().into_iter().unzip();
    let nonces: HashSet<String> = nonces.into_iter().collect();
    assert_eq!(nonces.len(), CONNECTIONS);
    // Two of 500 random keys are equal once in 34,000 runs; four are not.
    let different: HashSet<[u8; 4]> = keys.into_iter().collect();
    assert!(different.len() + 1 >= CONNECTIONS, "{}", different.len());
    // Each of 16 bytes is random: 22 characters stand for them, and each takes on many values.
    for at in 0..21 {
        let values: HashSet<u8> = nonces.iter().map(|nonce| nonce.as_bytes()[at]).collect();
        assert!(values.len() > 50, "character {at}: {}", values.len());
    }
}

const STARTS: usize = 10;
const KEYS_A_START: usize = 10_000;

/// The masking keys of one process, in order.
fn keys_of_a_start() -> Vec<[u8; 4]> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut client = Running::start(&["connect", &url]);
    let input = std::thread::spawn({
        let mut stdin = client.stdin.take().unwrap();
        move || {
            use std::io::Write as _;
            // Held open until the server has seen all: the end of input is for other tests.
            stdin
                .write_all("x\n".repeat(KEYS_A_START).as_bytes())
                .unwrap();
            stdin
        }
    });
    let mut stream = accept(&listener);
    let head = String::from_utf8(read_head(&mut stream)).unwrap();
    write(&mut stream, open(&head).as_bytes());
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let keys = (0..KEYS_A_START).map(|_| {
        let frame = Frame::read(&mut reader).unwrap();
        assert_eq!(frame.content(), (TEXT, &b"x"[..]));
        frame.key.unwrap()
    });
    let keys = keys.collect();
    prepare(&stream);
    write(&mut stream, &plain(CLOSE, &NORMAL));
    let answer = Frame::read(&mut reader).unwrap();
    assert_eq!(answer.content(), (CLOSE, &NORMAL[..]));
    drop((reader, stream));
    let stdin = input.join().unwrap();
    assert_eq!(client.finish().code, Some(0));
    drop(stdin);
    keys
}

#[test]
fn f5_masking_keys_are_fresh_over_processes_and_frames() {
    let keys: Vec<[u8; 4]> = (0..STARTS).flat_map(|_| keys_of_a_start()).collect();
    let count = STARTS * KEYS_A_START;
    assert_eq!(keys.len(), count);
    // Of 100,000 random keys one pair is equal; more than ten such pairs is chance once in 10^7.
    let different: HashSet<_> = keys.iter().collect();
    let repeats = count - different.len();
    assert!(repeats <= 10, "{repeats} repeats");
    // One key of all zeros is chance once in 40,000 runs, two are not.
    let zeros = keys.iter().filter(|key| **key == [0; 4]).count();
    assert!(zeros <= 1, "{zeros} keys of zeros");
    // Each bit is set in half of them, give or take six standard deviations.
    for bit in 0..32 {
        let is_set = |key: &&[u8; 4]| u32::from_be_bytes(**key) >> bit & 1 == 1;
        let set = keys.iter().filter(is_set).count();
        assert!(set.abs_diff(count / 2) < 1000, "bit {bit}: {set}");
    }
}
