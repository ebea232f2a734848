//! What the lines about frames and masking hold (RFC 6455 §5); `payload.rs` goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use bytes::Buf;
use talkback_proto::{
    CloseCode, CloseFrame, CloseFrameError, Connection, Limits, Message, ProtocolError, Role,
    SendError,
};

use crate::support::wire::{
    BINARY, CLOSE, CONTINUATION, FIN, Frame, KEY, PING, PONG, RSV1, RSV2, RSV3, TEXT, close_body,
    frame, header, parse, peer_close, peer_frame, peer_header,
};
use crate::support::{
    ROLES, assert_brings, assert_fails, assert_fails_after, binary, connection, drain, ping, pong,
    receive, replay, text,
};

const OPCODES: [u8; 6] = [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG];
const CONTROL: [u8; 3] = [CLOSE, PING, PONG];

/// A payload from this size on rides along uncopied; the tests take sizes on either side.
const LARGE: usize = 100_000;

/// Everything that a connection may send, in one run; the last frame is a close frame.
fn send_everything(connection: &mut Connection) -> Vec<(u8, Vec<u8>)> {
    let messages = [
        Message::from(""),
        Message::from("안녕"),
        Message::from(vec![]),
        Message::from(vec![1; 125]),
        Message::from(vec![2; 126]),
        Message::from(vec![3; LARGE]),
    ];
    let mut sent = Vec::new();
    for message in messages {
        let opcode = if message.as_text().is_some() {
            TEXT
        } else {
            BINARY
        };
        sent.push((FIN | opcode, message.as_bytes().to_vec()));
        connection.send(message).unwrap();
    }
    for payload in [vec![], b"ping".to_vec(), vec![4; 125]] {
        sent.push((FIN | PING, payload.clone()));
        connection.ping(payload.clone()).unwrap();
        sent.push((FIN | PONG, payload.clone()));
        connection.pong(payload).unwrap();
    }
    let frame = CloseFrame::new(CloseCode::NORMAL, "안녕히").unwrap();
    sent.push((FIN | CLOSE, close_body(1000, "안녕히")));
    connection.close(Some(frame), Instant::now());
    sent
}

/// The frames that each way of answering the peer sends.
fn answers(role: Role) -> Vec<Frame> {
    let pings = [&b""[..], b"ping", &[7; 125]].map(|p| peer_frame(role, FIN | PING, p));
    let ends = [
        peer_frame(role, FIN | CLOSE, b""),
        peer_close(role, 1000, "bye"),
        peer_frame(role, FIN | RSV2 | TEXT, b"a failure"),
    ];
    let ends = ends.map(|end| [pings.concat(), end].concat());
    let outcomes = ends.map(|bytes| replay(role, &Limits::default(), &bytes).frames());
    outcomes.concat()
}

fn unmasked_and_masked() -> impl Iterator<Item = (u8, Vec<u8>, Vec<u8>)> {
    let payloads = [&b""[..], &[0x11, 0x20], &[0x20; 125]];
    OPCODES.into_iter().flat_map(move |opcode| {
        payloads.map(|payload| {
            let unmasked = frame(FIN | opcode, None, payload);
            (opcode, unmasked, frame(FIN | opcode, Some(KEY), payload))
        })
    })
}

#[test]
fn f1_server_rejects_an_unmasked_frame() {
    let role = Role::Server;
    let good = peer_frame(role, FIN | TEXT, b"good");
    for (_, unmasked, _) in unmasked_and_masked().filter(|(opcode, ..)| *opcode != CONTINUATION) {
        assert_fails(role, &unmasked, ProtocolError::NotMasked);
        let behind = [&good[..], &unmasked, &good].concat();
        let limits = Limits::default();
        assert_fails_after(
            role,
            &limits,
            &behind,
            &[text("good")],
            ProtocolError::NotMasked,
        );
    }
    let begun = peer_frame(role, TEXT, b"begun");
    let continued = [begun, frame(FIN | CONTINUATION, None, b"x")].concat();
    assert_fails(role, &continued, ProtocolError::NotMasked);
}

