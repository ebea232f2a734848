//! A message that was prepared for many connections, as each of them sends it.

use std::collections::BTreeSet;
use std::io::IoSlice;
use std::sync::Barrier;
use std::time::Instant;

use bytes::{Buf, BytesMut};
use talkback_proto::{
    CloseCause, Compression, CompressionLevel, Connection, DeflateParameters, Fin, Incoming,
    Limits, Message, MessageKind, Outgoing, Prepared, ProtocolError, Role, SendError, WindowBits,
};
use talkback_testing::heap;
use talkback_testing::reference::Reference;

use crate::support::deflate::{
    PeerInflater, compressing, every_message, inflated, no_takeover, noise, prose, takeover,
};
use crate::support::wire::{BINARY, CONTINUATION, FIN, Frame, RSV1, TEXT, frame, parse};
use crate::support::{connection, drain};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// From this size in bytes on, a payload is not copied.
const SHARED: usize = 4096;

fn server() -> Connection {
    Connection::server(Limits::default())
}

fn deflating(parameters: DeflateParameters) -> Connection {
    compressing(Role::Server, parameters)
}

/// The bytes that sending it queues.
fn sent<'a>(connection: &mut Connection, message: impl Into<Outgoing<'a>>) -> Vec<u8> {
    connection.send(message).unwrap();
    drain(connection)
}

/// The one frame that sending it queues.
fn sent_frame<'a>(connection: &mut Connection, message: impl Into<Outgoing<'a>>) -> Frame {
    let mut frames = parse(&sent(connection, message));
    assert_eq!(frames.len(), 1);
    frames.remove(0)
}

/// Where the slices lie that a write would take, and how large they are.
fn places(connection: &mut Connection) -> Vec<(*const u8, usize)> {
    let mut slices = [IoSlice::new(&[]); 8];
    let output = connection.output();
    let count = output.chunks_vectored(&mut slices);
    let places = slices[..count].iter();
    places.map(|slice| (slice.as_ptr(), slice.len())).collect()
}

#[test]
fn pr1_ten_thousand_sockets_of_a_kind_get_the_same_bytes() {
    for size in [64, KIB, 16 * KIB] {
        let text = prose(size);
        let prepared = Prepared::new(text.as_str());
        let (mut plain, mut deflated) = (BTreeSet::new(), BTreeSet::new());
        for number in 0..10_000 {
            if number % 2_000 == 0 {
                plain.insert(sent(&mut server(), &prepared));
            } else {
                let parameters = [takeover(), no_takeover(), DeflateParameters::default()];
                let mut connection = deflating(parameters[number % 3]);
                deflated.insert(sent(&mut connection, &prepared));
            }
        }
        let whole = frame(FIN | TEXT, None, text.as_bytes());
        assert_eq!(plain, BTreeSet::from([whole.clone()]));
        assert_eq!(deflated.len(), 1, "{size}");
        let deflated = deflated.pop_first().unwrap();
        let frame = &parse(&deflated)[0];
        if size < 192 {
            assert_eq!(deflated, whole);
        } else {
            assert_eq!(frame.first, FIN | RSV1 | TEXT);
            assert_eq!(inflated(&frame.payload), text.as_bytes());
            assert!(deflated.len() < whole.len());
        }
    }
}

#[test]
fn pr2_from_the_servers_threshold_on_it_is_compressed() {
    let ways = [takeover(), no_takeover()];
    let never = every_message().threshold(usize::MAX);
    for parameters in ways.into_iter().chain([takeover().tuning(never)]) {
        let mut connection = deflating(parameters);
        for (size, first) in [(191, FIN | BINARY), (192, FIN | RSV1 | BINARY)] {
            let prepared = Prepared::new(vec![7; size]);
            assert_eq!(sent_frame(&mut connection, &prepared).first, first);
        }
    }
}

