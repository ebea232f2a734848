//! Attacks on memory and time: each sends the input and counts the heap and the work.

use std::ops::Range;
use std::time::Instant;

use bytes::{Buf, BufMut, BytesMut};
use talkback_proto::{
    Connection, Delivery, Incoming, Limits, Message, ProtocolError, READ_SIZE, Role,
};
use talkback_testing::heap;

use crate::support::driver::Driver;
use crate::support::wire::{
    BINARY, CONTINUATION, FIN, PING, PONG, TEXT, parse, peer_close, peer_frame, peer_header,
};
use crate::support::{
    ROLES, assert_fails, assert_fails_after, binary, connection, drain, replay, text,
};

/// What a connection may hold whatever the peer sends: headers, control frames, close information.
const CONSTANT: usize = 4 * 1024;

fn limits_with(message_size_max: u64, fragments_max: u32) -> Limits {
    Limits::default()
        .message_size_max(message_size_max)
        .fragments_max(fragments_max)
}

#[test]
fn v20_a_header_over_the_limit_fails_at_once() {
    for role in ROLES {
        for size in [(16 << 20) + 1, 1 << 32, 1 << 62, (1 << 63) - 1] {
            let size_max = 16 << 20;
            let error = ProtocolError::MessageTooBig { size, size_max };
            let mut driver = Driver::new(role, &Limits::default());
            let header = peer_header(role, FIN | BINARY, size);
            let ((), heap) = heap::measure(|| {
                let (last, begun) = header.split_last().unwrap();
                driver.read(begun, |_, _| {});
                assert!(driver.connection.is_open());
                driver.read(&[*last], |_, _| {});
                assert!(
                    !driver.connection.is_open(),
                    "no byte of payload is awaited"
                );
                assert!(driver.connection.space().is_none());
            });
            assert!(heap.peak < CONSTANT as isize, "{heap:?}");
            assert_eq!(driver.close_code(), 1009);
            assert_fails(role, &header, error);
        }
    }
}

/// Sends a header that declares `size` bytes and then few of them, and holds the heap against
/// what arrived, after every read.
fn declare_much_and_send_little(role: Role, size: u64, read_size: usize, is_direct: bool) {
    let mut driver = Driver::new(role, &limits_with(u64::MAX, u32::MAX));
    let header = peer_header(role, FIN | BINARY, size);
    let payload = vec![7; read_size];
    let mut arrived = 0;
    let ((), heap) = heap::measure(|| {
        driver.read(&header, |_, _| panic!("nothing is whole"));
        arrived += header.len();
        while arrived < 256 * 1024 {
            let mut rest = &payload[..];
            let (taken, heap) = heap::measure(|| {
                if !is_direct || driver.read_space(&mut rest).is_none() {
                    driver.read(rest, |_, _| panic!("nothing is whole"));
                    rest = &[];
                }
                payload.len() - rest.len()
            });
            arrived += taken;
            assert!(
                heap.peak <= (16 * arrived + CONSTANT) as isize,
                "{arrived}: {heap:?}"
            );
        }
    });
    let most = 16 * arrived + CONSTANT;
    assert!(
        heap.left <= most as isize,
        "{arrived} arrived of {size}: {heap:?}"
    );
    assert!(driver.connection.is_open());
}

#[test]
fn v20_memory_grows_only_with_the_bytes_that_arrive() {
    for role in ROLES {
        for size in [16 << 20, 1 << 40, 1 << 62, (1 << 63) - 1] {
            let size = size.min(isize::MAX as u64);
            for read_size in [1, 100, READ_SIZE] {
                for is_direct in [false, true] {
                    declare_much_and_send_little(role, size, read_size, is_direct);
                }
            }
        }
    }
}

