//! What the lines about receiving compressed messages hold (RFC 7692 §6, §7.2.2, §7.2.3).

use talkback_proto::{
    CloseCause, CloseCode, DeflateParameters, Incoming, Limits, Message, ProtocolError, Role,
};
use talkback_testing::reference::Reference;

use crate::support::deflate::{
    PeerDeflater, compressing, deflated, no_takeover, noise, prose, takeover,
};
use crate::support::wire::{
    BINARY, CONTINUATION, FIN, PING, PONG, RSV1, RSV2, RSV3, TEXT, peer_close, peer_frame,
    peer_header,
};
use crate::support::{
    ROLES, assert_brings_on, assert_fails_on, binary, connection, ping, pong, replay_on, text,
};

/// "Hello" in the forms of §7.2.3, and in others that a peer may choose.
const HELLOS: [(&str, &[u8]); 7] = [
    ("fixed", b"\xf2\x48\xcd\xc9\xc9\x07\x00"),
    ("stored", b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"),
    ("final", b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
    ("final without more", b"\xf3\x48\xcd\xc9\xc9\x07\x00"),
    (
        "two blocks",
        b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
    ),
    (
        "two final blocks",
        b"\x01\x03\x00\xfc\xffHel\x01\x02\x00\xfd\xfflo\x00",
    ),
    (
        "empty blocks between",
        b"\x00\x00\x00\xff\xff\x00\x05\x00\xfa\xffHello\x02\x00\x00\x00\xff\xff\x00",
    ),
];

/// Each role with each way to keep contexts.
fn each() -> impl Iterator<Item = (Role, DeflateParameters)> {
    let pairs = |role| [(role, takeover()), (role, no_takeover())];
    ROLES.into_iter().flat_map(pairs)
}

fn brings(role: Role, parameters: DeflateParameters, frames: &[Vec<u8>], incoming: &[Incoming]) {
    assert_brings_on(|| compressing(role, parameters), &frames.concat(), incoming);
}

fn fails(
    role: Role,
    parameters: DeflateParameters,
    frames: &[Vec<u8>],
    incoming: &[Incoming],
    error: ProtocolError,
) {
    let bytes = frames.concat();
    assert_fails_on(|| compressing(role, parameters), &bytes, incoming, error);
}

fn compressed(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    peer_frame(role, FIN | RSV1 | first, payload)
}

#[test]
fn f9_rsv1_stands_on_the_first_frame_of_a_message_only() {
    for (role, parameters) in each() {
        let begun = peer_frame(role, RSV1 | TEXT, b"\xf2\x48\xcd");
        let end = peer_frame(role, FIN | CONTINUATION, b"\xc9\xc9\x07\x00");
        brings(role, parameters, &[begun.clone(), end], &[text("Hello")]);
        let error = || ProtocolError::ReservedBits;
        for first in [CONTINUATION, PING, PONG] {
            let inside = peer_frame(role, FIN | RSV1 | first, b"");
            fails(role, parameters, &[begun.clone(), inside], &[], error());
        }
        let plain = peer_frame(role, TEXT, b"plain");
        let later = peer_frame(role, FIN | RSV1 | CONTINUATION, b"");
        fails(role, parameters, &[plain, later], &[], error());
        for bits in [RSV2, RSV3, RSV1 | RSV2, RSV1 | RSV3] {
            let frame = peer_frame(role, FIN | bits | TEXT, b"\x00");
            fails(role, parameters, &[frame], &[], error());
        }
        let frame = compressed(role, TEXT, b"\x00");
        let make = || connection(role, &Limits::default());
        assert_fails_on(make, &frame, &[], error());
    }
}

#[test]
fn d15_an_uncompressed_message_passes_and_leaves_the_context_as_it_was() {
    for role in ROLES {
        // The second Hello refers to the first one (§7.2.3.2).
        let frames = [
            compressed(role, TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00"),
            peer_frame(role, FIN | TEXT, b"plain"),
            peer_frame(role, BINARY, b"pla"),
            peer_frame(role, FIN | CONTINUATION, b"in"),
            compressed(role, TEXT, b"\xf2\x00\x11\x00\x00"),
        ];
        let incoming = [
            text("Hello"),
            text("plain"),
            binary(b"plain"),
            text("Hello"),
        ];
        brings(role, takeover(), &frames, &incoming);
    }
}

#[test]
fn d14_without_takeover_nothing_refers_to_an_earlier_message() {
    for role in ROLES {
        let hello = compressed(role, TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00");
        let again = compressed(role, TEXT, b"\xf2\x00\x11\x00\x00");
        let sender = match role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        let error = ProtocolError::ContextTakenOver { sender };
        fails(
            role,
            no_takeover(),
            &[hello.clone(), again.clone()],
            &[text("Hello")],
            error,
        );
        // Nobody takes over what was not there.
        let error = ProtocolError::MalformedDeflate;
        fails(role, no_takeover(), &[again], &[], error);
        let incoming = [text("Hello"), text("Hello")];
        brings(role, no_takeover(), &[hello.clone(), hello], &incoming);
    }
}

#[test]
fn d16_the_empty_message_in_every_form() {
    // The block's header (§7.2.3.6), no byte at all, empty blocks, and an empty last block.
    let forms: [&[u8]; 5] = [
        b"\x00",
        b"",
        b"\x02\x00",
        b"\x00\x00\x00\xff\xff\x00",
        b"\x03\x00\x00",
    ];
    for (role, parameters) in each() {
        for form in forms {
            let hello = compressed(role, TEXT, HELLOS[0].1);
            let frames = [
                compressed(role, TEXT, form),
                compressed(role, BINARY, form),
                peer_frame(role, FIN | TEXT, b""),
                peer_frame(role, RSV1 | BINARY, b""),
                peer_frame(role, FIN | CONTINUATION, form),
                hello,
            ];
            let incoming = [text(""), binary(b""), text(""), binary(b""), text("Hello")];
            brings(role, parameters, &frames, &incoming);
        }
    }
}

#[test]
fn d17_the_tail_is_appended_to_what_came() {
    for (role, parameters) in each() {
        let message = prose(3000);
        let payload = deflated(message.as_bytes());
        // What was sent lacks the four bytes, and they are not part of the next message.
        let frames = [
            compressed(role, TEXT, &payload),
            compressed(role, TEXT, &deflated(b"next")),
        ];
        brings(role, parameters, &frames, &[text(&message), text("next")]);
        // A peer that leaves them on sends a stream that goes on behind its end.
        let left_on = [&payload[..], b"\x00\x00\xff\xff"].concat();
        let error = ProtocolError::MalformedDeflate;
        fails(
            role,
            parameters,
            &[compressed(role, TEXT, &left_on)],
            &[],
            error,
        );
    }
}

#[test]
fn d18_a_block_marked_as_the_last_does_not_end_the_message() {
    for (role, parameters) in each() {
        let forms = HELLOS.iter().filter(|(name, _)| name.contains("final"));
        for (_, payload) in forms {
            let frames = [
                compressed(role, TEXT, payload),
                compressed(role, TEXT, payload),
                compressed(role, BINARY, HELLOS[0].1),
            ];
            let incoming = [text("Hello"), text("Hello"), binary(b"Hello")];
            brings(role, parameters, &frames, &incoming);
        }
        let many = b"\x03\x00".repeat(500);
        brings(
            role,
            parameters,
            &[compressed(role, TEXT, &many)],
            &[text("")],
        );
    }
}

#[test]
fn d19_stored_fixed_and_dynamic_blocks_one_and_several() {
    for (role, parameters) in each() {
        for (_, payload) in HELLOS {
            brings(
                role,
                parameters,
                &[compressed(role, TEXT, payload)],
                &[text("Hello")],
            );
        }
        let message = [prose(9_000).into_bytes(), noise(2_000)].concat();
        for (level, kind) in [(0, 0), (9, 2)] {
            let payload = PeerDeflater::new(level).message(&message);
            let mut reference = Reference::default();
            assert_eq!(reference.message(&payload), message);
            assert!(reference.blocks[kind] > 0, "{:?}", reference.blocks);
            brings(
                role,
                parameters,
                &[compressed(role, BINARY, &payload)],
                &[binary(&message)],
            );
        }
        // Blocks of each kind in one message.
        let (mut stored, mut packed) = (PeerDeflater::new(0), PeerDeflater::new(9));
        let payload = [
            stored.flush(b"stored "),
            packed.flush(b"fixed"),
            PeerDeflater::new(9).flush(&message),
            HELLOS[0].1.to_vec(),
        ];
        let mut reference = Reference::default();
        let whole = reference.message(&payload.concat());
        assert!(
            reference.blocks.iter().all(|count| *count > 0),
            "{:?}",
            reference.blocks
        );
        brings(
            role,
            parameters,
            &[compressed(role, BINARY, &payload.concat())],
            &[binary(&whole)],
        );
    }
}

#[test]
fn d20_fragmented_at_any_byte_with_control_frames_between() {
    for (role, parameters) in each() {
        let message = "fragment ".repeat(7) + "한";
        let payload = deflated(message.as_bytes());
        for at in 0..=payload.len() {
            let (front, back) = payload.split_at(at);
            let frames = [
                peer_frame(role, RSV1 | TEXT, front),
                peer_frame(role, FIN | PING, b"ping"),
                peer_frame(role, CONTINUATION, b""),
                peer_frame(role, FIN | PONG, b"pong"),
                peer_frame(role, FIN | CONTINUATION, back),
            ];
            let incoming = [ping(b"ping"), pong(b"pong"), text(&message)];
            brings(role, parameters, &frames, &incoming);
        }
        let mut frames = vec![peer_frame(role, RSV1 | TEXT, b"")];
        for byte in &payload {
            frames.push(peer_frame(role, CONTINUATION, &[*byte]));
            frames.push(peer_frame(role, FIN | PING, &[*byte]));
        }
        frames.push(peer_frame(role, FIN | CONTINUATION, b""));
        let mut incoming: Vec<_> = payload.iter().map(|byte| ping(&[*byte])).collect();
        incoming.push(text(&message));
        brings(role, parameters, &frames, &incoming);
    }
}

#[test]
fn d20_large_messages_come_whole_however_they_are_cut() {
    for (role, parameters) in each() {
        let message = [prose(60_000).into_bytes(), noise(70_000), vec![0; 500_000]].concat();
        let payload = deflated(&message);
        let (front, back) = payload.split_at(payload.len() / 3);
        let frames = [
            peer_frame(role, RSV1 | BINARY, front),
            peer_frame(role, FIN | CONTINUATION, back),
            compressed(role, TEXT, HELLOS[0].1),
        ];
        brings(
            role,
            parameters,
            &frames,
            &[binary(&message), text("Hello")],
        );
    }
}

#[test]
fn d21_text_is_validated_after_decompression() {
    for (role, parameters) in each() {
        let invalid: [&[u8]; 4] = [
            b"\xff",
            b"valid \xed\xa0\x80",
            b"\xc0\x80",
            b"ends in \xed\x95",
        ];
        for bytes in invalid {
            let error = ProtocolError::InvalidUtf8;
            assert_eq!(error.close_code(), CloseCode::INVALID_PAYLOAD);
            let frame = compressed(role, TEXT, &deflated(bytes));
            fails(role, parameters, &[frame], &[], error);
            let frame = compressed(role, BINARY, &deflated(bytes));
            brings(role, parameters, &[frame], &[binary(bytes)]);
        }
        // The bytes on the wire need not be text, and the validator begins anew.
        let frames = [
            compressed(role, TEXT, &deflated("é한😀".as_bytes())),
            compressed(role, TEXT, &deflated("é한😀".as_bytes())),
            peer_frame(role, FIN | TEXT, "é한😀".as_bytes()),
        ];
        let incoming = ["é한😀"; 3].map(text);
        brings(role, parameters, &frames, &incoming);
    }
}

#[test]
fn d21_text_fails_inside_an_unfinished_frame() {
    for (role, parameters) in each() {
        let mut payload = PeerDeflater::new(6).flush(b"valid \xff");
        let mut frame = peer_header(role, FIN | RSV1 | TEXT, 1000);
        payload.resize(1000, 0);
        let whole = compressed(role, TEXT, &payload);
        frame.extend(&whole[frame.len()..][..40]);
        let error = ProtocolError::InvalidUtf8;
        fails(role, parameters, &[frame], &[], error);
    }
}

#[test]
fn d22_malformed_streams_fail_with_1002() {
    let error = || ProtocolError::MalformedDeflate;
    assert_eq!(error().close_code(), CloseCode::PROTOCOL_ERROR);
    let malformed: [(&str, &[u8]); 9] = [
        ("reserved block type", b"\x06"),
        (
            "stored length without its complement",
            b"\x00\x05\x00\x00\x00Hello\x00",
        ),
        ("distance beyond the beginning", b"\xf2\x00\x11\x00\x00"),
        ("too many length codes", b"\xfc\x00"),
        ("lengths that are no code", b"\x04\x00\xfe\xff\xff"),
        ("cut in a fixed block", b"\xf2\x48\xcd\xc9"),
        ("cut in a stored block", b"\x00\x05\x00\xfa\xff\x48\x65\x00"),
        ("cut before the empty block", b"\xf2\x48\xcd\xc9\xc9\x07"),
        (
            "bytes behind the last block",
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\x06",
        ),
    ];
    for (role, parameters) in each() {
        for (name, payload) in malformed {
            let frame = compressed(role, BINARY, payload);
            let outcome = replay_on(|| compressing(role, parameters), &frame);
            assert_eq!(outcome.info.cause, CloseCause::Protocol(error()), "{name}");
            fails(role, parameters, &[frame], &[], error());
        }
    }
}

/// 16 letters, some more often than others.
fn uneven_letters(size: usize) -> Vec<u8> {
    let squared = |byte: u8| (u16::from(byte) * u16::from(byte)).to_be_bytes()[0] >> 4;
    noise(size)
        .into_iter()
        .map(|byte| b'a' + squared(byte))
        .collect()
}

#[test]
fn d22_a_stream_cut_anywhere_fails() {
    let hello = HELLOS[0].1;
    // Text makes a block with codes of its own; its tables would take the tail for lengths.
    let payloads = [
        deflated(prose(600).as_bytes()),
        deflated(&uneven_letters(250)),
        [hello, b"\x00\x00\xff\xff", &deflated(&uneven_letters(400))].concat(),
    ];
    for (role, parameters) in each() {
        for payload in &payloads {
            // Behind the first block, where there are two, the stream is whole.
            for size in (1..payload.len()).filter(|size| payload[..*size] != *hello) {
                let frame = compressed(role, BINARY, &payload[..size]);
                let mut connection = compressing(role, parameters);
                let now = std::time::Instant::now();
                let incoming = crate::support::receive(&mut connection, &frame, now);
                assert_eq!((incoming, connection.is_open()), (vec![], false), "{size}");
            }
        }
    }
}

#[test]
fn data_that_comes_after_our_close_frame_is_discarded_compressed_or_not() {
    for (role, parameters) in each() {
        let make = || {
            let mut connection = compressing(role, parameters);
            connection.close(None, std::time::Instant::now());
            connection
        };
        let bytes = [
            compressed(role, TEXT, b"\x06 malformed, but nobody looks"),
            peer_close(role, 1000, ""),
        ];
        let outcome = replay_on(make, &bytes.concat());
        assert_eq!(outcome.incoming, []);
        assert!(!matches!(outcome.info.cause, CloseCause::Protocol(_)));
    }
}

#[test]
fn messages_are_right_sized_and_own_their_bytes() {
    for (role, parameters) in each() {
        for size in [1, 1000, 20_000, 300_000] {
            let message = prose(size);
            let frame = compressed(role, TEXT, &deflated(message.as_bytes()));
            let mut connection = compressing(role, parameters);
            let incoming =
                crate::support::receive(&mut connection, &frame, std::time::Instant::now());
            assert_eq!(incoming, [text(&message)]);
            let Some(Incoming::Message(Message::Text(held))) = incoming.into_iter().next() else {
                panic!("one message");
            };
            let bytes = held.into_bytes();
            assert!(bytes.is_unique());
            assert_eq!(bytes.try_into_mut().unwrap().capacity(), message.len());
        }
    }
}
