//! V52: every future dropped at every poll gives the same events as an uninterrupted run.

use std::future::{IntoFuture, poll_fn};
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use talkback::{CloseInfo, Message, WebSocket};
use talkback_proto::{Header, Opcode};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::dropping::{Cut, Runner, run};
use crate::support::{Fin, Happened, Log, Script, masked, server, written};

#[derive(Debug, PartialEq)]
struct Outcome {
    messages: Vec<Message>,
    written: Vec<u8>,
    info: CloseInfo,
}

fn session() -> Vec<u8> {
    [
        masked(Fin::More, Opcode::Text, "안녕".as_bytes()),
        masked(Fin::Last, Opcode::Ping, b"?"),
        masked(Fin::Last, Opcode::Continuation, "하세요".as_bytes()),
        masked(Fin::Last, Opcode::Binary, &[2; 100_000]),
        masked(Fin::Last, Opcode::Binary, &[3; 70_000]),
        masked(Fin::Last, Opcode::Text, b"last"),
        masked(Fin::Last, Opcode::Close, b"\x03\xe8"),
    ]
    .concat()
}

fn socket() -> (WebSocket<Script>, Log) {
    server(Script::trickle(&session(), 3_000).write_max(2_000))
}

/// Echoes with recv, feed and flush. A dropped feed has queued nothing, so it is made again.
fn echo(cut: Cut) -> (Outcome, usize) {
    let (mut socket, log) = socket();
    let mut runner = Runner::new(cut);
    let mut messages = Vec::new();
    while let Some(message) = run!(runner, socket.recv()).unwrap() {
        run!(runner, socket.feed(message.clone())).unwrap();
        run!(runner, socket.flush()).unwrap();
        messages.push(message);
    }
    let info = run!(runner, socket.close());
    (
        Outcome {
            messages,
            written: written(&log),
            info,
        },
        runner.polls,
    )
}

#[tokio::test(start_paused = true)]
async fn v52_receiving_and_feeding_dropped_at_every_poll() {
    let (expected, polls) = echo(Cut::Never);
    assert_eq!(expected.messages.len(), 4);
    assert!(polls > 100, "the script is meant to be slow: {polls} polls");
    for poll in 1..=polls {
        let (outcome, _) = echo(Cut::At(poll));
        assert!(outcome == expected, "dropped at poll {poll}");
    }
    let (outcome, _) = echo(Cut::Always);
    assert!(outcome == expected, "dropped at every poll");
}

/// The payloads of such frames in a server's bytes; panics at a cut frame.
fn payloads(opcode: Opcode, mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    while !bytes.is_empty() {
        let (header, size) = Header::decode(bytes).unwrap().expect("a whole header");
        let end = size + usize::try_from(header.payload_size).unwrap();
        if header.opcode == opcode {
            payloads.push(bytes[size..end].to_vec());
        }
        bytes = &bytes[end..];
    }
    payloads
}

/// Sends messages whose futures are dropped; returns those whose sending came to its end, and
/// what left.
fn send(cut: Cut) -> (Vec<usize>, Vec<Vec<u8>>, usize) {
    let (mut socket, log) = socket();
    let mut runner = Runner::new(cut);
    let mut done = Vec::new();
    for number in 0..8u8 {
        let size = 40_000 * usize::from(number % 3);
        let sent = runner.try_run(socket.send(vec![number; size + 1]));
        if let Some(outcome) = sent {
            outcome.unwrap();
            done.push(usize::from(number));
        }
    }
    run!(runner, socket.flush()).unwrap();
    let left = payloads(Opcode::Binary, &written(&log));
    (done, left, runner.polls)
}

