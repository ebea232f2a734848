//! Limits on compressed messages, and what they cost: the heap is counted.

use bytes::BytesMut;
use talkback_proto::{
    Connection, DeflateParameters, Delivery, Incoming, Limits, ProtocolError, READ_SIZE, Role,
    SMALL_BUFFER_SIZE,
};
use talkback_testing::heap;

use crate::support::deflate::{
    PeerDeflater, compressing, deflated, no_takeover, noise, prose, takeover,
};
use crate::support::driver::Driver;
use crate::support::wire::{BINARY, CONTINUATION, FIN, RSV1, TEXT, peer_frame, peer_header};
use crate::support::{ROLES, assert_fails_on, binary, connection, drain, replay_on};

const MIB: usize = 1024 * 1024;

/// What a context and the buffer that payload passes through may cost while a message arrives:
/// the window and 64 KiB.
const WINDOW_AND_64_KIB: usize = (32 + 64) * 1024;

fn limits(message_size_max: u64) -> Limits {
    Limits::default()
        .message_size_max(message_size_max)
        .fragments_max(u32::MAX)
}

fn each() -> impl Iterator<Item = (Role, DeflateParameters)> {
    let pairs = |role| [(role, takeover()), (role, no_takeover())];
    ROLES.into_iter().flat_map(pairs)
}

/// The compressed payload of `count` times 1 MiB of zeros.
fn zeros(count: usize) -> Vec<u8> {
    let mut deflater = PeerDeflater::new(9);
    let mib = vec![0; MIB];
    // From the second on they are the same, as they only look back at zeros.
    let first = deflater.flush(&mib);
    let second = deflater.flush(&mib);
    let mut payload = [&first[..], &second.repeat(count - 1)].concat();
    payload.truncate(payload.len() - 4);
    payload
}

/// A driver whose thread has no pooled contexts and buffers yet, which all tests count in full.
fn on_a_fresh_thread(work: impl FnOnce() + Send) {
    std::thread::scope(|scope| scope.spawn(work).join().expect("it holds"));
}

#[test]
fn d24_the_limit_counts_inflated_bytes() {
    for (role, parameters) in each() {
        for size_max in [0, 1, 100, 16 * 1024, 100_000] {
            let make = || connection(role, &limits(size_max as u64)).with_deflate(&parameters);
            let fits = prose(size_max).into_bytes();
            let fits = &fits[..size_max];
            let frame = |message: &[u8]| {
                let payload = deflated(message);
                let (front, back) = payload.split_at(payload.len() / 2);
                let front = peer_frame(role, RSV1 | BINARY, front);
                [front, peer_frame(role, FIN | CONTINUATION, back)].concat()
            };
            let outcome = replay_on(make, &frame(fits));
            assert!(outcome.incoming == [binary(fits)] && outcome.wants_read);
            let error = ProtocolError::MessageTooBig {
                size: size_max as u64 + 1,
                size_max: size_max as u64,
            };
            let too_big = [fits, b"x"].concat();
            assert_fails_on(make, &frame(&too_big), &[], error);
        }
    }
}

#[test]
fn d24_the_limit_holds_while_inflating() {
    for (role, parameters) in each() {
        // The message never ends; what has come of its first frame is enough to know.
        let payload = zeros(1);
        let mut frame = peer_header(role, RSV1 | BINARY, payload.len() as u64 + 1);
        let whole = peer_frame(role, RSV1 | BINARY, &[&payload[..], b"\x00"].concat());
        frame.extend(&whole[frame.len()..whole.len() - 1]);
        let make = || connection(role, &limits(1000)).with_deflate(&parameters);
        let error = ProtocolError::MessageTooBig {
            size: 1001,
            size_max: 1000,
        };
        assert_fails_on(make, &frame, &[], error);
    }
}

#[test]
fn d24_the_limit_counts_what_came_before_a_fault_however_it_is_cut() {
    for (role, parameters) in each() {
        // A stored block of 1001 bytes, and behind it a block of a type that there is not.
        let payload = [&b"\x00\xe9\x03\x16\xfc"[..], &[b'x'; 1001], b"\x07"].concat();
        let frame = peer_frame(role, FIN | RSV1 | BINARY, &payload);
        let make = || connection(role, &limits(1000)).with_deflate(&parameters);
        let error = ProtocolError::MessageTooBig {
            size: 1001,
            size_max: 1000,
        };
        assert_fails_on(make, &frame, &[], error);
    }
}

