//! What messages cost in memory and copies, once they are received.

use talkback_proto::{Incoming, Limits, READ_SIZE, Role, SMALL_BUFFER_SIZE};
use talkback_testing::heap;

use crate::support::ROLES;
use crate::support::driver::Driver;
use crate::support::wire::{BINARY, FIN, TEXT, peer_frame, peer_header};

const MIB: usize = 1024 * 1024;

/// Messages that are held, each read out of a read buffer of its own; and what they cost.
fn hold(role: Role, frames: &[Vec<u8>], count: usize) -> (Vec<Incoming>, heap::Heap) {
    let bytes = frames.concat();
    heap::measure(|| {
        let mut held = Vec::with_capacity(count);
        for _ in 0..count {
            let mut driver = Driver::new(role, &Limits::default());
            for read in bytes.chunks(READ_SIZE) {
                driver.read(read, |_, incoming| held.push(incoming));
            }
        }
        held
    })
}

#[test]
fn a_small_message_never_holds_a_large_buffer() {
    // What a message costs besides its bytes: its place in the list and what counts its owners.
    const EACH: usize = 128;
    for role in ROLES {
        for first in [FIN | TEXT, FIN | BINARY] {
            for size in [64, 1000] {
                let frames = [peer_frame(role, first, &vec![7; size])];
                let (held, heap) = hold(role, &frames, 1000);
                assert_eq!(held.len(), 1000);
                assert!(
                    heap.left <= (1000 * (size + EACH)) as isize,
                    "{size}: {heap:?}"
                );
            }
        }
        let half = [7; 32];
        let fragments = [
            peer_frame(role, BINARY, &half),
            peer_frame(role, FIN, &half),
        ];
        let (held, heap) = hold(role, &fragments, 1000);
        assert_eq!(held.len(), 1000);
        assert!(heap.left <= 1000 * (4 * 64 + EACH) as isize, "{heap:?}");
    }
}

#[test]
fn a_message_holds_at_most_four_times_its_size() {
    for role in ROLES {
        for size in [10_000, 16_383, 16_384, 40_000, 65_000, 66_000, 200_000] {
            let half = vec![7; size / 2];
            let whole = [peer_frame(role, FIN | BINARY, &vec![7; size])];
            let halves = [
                peer_frame(role, BINARY, &half),
                peer_frame(role, FIN, &half),
            ];
            for frames in [&whole[..], &halves] {
                let (held, heap) = hold(role, frames, 20);
                assert_eq!(held.len(), 20);
                assert!(
                    heap.left <= 20 * (4 * size + SMALL_BUFFER_SIZE + 256) as isize,
                    "{size}: {heap:?}"
                );
            }
        }
    }
}

#[test]
fn messages_out_of_one_read_do_not_hold_it() {
    for role in ROLES {
        let frame = peer_frame(role, FIN | TEXT, &[b'a'; 64]);
        let reads = frame.repeat(1000);
        let (held, heap) = heap::measure(|| {
            let mut driver = Driver::new(role, &Limits::default());
            let mut held = Vec::new();
            for read in reads.chunks(READ_SIZE) {
                driver.read(read, |_, incoming| held.push(incoming));
            }
            held.shrink_to_fit();
            held
        });
        assert_eq!(held.len(), 1000);
        assert!(heap.left <= 1000 * (64 + 128), "{heap:?}");
    }
}

/// Reads one large message as a driver does; says how many of its bytes were copied.
fn copied(role: Role, size: usize, first_read: usize, read_size: usize) -> usize {
    let payload: Vec<u8> = (0..=250).cycle().take(size).collect();
    let bytes = peer_frame(role, FIN | BINARY, &payload);
    let mut driver = Driver::new(role, &Limits::default());
    driver.read(&bytes[..first_read], |_, _| panic!("not whole"));
    let mut rest = &bytes[first_read..];
    let mut places = Vec::new();
    let message = loop {
        let mut piece = rest
            .split_off(..rest.len().min(read_size))
            .expect("more to come");
        let (place, message) = driver.read_space(&mut piece).expect("a large frame");
        // The driver's next read takes what did not fit.
        let unread = rest.len() + piece.len();
        rest = &bytes[bytes.len() - unread..];
        places.push((place, unread));
        if let Some(message) = message {
            break message;
        }
    };
    assert_eq!(message.as_bytes(), payload);
    let start = message.as_bytes().as_ptr() as usize;
    let stayed = places
        .iter()
        .filter(|(place, unread)| place.end == start + size - unread);
    size - stayed.map(|(place, _)| place.len()).sum::<usize>()
}

#[test]
fn a_large_message_is_read_to_where_it_stays() {
    for role in ROLES {
        let header_size = peer_header(role, FIN | BINARY, MIB as u64).len();
        for first_read in [header_size, header_size + 1, 100, 1000, 4096, READ_SIZE] {
            for read_size in [1000, READ_SIZE, 2 * MIB] {
                for size in [MIB, 3 * MIB + 1] {
                    let copied = copied(role, size, first_read, read_size);
                    let most = READ_SIZE + size / 16;
                    assert!(
                        copied <= most,
                        "{copied} of {size} bytes, {first_read} and {read_size} a read"
                    );
                }
            }
        }
        // The common case: the header came with a full read, and the rest goes to its place.
        assert!(copied(role, MIB, READ_SIZE, READ_SIZE) <= READ_SIZE);
    }
}

#[test]
fn a_failed_connection_frees_what_it_had_gathered() {
    for role in ROLES {
        let begun = peer_frame(role, BINARY, &vec![7; 50_000]);
        let stray = peer_frame(role, FIN | TEXT, b"stray");
        let mut driver = Driver::new(role, &Limits::default());
        let ((), heap) = heap::measure(|| {
            driver.read(&begun, |_, _| {});
            driver.read(&stray, |_, _| {});
        });
        assert!(heap.left < 4096, "{heap:?}");
        assert_eq!(driver.close_code(), 1002);
    }
}
