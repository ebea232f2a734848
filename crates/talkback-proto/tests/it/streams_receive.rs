//! Messages received in pieces: plain and compressed, cut in every way.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use talkback_proto::{
    CloseCause, Connection, Delivery, Incoming, Limits, Message, MessageKind, Piece, ProtocolError,
    Role,
};

use crate::support::deflate::{PeerDeflater, compressing, deflated, prose, takeover};
use crate::support::wire::{
    BINARY, CONTINUATION, FIN, PING, PONG, RSV1, TEXT, parse, peer_close, peer_frame,
};
use crate::support::{ROLES, connection, drain, ping};

/// The most bytes of a piece that is decompressed.
const PIECE_SIZE_MAX: usize = 16 * 1024;

/// All that comes out of `bytes`, handed in by pieces of `step`.
fn receive_by(connection: &mut Connection, bytes: &[u8], step: usize) -> Vec<Incoming> {
    let mut incoming = Vec::new();
    for read in bytes.chunks(step) {
        let mut input = BytesMut::from(read);
        while let Some(next) = connection.receive(&mut input, Instant::now) {
            incoming.push(next);
        }
        assert!(input.is_empty() && !connection.has_more());
    }
    incoming
}

fn in_pieces(mut connection: Connection) -> Connection {
    connection.set_delivery(Delivery::Pieces);
    connection
}

/// Puts the pieces of messages together; those of a message without an end come last.
fn join(incoming: Vec<Incoming>) -> (Vec<Incoming>, Option<Vec<u8>>) {
    let (mut joined, mut open): (Vec<_>, Option<Vec<u8>>) = (Vec::new(), None);
    for next in incoming {
        let Incoming::Piece(piece) = next else {
            joined.push(next);
            continue;
        };
        assert_eq!(piece.first, open.is_none());
        assert!(piece.last || !piece.bytes.is_empty());
        let mut bytes = open.take().unwrap_or_default();
        bytes.extend_from_slice(&piece.bytes);
        if piece.last {
            joined.push(Incoming::Message(message(piece.kind, bytes)));
        } else {
            open = Some(bytes);
        }
    }
    (joined, open)
}

fn message(kind: MessageKind, bytes: Vec<u8>) -> Message {
    match kind {
        MessageKind::Text => String::from_utf8(bytes).expect("text is valid").into(),
        MessageKind::Binary => bytes.into(),
    }
}

fn session(role: Role) -> Vec<u8> {
    let mut deflater = PeerDeflater::new(6);
    let text = prose(3_000);
    let compressed = deflater.message(text.as_bytes());
    let (front, back) = compressed.split_at(compressed.len() / 2);
    [
        peer_frame(role, TEXT, "안".as_bytes()),
        peer_frame(role, CONTINUATION, b""),
        peer_frame(role, FIN | PING, b"1"),
        peer_frame(role, FIN | CONTINUATION, "녕".as_bytes()),
        peer_frame(role, FIN | BINARY, b""),
        peer_frame(role, RSV1 | TEXT, front),
        peer_frame(role, FIN | PING, b"2"),
        peer_frame(role, FIN | CONTINUATION, back),
        peer_frame(role, FIN | RSV1 | BINARY, &deflater.message(&[0; 60_000])),
        peer_frame(role, FIN | RSV1 | TEXT, &deflater.message(b"")),
        peer_frame(role, FIN | BINARY, b"end"),
    ]
    .concat()
}

#[test]
fn pieces_cut_at_every_byte_make_the_whole_messages() {
    for role in ROLES {
        let bytes = session(role);
        let whole = receive_by(&mut compressing(role, takeover()), &bytes, usize::MAX);
        assert_eq!(whole.len(), 8, "six messages and two pings");
        let run = |cut: usize, step: usize| {
            let mut connection = in_pieces(compressing(role, takeover()));
            let (front, back) = bytes.split_at(cut);
            let mut incoming = receive_by(&mut connection, front, step);
            incoming.extend(receive_by(&mut connection, back, step));
            join(incoming)
        };
        for cut in 0..=bytes.len() {
            assert!(
                run(cut, usize::MAX) == (whole.clone(), None),
                "cut at {cut}"
            );
        }
        for step in [1, 2, 3, 7] {
            assert!(run(0, step) == (whole.clone(), None), "steps of {step}");
        }
    }
}

