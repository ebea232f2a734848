//! Messages sent in fragments (RFC 6455 §5.4, RFC 7692 §6.1).

use std::time::Instant;

use bytes::{Buf, BytesMut};
use talkback_proto::{
    CloseCode, CloseFrame, Compression, Connection, Delivery, Fin, Incoming, Limits, MessageKind,
    Role, SendError,
};

use crate::support::deflate::{PeerInflater, compressing, no_takeover, noise, prose, takeover};
use crate::support::wire::{
    BINARY, CLOSE, CONTINUATION, FIN, Frame, PING, PONG, RSV1, TEXT, close_body, parse, peer_frame,
};
use crate::support::{ROLES, connection, drain, receive};

const FRAGMENT_SIZE: usize = 16 * 1024;

/// The first bytes and payloads of the frames that are queued.
fn sent(connection: &mut Connection) -> Vec<(u8, Vec<u8>)> {
    let frames = parse(&drain(connection)).into_iter();
    frames.map(|frame| (frame.first, frame.payload)).collect()
}

fn plain(role: Role) -> Connection {
    connection(role, &Limits::default())
}

// ── Sending ──────────────────────────────────────────────────────────────────────────────────

#[test]
fn fragments_carry_the_opcode_first_and_fin_last_5_4() {
    for role in ROLES {
        for (kind, opcode) in [(MessageKind::Text, TEXT), (MessageKind::Binary, BINARY)] {
            let mut connection = plain(role);
            connection.begin_message(kind, Compression::Auto).unwrap();
            assert!(sent(&mut connection).is_empty(), "nothing is queued yet");
            for piece in ["one", "", "two"] {
                connection.send_fragment(piece, Fin::More).unwrap();
            }
            connection.send_fragment("", Fin::Last).unwrap();
            connection.send("next").unwrap();
            let expected = [
                (opcode, b"one".to_vec()),
                (CONTINUATION, b"two".to_vec()),
                (FIN | CONTINUATION, vec![]),
                (FIN | TEXT, b"next".to_vec()),
            ];
            assert_eq!(sent(&mut connection), expected, "{role:?}");
        }
    }
}

#[test]
fn a_message_of_one_fragment_is_one_frame() {
    for role in ROLES {
        for payload in ["", "all of it"] {
            let mut connection = plain(role);
            connection
                .begin_message(MessageKind::Text, Compression::Auto)
                .unwrap();
            connection.gather(payload.as_bytes()).unwrap();
            connection.send_fragment("", Fin::Last).unwrap();
            let expected = [(FIN | TEXT, payload.as_bytes().to_vec())];
            assert_eq!(sent(&mut connection), expected);
        }
    }
}

#[test]
fn a_message_of_one_fragment_is_compressed_if_it_is_worth_it() {
    for role in ROLES {
        let mut connection = compressing(role, no_takeover());
        for payload in [noise(2000), prose(2000).into_bytes()] {
            connection.send(payload.clone()).unwrap();
            let as_any_other = sent(&mut connection);
            connection
                .begin_message(MessageKind::Binary, Compression::Auto)
                .unwrap();
            connection.send_fragment(payload, Fin::Last).unwrap();
            assert_eq!(sent(&mut connection), as_any_other, "{role:?}");
        }
    }
}

#[test]
fn every_fragment_of_a_client_has_a_key_of_its_own_5_3() {
    let mut client = plain(Role::Client);
    client
        .begin_message(MessageKind::Binary, Compression::Auto)
        .unwrap();
    for size in [1, 10_000, 1] {
        client.send_fragment(vec![7; size], Fin::More).unwrap();
    }
    client.send_fragment(vec![], Fin::Last).unwrap();
    let frames = parse(&drain(&mut client));
    let keys: Vec<_> = frames.iter().map(|frame| frame.key.unwrap()).collect();
    assert_eq!(keys, [1u32, 2, 3, 4].map(u32::to_be_bytes));
    assert!(frames.iter().all(|f| f.payload.iter().all(|b| *b == 7)));
}

