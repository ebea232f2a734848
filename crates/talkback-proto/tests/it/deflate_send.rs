//! What the lines about sending compressed messages hold (RFC 7692 §7.2.1), read by two other
//! decompressors.

use bytes::{Buf, Bytes};
use talkback_proto::{
    Compression, CompressionLevel, Connection, DeflateParameters, DeflateTuning, MemoryLevel,
    Message, Role, SendError, WindowBits,
};
use talkback_testing::reference::Reference;

use crate::support::deflate::{
    PeerInflater, compressing, every_message, inflated, no_takeover, noise, prose, takeover,
};
use crate::support::wire::{BINARY, FIN, Frame, RSV1, TEXT, parse};
use crate::support::{ROLES, drain};

/// The one frame that sending `message` queues.
fn sent(connection: &mut Connection, message: impl Into<Message>) -> Frame {
    let message: Message = message.into();
    connection.send(message).unwrap();
    let mut frames = parse(&drain(connection));
    assert_eq!(frames.len(), 1);
    frames.remove(0)
}

/// The payload of the one compressed frame that sending `message` queues.
fn sent_payload(connection: &mut Connection, message: impl Into<Message>) -> Vec<u8> {
    let frame = sent(connection, message);
    assert_eq!(frame.first & 0xF0, FIN | RSV1);
    frame.payload
}

/// Messages that look back at each other from near and far.
fn related_messages() -> Vec<Vec<u8>> {
    let (near, far) = (prose(700).into_bytes(), noise(1_500));
    let long = prose(70_000).into_bytes();
    vec![
        near.clone(),
        far.clone(),
        b"x".repeat(40_000),
        near.clone(),
        long.clone(),
        far,
        [&near[..], &noise(40_000), &near].concat(),
        long,
    ]
}

#[test]
fn d13_a_sender_keeps_to_every_window_with_and_without_takeover() {
    for role in ROLES {
        for window in 9..=15 {
            for level in 0..=9 {
                for parameters in [takeover(), no_takeover()] {
                    let tuning = every_message().level(CompressionLevel::new(level).unwrap());
                    let bits = WindowBits::new(window).unwrap();
                    let parameters = match role {
                        Role::Client => parameters.client_max_window_bits(bits),
                        Role::Server => parameters.server_max_window_bits(bits),
                    };
                    let parameters = parameters.tuning(tuning);
                    keeps_to_the_window(role, parameters, 1 << window);
                }
            }
        }
    }
}

fn keeps_to_the_window(role: Role, parameters: DeflateParameters, window_size: usize) {
    let mut connection = compressing(role, parameters);
    let (mut reference, mut peer) = (Reference::default(), PeerInflater::new());
    for message in related_messages() {
        if !parameters.has_context_takeover(role) {
            (reference, peer) = (Reference::default(), PeerInflater::new());
        }
        let frame = sent(&mut connection, Bytes::from(message.clone()));
        if frame.first & RSV1 == 0 {
            assert!(!parameters.has_context_takeover(role));
            assert_eq!(frame.payload, message);
            continue;
        }
        assert!(peer.message(&frame.payload) == message);
        assert!(reference.message(&frame.payload) == message);
        assert!(
            reference.distance_max <= window_size,
            "{} of {window_size}: {parameters:?}",
            reference.distance_max
        );
    }
}

#[test]
fn d13_every_memory_level_gives_the_same_message() {
    for memory_level in 1..=9 {
        for window in [9, 15] {
            let tuning = every_message().memory_level(MemoryLevel::new(memory_level).unwrap());
            let parameters = takeover()
                .server_max_window_bits(WindowBits::new(window).unwrap())
                .tuning(tuning);
            keeps_to_the_window(Role::Server, parameters, 1 << window);
        }
    }
}

#[test]
fn d14_without_takeover_each_message_decompresses_alone() {
    for role in ROLES {
        let mut connection = compressing(role, no_takeover());
        let message = prose(3000);
        let first = sent_payload(&mut connection, message.as_str());
        let second = sent_payload(&mut connection, message.as_str());
        assert_eq!(first, second, "nothing is left of the first one");
        assert_eq!(inflated(&second), message.as_bytes());
    }
}