#[test]
fn d24_bytes_on_the_wire_are_limited_too() {
    for (role, parameters) in each() {
        let make = || connection(role, &limits(1000)).with_deflate(&parameters);
        let most = 2 * 1000 + 1024;
        let header = peer_header(role, FIN | RSV1 | BINARY, most + 1);
        let error = ProtocolError::MessageTooBig {
            size: most + 1,
            size_max: 1000,
        };
        assert_fails_on(make, &header, &[], error);
        // Empty blocks bring nothing, but there is an end to them.
        let empty = b"\x00\x00\x00\xff\xff".repeat(most as usize / 5);
        let frame = peer_frame(role, FIN | RSV1 | BINARY, &[&empty[..], b"\x00"].concat());
        let outcome = replay_on(make, &frame);
        assert_eq!(outcome.incoming, [binary(b"")]);
        // A message that is not compressed is held to the limit itself.
        let header = peer_header(role, FIN | BINARY, 1001);
        let error = ProtocolError::MessageTooBig {
            size: 1001,
            size_max: 1000,
        };
        assert_fails_on(make, &header, &[], error);
    }
}

/// Sends 1 GiB of zeros in fragments of `fragment_size` bytes to a connection with a limit.
fn send_a_gibibyte_of_zeros(
    role: Role,
    parameters: DeflateParameters,
    size_max: usize,
    fragment_size: usize,
) {
    let payload = zeros(1024);
    let mut frames = Vec::new();
    let count = payload.len().div_ceil(fragment_size);
    for (place, piece) in payload.chunks(fragment_size).enumerate() {
        let first = if place == 0 {
            RSV1 | BINARY
        } else {
            CONTINUATION
        };
        let fin = if place + 1 == count { FIN } else { 0 };
        frames.extend(peer_frame(role, fin | first, piece));
    }
    let connection = connection(role, &limits(size_max as u64)).with_deflate(&parameters);
    let mut driver = Driver::on(connection);
    let ((), heap) = heap::measure(|| {
        for read in frames.chunks(READ_SIZE) {
            driver.read(read, |_, incoming| panic!("{incoming:?}"));
        }
    });
    assert!(
        heap.peak <= (size_max + WINDOW_AND_64_KIB) as isize,
        "{role:?} {size_max} {fragment_size}: {heap:?}"
    );
    assert!(heap.left <= WINDOW_AND_64_KIB as isize, "{heap:?}");
    assert_eq!(driver.close_code(), 1009);
}

#[test]
fn v40_a_gibibyte_of_zeros_costs_the_limit_and_no_more() {
    for (role, parameters) in each() {
        for size_max in [1000, 100_000, 10 * MIB] {
            for fragment_size in [usize::MAX, 100, 5_000] {
                on_a_fresh_thread(|| {
                    send_a_gibibyte_of_zeros(role, parameters, size_max, fragment_size);
                });
            }
        }
    }
}

#[test]
fn v20_a_header_that_declares_much_costs_nearly_nothing() {
    for (role, parameters) in each() {
        let connection = connection(role, &limits(u64::MAX)).with_deflate(&parameters);
        let mut driver = Driver::on(connection);
        let size = (1 << 62).min(isize::MAX as u64);
        let header = peer_header(role, FIN | RSV1 | BINARY, size);
        let ((), heap) = heap::measure(|| {
            driver.read(&header, |_, _| panic!("nothing is whole"));
            assert!(driver.connection.space().is_none());
        });
        assert!(heap.peak < 4096, "{heap:?}");
        assert!(driver.connection.is_open());
    }
}

