//! What the lines about payloads, pings and limits hold (RFC 6455 §5, §8.1).

use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use talkback_proto::{CloseCause, Connection, Limits, ProtocolError, Text};

use crate::support::wire::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, close_body, parse, peer_close, peer_frame,
    peer_header,
};
use crate::support::{
    ROLES, assert_brings, assert_fails, assert_fails_after, binary, connection, drain, ping, pong,
    receive, replay, replay_after, text,
};

/// A payload of this size rides along uncopied.
const LARGE: usize = 100_000;

#[test]
fn f12_only_valid_utf8_is_text() {
    let invalid: [&[u8]; 6] = [
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xed\x95",
        b"a\x80",
    ];
    for bytes in invalid {
        assert!(
            Text::from_utf8(Bytes::from_static(bytes)).is_err(),
            "{bytes:x?}"
        );
    }
    for role in ROLES {
        let mut sender = connection(role, &Limits::default());
        sender.send("κόσμε").unwrap();
        sender.send(String::from("😀")).unwrap();
        let texts = parse(&drain(&mut sender))
            .into_iter()
            .map(|f| (f.first, f.payload));
        let expected = ["κόσμε", "😀"].map(|t| (FIN | TEXT, t.as_bytes().to_vec()));
        assert_eq!(texts.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn f13_text_that_ends_inside_a_code_point_fails() {
    let code_points = ["é", "한", "😀"];
    for role in ROLES {
        for code_point in code_points.map(str::as_bytes) {
            for cut in 1..code_point.len() {
                let begun = &code_point[..cut];
                let single = peer_frame(role, FIN | TEXT, begun);
                assert_fails(role, &single, ProtocolError::InvalidUtf8);
                let fragments = [
                    peer_frame(role, TEXT, b"text "),
                    peer_frame(role, CONTINUATION, begun),
                    peer_frame(role, FIN | CONTINUATION, b""),
                ];
                assert_fails(role, &fragments.concat(), ProtocolError::InvalidUtf8);
                let binary_bytes = peer_frame(role, FIN | BINARY, begun);
                assert_brings(role, &binary_bytes, &[binary(begun)]);
            }
        }
    }
}

#[test]
fn f13_text_cut_inside_a_code_point_goes_on_in_the_next_fragment() {
    let whole = "é한😀";
    for role in ROLES {
        for cut in 0..=whole.len() {
            let (front, back) = whole.as_bytes().split_at(cut);
            let fragments = [
                peer_frame(role, TEXT, front),
                peer_frame(role, FIN | CONTINUATION, back),
            ];
            assert_brings(role, &fragments.concat(), &[text(whole)]);
        }
    }
}

#[test]
fn f13_text_fails_before_its_message_ends() {
    for role in ROLES {
        // No more bytes are needed to see that these cannot become text (Autobahn 6.4).
        for wrong in [&b"\xff"[..], b"\xf4\x90", b"\xc0", b"\xed\xa0"] {
            let fragment = peer_frame(role, TEXT, wrong);
            assert_fails(role, &fragment, ProtocolError::InvalidUtf8);
            let mut frame = peer_header(role, FIN | TEXT, 1000);
            frame.extend(peer_frame(role, FIN | TEXT, wrong).split_off(frame.len() - 2));
            assert_fails(role, &frame, ProtocolError::InvalidUtf8);
        }
    }
}

#[test]
fn f14_a_payload_does_not_change_while_it_is_sent() {
    for role in ROLES {
        for size in [100, LARGE] {
            let mut sender = connection(role, &Limits::default());
            let payload = Bytes::from(vec![7; size]);
            sender.send(payload.clone()).unwrap();
            let mut output = sender.output().copy_to_bytes(50).to_vec();
            assert_eq!(
                payload,
                vec![7; size],
                "the caller's bytes stay as they were"
            );
            drop(payload);
            output.extend(drain(&mut sender));
            assert_eq!(parse(&output)[0].payload, vec![7; size]);
        }
    }
}

#[test]
fn f14_two_payloads_of_one_buffer_stay_apart() {
    for role in ROLES {
        let mut sender = connection(role, &Limits::default());
        let mut buffer = BytesMut::from(&vec![1; LARGE][..]);
        buffer.extend_from_slice(&vec![2; LARGE]);
        let first = buffer.split_to(LARGE).freeze();
        sender.send(first.clone()).unwrap();
        sender.send(first.slice(1..)).unwrap();
        sender.send(buffer.clone().freeze()).unwrap();
        buffer.fill(9);
        drop(first);
        let payloads = parse(&drain(&mut sender)).into_iter().map(|f| f.payload);
        let expected = [vec![1; LARGE], vec![1; LARGE - 1], vec![2; LARGE]];
        assert!(payloads.eq(expected), "{role:?}");
    }
}

#[test]
fn f15_a_pong_carries_the_pings_payload() {
    for role in ROLES {
        for payload in [&b""[..], b"1", &[0xFF; 125]] {
            let bytes = peer_frame(role, FIN | PING, payload);
            let outcome = assert_brings(role, &bytes, &[ping(payload)]);
            assert_eq!(outcome.payloads(), [(FIN | PONG, payload.to_vec())]);
        }
    }
}

#[test]
fn f15_a_pong_leaves_though_the_output_never_runs_empty() {
    for role in ROLES {
        let mut connection = connection(role, &Limits::default());
        let ping = |payload| peer_frame(role, FIN | PING, payload);
        receive(&mut connection, &ping(b"1"), Instant::now());
        let mut output = connection.output().copy_to_bytes(3).to_vec();
        for _ in 0..3 {
            // Always something to write: a bulk sender on a slow transport.
            connection.send(vec![7; 1000]).unwrap();
            receive(&mut connection, &ping(b"2"), Instant::now());
            output.extend(connection.output().copy_to_bytes(1000));
        }
        assert!(connection.output().has_remaining());
        let size = connection.buffered();
        output.extend(connection.output().copy_to_bytes(size));
        let pongs = parse(&output).into_iter().filter(|f| f.first == FIN | PONG);
        let payloads: Vec<_> = pongs.map(|frame| frame.payload).collect();
        assert!(
            payloads.contains(&b"2".to_vec()),
            "the pong behind which the later one waits is written: {payloads:?}"
        );
    }
}

/// §5.5.2: a ping MUST be answered, unless a close frame was *received*.
#[test]
fn f15_a_ping_is_answered_while_the_peers_close_frame_is_awaited() {
    for role in ROLES {
        let bytes = peer_frame(role, FIN | PING, b"are you there?");
        let close = |connection: &mut Connection| connection.close(None, Instant::now());
        let outcome = replay_after(role, &Limits::default(), &bytes, close);
        let expected = [
            (FIN | CLOSE, vec![]),
            (FIN | PONG, b"are you there?".to_vec()),
        ];
        assert_eq!(outcome.payloads(), expected, "{role:?}");
    }
}

#[test]
fn f16_no_pong_follows_a_received_close_frame() {
    for role in ROLES {
        let close = peer_close(role, 1000, "");
        let ping_frame = peer_frame(role, FIN | PING, b"late");
        let bytes = [&close[..], &ping_frame].concat();
        let outcome = replay(role, &Limits::default(), &bytes);
        assert_eq!(outcome.incoming, []);
        assert_eq!(outcome.payloads(), [(FIN | CLOSE, close_body(1000, ""))]);
        // One for a ping before the close frame goes before the answer to that.
        let mut connection = connection(role, &Limits::default());
        receive(
            &mut connection,
            &[ping_frame, close].concat(),
            Instant::now(),
        );
        let frames = parse(&drain(&mut connection));
        let firsts: Vec<_> = frames.iter().map(|frame| frame.first).collect();
        assert_eq!(firsts, [FIN | PONG, FIN | CLOSE]);
    }
}

/// A pong goes before what is sent after its ping came, and several pings are all answered.
#[test]
fn f15_pongs_keep_their_place_in_the_output() {
    for role in ROLES {
        let mut connection = connection(role, &Limits::default());
        let pings = [b"1", b"2"].map(|payload| peer_frame(role, FIN | PING, payload));
        receive(&mut connection, &pings.concat(), Instant::now());
        connection.send("text").unwrap();
        let frames = parse(&drain(&mut connection)).into_iter();
        let sent: Vec<_> = frames.map(|frame| (frame.first, frame.payload)).collect();
        let expected = [
            (FIN | PONG, b"1".to_vec()),
            (FIN | PONG, b"2".to_vec()),
            (FIN | TEXT, b"text".to_vec()),
        ];
        assert_eq!(sent, expected, "{role:?}");
    }
}

#[test]
fn f17_unsolicited_pongs_are_harmless() {
    for role in ROLES {
        let frames = [
            peer_frame(role, FIN | PONG, b""),
            peer_frame(role, FIN | TEXT, b"text"),
            peer_frame(role, FIN | PONG, &[1; 125]),
        ];
        let incoming = [pong(b""), text("text"), pong(&[1; 125])];
        let outcome = assert_brings(role, &frames.concat(), &incoming);
        assert_eq!(outcome.output, b"", "a pong has no answer");
    }
}

fn too_big(size: u64, size_max: u64) -> ProtocolError {
    ProtocolError::MessageTooBig { size, size_max }
}

#[test]
fn f18_limits_hold_for_the_whole_message() {
    let limits = Limits::default().message_size_max(10).fragments_max(3);
    for role in ROLES {
        let fragment = |first, payload: &[u8]| peer_frame(role, first, payload);
        let ten = [
            fragment(BINARY, b"1234"),
            fragment(FIN | CONTINUATION, b"567890"),
        ]
        .concat();
        let brought = replay(role, &limits, &[&ten[..], &ten].concat()).incoming;
        assert_eq!(brought, [binary(b"1234567890"), binary(b"1234567890")]);
        let fails = |bytes: &[u8], error| assert_fails_after(role, &limits, bytes, &[], error);
        // The header is enough.
        fails(&peer_header(role, FIN | BINARY, 11), too_big(11, 10));
        let begun = [fragment(BINARY, b"1234"), fragment(CONTINUATION, b"5678")].concat();
        let third = peer_header(role, FIN | CONTINUATION, 3);
        fails(&[begun, third].concat(), too_big(11, 10));
        let empty = [fragment(BINARY, b""), fragment(CONTINUATION, b"").repeat(2)].concat();
        let fourth = peer_header(role, FIN | CONTINUATION, 0);
        fails(
            &[empty, fourth].concat(),
            ProtocolError::TooManyFragments(3),
        );
    }
}

#[test]
fn f18_limits_are_on_by_default() {
    let limits = Limits::default();
    assert_eq!(
        (limits.message_size_limit(), limits.fragments_limit()),
        (16 << 20, 131_072)
    );
    for role in ROLES {
        let largest = peer_header(role, FIN | BINARY, 16 << 20);
        assert_brings(role, &largest, &[]);
        let larger = peer_header(role, FIN | BINARY, (16 << 20) + 1);
        assert_fails(role, &larger, too_big((16 << 20) + 1, 16 << 20));
    }
}

#[test]
fn f19_no_switch_turns_validation_off() {
    // A new limit fails here: whoever adds one says why it leaves validation alone.
    assert_eq!(
        format!("{:?}", Limits::default()),
        format!(
            "Limits {{ message_size_max: 16777216, fragments_max: 131072, frame_size_max: {}, \
             write_buffer_max: 65536, close_timeout: 10s }}",
            usize::MAX
        ),
    );
    for role in ROLES {
        for opcode in (0x3..=0x7).chain(0xB..=0xF) {
            let bytes = peer_frame(role, FIN | opcode, b"");
            assert_fails(role, &bytes, ProtocolError::ReservedOpcode(opcode));
        }
        // What is discarded is validated, too.
        let invalid = peer_frame(role, FIN | TEXT, b"\xff");
        let close = |connection: &mut Connection| connection.close(None, Instant::now());
        let outcome = replay_after(role, &Limits::default(), &invalid, close);
        let cause = CloseCause::Protocol(ProtocolError::InvalidUtf8);
        assert_eq!(outcome.info.cause, cause, "{role:?}");
        assert!(!outcome.info.clean);
    }
}
