//! The bound for frames that are sent: what is over it leaves in fragments (RFC 6455 §5.4).

use std::time::Instant;

use bytes::{Buf, Bytes};
use proptest::prelude::*;
use talkback_proto::{
    CloseFrame, Compression, Connection, DeflateParameters, Fin, Incoming, Limits, Message,
    MessageKind, Role,
};
use talkback_testing::heap;

use crate::support::deflate::{no_takeover, noise, prose, takeover};
use crate::support::wire::{
    BINARY, CLOSE, CONTINUATION, FIN, Frame, PING, PONG, RSV1, TEXT, parse,
};
use crate::support::{ROLES, connection, drain, receive};

fn bounded(role: Role, size_max: usize, deflate: Option<DeflateParameters>) -> Connection {
    let connection = connection(role, &Limits::default().frame_size_max(size_max));
    match deflate {
        Some(parameters) => connection.with_deflate(&parameters),
        None => connection,
    }
}

/// The frames that wait to be written, each with its first byte and its payload.
fn frames(connection: &mut Connection) -> Vec<(u8, Vec<u8>)> {
    let frames = parse(&drain(connection)).into_iter();
    frames.map(|frame| (frame.first, frame.payload)).collect()
}

#[test]
fn f20_a_message_over_the_bound_leaves_in_fragments() {
    for role in ROLES {
        let mut connection = bounded(role, 4, None);
        for message in ["안녕하", "four", ""] {
            connection.send(message).unwrap();
        }
        let hello = "안녕하".as_bytes();
        let expected = [
            (TEXT, &hello[..4]),
            (CONTINUATION, &hello[4..8]),
            (FIN | CONTINUATION, &hello[8..]),
            (FIN | TEXT, b"four"),
            (FIN | TEXT, b""),
        ];
        let expected = expected.map(|(first, payload)| (first, payload.to_vec()));
        assert_eq!(frames(&mut connection), expected, "{role:?}");
    }
}

#[test]
fn f20_a_bound_that_is_set_later_holds_for_small_messages_too() {
    for role in ROLES {
        let mut connection = connection(role, &Limits::default());
        connection.set_limits(Limits::default().frame_size_max(3));
        connection.send("four").unwrap();
        let expected = [(TEXT, b"fou".to_vec()), (FIN | CONTINUATION, b"r".to_vec())];
        assert_eq!(frames(&mut connection), expected, "{role:?}");
        connection.set_limits(Limits::default());
        connection.send("four").unwrap();
        let expected = [(FIN | TEXT, b"four".to_vec())];
        assert_eq!(frames(&mut connection), expected, "{role:?}");
    }
}

#[test]
fn f5_each_fragment_has_a_masking_key_of_its_own() {
    for payload in [vec![0; 100], vec![0; 100_000]] {
        let mut client = bounded(Role::Client, payload.len() / 10, None);
        client.send(payload).unwrap();
        let mut keys: Vec<_> = parse(&drain(&mut client)).iter().map(|f| f.key).collect();
        assert_eq!(keys.len(), 10);
        keys.dedup();
        assert_eq!(keys.len(), 10, "the keys count");
    }
}

#[test]
fn f20_control_frames_are_never_fragmented() {
    let (payload, reason) = ([7; 125], "r".repeat(123));
    for role in ROLES {
        let mut connection = bounded(role, 1, None);
        connection.ping(payload.to_vec()).unwrap();
        connection.pong(payload.to_vec()).unwrap();
        let close = CloseFrame::new(1000, reason.as_str()).unwrap();
        connection.close(Some(close), Instant::now());
        let firsts = frames(&mut connection).into_iter();
        let sizes: Vec<_> = firsts.map(|(first, p)| (first, p.len())).collect();
        let expected = [PING, PONG, CLOSE].map(|opcode| (FIN | opcode, 125));
        assert_eq!(sizes, expected, "{role:?}");
    }
}

#[test]
fn a_bound_of_no_bytes_is_one_of_one() {
    let mut connection = bounded(Role::Server, 0, None);
    connection.send("ab").unwrap();
    let expected = [(TEXT, b"a".to_vec()), (FIN | CONTINUATION, b"b".to_vec())];
    assert_eq!(frames(&mut connection), expected);
    assert_eq!(Limits::default().frame_size_limit(), None);
    assert_eq!(
        Limits::default().frame_size_max(0).frame_size_limit(),
        Some(1)
    );
}