#[test]
fn pr3_what_does_not_shrink_goes_plain_to_all() {
    let noise = noise(64 * KIB);
    let prepared = Prepared::new(noise.as_slice());
    let whole = frame(FIN | BINARY, None, &noise);
    let mut connections = [takeover(), no_takeover()].map(deflating);
    for connection in &mut connections {
        connection.send(&prepared).unwrap();
    }
    let [first, second] = connections.each_mut().map(places);
    assert_eq!(first, second, "both write the plain frame");
    for connection in &mut connections {
        assert_eq!(drain(connection), whole);
    }
}

#[test]
fn pr4_each_window_has_a_frame_that_keeps_to_it() {
    let near = noise(700);
    let message = [&near[..], prose(40_000).as_bytes(), &near].concat();
    let prepared = Prepared::new(message.as_slice());
    let mut payloads = BTreeSet::new();
    for bits in [9, 12, 15, 9, 12, 15] {
        for parameters in [takeover(), no_takeover()] {
            let bits = WindowBits::new(bits).unwrap();
            // The client's window is the client's.
            let parameters = parameters
                .server_max_window_bits(bits)
                .client_max_window_bits(WindowBits::MIN);
            let frame = sent_frame(&mut deflating(parameters), &prepared);
            assert_eq!(frame.first, FIN | RSV1 | BINARY);
            let mut reference = Reference::default();
            assert!(reference.message(&frame.payload) == message);
            assert!(reference.distance_max <= 1 << bits.get());
            payloads.insert(frame.payload);
        }
    }
    assert_eq!(payloads.len(), 3);
}

/// A server's end that keeps its context, for each compressor that there is.
fn keeping() -> impl Iterator<Item = Connection> {
    [1, 2, 6].into_iter().map(|level| {
        let level = CompressionLevel::new(level).unwrap();
        deflating(takeover().tuning(every_message().level(level)))
    })
}

#[test]
fn pr5_a_context_that_is_taken_over_begins_anew_behind_it() {
    let (own, prepared) = (prose(700), prose(3_000));
    for mut connection in keeping() {
        let (mut peer, mut reference) = (PeerInflater::new(), Reference::default());
        let mut read = |frame: Frame, expected: &str| {
            assert_eq!(frame.first, FIN | RSV1 | TEXT);
            assert_eq!(peer.message(&frame.payload), expected.as_bytes());
            assert_eq!(reference.message(&frame.payload), expected.as_bytes());
            frame.payload
        };
        let shared = Prepared::new(prepared.as_str());
        // Where nothing was compressed before, there is nothing to forget.
        read(sent_frame(&mut connection, &shared), &prepared);
        let first = read(sent_frame(&mut connection, &own), &own);
        for _ in 0..2 {
            read(sent_frame(&mut connection, &shared), &prepared);
        }
        let second = read(sent_frame(&mut connection, &own), &own);
        assert_eq!(
            inflated(&second),
            own.as_bytes(),
            "it looks back at nothing"
        );
        assert_eq!(second, first);
        // From there on it looks back again.
        let third = read(sent_frame(&mut connection, &own), &own);
        assert!(third.len() < second.len() / 4);
    }
}

#[test]
fn pr5_a_message_in_fragments_behind_it_begins_anew_too() {
    let (own, prepared) = (prose(700), Prepared::new(prose(3_000)));
    for mut connection in keeping() {
        let mut peer = PeerInflater::new();
        let first = sent_frame(&mut connection, &own);
        peer.message(&first.payload);
        peer.message(&sent_frame(&mut connection, &prepared).payload);
        let begun = connection.begin_message(MessageKind::Text, Compression::Auto);
        begun.unwrap();
        connection
            .send_fragment(own.clone().into_bytes(), Fin::More)
            .unwrap();
        // In between, it is refused as any other message is.
        let refused = connection.send(&prepared);
        assert_eq!(refused, Err(SendError::MessageUnfinished));
        connection.send_fragment("", Fin::Last).unwrap();
        let frames = parse(&drain(&mut connection));
        let payload: Vec<u8> = frames.iter().flat_map(|f| f.payload.clone()).collect();
        assert_eq!(inflated(&payload), own.as_bytes());
        assert_eq!(peer.message(&payload), own.as_bytes());
    }
}