#[test]
fn d14_only_the_own_direction_counts() {
    for role in ROLES {
        let theirs = takeover()
            .server_no_context_takeover(role == Role::Client)
            .client_no_context_takeover(role == Role::Server)
            .tuning(every_message().level(CompressionLevel::new(2).unwrap()));
        let mut connection = compressing(role, theirs);
        let message = prose(3000);
        let first = sent_payload(&mut connection, message.as_str());
        let second = sent_payload(&mut connection, message.as_str());
        assert!(
            second.len() * 10 < first.len(),
            "it refers to the first: {role:?} {} {}",
            second.len(),
            first.len()
        );
        let mut peer = PeerInflater::new();
        assert_eq!(peer.message(&first), message.as_bytes());
        assert_eq!(peer.message(&second), message.as_bytes());
    }
}

#[test]
fn d15_an_uncompressed_message_leaves_the_context_as_it_was() {
    for role in ROLES {
        let mut connection = compressing(role, takeover());
        let mut peer = PeerInflater::new();
        let message = prose(2000);
        let first = sent_payload(&mut connection, message.as_str());
        assert_eq!(peer.message(&first), message.as_bytes());
        connection.send_with("skipped", Compression::Skip).unwrap();
        let frames = parse(&drain(&mut connection));
        assert_eq!(frames[0].first, FIN | TEXT);
        assert_eq!(frames[0].payload, b"skipped");
        let second = sent_payload(&mut connection, message.as_str());
        assert_eq!(peer.message(&second), message.as_bytes());
    }
}

#[test]
fn d16_an_empty_message_is_one_byte_or_uncompressed() {
    for role in ROLES {
        let mut connection = compressing(role, takeover());
        for _ in 0..3 {
            let frame = sent(&mut connection, "");
            assert_eq!(
                (frame.first, &frame.payload[..]),
                (FIN | RSV1 | TEXT, &b"\x00"[..])
            );
            assert_eq!(inflated(&frame.payload), b"");
            sent_payload(&mut connection, "between");
        }
        let mut connection = compressing(role, no_takeover());
        let frame = sent(&mut connection, Bytes::new());
        assert_eq!((frame.first, frame.payload), (FIN | BINARY, vec![]));
    }
}

#[test]
fn d17_the_tail_is_taken_away() {
    for role in ROLES {
        for size in [1, 100, 5_000, 100_000] {
            let mut connection = compressing(role, takeover());
            let message = prose(size);
            let payload = sent_payload(&mut connection, message.as_str());
            assert!(!payload.ends_with(b"\x00\x00\xff\xff"), "{size}");
            assert_eq!(inflated(&payload), message.as_bytes());
        }
    }
}