#[test]
fn small_pieces_are_gathered_and_a_large_one_rides_alone() {
    for role in ROLES {
        let mut connection = plain(role);
        connection
            .begin_message(MessageKind::Binary, Compression::Auto)
            .unwrap();
        for _ in 0..FRAGMENT_SIZE / 100 {
            connection.gather(&[1; 100]).unwrap();
        }
        assert!(sent(&mut connection).is_empty());
        connection.gather(&[1; 100]).unwrap();
        let sizes = |frames: Vec<(u8, Vec<u8>)>| {
            let sizes = frames.iter().map(|(first, bytes)| (*first, bytes.len()));
            sizes.collect::<Vec<_>>()
        };
        assert_eq!(sizes(sent(&mut connection)), [(BINARY, 16_400)]);
        // A flush, a small piece behind what was gathered, and one that is too large to join it.
        connection.gather(&[1; 5]).unwrap();
        connection.send_fragment("", Fin::More).unwrap();
        connection.gather(&[1; 5]).unwrap();
        connection.send_fragment(vec![1; 10], Fin::More).unwrap();
        connection.gather(&[1; 5]).unwrap();
        connection
            .send_fragment(vec![1; 50_000], Fin::Last)
            .unwrap();
        let expected = [(0, 5), (0, 15), (0, 5), (FIN, 50_000)];
        assert_eq!(sizes(sent(&mut connection)), expected);
    }
}

#[test]
fn a_payload_of_4096_bytes_joins_what_was_gathered_and_a_larger_one_does_not() {
    for role in ROLES {
        let mut connection = plain(role);
        connection
            .begin_message(MessageKind::Binary, Compression::Auto)
            .unwrap();
        for size in [4096, 4097] {
            connection.gather(&[1; 5]).unwrap();
            connection.send_fragment(vec![1; size], Fin::More).unwrap();
        }
        let frames = sent(&mut connection).into_iter();
        let sizes: Vec<usize> = frames.map(|(_, payload)| payload.len()).collect();
        assert_eq!(sizes, [4101, 5, 4097], "{role:?}");
    }
}

#[test]
fn another_message_inside_of_one_is_refused_and_control_frames_pass_5_4() {
    for role in ROLES {
        for parameters in [None, Some(takeover())] {
            let mut connection = plain(role);
            if let Some(parameters) = &parameters {
                connection.set_deflate(parameters);
            }
            let auto = Compression::Auto;
            assert_eq!(
                connection.send_fragment("x", Fin::Last),
                Err(SendError::NoMessage)
            );
            assert_eq!(connection.gather(b"x"), Err(SendError::NoMessage));
            connection.begin_message(MessageKind::Text, auto).unwrap();
            connection.send_fragment("a", Fin::More).unwrap();
            let refused = Err(SendError::MessageUnfinished);
            assert_eq!(connection.send("whole"), refused);
            assert_eq!(connection.begin_message(MessageKind::Binary, auto), refused);
            connection.ping("p").unwrap();
            connection.pong("q").unwrap();
            receive(
                &mut connection,
                &peer_frame(role, FIN | PING, b"?"),
                Instant::now(),
            );
            assert_eq!(connection.output().chunk()[0] & 0x0F, TEXT);
            connection.send_fragment("b", Fin::Last).unwrap();
            connection.send("whole").unwrap();
            let firsts: Vec<u8> = sent(&mut connection).iter().map(|f| f.0 & 0x8F).collect();
            let expected = [
                TEXT,
                FIN | PING,
                FIN | PONG,
                FIN | PONG,
                FIN | CONTINUATION,
                FIN | TEXT,
            ];
            assert_eq!(firsts, expected);
        }
    }
}

#[test]
fn a_close_frame_ends_an_unfinished_message() {
    for role in ROLES {
        let mut connection = plain(role);
        connection
            .begin_message(MessageKind::Binary, Compression::Auto)
            .unwrap();
        connection.send_fragment("half", Fin::More).unwrap();
        connection.gather(b"gathered").unwrap();
        let frame = CloseFrame::new(CloseCode::INTERNAL_ERROR, "").unwrap();
        connection.close(Some(frame), Instant::now());
        assert_eq!(
            connection.send_fragment("x", Fin::Last),
            Err(SendError::Closed)
        );
        assert_eq!(connection.gather(b"x"), Err(SendError::Closed));
        let expected = [
            (BINARY, b"half".to_vec()),
            (FIN | CLOSE, close_body(1011, "")),
        ];
        assert_eq!(sent(&mut connection), expected);
    }
}