#[test]
fn f2_client_rejects_a_masked_frame() {
    let role = Role::Client;
    let good = peer_frame(role, FIN | TEXT, b"good");
    for (_, _, masked) in unmasked_and_masked().filter(|(opcode, ..)| *opcode != CONTINUATION) {
        assert_fails(role, &masked, ProtocolError::Masked);
        let behind = [&good[..], &masked, &good].concat();
        let limits = Limits::default();
        assert_fails_after(
            role,
            &limits,
            &behind,
            &[text("good")],
            ProtocolError::Masked,
        );
    }
    // A key of zeros changes no byte and is a masking key all the same.
    let zeros = frame(FIN | TEXT, Some([0; 4]), b"Hello");
    assert_fails(role, &zeros, ProtocolError::Masked);
}

#[test]
fn f3_client_masks_every_frame() {
    let mut client = connection(Role::Client, &Limits::default());
    let sent = send_everything(&mut client);
    let frames = parse(&drain(&mut client));
    assert!(frames.iter().all(|frame| frame.key.is_some()));
    let payloads: Vec<_> = frames.into_iter().map(|f| (f.first, f.payload)).collect();
    assert_eq!(payloads, sent);
    assert!(
        answers(Role::Client)
            .iter()
            .all(|frame| frame.key.is_some())
    );
}

#[test]
fn f4_server_never_masks() {
    let mut server = connection(Role::Server, &Limits::default());
    let sent = send_everything(&mut server);
    let frames = parse(&drain(&mut server));
    assert!(frames.iter().all(|frame| frame.key.is_none()));
    let payloads: Vec<_> = frames.into_iter().map(|f| (f.first, f.payload)).collect();
    assert_eq!(payloads, sent);
    assert!(
        answers(Role::Server)
            .iter()
            .all(|frame| frame.key.is_none())
    );
}

#[test]
fn f5_each_frame_takes_one_fresh_key() {
    let count = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&count);
    let keys = move || (counter.fetch_add(1, Ordering::Relaxed) + 1).to_be_bytes();
    let mut client = Connection::client(Limits::default(), keys);
    let pings = peer_frame(Role::Client, FIN | PING, b"answer me");
    receive(&mut client, &pings, Instant::now());
    let mut output = drain(&mut client);
    send_everything(&mut client);
    output.extend(drain(&mut client));
    let keys: Vec<_> = parse(&output).into_iter().map(|frame| frame.key).collect();
    let numbers = 1..=keys.len() as u32;
    assert_eq!(
        keys,
        numbers.map(|n| Some(n.to_be_bytes())).collect::<Vec<_>>()
    );
    assert_eq!(
        count.load(Ordering::Relaxed) as usize,
        keys.len(),
        "none is drawn in vain"
    );
}

#[test]
fn f6_sends_lengths_in_the_fewest_bytes() {
    let lengths: [(usize, &[u8]); 6] = [
        (0, &[0]),
        (125, &[125]),
        (126, &[126, 0, 126]),
        (65_535, &[126, 0xFF, 0xFF]),
        (65_536, &[127, 0, 0, 0, 0, 0, 1, 0, 0]),
        (70_000, &[127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]),
    ];
    for role in ROLES {
        for (size, encoded) in lengths {
            let mut sender = connection(role, &Limits::default());
            sender.send(vec![7; size]).unwrap();
            let output = drain(&mut sender);
            let mut length = output[1..=encoded.len()].to_vec();
            let (mask_bit, key_size) = match role {
                Role::Client => (0x80, 4),
                Role::Server => (0, 0),
            };
            assert_eq!(length[0] & 0x80, mask_bit);
            length[0] &= 0x7F;
            assert_eq!(
                (output[0], &length[..]),
                (FIN | BINARY, encoded),
                "{size} bytes"
            );
            assert_eq!(output.len(), 1 + encoded.len() + key_size + size);
        }
    }
}

/// A header with a length as written in `length`, whose first byte gets the mask bit.
fn header_with(role: Role, first: u8, length: &[u8]) -> Vec<u8> {
    let mut bytes = peer_header(role, first, 0);
    let key = bytes.split_off(2);
    let mask_bit = bytes[1];
    bytes.pop();
    bytes.push(mask_bit | length[0]);
    bytes.extend(&length[1..]);
    bytes.extend(key);
    bytes
}

