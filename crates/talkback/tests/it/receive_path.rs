//! The path of a received byte: what is copied, what is answered when, what is lost when.

use std::io;

use bytes::Bytes;
use talkback::{CloseCause, CloseCode, Error, Initiator, Message, Role, WebSocket};
use talkback_proto::{Opcode, READ_SIZE};

use crate::support::{Fin, Happened, Log, Read, Script, end, masked, plain, server, written};

const MIB: usize = 1024 * 1024;

async fn messages(socket: &mut WebSocket<Script>) -> (Vec<Message>, Option<Error>) {
    let mut messages = Vec::new();
    loop {
        match socket.recv().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, None),
            Err(error) => {
                assert!(
                    socket.recv().await.unwrap().is_none(),
                    "an error is reported once"
                );
                return (messages, Some(error));
            }
        }
    }
}

/// How many of the bytes read lie outside the message: those were copied, headers included.
fn copied(log: &Log, message: &Message) -> usize {
    let place = message.as_bytes().as_ptr_range();
    let place = place.start as usize..place.end as usize;
    let log = log.lock().unwrap();
    let reads = log.iter().filter_map(|happened| match happened {
        Happened::Read(range) => Some(range.clone()),
        _ => None,
    });
    reads
        .filter(|read| read.start < place.start || read.end > place.end)
        .map(|read| read.len())
        .sum()
}

#[tokio::test]
async fn of_a_1_mib_message_at_most_one_pooled_read_is_copied() {
    let payload = vec![7; MIB];
    let bytes = masked(Fin::Last, Opcode::Binary, &payload);
    let (mut socket, log) = server(Script::new([Read::Bytes(bytes.into())]));
    let message = socket.recv().await.unwrap().unwrap();
    assert_eq!(message.as_bytes(), payload);
    let copied = copied(&log, &message);
    println!("of 1,048,576 bytes {copied} were copied in user space");
    assert!(copied <= READ_SIZE, "{copied} bytes copied");
}

#[tokio::test]
async fn of_a_large_message_that_begins_slowly_one_part_in_sixteen_is_copied() {
    let payload = vec![7; MIB];
    let bytes = Bytes::from(masked(Fin::Last, Opcode::Binary, &payload));
    for first in [1, 14, 15, 100, 1460, 5000, READ_SIZE] {
        let reads = [
            Read::Bytes(bytes.slice(..first)),
            Read::Bytes(bytes.slice(first..)),
        ];
        let (mut socket, log) = server(Script::new(reads));
        let message = socket.recv().await.unwrap().unwrap();
        assert_eq!(message.as_bytes(), payload);
        let copied = copied(&log, &message);
        assert!(
            copied <= READ_SIZE + MIB / 16,
            "{copied} bytes copied, first read {first}"
        );
    }
}

#[tokio::test]
async fn a_ping_between_two_fragments_is_answered_before_the_next_is_read() {
    let fragment = vec![b'a'; 8 * MIB];
    let segments = [
        masked(Fin::More, Opcode::Text, &fragment),
        masked(Fin::Last, Opcode::Ping, b"now"),
        masked(Fin::Last, Opcode::Continuation, &fragment),
        masked(Fin::Last, Opcode::Close, b""),
    ];
    let (mut socket, log) = server(Script::new(segments.map(|s| Read::Bytes(s.into()))));
    let (messages, _) = messages(&mut socket).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].len(), 16 * MIB);

    let log = log.lock().unwrap();
    let pong = Happened::Written(plain(Fin::Last, Opcode::Pong, b"now"));
    let pong_at = log
        .iter()
        .position(|happened| *happened == pong)
        .expect("a pong");
    let read_before: usize = log[..pong_at]
        .iter()
        .map(|h| match h {
            Happened::Read(range) => range.len(),
            _ => 0,
        })
        .sum();
    let ping_end = masked(Fin::More, Opcode::Text, &fragment).len() + 6 + 3;
    assert_eq!(
        read_before, ping_end,
        "nothing of the second fragment is read before the pong"
    );
}

/// A session of a client: text in fragments with a ping between, binary of several sizes, close.
fn session() -> Vec<u8> {
    [
        masked(Fin::More, Opcode::Text, "안녕".as_bytes()),
        masked(Fin::Last, Opcode::Ping, b"?"),
        masked(Fin::Last, Opcode::Continuation, "하세요".as_bytes()),
        masked(Fin::Last, Opcode::Binary, &[0; 0]),
        masked(Fin::Last, Opcode::Binary, &[1; 300]),
        masked(Fin::Last, Opcode::Close, b"\x0f\xa0bye"),
    ]
    .concat()
}