#[test]
fn pr6_a_plain_one_leaves_the_context_as_it_was() {
    let own = prose(700);
    let (small, skipped) = (Prepared::new("x".repeat(100)), Prepared::new(prose(9_000)));
    for mut connection in keeping() {
        let mut peer = PeerInflater::new();
        let first = sent_frame(&mut connection, &own);
        assert_eq!(sent_frame(&mut connection, &small).first, FIN | TEXT);
        let skip = Compression::Skip;
        connection.send_with(&skipped, skip).unwrap();
        assert_eq!(parse(&drain(&mut connection))[0].first, FIN | TEXT);
        let second = sent_frame(&mut connection, &own);
        assert!(second.payload.len() < first.payload.len() / 4);
        for frame in [first, second] {
            assert_eq!(peer.message(&frame.payload), own.as_bytes());
        }
    }
}

#[test]
fn pr7_skip_compresses_on_no_connection() {
    for size in [200, 4_095, 4_096, 100_000] {
        let prepared = Prepared::new("x".repeat(size));
        for parameters in [takeover(), no_takeover()] {
            let mut connection = deflating(parameters);
            for _ in 0..2 {
                connection.send_with(&prepared, Compression::Skip).unwrap();
                let whole = frame(FIN | TEXT, None, &vec![b'x'; size]);
                assert!(drain(&mut connection) == whole, "{size}");
                // Also where it is compressed for others, or has been.
                let frame = sent_frame(&mut connection, &prepared);
                assert_eq!(frame.first, FIN | RSV1 | TEXT);
            }
        }
    }
}

#[test]
fn pr8_from_4_kib_on_it_is_shared() {
    for size in [64, SHARED - 1, SHARED, 16 * MIB] {
        let payload: Vec<u8> = (0..=250).cycle().take(size).collect();
        let prepared = Prepared::new(payload.as_slice());
        let mut connections = [server(), server()];
        for connection in &mut connections {
            connection.send(&prepared).unwrap();
        }
        let [first, second] = connections.each_mut().map(places);
        // Header and payload are one piece for the system.
        assert_eq!((first.len(), second.len()), (1, 1));
        assert_eq!(first == second, size >= SHARED, "{size}");
        if size >= SHARED {
            let payload_place = prepared.message().as_bytes().as_ptr();
            assert_eq!(first[0].0.wrapping_add(first[0].1 - size), payload_place);
        }
    }
}

#[test]
fn pr8_a_compressed_one_is_shared_too() {
    for (size, is_shared) in [(KIB, false), (200 * KIB, true)] {
        let prepared = Prepared::new(prose(size));
        let mut connections = [takeover(), no_takeover()].map(deflating);
        for connection in &mut connections {
            connection.send(&prepared).unwrap();
        }
        let [first, second] = connections.each_mut().map(places);
        assert_eq!(first[0].1 > SHARED, is_shared);
        assert_eq!(first == second, is_shared);
    }
}

#[test]
fn pr8_it_leaves_in_order_whatever_a_write_takes() {
    let sizes = [64, SHARED - 1, SHARED, SHARED, 16 * MIB, 64];
    let prepared = sizes.map(|size| Prepared::new(noise(size)));
    let mut expected = Vec::new();
    for prepared in &prepared {
        expected.extend(frame(FIN | TEXT, None, b"own"));
        let payload = prepared.message().as_bytes();
        expected.extend(frame(FIN | BINARY, None, payload));
    }
    for step in [1_000, 4_096, 99_991, usize::MAX] {
        let mut connection = server();
        for prepared in &prepared {
            connection.send("own").unwrap();
            connection.send(prepared).unwrap();
        }
        let mut written = Vec::new();
        while connection.output().has_remaining() {
            let output = connection.output();
            let chunk = output.chunk();
            let taken = step.min(chunk.len());
            written.extend_from_slice(&chunk[..taken]);
            output.advance(taken);
        }
        assert!(written == expected, "{step} bytes a write");
    }
}