#[test]
fn f7_rejects_a_length_that_is_not_minimal() {
    let lengths: [&[u8]; 6] = [
        &[126, 0, 0],
        &[126, 0, 125],
        &[127, 0, 0, 0, 0, 0, 0, 0, 0],
        &[127, 0, 0, 0, 0, 0, 0, 0, 1],
        &[127, 0, 0, 0, 0, 0, 0, 0, 126],
        &[127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
    ];
    for role in ROLES {
        for length in lengths {
            let bytes = header_with(role, FIN | BINARY, length);
            assert_fails(role, &bytes, ProtocolError::LengthNotMinimal);
        }
    }
}

#[test]
fn f8_rejects_a_64_bit_length_with_the_top_bit_set() {
    for role in ROLES {
        for size in [1 << 63, (1 << 63) + 1, u64::MAX - 1, u64::MAX] {
            let bytes = peer_header(role, FIN | BINARY, size);
            assert_fails(role, &bytes, ProtocolError::LengthTopBit);
        }
    }
}

#[test]
fn f9_rejects_reserved_bits_on_every_frame() {
    for role in ROLES {
        for bits in [RSV1, RSV2, RSV3, RSV1 | RSV2, RSV1 | RSV2 | RSV3] {
            for opcode in OPCODES {
                let begun = match opcode {
                    CONTINUATION => peer_frame(role, TEXT, b"begun"),
                    _ => Vec::new(),
                };
                let reserved = peer_frame(role, FIN | bits | opcode, &[0x11, 0x20]);
                let bytes = [begun, reserved].concat();
                assert_fails(role, &bytes, ProtocolError::ReservedBits);
            }
            let begun = peer_frame(role, TEXT, b"begun");
            let inside = peer_frame(role, FIN | bits | PING, b"");
            assert_fails(role, &[begun, inside].concat(), ProtocolError::ReservedBits);
        }
    }
}

#[test]
fn http_in_place_of_a_frame_is_told_from_a_broken_frame() {
    for role in ROLES {
        // A framework that answers once its handler returns, a second handler, a proxy that goes on.
        for head in [
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.0 400 Bad Request\r\n\r\n",
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        ] {
            assert_fails(role, head.as_bytes(), ProtocolError::Http);
            let begun = peer_frame(role, TEXT, b"begun");
            let inside = [&*begun, head.as_bytes()].concat();
            assert_fails(role, &inside, ProtocolError::Http);
        }
        // Where a payload says so, it is one.
        let echoed = peer_frame(role, FIN | TEXT, b"HTTP/1.1 200 OK");
        assert_brings(role, &echoed, &[text("HTTP/1.1 200 OK")]);
    }
    let words = ProtocolError::Http.to_string();
    assert!(words.contains("what begins as HTTP does"), "{words}");
    assert_eq!(ProtocolError::Http.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn f10_messages_leave_one_behind_the_other() {
    for role in ROLES {
        let mut sender = connection(role, &Limits::default());
        let first = vec![1; LARGE];
        sender.send(first.clone()).unwrap();
        let mut output = sender.output().copy_to_bytes(1000).to_vec();
        // Whoever sends now, in the middle of a write, comes behind.
        sender.send("second").unwrap();
        sender.ping("third").unwrap();
        sender.send("fourth").unwrap();
        output.extend(drain(&mut sender));
        let payloads: Vec<_> = parse(&output)
            .into_iter()
            .map(|f| (f.first, f.payload))
            .collect();
        let expected = [
            (FIN | BINARY, first),
            (FIN | TEXT, b"second".to_vec()),
            (FIN | PING, b"third".to_vec()),
            (FIN | TEXT, b"fourth".to_vec()),
        ];
        assert_eq!(payloads, expected);
    }
}

#[test]
fn f10_fragments_of_two_messages_are_never_taken_interleaved() {
    for role in ROLES {
        for opcode in [TEXT, BINARY] {
            for fin in [0, FIN] {
                let first = peer_frame(role, TEXT, b"first");
                let second = peer_frame(role, fin | opcode, b"second");
                let bytes = [first, second].concat();
                assert_fails(role, &bytes, ProtocolError::InterleavedMessage);
            }
        }
        for fin in [0, FIN] {
            let stray = peer_frame(role, fin | CONTINUATION, b"stray");
            assert_fails(role, &stray, ProtocolError::UnexpectedContinuation);
            let whole = peer_frame(role, FIN | TEXT, b"whole");
            let bytes = [whole, stray].concat();
            let limits = Limits::default();
            let error = ProtocolError::UnexpectedContinuation;
            assert_fails_after(role, &limits, &bytes, &[text("whole")], error);
        }
    }
}

#[test]
fn f10_control_frames_pass_between_fragments() {
    for role in ROLES {
        let frames = [
            peer_frame(role, TEXT, b""),
            peer_frame(role, FIN | PING, b"1"),
            peer_frame(role, CONTINUATION, "한".as_bytes().split_at(1).0),
            peer_frame(role, FIN | PONG, b"2"),
            peer_frame(role, CONTINUATION, b""),
            peer_frame(role, CONTINUATION, "한".as_bytes().split_at(1).1),
            peer_frame(role, FIN | PING, b""),
            peer_frame(role, FIN | CONTINUATION, b""),
            peer_frame(role, BINARY, b""),
            peer_frame(role, FIN | CONTINUATION, b""),
        ];
        let incoming = [ping(b"1"), pong(b"2"), ping(b""), text("한"), binary(b"")];
        let outcome = assert_brings(role, &frames.concat(), &incoming);
        let pongs = [(FIN | PONG, b"1".to_vec()), (FIN | PONG, vec![])];
        assert_eq!(outcome.payloads(), pongs);
    }
}

#[test]
fn f10_large_messages_come_whole_through_both_receive_paths() {
    let large: String = "가나다라마바사".chars().cycle().take(25_000).collect();
    let (front, back) = large.as_bytes().split_at(70_000);
    for role in ROLES {
        let frames = [
            peer_frame(role, FIN | TEXT, large.as_bytes()),
            peer_frame(role, BINARY, front),
            peer_frame(role, FIN | PING, b"between"),
            peer_frame(role, FIN | CONTINUATION, back),
            peer_frame(role, FIN | TEXT, b"small"),
        ];
        let incoming = [
            text(&large),
            ping(b"between"),
            binary(large.as_bytes()),
            text("small"),
        ];
        assert_brings(role, &frames.concat(), &incoming);
    }
}

#[test]
fn f11_control_frames_over_125_bytes_are_never_sent() {
    for role in ROLES {
        let mut sender = connection(role, &Limits::default());
        for size in [126, 127, 65_536] {
            let error = Err(SendError::ControlTooLong(size));
            assert_eq!(sender.ping(vec![0; size]), error);
            assert_eq!(sender.pong(vec![0; size]), error);
        }
        let reason = CloseFrame::new(CloseCode::NORMAL, "a".repeat(124));
        assert_eq!(reason, Err(CloseFrameError::ReasonTooLong(124)));
        assert!(drain(&mut sender).is_empty(), "nothing was queued");
        assert!(sender.is_open());
        sender.ping(vec![0; 125]).unwrap();
        let longest = CloseFrame::new(CloseCode::NORMAL, "a".repeat(123)).unwrap();
        sender.close(Some(longest), Instant::now());
        let sizes = parse(&drain(&mut sender))
            .into_iter()
            .map(|f| f.payload.len());
        assert_eq!(sizes.collect::<Vec<_>>(), [125, 125]);
    }
}

#[test]
fn f11_control_frames_that_are_too_long_or_fragmented_are_refused() {
    for role in ROLES {
        for opcode in CONTROL {
            let long = peer_frame(role, FIN | opcode, &[0x20; 126]);
            assert_fails(role, &long, ProtocolError::ControlTooLong);
            let longer = peer_header(role, FIN | opcode, 65_536);
            assert_fails(role, &longer, ProtocolError::ControlTooLong);
            let fragment = peer_frame(role, opcode, &[0x11, 0x20]);
            assert_fails(role, &fragment, ProtocolError::FragmentedControl);
        }
    }
}

#[test]
fn the_examples_of_the_rfc_are_understood() {
    // §5.7.
    let client = |bytes: &[u8], incoming| assert_brings(Role::Client, bytes, &[incoming]);
    client(b"\x81\x05Hello", text("Hello"));
    client(b"\x01\x03Hel\x80\x02lo", text("Hello"));
    client(b"\x89\x05Hello", ping(b"Hello"));
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_brings(Role::Server, masked, &[text("Hello")]);
    let pong_frame = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_brings(Role::Server, pong_frame, &[pong(b"Hello")]);
    let large = [header(FIN | BINARY, None, 65_536), vec![5; 65_536]].concat();
    client(&large, binary(&[5; 65_536]));
}
