//! Properties of messages as streams: however they are cut, they are the same messages.

use std::time::Instant;

use bytes::BytesMut;
use proptest::prelude::*;
use talkback_proto::{
    Compression, CompressionLevel, Connection, DeflateParameters, Delivery, Fin, Incoming, Limits,
    Message, MessageKind, Role, WindowBits,
};

use crate::support::deflate::{PeerInflater, compressing, every_message, no_takeover, takeover};
use crate::support::wire::{FIN, PING, parse};
use crate::support::{connection, drain};

/// How a piece goes into a message.
#[derive(Clone, Copy, Debug)]
enum How {
    Gather,
    Fragment,
    Flush,
}

/// A message, and where it is cut into pieces.
#[derive(Clone, Debug)]
struct Streamed {
    message: Message,
    cuts: Vec<(usize, How)>,
    is_skipped: bool,
}

fn any_streamed() -> impl Strategy<Value = Streamed> {
    let text = ("[a-zé가-힣😀-😎]{0,30}", 0usize..20).prop_map(|(t, n)| Message::from(t.repeat(n)));
    let bytes = proptest::collection::vec(any::<u8>(), 0..80);
    let binary = (bytes, 0usize..20).prop_map(|(bytes, n)| Message::from(bytes.repeat(n)));
    let large = (any::<u8>(), 0usize..70_000).prop_map(|(byte, n)| Message::from(vec![byte; n]));
    let message = prop_oneof![6 => text, 4 => binary, 1 => large];
    let how = prop_oneof![Just(How::Gather), Just(How::Fragment), Just(How::Flush)];
    let cuts = proptest::collection::vec((0usize..=100, how), 0..6);
    (message, cuts, any::<bool>()).prop_map(|(message, cuts, is_skipped)| Streamed {
        message,
        cuts,
        is_skipped,
    })
}

fn any_deflate() -> impl Strategy<Value = Option<DeflateParameters>> {
    let parameters = (9u8..=15, any::<bool>(), 1u8..=9).prop_map(|(window, alone, level)| {
        let parameters = if alone { no_takeover() } else { takeover() };
        parameters
            .server_max_window_bits(WindowBits::new(window).unwrap())
            .client_max_window_bits(WindowBits::new(window).unwrap())
            .tuning(every_message().level(CompressionLevel::new(level).unwrap()))
    });
    prop_oneof![1 => Just(None), 2 => parameters.prop_map(Some)]
}

fn end(role: Role, deflate: Option<DeflateParameters>) -> Connection {
    match deflate {
        Some(parameters) => compressing(role, parameters),
        None => connection(role, &Limits::default()),
    }
}

fn send(connection: &mut Connection, streamed: &Streamed) {
    let kind = match streamed.message {
        Message::Text(_) => MessageKind::Text,
        Message::Binary(_) => MessageKind::Binary,
    };
    let compression = if streamed.is_skipped {
        Compression::Skip
    } else {
        Compression::Auto
    };
    connection.begin_message(kind, compression).unwrap();
    let mut rest = streamed.message.as_bytes();
    for (percent, how) in &streamed.cuts {
        let (piece, back) = rest.split_at(rest.len() * percent / 100);
        rest = back;
        match how {
            How::Gather => connection.gather(piece).unwrap(),
            How::Fragment => connection.send_fragment(piece.to_vec(), Fin::More).unwrap(),
            How::Flush => {
                connection.gather(piece).unwrap();
                connection.send_fragment("", Fin::More).unwrap();
            }
        }
        connection.ping("between").unwrap();
    }
    connection.send_fragment(rest.to_vec(), Fin::Last).unwrap();
}

/// Receives in chunks of these sizes, each with its delivery, and joins the pieces.
fn receive(connection: &mut Connection, mut wire: &[u8], sizes: &[usize]) -> Vec<Message> {
    connection.set_delivery(Delivery::Pieces);
    let (mut messages, mut bytes) = (Vec::new(), Vec::new());
    for size in sizes.iter().cycle() {
        if wire.is_empty() {
            break;
        }
        let (chunk, rest) = wire.split_at(wire.len().min(*size));
        wire = rest;
        let mut input = BytesMut::from(chunk);
        while let Some(next) = connection.receive(&mut input, Instant::now) {
            let Incoming::Piece(piece) = next else {
                assert!(matches!(next, Incoming::Ping(_)));
                continue;
            };
            assert_eq!(piece.first, bytes.is_empty() && piece.first);
            bytes.extend_from_slice(&piece.bytes);
            if piece.last {
                let bytes = std::mem::take(&mut bytes);
                messages.push(match piece.kind {
                    MessageKind::Text => String::from_utf8(bytes).unwrap().into(),
                    MessageKind::Binary => bytes.into(),
                });
            }
        }
    }
    assert!(bytes.is_empty() && !connection.has_more());
    messages
}

fn any_sizes() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(prop_oneof![1usize..30, 1usize..100_000], 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn any_chunking_of_a_streamed_message_is_that_message(
        streamed in proptest::collection::vec(any_streamed(), 1..4),
        deflate in any_deflate(),
        sizes in any_sizes(),
    ) {
        for (role, peer) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
            let mut sender = end(role, deflate);
            for streamed in &streamed {
                send(&mut sender, streamed);
            }
            let wire = drain(&mut sender);
            let expected: Vec<_> = streamed.iter().map(|s| s.message.clone()).collect();
            let received = receive(&mut end(peer, deflate), &wire, &sizes);
            prop_assert!(received == expected, "in pieces");
            // Whole, by the path that knows nothing of pieces.
            let whole = crate::support::receive(&mut end(peer, deflate), &wire, Instant::now());
            let whole: Vec<_> = whole.into_iter().filter_map(|next| match next {
                Incoming::Message(message) => Some(message),
                _ => None,
            }).collect();
            prop_assert!(whole == expected, "whole");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn a_compressed_streamed_message_is_read_by_another_inflate(
        streamed in any_streamed(),
        parameters in any_deflate(),
    ) {
        let Some(parameters) = parameters else { return Ok(()); };
        let mut sender = end(Role::Server, Some(parameters));
        let streamed = Streamed { is_skipped: false, ..streamed };
        send(&mut sender, &streamed);
        let frames = parse(&drain(&mut sender)).into_iter();
        let frames: Vec<_> = frames.filter(|frame| frame.first != FIN | PING).collect();
        let payload: Vec<u8> = frames.iter().flat_map(|f| f.payload.clone()).collect();
        let is_compressed = frames[0].first & 0x40 != 0;
        let message = if is_compressed { PeerInflater::new().message(&payload) } else { payload };
        prop_assert!(message == streamed.message.as_bytes());
        prop_assert!(frames[1..].iter().all(|frame| frame.first & 0x70 == 0));
    }
}