#[tokio::test(start_paused = true)]
async fn v52_a_dropped_send_has_queued_the_whole_message_or_nothing() {
    let (done, whole, polls) = send(Cut::Never);
    assert_eq!((done.len(), whole.len()), (8, 8));
    for cut in (1..=polls).map(Cut::At).chain([Cut::Always]) {
        let (done, left, _) = send(cut);
        let numbers: Vec<usize> = left.iter().map(|payload| usize::from(payload[0])).collect();
        assert!(numbers.is_sorted(), "{cut:?}: {numbers:?} out of order");
        for payload in &left {
            assert!(whole.contains(payload), "{cut:?}: a message left in part");
        }
        for number in done {
            let times = numbers.iter().filter(|other| **other == number).count();
            assert_eq!(times, 1, "{cut:?}: message {number} left {times} times");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn v52_a_dropped_ping_has_left_whole_or_not_at_all() {
    for cut in (1..40).map(Cut::At).chain([Cut::Never, Cut::Always]) {
        let (mut socket, log) = socket();
        let mut runner = Runner::new(cut);
        let mut done = Vec::new();
        for number in 0..8u8 {
            if let Some(outcome) = runner.try_run(socket.ping(vec![number; 100])) {
                outcome.unwrap();
                done.push(vec![number; 100]);
            }
        }
        run!(runner, socket.flush()).unwrap();
        let left = payloads(Opcode::Ping, &written(&log));
        assert!(left.is_sorted() && left.iter().all(|ping| ping.len() == 100));
        let is_there = |ping: &Vec<u8>| left.contains(ping);
        assert!(done.iter().all(is_there), "{cut:?}: {left:?}");
    }
}

/// A server that takes connections and says nothing, and counts those that are open.
async fn silent_server() -> (SocketAddr, watch::Receiver<(usize, usize)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (counts, seen) = watch::channel((0, 0));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let counts = counts.clone();
            counts.send_modify(|(came, _)| *came += 1);
            tokio::spawn(async move {
                let _ = stream.read_to_end(&mut Vec::new()).await;
                counts.send_modify(|(_, gone)| *gone += 1);
            });
        }
    });
    (address, seen)
}

#[tokio::test]
async fn v52_connecting_dropped_at_any_poll_closes_the_transport() {
    let (address, mut seen) = silent_server().await;
    for polls in 1..=20 {
        {
            let mut connecting = talkback::connect(format!("ws://{address}/")).into_future();
            for _ in 0..polls {
                let once = poll_fn(|cx| Poll::Ready(connecting.as_mut().poll(cx)));
                assert!(once.await.is_pending());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        // Whether or not the connection was made, none is left.
        let gone = seen.wait_for(|(came, gone)| came == gone);
        let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
        drop(gone.expect("a connection is left open").unwrap());
    }
    assert!(seen.borrow().0 > 10, "{:?}", *seen.borrow());
}

/// Closes while messages still come, and finds the same end however often it is dropped.
fn close(cut: Cut) -> (CloseInfo, Vec<u8>, usize) {
    let (mut socket, log) = socket();
    let mut runner = Runner::new(cut);
    run!(runner, socket.recv()).unwrap().unwrap();
    let info = run!(runner, socket.close());
    assert_eq!(
        run!(runner, socket.close()),
        info,
        "closing again returns the same"
    );
    assert!(run!(runner, socket.recv()).unwrap().is_none());
    (info, written(&log), runner.polls)
}

#[tokio::test(start_paused = true)]
async fn v52_closing_dropped_at_every_poll() {
    let (info, bytes, polls) = close(Cut::Never);
    assert!(info.clean);
    for cut in (1..=polls).map(Cut::At).chain([Cut::Always]) {
        let (other, others, _) = close(cut);
        assert_eq!((&other, &others), (&info, &bytes), "{cut:?}");
    }
}

/// A request in pieces with waits between, and a transport that takes the answer slowly.
fn handshake_script() -> Script {
    let request = b"GET /chat HTTP/1.1\r\nHost: example\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n";
    Script::trickle(request, 10).write_max(10)
}

#[tokio::test(start_paused = true)]
async fn v52_accepting_dropped_at_any_poll_closes_the_transport() {
    let script = handshake_script();
    let mut runner = Runner::new(Cut::Never);
    let accepted = runner.try_run(talkback::accept(script).into_future());
    assert!(accepted.unwrap().is_ok());
    for poll in 1..runner.polls {
        let script = handshake_script();
        let log = script.log.clone();
        let accepted = Runner::new(Cut::At(poll)).try_run(talkback::accept(script).into_future());
        assert!(accepted.is_none());
        let last = log.lock().unwrap().last().cloned();
        assert_eq!(last, Some(Happened::Dropped), "dropped at poll {poll}");
    }
}