#[test]
fn v20_the_header_alone_costs_nearly_nothing() {
    for role in ROLES {
        for size in [70_000, 16 << 20, 1 << 62] {
            let size = size.min(isize::MAX as u64);
            let mut driver = Driver::new(role, &limits_with(u64::MAX, u32::MAX));
            let header = peer_header(role, FIN | BINARY, size);
            let (space, heap) = heap::measure(|| {
                driver.read(&header, |_, _| {});
                let space = driver.connection.space();
                space.expect("a large frame is coming").remaining_mut()
            });
            assert!(space > 0);
            // Besides, the parse state, which an idle connection does not own.
            let most = 16 * header.len() + 192;
            assert!(heap.peak <= most as isize, "{size}: {heap:?}");
        }
    }
}

#[test]
fn v21_extreme_lengths_fail_and_do_not_overflow() {
    let top = 1u64 << 63;
    for role in ROLES {
        for first in [FIN | TEXT, FIN | BINARY, BINARY] {
            for size in [top, top + 1, u64::MAX - 14, u64::MAX - 1, u64::MAX] {
                let header = peer_header(role, first, size);
                assert_fails(role, &header, ProtocolError::LengthTopBit);
            }
            for size in [top - 1, top - 14, u64::MAX >> 2, 1 << 32, (1 << 32) - 1] {
                let size_max = 16 << 20;
                let error = ProtocolError::MessageTooBig { size, size_max };
                assert_fails(role, &peer_header(role, first, size), error);
            }
        }
    }
}

#[test]
fn v21_sums_over_fragments_do_not_overflow() {
    let largest = (1u64 << 63) - 1;
    for role in ROLES {
        let begun = peer_frame(role, BINARY, b"1");
        for size_max in [16 << 20, largest, u64::MAX - 1, u64::MAX] {
            let limits = limits_with(size_max, 10);
            // Whatever the limit, a message is to fit memory.
            let size_max = size_max.min(isize::MAX as u64);
            let last = |size| peer_header(role, FIN | CONTINUATION, size);
            let bytes = [&begun[..], &last(largest), b"payload"].concat();
            let size = largest + 1;
            let error = ProtocolError::MessageTooBig { size, size_max };
            assert_fails_after(role, &limits, &bytes, &[], error);
            let bytes = [&begun[..], &last(size_max - 1), b"payload"].concat();
            let outcome = replay(role, &limits, &bytes);
            assert_eq!((outcome.incoming, outcome.output), (vec![], vec![]));
        }
    }
}

/// The frames of a message in `count` fragments of `payload` each.
fn fragments(role: Role, count: usize, payload: &[u8]) -> Vec<u8> {
    let first = peer_frame(role, BINARY, payload);
    let middle = peer_frame(role, CONTINUATION, payload);
    let last = peer_frame(role, FIN | CONTINUATION, payload);
    let mut bytes = Vec::with_capacity(middle.len() * count);
    bytes.extend(first);
    for _ in 2..count {
        bytes.extend_from_slice(&middle);
    }
    bytes.extend(last);
    bytes
}

/// Reads a message of `count` fragments and holds heap and work against its size.
fn read_fragments(role: Role, count: usize, payload: &[u8], read_size: usize) {
    let mut driver = Driver::new(role, &limits_with(u64::MAX, u32::MAX));
    let bytes = fragments(role, count, payload);
    let (message, heap) = heap::measure(|| {
        let mut message = None;
        for read in bytes.chunks(read_size) {
            driver.read(read, |_, incoming| message = Some(incoming));
        }
        message
    });
    let size = count * payload.len();
    assert_eq!(message, Some(binary(&vec![7; size])));
    let most = (2 * size + CONSTANT) as isize;
    assert!(
        heap.peak <= most,
        "{count} fragments of {payload:?}: {heap:?}"
    );
    assert!(heap.left <= most);
    // Linear work: a geometric series of growth, and one call a read and a message.
    let total_max = (4 * size + CONSTANT) as isize;
    assert!(
        heap.total <= total_max,
        "{count} fragments of {payload:?}: {heap:?}"
    );
    assert!(driver.calls <= bytes.len().div_ceil(read_size) + 1);
}