#[test]
fn v29_a_million_fragments_cost_what_they_bring() {
    for (role, parameters) in each() {
        on_a_fresh_thread(|| {
            let message = noise(400_000);
            let payload = PeerDeflater::new(0).message(&message);
            let mut frames = peer_frame(role, RSV1 | BINARY, b"");
            for byte in &payload {
                frames.extend(peer_frame(role, CONTINUATION, &[*byte]));
            }
            let empty = peer_frame(role, CONTINUATION, b"").repeat(1_000_000 - payload.len());
            frames.extend(empty);
            frames.extend(peer_frame(role, FIN | CONTINUATION, b""));
            let connection = connection(role, &limits(1 << 30)).with_deflate(&parameters);
            let mut driver = Driver::on(connection);
            let mut taken = Vec::with_capacity(1);
            let ((), heap) = heap::measure(|| {
                for read in frames.chunks(READ_SIZE) {
                    driver.read(read, |_, incoming| taken.push(incoming));
                }
            });
            assert!(taken == [binary(&message)]);
            let most = 2 * message.len() + WINDOW_AND_64_KIB;
            assert!(heap.peak <= most as isize, "{heap:?}");
            // Twice over in all, since the buffer doubles, and no more with every fragment.
            let total = 4 * message.len() + 2 * WINDOW_AND_64_KIB;
            assert!(heap.total <= total as isize, "{heap:?}");
            // Few pieces bring an event, so the core is not called for each of them.
            assert!(
                driver.calls <= 3 * frames.len().div_ceil(READ_SIZE),
                "{}",
                driver.calls
            );
        });
    }
}

#[test]
fn a_small_compressed_message_costs_one_allocation_of_its_size() {
    for (role, parameters) in each() {
        let message = prose(600);
        let frame = peer_frame(role, FIN | RSV1 | TEXT, &deflated(message.as_bytes()));
        let mut driver = Driver::on(compressing(role, parameters));
        driver.read(&frame, |_, _| {});
        let mut held = Vec::with_capacity(100);
        let ((), heap) = heap::measure(|| {
            for _ in 0..100 {
                driver.read(&frame, |_, incoming| held.push(incoming));
            }
        });
        assert_eq!(held.len(), 100);
        assert_eq!(heap.total, 100 * message.len() as isize);
    }
}

#[test]
fn a_small_message_that_is_sent_costs_no_allocation_but_the_output_s() {
    for (role, parameters) in each() {
        let message = bytes::Bytes::from(prose(2000));
        let mut connection = compressing(role, parameters);
        let mut send = || {
            connection.send(message.clone()).unwrap();
            drain(&mut connection);
        };
        // What may be looked back at grows up to twice the window.
        (0..50).for_each(|_| send());
        let ((), heap) = heap::measure(|| (0..100).for_each(|_| send()));
        // The output's buffer, and that of the test that takes it: each about the payload's size.
        assert!(heap.total <= 100 * 6 * 1500, "{heap:?}");
        assert!(heap.left <= 0, "{heap:?}");
    }
}

/// What a connection holds that has exchanged compressed messages and is idle.
fn idle_heap(role: Role, parameters: DeflateParameters) -> isize {
    let message = prose(20_000);
    let frame = peer_frame(role, FIN | RSV1 | TEXT, &deflated(message.as_bytes()));
    let mut input = BytesMut::with_capacity(READ_SIZE + SMALL_BUFFER_SIZE);
    let mut exchange = |connection: &mut Connection| {
        input.extend_from_slice(&frame);
        let now = std::time::Instant::now();
        let incoming = connection.receive(&mut input, || now);
        assert!(matches!(incoming, Some(Incoming::Message(_))));
        connection.send(message.as_str()).unwrap();
        drain(connection);
    };
    // One connection takes the thread's contexts for good; what an earlier one like this borrows,
    // the thread has afterwards.
    let mut holder = compressing(role, takeover());
    exchange(&mut holder);
    exchange(&mut compressing(role, parameters));
    let (_held, heap) = heap::measure(|| {
        let mut connection = compressing(role, parameters);
        exchange(&mut connection);
        connection
    });
    heap.left
}

#[test]
fn an_idle_connection_without_takeover_owns_no_context() {
    for role in ROLES {
        assert!(idle_heap(role, no_takeover()) < 1024);
    }
}