#[test]
fn payloads_around_the_sizes_of_the_buffers_are_whole() {
    for role in ROLES {
        for parameters in [takeover(), no_takeover()] {
            let mut connection = compressing(role, parameters);
            let mut peer = PeerInflater::new();
            // What does not compress comes out about as large as it was.
            for size in (4_080..4_100)
                .chain(16_360..16_400)
                .chain([32_768, 65_530, 200_000])
            {
                let message = noise(size);
                let frame = sent(&mut connection, message.as_slice());
                if frame.first & RSV1 != 0 {
                    assert!(peer.message(&frame.payload) == message, "{size}");
                } else {
                    assert!(
                        parameters == no_takeover() && frame.payload == message,
                        "{size}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_does_not_shrink_is_sent_as_it_is_unless_the_context_is_taken_over() {
    for role in ROLES {
        for size in [1, 10, 1000, 20_000, 100_000] {
            let message = noise(size);
            let frame = sent(&mut compressing(role, no_takeover()), message.as_slice());
            assert_eq!(frame.first, FIN | BINARY);
            assert_eq!(frame.payload, message);
            let payload = sent_payload(&mut compressing(role, takeover()), message.as_slice());
            assert_eq!(inflated(&payload), message);
        }
    }
}

#[test]
fn messages_below_the_threshold_are_sent_as_they_are() {
    for role in ROLES {
        for parameters in [takeover(), no_takeover()] {
            let tuning = every_message().threshold(100);
            let mut connection = compressing(role, parameters.tuning(tuning));
            assert_eq!(sent(&mut connection, "x".repeat(99)).first, FIN | TEXT);
            assert_eq!(
                sent(&mut connection, "x".repeat(100)).first,
                FIN | RSV1 | TEXT
            );
        }
        // By default, what refers to earlier messages is worth it sooner.
        for (parameters, threshold) in [(takeover(), 32), (no_takeover(), 192)] {
            let parameters = parameters.tuning(DeflateTuning::default());
            let mut connection = compressing(role, parameters);
            let below = sent(&mut connection, "x".repeat(threshold - 1));
            assert_eq!(below.first, FIN | TEXT);
            let from_there = sent(&mut connection, "x".repeat(threshold));
            assert_eq!(from_there.first, FIN | RSV1 | TEXT);
        }
    }
}

#[test]
fn f3_a_compressed_frame_is_masked_by_a_client_only() {
    for (role, is_masked) in [(Role::Client, true), (Role::Server, false)] {
        let mut connection = compressing(role, takeover());
        for size in [100, 200_000] {
            let message = [prose(size).into_bytes(), noise(size)].concat();
            let frame = sent(&mut connection, message.as_slice());
            assert_eq!(frame.key.is_some(), is_masked);
        }
        let mut connection = compressing(role, takeover());
        let keys: Vec<_> = (0..4).map(|_| sent(&mut connection, "again").key).collect();
        assert!(!is_masked || keys.windows(2).all(|pair| pair[0] != pair[1]));
    }
}

#[test]
fn f14_a_compressed_payload_does_not_change_while_it_is_sent() {
    for role in ROLES {
        let mut connection = compressing(role, no_takeover());
        let message = Bytes::from(prose(200_000));
        connection.send(message.clone()).unwrap();
        let mut output = connection.output().copy_to_bytes(50).to_vec();
        assert_eq!(message, prose(200_000));
        drop(message);
        output.extend(drain(&mut connection));
        let frames = parse(&output);
        assert_eq!(inflated(&frames[0].payload), prose(200_000).as_bytes());
    }
}

#[test]
fn v45_a_message_is_queued_whole_or_not_at_all() {
    for role in ROLES {
        let mut connection = compressing(role, takeover());
        let mut peer = PeerInflater::new();
        let messages = [prose(50_000), prose(3_000), prose(50_000)];
        // However far the writer came when its caller went away, the rest is still queued whole.
        let mut output = Vec::new();
        for (message, written) in messages.iter().zip([0, 1, 700]) {
            connection.send(message.as_str()).unwrap();
            output.extend_from_slice(&connection.output().copy_to_bytes(written));
        }
        connection.close(None, std::time::Instant::now());
        let refused = connection.send("after the close frame");
        assert_eq!(refused, Err(SendError::Closed));
        output.extend(drain(&mut connection));
        let frames = parse(&output);
        assert_eq!(frames.len(), 4, "three messages and the close frame");
        for (frame, message) in frames.iter().zip(&messages) {
            assert_eq!(peer.message(&frame.payload), message.as_bytes());
        }
    }
}

#[test]
fn v45_what_is_refused_leaves_the_context_as_it_was() {
    for role in ROLES {
        let mut connection = compressing(role, takeover());
        let mut peer = PeerInflater::new();
        let first = sent_payload(&mut connection, "first, first, first");
        assert_eq!(peer.message(&first), b"first, first, first");
        let too_long = connection.ping(vec![0; 126]);
        assert!(matches!(too_long, Err(SendError::ControlTooLong(126))));
        connection.ping("between").unwrap();
        drain(&mut connection);
        let second = sent_payload(&mut connection, "first, first, second");
        assert_eq!(peer.message(&second), b"first, first, second");
    }
}