#[test]
fn v29_a_million_fragments_cost_what_they_carry() {
    for role in ROLES {
        for payload in [&[][..], &[7]] {
            read_fragments(role, 1_000_000, payload, READ_SIZE);
            read_fragments(role, 1_100_000, payload, 1000);
        }
    }
}

#[test]
fn v29_a_million_fragments_in_writes_of_one_byte_cost_what_they_carry() {
    read_fragments(Role::Client, 1_000_000, &[7], 1);
    read_fragments(Role::Client, 1_000_000, &[], 1);
    read_fragments(Role::Server, 1_000_000, &[7], 1);
}

/// How often [`Connection::receive`] is called for a message in fragments of one byte, which is given
/// out in pieces.
fn calls(role: Role, count: usize) -> usize {
    let mut connection = connection(role, &limits_with(u64::MAX, u32::MAX));
    connection.set_delivery(Delivery::Pieces);
    let mut input = BytesMut::from(&fragments(role, count, &[7])[..]);
    let (mut calls, mut pieces) = (0, 0);
    while !input.is_empty() {
        let before = input.len();
        let incoming = connection.receive(&mut input, Instant::now);
        assert!(input.len() < before, "no call is in vain");
        pieces += usize::from(matches!(incoming, Some(Incoming::Piece(_))));
        calls += 1;
    }
    assert_eq!(pieces, count);
    calls
}

#[test]
fn v29_the_count_of_calls_is_linear() {
    for role in ROLES {
        assert_eq!(calls(role, 10_000), 10_000, "one for each piece");
        assert_eq!(calls(role, 100_000), 100_000);
    }
}

#[test]
fn v29_one_fragment_more_than_the_default_fails_with_1008() {
    for role in ROLES {
        for payload in [&[][..], &[7]] {
            let mut driver = Driver::new(role, &Limits::default());
            let allowed = fragments(role, 131_072, payload);
            let mut messages = 0;
            for read in allowed.chunks(READ_SIZE) {
                driver.read(read, |_, _| messages += 1);
            }
            assert_eq!(messages, 1, "the limit itself passes");
            let more = fragments(role, 131_073, payload);
            let ((), heap) = heap::measure(|| {
                for read in more.chunks(READ_SIZE) {
                    driver.read(read, |_, _| panic!("nothing is whole"));
                }
            });
            assert!(
                heap.left < CONSTANT as isize,
                "what was gathered is freed: {heap:?}"
            );
            assert_eq!(driver.close_code(), 1008);
        }
    }
}

#[test]
fn v34_a_call_with_nothing_changes_nothing() {
    let whole = [
        (TEXT, "frag\u{AC00}".as_bytes()),
        (FIN | PING, b"ping"),
        (FIN | CONTINUATION, b"ment"),
        (FIN | BINARY, b""),
    ];
    for role in ROLES {
        let frames = whole.map(|(first, payload)| peer_frame(role, first, payload));
        let mut driver = Driver::new(role, &Limits::default());
        let mut incoming = Vec::new();
        for byte in frames.concat() {
            driver.read(&[], |_, _| panic!("nothing brings nothing"));
            let nobody_asks = || panic!("nothing came");
            let nothing = driver.connection.receive(&mut BytesMut::new(), nobody_asks);
            assert_eq!(nothing, None);
            driver.read(&[byte], |_, i| incoming.push(i));
        }
        let ping = Incoming::Ping(b"ping"[..].into());
        assert_eq!(incoming, [ping, text("frag\u{AC00}ment"), binary(b"")]);
    }
}

#[test]
fn v34_a_read_of_nothing_into_the_message_loses_nothing() {
    for role in ROLES {
        let payload: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let bytes = peer_frame(role, FIN | BINARY, &payload);
        let mut driver = Driver::new(role, &Limits::default());
        driver.read(&bytes[..1000], |_, _| panic!("not whole"));
        let mut rest = &bytes[1000..];
        let message = loop {
            // A read that was interrupted.
            let (_, nothing) = driver.read_space(&mut &[][..]).expect("a large frame");
            assert_eq!(nothing, None);
            let mut piece = rest
                .split_off(..rest.len().min(997))
                .expect("more is to come");
            let mut message = None;
            while !piece.is_empty() {
                (_, message) = driver.read_space(&mut piece).expect("a large frame");
            }
            if message.is_some() {
                break message;
            }
        };
        assert_eq!(message, Some(Message::from(payload)), "{role:?}");
    }
}