#[test]
fn an_idle_connection_with_takeover_owns_the_contexts_of_its_directions() {
    const KIB: isize = 1024;
    for role in ROLES {
        let both = idle_heap(role, takeover());
        let (sending, receiving) = match role {
            // Ours: the table, and as much of what was sent as may be looked back at.
            Role::Client => (50 * KIB..100 * KIB, 40 * KIB..50 * KIB),
            // That of zlib, for its speed.
            Role::Server => (100 * KIB..400 * KIB, 40 * KIB..50 * KIB),
        };
        let both_expected = sending.start + receiving.start..sending.end + receiving.end;
        assert!(both_expected.contains(&both), "{role:?}: {both}");
        let server_alone = takeover().server_no_context_takeover(true);
        let one = idle_heap(role, server_alone);
        let expected = match role {
            Role::Client => sending,
            Role::Server => receiving,
        };
        assert!(expected.contains(&one), "{role:?}: {one}");
    }
}

#[test]
fn the_pool_of_a_thread_is_bounded() {
    on_a_fresh_thread(|| {
        let ((), heap) = heap::measure(|| {
            for window in 9..=15 {
                let window = talkback_proto::WindowBits::new(window).unwrap();
                let parameters = no_takeover().client_max_window_bits(window);
                let begun = peer_frame(Role::Client, RSV1 | BINARY, b"\x00");
                let mut open = Vec::new();
                for _ in 0..20 {
                    let mut connection = compressing(Role::Client, parameters);
                    connection.send(prose(2000)).unwrap();
                    crate::support::receive(&mut connection, &begun, std::time::Instant::now());
                    open.push(connection);
                }
                let end = peer_frame(Role::Client, FIN | CONTINUATION, b"\x00");
                for connection in &mut open {
                    crate::support::receive(connection, &end, std::time::Instant::now());
                }
            }
        });
        // Eight contexts that decompress and two that compress.
        assert!(heap.left <= (8 * 50 + 2 * 400 + 32) * 1024, "{heap:?}");
    });
}

#[test]
fn a_failed_or_closed_connection_frees_its_contexts() {
    for role in ROLES {
        let bad = peer_frame(role, FIN | RSV1 | TEXT, b"\x06");
        let begun = peer_frame(role, RSV1 | BINARY, &deflated(&noise(40_000)));
        let now = std::time::Instant::now();
        let ends: [&dyn Fn(&mut Connection); 3] = [
            &|connection| drop(crate::support::receive(connection, &bad, now)),
            &|connection| connection.close(None, now),
            &|connection| connection.handle_end("gone"),
        ];
        for end in ends {
            let mut warm = compressing(role, no_takeover());
            warm.send(prose(3000)).unwrap();
            crate::support::receive(&mut warm, &begun, now);
            let (_held, heap) = heap::measure(|| {
                let mut connection = compressing(role, takeover());
                connection.send(prose(3000)).unwrap();
                crate::support::receive(&mut connection, &begun, now);
                end(&mut connection);
                drain(&mut connection);
                connection
            });
            assert!(heap.left < 4096, "{heap:?}");
        }
    }
}

/// What a message in pieces costs, however much comes out of it: the context, the thread's buffer,
/// one read that waits, and a piece.
const STREAM_SIZE_MAX: usize = (48 + 16 + 64 + 16 + 16) * 1024;

#[test]
fn a_bomb_that_is_given_out_in_pieces_costs_one_piece() {
    let payload = zeros(64);
    for (role, parameters) in each() {
        let bytes = peer_frame(role, FIN | RSV1 | BINARY, &payload);
        let connection = connection(role, &limits(u64::MAX)).with_deflate(&parameters);
        let mut driver = Driver::on(connection);
        driver.connection.set_delivery(Delivery::Pieces);
        let (mut size, mut is_whole) = (0, false);
        let ((), heap) = heap::measure(|| {
            for read in bytes.chunks(READ_SIZE) {
                driver.read(read, |_, incoming| {
                    let Incoming::Piece(piece) = incoming else {
                        panic!("a piece");
                    };
                    assert!(piece.bytes.len() <= 64 * 1024);
                    size += piece.bytes.len();
                    is_whole = piece.last;
                });
            }
        });
        assert!(is_whole && size == 64 * MIB);
        assert!(heap.peak <= STREAM_SIZE_MAX as isize, "{role:?}: {heap:?}");
    }
}