/// Receives with the delivery changed at every byte: what was begun in pieces is discarded when
/// whole messages are asked for, and nothing else is lost.
#[test]
fn the_delivery_may_change_at_any_byte() {
    for role in ROLES {
        let bytes = session(role);
        let mut whole = compressing(role, takeover());
        let whole = receive_by(&mut whole, &bytes, usize::MAX);
        for cut in 0..=bytes.len() {
            let (front, back) = bytes.split_at(cut);
            let mut connection = compressing(role, takeover());
            let mut incoming = receive_by(&mut connection, front, usize::MAX);
            connection.set_delivery(Delivery::Pieces);
            incoming.extend(receive_by(&mut connection, back, usize::MAX));
            assert!(join(incoming) == (whole.clone(), None), "cut at {cut}");

            let mut connection = in_pieces(compressing(role, takeover()));
            let incoming = receive_by(&mut connection, front, usize::MAX);
            let (mut joined, open) = join(incoming);
            connection.set_delivery(Delivery::Whole);
            joined.extend(receive_by(&mut connection, back, usize::MAX));
            if open.is_some() {
                assert_eq!(joined.len(), whole.len() - 1, "one was discarded: {cut}");
                assert!(joined.iter().all(|next| whole.contains(next)));
            } else {
                assert!(joined == whole, "cut at {cut}");
            }
        }
    }
}

#[test]
fn a_discarded_message_leaves_the_next_one_whole() {
    for role in ROLES {
        let mut deflater = PeerDeflater::new(6);
        let first = deflater.message(&vec![b'x'; 1_000_000]);
        let second = deflater.message(&vec![b'x'; 1_000]);
        let bytes = [
            peer_frame(role, FIN | RSV1 | BINARY, &first),
            peer_frame(role, FIN | RSV1 | BINARY, &second),
        ]
        .concat();
        for delivery in [Delivery::Whole, Delivery::Pieces] {
            let mut connection = in_pieces(compressing(role, takeover()));
            let mut input = BytesMut::from(&bytes[..]);
            let next = connection.receive(&mut input, Instant::now);
            let Some(Incoming::Piece(piece)) = next else {
                panic!("a piece");
            };
            assert!(piece.first && !piece.last && piece.bytes.len() <= PIECE_SIZE_MAX);
            connection.discard_message();
            connection.set_delivery(delivery);
            let mut incoming = Vec::new();
            while let Some(next) = connection.receive(&mut input, Instant::now) {
                incoming.push(next);
            }
            let expected = Incoming::Message(vec![b'x'; 1_000].into());
            assert!(join(incoming) == (vec![expected], None));
        }
    }
}

/// The pieces that `bytes` bring, and how the connection then fails.
fn pieces_until_failure(
    connection: Connection,
    bytes: &[u8],
    step: usize,
) -> (Vec<Piece>, Option<ProtocolError>) {
    let mut connection = in_pieces(connection);
    let incoming = receive_by(&mut connection, bytes, step);
    let pieces = incoming.into_iter().map(|next| match next {
        Incoming::Piece(piece) => piece,
        other => panic!("{other:?}"),
    });
    drain(&mut connection);
    connection.handle_end("the end");
    let error = match &connection.close_info().unwrap().cause {
        CloseCause::Protocol(error) => Some(error.clone()),
        _ => None,
    };
    (pieces.collect(), error)
}

#[test]
fn a_limit_counts_over_all_pieces() {
    let limits = Limits::default().message_size_max(100_000);
    for role in ROLES {
        for (size, fails) in [(100_000, false), (100_001, true), (50_000_000, true)] {
            let bytes = peer_frame(role, FIN | RSV1 | BINARY, &deflated(&vec![0; size]));
            for step in [1, 100, usize::MAX] {
                let connection = connection(role, &limits).with_deflate(&takeover());
                let (pieces, error) = pieces_until_failure(connection, &bytes, step);
                let total: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
                assert!(
                    pieces
                        .iter()
                        .all(|piece| piece.bytes.len() <= PIECE_SIZE_MAX)
                );
                assert_eq!((total, pieces.last().unwrap().last), (100_000, !fails));
                let too_big = ProtocolError::MessageTooBig {
                    size: 100_001,
                    size_max: 100_000,
                };
                assert_eq!(error, fails.then_some(too_big), "{role:?} {size} {step}");
            }
        }
        let bytes = peer_frame(role, FIN | BINARY, &vec![0; 100_001]);
        let (pieces, error) = pieces_until_failure(connection(role, &limits), &bytes, 1_000);
        assert!(pieces.is_empty() && error.is_some());
    }
}