#[test]
fn an_owned_message_in_fragments_is_not_copied() {
    const MIB: usize = 1024 * 1024;
    for role in ROLES {
        let message = vec![7; 8 * MIB];
        let mut connection = bounded(role, MIB, None);
        let ((), heap) = heap::measure(|| connection.send(message).unwrap());
        assert!(heap.peak < 8 * 1024, "{role:?}: {heap:?}");
    }
}

/// How a message is handed in.
#[derive(Clone, Copy, Debug)]
enum How {
    Borrowed,
    Owned,
    Shared,
    Streamed,
    Gathered,
}

fn send(connection: &mut Connection, message: &Message, how: How, compression: Compression) {
    let payload = message.as_bytes();
    let half = payload.len() / 3;
    match how {
        How::Borrowed => match message {
            Message::Text(text) => connection.send_with(text.as_str(), compression),
            Message::Binary(bytes) => connection.send_with(&bytes[..], compression),
        },
        How::Owned => match message {
            Message::Text(text) => connection.send_with(text.as_str().to_owned(), compression),
            Message::Binary(bytes) => connection.send_with(bytes.to_vec(), compression),
        },
        How::Shared => connection.send_with(message, compression),
        How::Streamed | How::Gathered => {
            connection
                .begin_message(message.kind(), compression)
                .unwrap();
            let (front, back) = payload.split_at(half);
            match how {
                How::Gathered => connection.gather(front).unwrap(),
                _ => connection.send_fragment(front.to_vec(), Fin::More).unwrap(),
            }
            connection.send_fragment(back.to_vec(), Fin::Last)
        }
    }
    .unwrap();
}

/// Holds that the frames of one message are within the bound and in order.
fn check_frames(frames: &[Frame], kind: MessageKind, size_max: usize) {
    let opcode = match kind {
        MessageKind::Text => TEXT,
        MessageKind::Binary => BINARY,
    };
    for (index, frame) in frames.iter().enumerate() {
        assert!(
            frame.payload.len() <= size_max,
            "{} bytes",
            frame.payload.len()
        );
        let is_last = index + 1 == frames.len();
        assert_eq!(frame.first & FIN != 0, is_last);
        if index == 0 {
            assert_eq!(frame.first & 0x0F, opcode);
        } else {
            // RSV1 stands on the first fragment only (RFC 7692 §6.1).
            assert_eq!(frame.first & !FIN, CONTINUATION);
        }
    }
}

fn any_message() -> impl Strategy<Value = Message> {
    let text = (0usize..60_000).prop_map(|size| Message::from(prose(size)));
    let chance = (0usize..60_000).prop_map(|size| Message::from(noise(size)));
    let small = "[a가😀]{0,40}".prop_map(Message::from);
    prop_oneof![text, chance, small]
}

fn any_how() -> impl Strategy<Value = How> {
    prop_oneof![
        Just(How::Borrowed),
        Just(How::Owned),
        Just(How::Shared),
        Just(How::Streamed),
        Just(How::Gathered),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn f20_frames_are_within_the_bound_and_a_peer_reads_the_same_message(
        messages in proptest::collection::vec((any_message(), any_how(), any::<bool>()), 1..4),
        size_max in prop_oneof![1usize..200, 1usize..70_000],
        deflate in prop_oneof![Just(None), Just(Some(takeover())), Just(Some(no_takeover()))],
    ) {
        for (role, peer) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
            let mut sender = bounded(role, size_max, deflate);
            let mut receiver = bounded(peer, usize::MAX, deflate);
            for (message, how, is_skipped) in &messages {
                let compression = match is_skipped {
                    true => Compression::Skip,
                    false => Compression::Auto,
                };
                send(&mut sender, message, *how, compression);
                let wire = drain(&mut sender);
                let frames = parse(&wire);
                check_frames(&frames, message.kind(), size_max);
                let is_compressed = frames[0].first & RSV1 != 0;
                prop_assert!(!is_compressed || (deflate.is_some() && !is_skipped));
                let received = receive(&mut receiver, &wire, Instant::now());
                prop_assert!(received == [Incoming::Message(message.clone())]);
            }
        }
    }
}

#[test]
fn f14_a_shared_message_in_fragments_stays_as_it_is() {
    let payload = Bytes::from(noise(20_000));
    let mut client = bounded(Role::Client, 6_000, None);
    client.send(&payload).unwrap();
    assert!(client.output().has_remaining());
    let sent: Vec<u8> = frames(&mut client)
        .into_iter()
        .flat_map(|(_, p)| p)
        .collect();
    assert!(sent == payload && payload == noise(20_000));
}
