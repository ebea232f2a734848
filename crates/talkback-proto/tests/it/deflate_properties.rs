//! Properties with compression on: whatever is sent arrives, however it is cut; every first byte
//! is decided by the rules; no bytes do harm.

use std::time::Instant;

use bytes::BufMut;
use proptest::prelude::*;
use talkback_proto::{
    CloseCause, CloseCode, Compression, CompressionLevel, Connection, DeflateParameters,
    DeflateTuning, Incoming, MemoryLevel, Message, READ_SIZE, Role, WindowBits,
};

use crate::support::deflate::{PeerDeflater, compressing, no_takeover, takeover};
use crate::support::wire::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, RSV1, TEXT, close_body, frame, peer_frame, peer_key,
};
use crate::support::{ROLES, binary, drain, ping, pong, receive, replay_on, text};

// ── Whatever is sent arrives ─────────────────────────────────────────────────────────────────

/// Messages that repeat themselves more or less.
fn any_message() -> impl Strategy<Value = Message> {
    let text = ("[a-zé가-힣😀-😎]{0,30}", 0usize..20).prop_map(|(t, n)| Message::from(t.repeat(n)));
    let bytes = proptest::collection::vec(any::<u8>(), 0..80);
    let binary = (bytes, 0usize..20).prop_map(|(bytes, n)| Message::from(bytes.repeat(n)));
    let large = (any::<u8>(), 0usize..70_000).prop_map(|(byte, n)| Message::from(vec![byte; n]));
    prop_oneof![6 => text, 4 => binary, 1 => large]
}

fn any_parameters() -> impl Strategy<Value = DeflateParameters> {
    let windows = (9u8..=15, 9u8..=15);
    let alone = (any::<bool>(), any::<bool>());
    let tuning = (0u8..=9, 1u8..=9, prop_oneof![Just(0usize), 0usize..100]);
    (windows, alone, tuning).prop_map(|(windows, alone, (level, memory_level, threshold))| {
        let tuning = DeflateTuning::default()
            .level(CompressionLevel::new(level).unwrap())
            .memory_level(MemoryLevel::new(memory_level).unwrap())
            .threshold(threshold);
        DeflateParameters::default()
            .server_no_context_takeover(alone.0)
            .client_no_context_takeover(alone.1)
            .server_max_window_bits(WindowBits::new(windows.0).unwrap())
            .client_max_window_bits(WindowBits::new(windows.1).unwrap())
            .tuning(tuning)
    })
}

/// Receives `wire` in chunks of these sizes, over and over, as a driver does.
fn receive_in_chunks(
    connection: &mut Connection,
    mut wire: &[u8],
    sizes: &[usize],
) -> Vec<Incoming> {
    let now = Instant::now();
    let mut incoming = Vec::new();
    for size in sizes.iter().cycle() {
        if wire.is_empty() {
            break;
        }
        let space = connection.space();
        let space_size = space.as_ref().map_or(READ_SIZE, BufMut::remaining_mut);
        let (piece, rest) = wire.split_at(wire.len().min(*size).min(space_size));
        wire = rest;
        if let Some(mut space) = space {
            space.put_slice(piece);
            incoming.extend(receive(connection, &[], now));
        } else {
            incoming.extend(receive(connection, piece, now));
        }
    }
    incoming
}

fn any_sizes() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(prop_oneof![1usize..30, 1usize..100_000], 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn what_one_end_sends_the_other_receives(
        messages in proptest::collection::vec((any_message(), any::<bool>()), 1..5),
        parameters in any_parameters(),
        sizes in any_sizes(),
    ) {
        for (role, peer) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
            let mut sender = compressing(role, parameters);
            for (message, is_skipped) in &messages {
                let compression = if *is_skipped { Compression::Skip } else { Compression::Auto };
                sender.send_with(message.clone(), compression).unwrap();
            }
            let wire = drain(&mut sender);
            let mut receiver = compressing(peer, parameters);
            let received = receive_in_chunks(&mut receiver, &wire, &sizes);
            let sent = messages.iter().map(|(message, _)| Incoming::Message(message.clone()));
            prop_assert!(received == sent.collect::<Vec<_>>());
            prop_assert!(receiver.is_open());
        }
    }
}