#[test]
fn pr9_a_client_masks_a_copy_of_its_own() {
    for size in [0, 10, SHARED, 100_000] {
        let payload = noise(size);
        let prepared = Prepared::new(payload.as_slice());
        let whole = frame(FIN | BINARY, None, &payload);
        let mut keys = BTreeSet::new();
        let mut client = connection(Role::Client, &Limits::default());
        for _ in 0..3 {
            let frame = sent_frame(&mut client, &prepared);
            assert_eq!((frame.first, &frame.payload), (FIN | BINARY, &payload));
            keys.insert(frame.key.expect("a client masks"));
        }
        assert_eq!(keys.len(), 3, "each frame has a key of its own");
        assert!(
            sent(&mut server(), &prepared) == whole,
            "it has not changed"
        );
    }
    // Its own compressor is the client's, with its threshold and its context.
    let (text, mut peer) = (prose(150), PeerInflater::new());
    let prepared = Prepared::new(text.as_str());
    let mut client = compressing(Role::Client, takeover());
    let [first, second] = [(); 2].map(|()| sent_frame(&mut client, &prepared));
    assert!(second.payload.len() < first.payload.len() / 2);
    for frame in [first, second] {
        assert_eq!(peer.message(&frame.payload), text.as_bytes());
    }
}

#[test]
fn pr10_a_message_over_the_peers_limit_is_the_peers_business() {
    let text = prose(2_000);
    let prepared = Prepared::new(text.as_str());
    for parameters in [None, Some(no_takeover())] {
        let connections = |limits: &Limits| {
            let (client, server) = (connection(Role::Client, limits), server());
            match &parameters {
                Some(parameters) => (
                    client.with_deflate(parameters),
                    server.with_deflate(parameters),
                ),
                None => (client, server),
            }
        };
        let ends = [1_000, 10_000].map(|size_max| {
            let limits = Limits::default().message_size_max(size_max);
            let (mut client, mut server) = connections(&limits);
            let mut wire = BytesMut::from(&sent(&mut server, &prepared)[..]);
            let incoming = client.receive(&mut wire, Instant::now);
            client.handle_end("the peer went away");
            (incoming, client.close_info().unwrap().cause.clone())
        });
        let [(nothing, cause), (message, _)] = ends;
        assert!(nothing.is_none());
        let CloseCause::Protocol(ProtocolError::MessageTooBig {
            size_max: 1_000, ..
        }) = cause
        else {
            panic!("{cause:?}");
        };
        let expected = Incoming::Message(Message::from(text.as_str()));
        assert_eq!(message, Some(expected));
    }
}

#[test]
fn pr11_many_threads_at_its_first_use_get_the_same_frame() {
    const THREADS: usize = 8;
    for _ in 0..20 {
        let prepared = Prepared::new(prose(100 * KIB));
        let barrier = Barrier::new(THREADS);
        let places: BTreeSet<_> = std::thread::scope(|scope| {
            let feed = || {
                let mut connection = deflating(no_takeover());
                barrier.wait();
                connection.send(&prepared).unwrap();
                let places = places(&mut connection);
                assert_eq!(places.len(), 1);
                // It stays where it is as long as the message does.
                (places[0].0 as usize, places[0].1)
            };
            let threads = [(); THREADS].map(|()| scope.spawn(feed));
            threads.map(|thread| thread.join().unwrap()).into()
        });
        assert_eq!(places.len(), 1);
    }
}