/// The pings with these numbers, of 125 bytes each.
fn pings(role: Role, numbers: Range<u32>) -> Vec<u8> {
    let pings = numbers.map(|n| peer_frame(role, FIN | PING, &ping_payload(n)));
    pings.flatten().collect()
}

fn ping_payload(number: u32) -> Vec<u8> {
    [&number.to_be_bytes()[..], &[7; 121]].concat()
}

/// Reads 10^6 pings and writes nothing; the last of them comes in pieces.
fn read_a_million_pings(role: Role, mut act: impl FnMut(&mut Connection)) -> Driver {
    let mut driver = Driver::new(role, &Limits::default());
    let reads: Vec<_> = (0..4)
        .map(|n| pings(role, n * 250..(n + 1) * 250))
        .collect();
    let (before_last, last) = (pings(role, 0..249), pings(role, 999_999..1_000_000));
    let mut count = 0;
    let ((), heap) = heap::measure(|| {
        let mut take = |connection: &mut Connection, incoming| {
            assert!(matches!(incoming, Incoming::Ping(_)));
            count += 1;
            act(connection);
        };
        for read in reads.iter().cycle().take(4000 - 1) {
            driver.read(read, &mut take);
        }
        driver.read(&before_last, &mut take);
        for piece in last.chunks(9) {
            driver.read(piece, &mut take);
        }
    });
    assert_eq!(count, 1_000_000);
    assert!(heap.peak < CONSTANT as isize, "{heap:?}");
    driver
}

/// The first pings and the latest are answered; those between need no answer (§5.5.3).
fn assert_few_pongs(connection: &mut Connection) {
    let pongs = parse(&drain(connection));
    assert!(pongs.iter().all(|frame| frame.first == FIN | PONG));
    let payloads: Vec<_> = pongs.into_iter().map(|frame| frame.payload).collect();
    let answered = (0..12).chain([999_999]).map(ping_payload);
    assert_eq!(payloads, answered.collect::<Vec<_>>());
}

#[test]
fn v50_a_million_pings_cost_a_few_pongs() {
    for role in ROLES {
        let mut driver = read_a_million_pings(role, |_| {});
        assert_few_pongs(&mut driver.connection);
    }
}

#[test]
fn v50_a_million_pings_to_a_writer_that_is_stuck_cost_a_few_pongs() {
    for role in ROLES {
        // The writer looks at the output each time and the transport takes none of it.
        let mut driver = read_a_million_pings(role, |connection| {
            assert!(connection.output().has_remaining());
        });
        assert_few_pongs(&mut driver.connection);
    }
}

/// V54: the transport ends after every byte.
#[test]
fn v54_a_cut_message_is_never_delivered() {
    for role in ROLES {
        let frames = [
            peer_frame(role, TEXT, b"one"),
            peer_frame(role, FIN | PING, b"ping"),
            peer_frame(role, FIN | CONTINUATION, b" message"),
        ];
        let bytes = [frames.concat(), peer_close(role, 1000, "")].concat();
        let (whole, closed) = (frames.concat().len(), bytes.len());
        for cut in 0..=closed {
            let outcome = replay(role, &Limits::default(), &bytes[..cut]);
            let is_whole = outcome.incoming.contains(&text("one message"));
            assert_eq!(is_whole, cut >= whole, "{role:?} cut at {cut}");
            let messages = outcome.incoming.iter();
            let count = messages
                .filter(|i| matches!(i, Incoming::Message(_)))
                .count();
            assert_eq!(count, usize::from(is_whole));
            let code = if cut == closed { 1000 } else { 1006 };
            assert_eq!(outcome.info.code, code);
            assert_eq!(outcome.info.clean, cut == closed);
        }
    }
}