#[tokio::test]
async fn v17_frames_behind_the_handshake_are_not_lost_cut_at_every_byte() {
    let bytes = session();
    let expected = [
        Message::from("안녕하세요"),
        Message::from(&[0; 0]),
        Message::from(&[1; 300]),
    ];
    for cut in 0..=bytes.len() {
        let script = Script::trickle(&bytes[cut..], usize::MAX);
        let limits = talkback::Limits::default();
        let mut socket = WebSocket::from_upgraded(script, Role::Server)
            .with_leftover(&bytes[..cut])
            .with_limits(limits);
        let (messages, error) = messages(&mut socket).await;
        assert_eq!(messages, expected, "cut at {cut}");
        assert!(matches!(error, Some(Error::Closed(info)) if info.code == 4000 && info.clean));
    }
}

#[tokio::test]
async fn v34_one_byte_at_a_time_and_interrupted_reads_change_nothing() {
    let bytes = session();
    let reads = bytes.iter().flat_map(|byte| {
        [
            Read::Error(io::ErrorKind::Interrupted),
            Read::Bytes(Bytes::copy_from_slice(&[*byte])),
        ]
    });
    let (mut slow, _) = server(Script::new(reads));
    let (mut fast, _) = server(Script::new([Read::Bytes(bytes.clone().into())]));
    assert_eq!(messages(&mut slow).await.0, messages(&mut fast).await.0);
    assert_eq!(slow.close_info(), fast.close_info());
}

#[tokio::test]
async fn v54_an_end_after_any_byte_is_1006_and_delivers_no_cut_message() {
    let bytes = session();
    let close_start = bytes.len() - masked(Fin::Last, Opcode::Close, b"\x0f\xa0bye").len();
    let (mut socket, _) = server(Script::new([Read::Bytes(bytes.clone().into())]));
    let (whole, _) = messages(&mut socket).await;
    for kind in [None, Some(io::ErrorKind::ConnectionReset)] {
        for cut in 0..bytes.len() {
            let end = kind.map(Read::Error);
            let reads = [Read::Bytes(Bytes::copy_from_slice(&bytes[..cut]))];
            let reads = reads.into_iter().filter(|_| cut > 0).chain(end);
            let (mut socket, _) = server(Script::new(reads));
            let (messages, error) = messages(&mut socket).await;
            assert_eq!(messages, whole[..messages.len()], "cut at {cut}");
            assert!(
                messages.len() == whole.len() || cut < close_start,
                "cut at {cut}"
            );
            let Some(Error::Closed(info)) = error else {
                panic!("cut at {cut}: {error:?}");
            };
            assert_eq!((info.code, info.clean), (CloseCode::ABNORMAL, false));
            assert_eq!(info.initiator, Initiator::Remote);
            assert!(matches!(info.cause, CloseCause::Transport(_)), "{info:?}");
        }
    }
}

#[tokio::test]
async fn answers_to_one_read_leave_in_one_write_when_they_are_fed() {
    let frames: Vec<u8> = (0..64)
        .flat_map(|_| masked(Fin::Last, Opcode::Binary, &[9; 20]))
        .collect();
    let (mut socket, log) = server(Script::new([Read::Bytes(frames.into())]));
    while let Ok(Some(message)) = socket.recv().await {
        socket.feed(message).await.unwrap();
    }
    let log = log.lock().unwrap();
    let writes: Vec<usize> = log
        .iter()
        .filter_map(|happened| match happened {
            Happened::Written(bytes) => Some(bytes.len()),
            _ => None,
        })
        .collect();
    assert_eq!(writes, [64 * 22]);
}

#[tokio::test]
async fn a_failed_connection_tells_why_then_reads_away_and_reports_once() {
    // An unmasked frame to a server, and more behind it (F1, X7).
    let bad = [plain(Fin::Last, Opcode::Text, b"x"), session()].concat();
    let reads = [bad, session()].map(|bytes| Read::Bytes(bytes.into()));
    let (mut socket, log) = server(Script::new(reads));
    let (messages, error) = messages(&mut socket).await;
    assert!(messages.is_empty());
    let Some(Error::Closed(info)) = error else {
        panic!("{error:?}");
    };
    assert!(matches!(info.cause, CloseCause::Protocol(_)), "{info:?}");
    let close = plain(Fin::Last, Opcode::Close, &1002u16.to_be_bytes());
    assert_eq!(written(&log), close);
    let log = log.lock().unwrap();
    assert_eq!(log[log.len() - 3], Happened::ShutDown, "{log:?}");
    assert_eq!(log[log.len() - 1], Happened::Dropped, "{log:?}");
}

#[tokio::test]
async fn a_client_waits_for_the_server_to_end_tcp() {
    // X3: the server's end comes a while after its close frame.
    let close = plain(Fin::Last, Opcode::Close, &1000u16.to_be_bytes());
    let reads = [Read::Bytes(close.into()), Read::Pending, Read::Pending];
    let (mut socket, log) = end(Script::new(reads), Role::Client);
    assert!(socket.recv().await.unwrap().is_none());
    let info = socket.close_info().unwrap();
    assert_eq!((info.code, info.clean), (CloseCode::NORMAL, true));
    let log = log.lock().unwrap();
    assert!(
        !log.contains(&Happened::ShutDown),
        "the server is the first to end: {log:?}"
    );
}
