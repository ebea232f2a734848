//! Properties: any chunking brings the same, and every first byte is decided by the rules.

use std::time::Instant;

use bytes::BufMut;
use proptest::prelude::*;
use talkback_proto::{
    CloseCause, CloseCode, Connection, Incoming, Limits, Message, READ_SIZE, Role,
};

use crate::support::wire::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, close_body, frame, parse, peer_frame,
    peer_key,
};
use crate::support::{ROLES, binary, connection, drain, ping, pong, receive, replay, text};

// ── Any chunking brings the same ─────────────────────────────────────────────────────────────

/// A control frame between fragments.
#[derive(Clone, Debug)]
enum Control {
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// A fragment: how much of the rest of the payload it takes in percent, and what comes before it.
#[derive(Clone, Debug)]
struct Fragment {
    percent: usize,
    before: Vec<Control>,
}

#[derive(Clone, Debug)]
struct Sent {
    message: Message,
    /// Those before the last, which takes the rest.
    fragments: Vec<Fragment>,
}

impl Sent {
    /// Adds the frames to `wire` and what they bring to `incoming`.
    fn encode(&self, role: Role, wire: &mut Vec<u8>, incoming: &mut Vec<Incoming>) {
        let mut opcode = match self.message {
            Message::Text(_) => TEXT,
            Message::Binary(_) => BINARY,
        };
        let mut rest = self.message.as_bytes();
        for fragment in &self.fragments {
            for control in &fragment.before {
                let (first, payload, event) = match control {
                    Control::Ping(payload) => (FIN | PING, payload, ping(payload)),
                    Control::Pong(payload) => (FIN | PONG, payload, pong(payload)),
                };
                wire.extend(peer_frame(role, first, payload));
                incoming.push(event);
            }
            let (payload, behind) = rest.split_at(rest.len() * fragment.percent / 100);
            wire.extend(peer_frame(role, opcode, payload));
            (opcode, rest) = (CONTINUATION, behind);
        }
        wire.extend(peer_frame(role, FIN | opcode, rest));
        incoming.push(Incoming::Message(self.message.clone()));
    }
}

fn any_control() -> impl Strategy<Value = Control> {
    let payload = || proptest::collection::vec(any::<u8>(), 0..=125);
    prop_oneof![
        payload().prop_map(Control::Ping),
        payload().prop_map(Control::Pong),
    ]
}

fn any_fragment() -> impl Strategy<Value = Fragment> {
    let before = proptest::collection::vec(any_control(), 0..3);
    (0usize..=100, before).prop_map(|(percent, before)| Fragment { percent, before })
}

/// Messages of up to `repeats` times a short text or a few bytes.
fn any_message(repeats: usize) -> impl Strategy<Value = Message> {
    let text =
        ("[a-zé가-힣😀-😎]{0,40}", 0..=repeats).prop_map(|(t, n)| Message::from(t.repeat(n)));
    let bytes = proptest::collection::vec(any::<u8>(), 0..80);
    let binary = (bytes, 0..=repeats).prop_map(|(bytes, n)| Message::from(bytes.repeat(n)));
    prop_oneof![2 => text, 1 => binary]
}

fn any_sent(repeats: usize) -> impl Strategy<Value = Sent> {
    let fragments = proptest::collection::vec(any_fragment(), 0..5);
    (any_message(repeats), fragments).prop_map(|(message, fragments)| Sent { message, fragments })
}

/// Receives `wire` in chunks of these sizes, over and over, as a driver does.
fn receive_in_chunks(
    role: Role,
    mut wire: &[u8],
    sizes: &[usize],
    is_direct: bool,
) -> Vec<Incoming> {
    let now = Instant::now();
    let mut connection = connection(role, &Limits::default());
    let mut incoming = Vec::new();
    for size in sizes.iter().cycle() {
        if wire.is_empty() {
            break;
        }
        let space = connection.space().filter(|_| is_direct);
        let space_size = space.as_ref().map_or(READ_SIZE, BufMut::remaining_mut);
        let (piece, rest) = wire.split_at(wire.len().min(*size).min(space_size));
        wire = rest;
        if let Some(mut space) = space {
            space.put_slice(piece);
            incoming.extend(receive(&mut connection, &[], now));
        } else {
            incoming.extend(receive(&mut connection, piece, now));
        }
    }
    assert!(connection.is_open());
    incoming
}

fn assert_chunking_changes_nothing(sent: &[Sent], sizes: &[usize]) -> Result<(), TestCaseError> {
    for role in ROLES {
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        for message in sent {
            message.encode(role, &mut wire, &mut expected);
        }
        for is_direct in [false, true] {
            let whole = receive_in_chunks(role, &wire, &[usize::MAX], is_direct);
            prop_assert_eq!(&whole, &expected);
            let chunked = receive_in_chunks(role, &wire, sizes, is_direct);
            prop_assert_eq!(&chunked, &expected);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn any_chunking_brings_the_same(
        sent in proptest::collection::vec(any_sent(4), 1..6),
        sizes in proptest::collection::vec(1usize..200, 1..8),
    ) {
        assert_chunking_changes_nothing(&sent, &sizes)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn any_chunking_of_large_messages_brings_the_same(
        sent in proptest::collection::vec(any_sent(4_000), 1..3),
        sizes in proptest::collection::vec(prop_oneof![1usize..50, 1_000usize..100_000], 1..6),
    ) {
        assert_chunking_changes_nothing(&sent, &sizes)?;
    }

    #[test]
    fn any_bytes_end_in_the_same_way_however_they_are_cut(
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        // The replay holds that all ways to cut agree.
        for role in ROLES {
            replay(role, &Limits::default(), &bytes);
        }
    }

    #[test]
    fn frames_with_any_first_byte_end_in_the_same_way_however_they_are_cut(
        frames in proptest::collection::vec((any::<u8>(), "[ -~é한😀]{0,20}"), 1..6),
    ) {
        for role in ROLES {
            let frames = frames.iter().map(|(first, text)| peer_frame(role, *first, text.as_bytes()));
            replay(role, &Limits::default(), &frames.collect::<Vec<_>>().concat());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn what_one_end_sends_the_other_receives(
        messages in proptest::collection::vec(any_message(300), 1..6),
        sizes in proptest::collection::vec(1usize..5_000, 1..6),
    ) {
        for (role, peer) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
            let mut sender = connection(role, &Limits::default());
            for message in &messages {
                sender.send(message.clone()).unwrap();
            }
            let wire = drain(&mut sender);
            let received = receive_in_chunks(peer, &wire, &sizes, true);
            let sent: Vec<_> = messages.iter().cloned().map(Incoming::Message).collect();
            prop_assert_eq!(received, sent);
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

/// A payload that fits every opcode: as text it is ASCII, as a close body it has the code 4384.
const PAYLOAD: &[u8; 2] = b"\x11\x20";

/// The rules of §5.1, §5.2, §5.4 and §5.5 for one frame with [`PAYLOAD`], written a second time.
fn verdict(first: u8, is_masked: bool, role: Role, in_message: bool) -> Verdict {
    let (fin, reserved, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0F);
    let must_be_masked = role == Role::Server;
    if reserved != 0 || is_masked != must_be_masked {
        return Verdict::Fails;
    }
    match (opcode, fin, in_message) {
        (0x0, true, true) => Verdict::Brings(vec![text("begun \u{11} ")]),
        (0x0, false, true) | (0x1 | 0x2, false, false) => Verdict::Brings(vec![]),
        (0x1, true, false) => Verdict::Brings(vec![text("\u{11} ")]),
        (0x2, true, false) => Verdict::Brings(vec![binary(PAYLOAD)]),
        (0x8, true, _) => Verdict::Closes,
        (0x9, true, _) => Verdict::Brings(vec![ping(PAYLOAD)]),
        (0xA, true, _) => Verdict::Brings(vec![pong(PAYLOAD)]),
        _ => Verdict::Fails,
    }
}

fn observe(first: u8, is_masked: bool, role: Role, in_message: bool) -> Verdict {
    let begun = peer_frame(role, TEXT, b"begun ");
    let key = is_masked.then(|| peer_key(Role::Server)).flatten();
    let tested = frame(first, key, PAYLOAD);
    let before = if in_message { &begun[..] } else { &[] };
    let outcome = replay(role, &Limits::default(), &[before, &tested].concat());
    let closes = outcome
        .payloads()
        .into_iter()
        .filter(|(first, _)| *first == FIN | CLOSE);
    let closes: Vec<_> = closes.map(|(_, body)| body).collect();
    match (&closes[..], &outcome.info.cause) {
        ([], CloseCause::Transport(_)) => Verdict::Brings(outcome.incoming),
        ([body], CloseCause::Protocol(error)) => {
            assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
            assert_eq!((body, outcome.incoming), (&close_body(1002, ""), vec![]));
            Verdict::Fails
        }
        ([body], CloseCause::ClosingHandshake) => {
            assert_eq!((&body[..], outcome.incoming), (&PAYLOAD[..], vec![]));
            assert_eq!(outcome.info.code, 4384);
            Verdict::Closes
        }
        _ => panic!("{outcome:?}"),
    }
}

#[test]
fn every_first_byte_and_mask_bit_is_decided_by_the_rules() {
    let mut counts = [0; 3];
    for role in ROLES {
        for in_message in [false, true] {
            for first in 0..=u8::MAX {
                for is_masked in [false, true] {
                    let expected = verdict(first, is_masked, role, in_message);
                    counts[match expected {
                        Verdict::Fails => 0,
                        Verdict::Brings(_) => 1,
                        Verdict::Closes => 2,
                    }] += 1;
                    let observed = observe(first, is_masked, role, in_message);
                    assert_eq!(
                        observed, expected,
                        "{first:#010b}, masked: {is_masked}, {role:?}, in a message: {in_message}"
                    );
                }
            }
        }
    }
    // Of 2 × 2 × 512: text and binary with and without FIN, ping, pong; in a message a
    // continuation with and without FIN, ping, pong; and a close frame in each.
    assert_eq!(counts, [2048 - 20 - 4, 20, 4]);
}

#[test]
fn a_frame_after_a_failure_of_any_kind_is_never_answered() {
    for role in ROLES {
        for first in 0..=u8::MAX {
            if verdict(first, role == Role::Server, role, false) != Verdict::Fails {
                continue;
            }
            let tested = peer_frame(role, first, PAYLOAD);
            let behind = peer_frame(role, FIN | PING, b"are you there?");
            let mut connection: Connection = connection(role, &Limits::default());
            crate::support::receive(&mut connection, &[tested, behind].concat(), Instant::now());
            let frames = parse(&drain(&mut connection));
            assert_eq!(frames.len(), 1);
            assert_eq!(frames[0].first, FIN | CLOSE);
        }
    }
}