/// The frames of a peer that takes its context over, cut at these percents of what is left.
fn peer_frames(
    role: Role,
    deflater: &mut PeerDeflater,
    message: &Message,
    percents: &[usize],
) -> (Vec<u8>, Vec<Incoming>) {
    let opcode = if message.as_text().is_some() {
        TEXT
    } else {
        BINARY
    };
    let (mut wire, mut incoming) = (Vec::new(), Vec::new());
    let payload = deflater.message(message.as_bytes());
    let (mut first, mut rest) = (RSV1 | opcode, &payload[..]);
    for percent in percents {
        let (front, back) = rest.split_at(rest.len() * percent / 100);
        wire.extend(peer_frame(role, first, front));
        wire.extend(peer_frame(role, FIN | PING, &[*percent as u8]));
        incoming.push(ping(&[*percent as u8]));
        (first, rest) = (CONTINUATION, back);
    }
    wire.extend(peer_frame(role, FIN | first, rest));
    incoming.push(Incoming::Message(message.clone()));
    (wire, incoming)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn any_fragmentation_and_chunking_brings_the_same(
        messages in proptest::collection::vec(
            (any_message(), proptest::collection::vec(0usize..=100, 0..4)),
            1..4,
        ),
        level in 0i32..=9,
        sizes in any_sizes(),
    ) {
        for role in ROLES {
            let mut deflater = PeerDeflater::new(level);
            let (mut wire, mut expected) = (Vec::new(), Vec::new());
            for (message, percents) in &messages {
                let (frames, incoming) = peer_frames(role, &mut deflater, message, percents);
                wire.extend(frames);
                expected.extend(incoming);
            }
            let mut receiver = compressing(role, takeover());
            let received = receive_in_chunks(&mut receiver, &wire, &sizes);
            prop_assert!(received == expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn any_payload_ends_in_the_same_way_however_it_is_cut(
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..4),
        opcode in prop_oneof![Just(TEXT), Just(BINARY)],
        sizes in any_sizes(),
    ) {
        for role in ROLES {
            for parameters in [takeover(), no_takeover()] {
                let frames = payloads.iter().map(|p| peer_frame(role, FIN | RSV1 | opcode, p));
                let wire = frames.collect::<Vec<_>>().concat();
                let outcome = |sizes: &[usize]| {
                    let mut receiver = compressing(role, parameters);
                    let incoming = receive_in_chunks(&mut receiver, &wire, sizes);
                    let output = drain(&mut receiver);
                    receiver.handle_end("the end");
                    (incoming, output, receiver.close_info().cloned())
                };
                let whole = outcome(&[usize::MAX]);
                prop_assert_eq!(&outcome(&[1]), &whole);
                prop_assert_eq!(&outcome(&sizes), &whole);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn a_changed_byte_ends_in_the_same_way_however_it_is_cut(
        message in "[a-zé한]{0,80}",
        level in 0i32..=9,
        place in any::<proptest::sample::Index>(),
        flipped in 1u8..,
    ) {
        for role in ROLES {
            let mut payload = PeerDeflater::new(level).message(message.as_bytes());
            let place = place.index(payload.len());
            payload[place] ^= flipped;
            let wire = peer_frame(role, FIN | RSV1 | TEXT, &payload);
            let outcome = |sizes: &[usize]| {
                let mut receiver = compressing(role, no_takeover());
                let incoming = receive_in_chunks(&mut receiver, &wire, sizes);
                receiver.handle_end("the end");
                (incoming, receiver.close_info().cloned())
            };
            prop_assert_eq!(outcome(&[1]), outcome(&[usize::MAX]));
        }
    }
}

// ── Every first byte is decided by the rules ─────────────────────────────────────────────────

/// What a frame does.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Fails,
    /// It brings something, or begins or goes on with a message.
    Brings(Vec<Incoming>),
    Closes,
}

/// The message that a frame finds in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    Nothing,
    Plain,
    Compressed,
}

/// "Hello" compressed (RFC 7692 §7.2.3.1), and where it is cut in two.
const HELLO: &[u8; 7] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
const CUT: usize = 3;

/// A payload that fits every opcode without RSV1: as text it is ASCII, as a close body it has the
/// code 4384.
const PAYLOAD: &[u8; 2] = b"\x11\x20";

fn payload_of(first: u8, begun: Begun) -> &'static [u8] {
    match (first & 0x0F, begun) {
        (CONTINUATION, Begun::Compressed) => &HELLO[CUT..],
        _ if first & RSV1 != 0 => HELLO,
        _ => PAYLOAD,
    }
}

/// The rules of RFC 6455 §5 and RFC 7692 §6 for one frame, written a second time.
fn verdict(first: u8, is_masked: bool, role: Role, begun: Begun) -> Verdict {
    let (fin, reserved, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0F);
    let may_be_compressed = opcode == TEXT || opcode == BINARY;
    let is_compressed = reserved == RSV1 && may_be_compressed;
    if (reserved != 0 && !is_compressed) || is_masked != (role == Role::Server) {
        return Verdict::Fails;
    }
    let brings = |incoming: Incoming| Verdict::Brings(vec![incoming]);
    match (opcode, fin, begun) {
        (CONTINUATION, true, Begun::Plain) => brings(text("begun \u{11} ")),
        (CONTINUATION, true, Begun::Compressed) => brings(text("Hello")),
        (CONTINUATION, false, Begun::Plain | Begun::Compressed)
        | (TEXT | BINARY, false, Begun::Nothing) => Verdict::Brings(vec![]),
        (TEXT, true, Begun::Nothing) if is_compressed => brings(text("Hello")),
        (BINARY, true, Begun::Nothing) if is_compressed => brings(binary(b"Hello")),
        (TEXT, true, Begun::Nothing) => brings(text("\u{11} ")),
        (BINARY, true, Begun::Nothing) => brings(binary(PAYLOAD)),
        (CLOSE, true, _) => Verdict::Closes,
        (0x9, true, _) => brings(ping(PAYLOAD)),
        (0xA, true, _) => brings(pong(PAYLOAD)),
        _ => Verdict::Fails,
    }
}

fn observe(first: u8, is_masked: bool, role: Role, begun: Begun) -> Verdict {
    let before = match begun {
        Begun::Nothing => Vec::new(),
        Begun::Plain => peer_frame(role, TEXT, b"begun "),
        Begun::Compressed => peer_frame(role, RSV1 | TEXT, &HELLO[..CUT]),
    };
    let key = is_masked.then(|| peer_key(Role::Server)).flatten();
    let tested = frame(first, key, payload_of(first, begun));
    let make = || compressing(role, takeover());
    let outcome = replay_on(make, &[before, tested].concat());
    let closes = outcome.payloads().into_iter();
    let closes: Vec<_> = closes.filter(|(first, _)| *first == FIN | CLOSE).collect();
    match (&closes[..], &outcome.info.cause) {
        ([], CloseCause::Transport(_)) => Verdict::Brings(outcome.incoming),
        ([(_, body)], CloseCause::Protocol(error)) => {
            assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
            assert_eq!((body, outcome.incoming), (&close_body(1002, ""), vec![]));
            Verdict::Fails
        }
        ([(_, body)], CloseCause::ClosingHandshake) => {
            assert_eq!((&body[..], outcome.incoming), (&PAYLOAD[..], vec![]));
            Verdict::Closes
        }
        _ => panic!("{outcome:?}"),
    }
}

#[test]
fn every_first_byte_and_mask_bit_is_decided_by_the_rules_with_compression_on() {
    let mut counts = [0; 3];
    for role in ROLES {
        for begun in [Begun::Nothing, Begun::Plain, Begun::Compressed] {
            for first in 0..=u8::MAX {
                for is_masked in [false, true] {
                    let expected = verdict(first, is_masked, role, begun);
                    counts[match expected {
                        Verdict::Fails => 0,
                        Verdict::Brings(_) => 1,
                        Verdict::Closes => 2,
                    }] += 1;
                    assert_eq!(
                        observe(first, is_masked, role, begun),
                        expected,
                        "{first:#010b}, masked: {is_masked}, {role:?}, {begun:?}"
                    );
                }
            }
        }
    }
    // Of 2 × 3 × 512: text and binary, each with and without FIN and RSV1, ping, pong; in a
    // message a continuation with and without FIN, ping, pong; and a close frame in each.
    assert_eq!(counts, [3072 - 36 - 6, 36, 6]);
}