#[test]
fn pr13_over_the_bound_for_frames_it_leaves_in_fragments() {
    for (size, bound) in [(100, 10), (300, 20), (20_000, 900), (100_000, 4_096)] {
        let text = prose(size);
        let prepared = Prepared::new(text.as_str());
        for parameters in [None, Some(takeover()), Some(no_takeover())] {
            let limits = Limits::default().frame_size_max(bound);
            let mut connection = Connection::server(limits);
            if let Some(parameters) = &parameters {
                connection.set_deflate(parameters);
            }
            let frames = parse(&sent(&mut connection, &prepared));
            let (first, rest) = frames.split_first().unwrap();
            let (last, between) = rest.split_last().unwrap();
            let is_deflated = parameters.is_some() && size >= 192;
            assert_eq!(first.first, if is_deflated { RSV1 | TEXT } else { TEXT });
            assert!(between.iter().all(|frame| frame.first == CONTINUATION));
            assert_eq!(last.first, FIN | CONTINUATION);
            assert!(frames.iter().all(|frame| frame.payload.len() <= bound));
            let payload: Vec<u8> = frames.into_iter().flat_map(|f| f.payload).collect();
            let message = if is_deflated {
                inflated(&payload)
            } else {
                payload
            };
            assert!(message == text.as_bytes(), "{size} in frames of {bound}");
        }
    }
}

#[test]
fn pr15_connections_hold_one_copy_of_a_large_one() {
    let text = prose(8 * MIB);
    let (prepared, heap) = heap::measure(|| Prepared::new(text));
    // The text goes where its frame begins.
    assert!(heap.left < 4 * KIB as isize, "{heap:?}");
    let mut connections: Vec<_> = (0..1_000)
        .map(|number| match number % 2 {
            0 => server(),
            _ => deflating(takeover()),
        })
        .collect();
    let ((), heap) = heap::measure(|| {
        for connection in &mut connections {
            connection.send(&prepared).unwrap();
        }
    });
    // The compressed frame, a queue for each, and what compressed.
    let most = 4 * MIB + 1_000 * 512 + 512 * KIB;
    assert!(heap.left < most as isize, "{heap:?}");
    drop(prepared);
    assert!(drain(&mut connections[0]).len() > 7 * MIB);
}

#[test]
fn pr15_a_delivery_allocates_nothing() {
    for size in [64, KIB, 16 * KIB, 200 * KIB] {
        let prepared = Prepared::new(prose(size));
        let mut connections = [server(), deflating(takeover()), deflating(no_takeover())];
        let mut deliver = || {
            for connection in &mut connections {
                connection.send(&prepared).unwrap();
                let size = connection.output().remaining();
                connection.output().advance(size);
            }
        };
        deliver();
        let ((), heap) = heap::measure(deliver);
        assert_eq!(heap.total, 0, "{size}: {heap:?}");
    }
}

#[test]
fn one_is_refused_where_any_message_is() {
    for size in [10, 300, 100_000] {
        let prepared = Prepared::new(prose(size));
        for parameters in [takeover(), no_takeover()] {
            let mut connection = deflating(parameters);
            connection.close(None, Instant::now());
            drain(&mut connection);
            assert_eq!(connection.send(&prepared), Err(SendError::Closed));
            assert!(drain(&mut connection).is_empty());
        }
    }
}

#[test]
fn text_is_text_and_bytes_are_bytes_and_empty_ones_are_messages() {
    for (message, first) in [
        (Message::from(""), TEXT),
        (Message::from(b""), BINARY),
        (Message::from("안녕".repeat(2_000)), TEXT),
        (Message::from(vec![0xFF; 9_000]), BINARY),
    ] {
        let prepared = Prepared::new(message.clone());
        assert_eq!(prepared.message(), &message);
        let whole = frame(FIN | first, None, message.as_bytes());
        assert_eq!(sent(&mut server(), &prepared), whole);
        let outgoing = Outgoing::from(&prepared);
        assert_eq!(outgoing.kind(), message.kind());
        let place = outgoing.as_bytes().as_ptr();
        let again = outgoing.into_message();
        assert_eq!(again, message);
        assert!(message.len() < 24 || again.as_bytes().as_ptr() == place);
        for parameters in [takeover(), no_takeover()] {
            let frame = sent_frame(&mut deflating(parameters), &prepared);
            let message = match frame.first & RSV1 {
                0 => frame.payload,
                _ => inflated(&frame.payload),
            };
            assert_eq!(message, prepared.message().as_bytes());
        }
    }
}