#[test]
fn invalid_text_fails_before_the_piece_with_it_is_given_out_8_1() {
    for role in ROLES {
        let text = [&b"valid"[..], b"\xF4\x90"].concat();
        let plain_bytes = [
            peer_frame(role, TEXT, &text),
            peer_frame(role, FIN | CONTINUATION, b""),
        ];
        let compressed = peer_frame(role, FIN | RSV1 | TEXT, &deflated(&text));
        let unfinished = peer_frame(role, FIN | RSV1 | TEXT, &deflated(b"\xED\x95"));
        for bytes in [plain_bytes.concat(), compressed, unfinished] {
            for step in [1, 2, usize::MAX] {
                let connection = compressing(role, takeover());
                let (pieces, error) = pieces_until_failure(connection, &bytes, step);
                assert_eq!(error, Some(ProtocolError::InvalidUtf8));
                let given: Vec<u8> = pieces.iter().flat_map(|p| p.bytes.to_vec()).collect();
                assert!(text.starts_with(&given) || b"\xED\x95".starts_with(&given[..]));
                assert!(pieces.iter().all(|piece| !piece.last));
            }
        }
    }
}

#[test]
fn a_malformed_stream_fails_in_pieces_as_whole() {
    for role in ROLES {
        let mut payload = deflated(prose(500).as_bytes());
        payload.truncate(payload.len() / 2);
        let bytes = peer_frame(role, FIN | RSV1 | TEXT, &payload);
        for step in [1, usize::MAX] {
            let connection = compressing(role, takeover());
            let (pieces, error) = pieces_until_failure(connection, &bytes, step);
            assert_eq!(error, Some(ProtocolError::MalformedDeflate));
            assert!(pieces.iter().all(|piece| !piece.last));
        }
    }
}

#[test]
fn a_close_inside_of_a_message_leaves_it_without_an_end() {
    for role in ROLES {
        let bytes = [
            peer_frame(role, BINARY, b"half"),
            peer_close(role, 1000, ""),
            peer_frame(role, FIN | CONTINUATION, b"more"),
        ]
        .concat();
        let mut connection = in_pieces(connection(role, &Limits::default()));
        let incoming = receive_by(&mut connection, &bytes, usize::MAX);
        let half = Incoming::Piece(Piece {
            kind: MessageKind::Binary,
            bytes: Bytes::from_static(b"half"),
            first: true,
            last: false,
        });
        assert_eq!(incoming, [half]);
        assert!(!connection.is_open());
    }
}

#[test]
fn no_piece_is_left_once_the_connection_closes() {
    let now = Instant::now();
    for role in ROLES {
        let payload = deflated(&vec![7; 10 * PIECE_SIZE_MAX]);
        let frame = peer_frame(role, FIN | RSV1 | BINARY, &payload);
        let end: [fn(&mut Connection); 2] = [
            |connection| connection.close(None, Instant::now()),
            |connection| connection.handle_end("the peer went away"),
        ];
        for end in end {
            let mut connection = compressing(role, takeover());
            connection.set_delivery(Delivery::Pieces);
            let mut input = BytesMut::from(&frame[..]);
            let piece = connection.receive(&mut input, || now);
            assert!(matches!(piece, Some(Incoming::Piece(_))));
            assert!(input.is_empty() && connection.has_more());
            end(&mut connection);
            assert!(!connection.has_more(), "{role:?}");
            assert_eq!(connection.receive(&mut input, || now), None);
        }
    }
}

#[test]
fn pings_between_pieces_keep_their_place_5_4() {
    for role in ROLES {
        let bytes = [
            peer_frame(role, BINARY, b"a"),
            peer_frame(role, FIN | PING, b"?"),
            peer_frame(role, FIN | CONTINUATION, b"b"),
        ]
        .concat();
        let mut connection = in_pieces(connection(role, &Limits::default()));
        let incoming = receive_by(&mut connection, &bytes, usize::MAX);
        assert!(matches!(incoming[0], Incoming::Piece(_)));
        assert_eq!(incoming[1], ping(b"?"));
        assert!(matches!(&incoming[2], Incoming::Piece(piece) if piece.last));
        let frames = parse(&drain(&mut connection));
        assert_eq!(frames.len(), 1);
        assert_eq!(
            (frames[0].first, &frames[0].payload[..]),
            (FIN | PONG, &b"?"[..])
        );
    }
}