#[test]
fn text_in_fragments_is_validated_before_it_is_queued_8_1() {
    let text = "a안😀";
    for role in ROLES {
        for cut in 0..=text.len() {
            let (front, back) = text.as_bytes().split_at(cut);
            let mut connection = plain(role);
            connection
                .begin_message(MessageKind::Text, Compression::Auto)
                .unwrap();
            connection.send_fragment(front.to_vec(), Fin::More).unwrap();
            let invalid = Err(SendError::InvalidUtf8);
            assert_eq!(connection.send_fragment(vec![0xFF], Fin::More), invalid);
            assert_eq!(connection.gather(b"\xFF"), invalid);
            if !text.is_char_boundary(cut) {
                assert_eq!(connection.send_fragment("", Fin::Last), invalid);
                assert_eq!(connection.send_fragment("b", Fin::Last), invalid);
            }
            // What was refused has changed nothing.
            connection.gather(&back[..back.len() / 2]).unwrap();
            let rest = back[back.len() / 2..].to_vec();
            connection.send_fragment(rest, Fin::Last).unwrap();
            let frames = sent(&mut connection).into_iter();
            let bytes: Vec<u8> = frames.flat_map(|(_, payload)| payload).collect();
            assert_eq!(bytes, text.as_bytes(), "cut at {cut}");
        }
    }
}

// ── Sending, compressed ──────────────────────────────────────────────────────────────────────

/// Sends `pieces` as a message and holds that another inflate reads it.
fn sends_compressed(connection: &mut Connection, peer: &mut PeerInflater, pieces: &[&[u8]]) {
    connection
        .begin_message(MessageKind::Binary, Compression::Auto)
        .unwrap();
    for piece in pieces {
        connection.send_fragment(piece.to_vec(), Fin::More).unwrap();
        connection.ping("between").unwrap();
    }
    connection.send_fragment("", Fin::Last).unwrap();
    let frames = parse(&drain(connection)).into_iter();
    let frames: Vec<Frame> = frames.filter(|f| f.first != FIN | PING).collect();
    let firsts: Vec<u8> = frames.iter().map(|frame| frame.first).collect();
    let mut expected = vec![CONTINUATION; frames.len()];
    expected[0] = RSV1 | BINARY;
    *expected.last_mut().unwrap() |= FIN;
    assert_eq!(firsts, expected, "RSV1 first only (RFC 7692 §6.1)");
    let payloads: Vec<&[u8]> = frames.iter().map(|frame| &frame.payload[..]).collect();
    assert!(peer.message(&payloads.concat()) == pieces.concat());
}

#[test]
fn compressed_fragments_decompress_by_another_inflate() {
    let (text, chance) = (prose(40_000), noise(20_000));
    let pieces: &[&[u8]] = &[b"a", text.as_bytes(), &chance, b"a", text.as_bytes()];
    for role in ROLES {
        for (parameters, is_alone) in [(takeover(), false), (no_takeover(), true)] {
            let mut connection = compressing(role, parameters);
            let mut peer = PeerInflater::new();
            for _ in 0..3 {
                if is_alone {
                    peer = PeerInflater::new();
                }
                sends_compressed(&mut connection, &mut peer, pieces);
            }
            // Whole messages before and after share the context.
            connection.send(text.as_str()).unwrap();
            let [frame] = &parse(&drain(&mut connection))[..] else {
                panic!("one frame");
            };
            if is_alone {
                peer = PeerInflater::new();
            }
            assert!(peer.message(&frame.payload) == text.as_bytes());
            sends_compressed(&mut connection, &mut PeerInflater::new(), &[b"x"]);
        }
    }
}

#[test]
fn each_compressed_fragment_can_be_read_before_the_next() {
    for role in ROLES {
        let mut sender = compressing(role, takeover());
        let peer = if role == Role::Client {
            Role::Server
        } else {
            Role::Client
        };
        let mut receiver = compressing(peer, takeover());
        receiver.set_delivery(Delivery::Pieces);
        sender
            .begin_message(MessageKind::Text, Compression::Auto)
            .unwrap();
        for word in ["one ", "two ", "three "] {
            sender.send_fragment(word, Fin::More).unwrap();
            let wire = drain(&mut sender);
            let mut input = BytesMut::from(&wire[..]);
            let next = receiver.receive(&mut input, Instant::now);
            let Some(Incoming::Piece(piece)) = next else {
                panic!("{next:?}");
            };
            assert_eq!(piece.bytes, word);
            let next = receiver.receive(&mut input, Instant::now);
            assert_eq!(next, None);
        }
    }
}

#[test]
fn a_message_that_skips_compression_is_sent_as_it_is() {
    for role in ROLES {
        let mut connection = compressing(role, takeover());
        connection
            .begin_message(MessageKind::Text, Compression::Skip)
            .unwrap();
        connection.send_fragment("aaaa", Fin::More).unwrap();
        connection.send_fragment("bbbb", Fin::Last).unwrap();
        let expected = [
            (TEXT, b"aaaa".to_vec()),
            (FIN | CONTINUATION, b"bbbb".to_vec()),
        ];
        assert_eq!(sent(&mut connection), expected);
    }
}
