//! What comes behind the close frame of who goes on receiving (RFC 6455 §5.5.1).

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use talkback_proto::{
    CloseCause, CloseCode, CloseFrame, CloseInfo, Compression, Connection, Delivery, Incoming,
    Initiator, Keepalive, Limits, MessageKind, ProtocolError, Role, SendError,
};

use crate::support::deflate::{PeerDeflater, compressing, no_takeover, noise, takeover};
use crate::support::wire::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, RSV1, TEXT, close_body, parse, peer_close,
    peer_frame,
};
use crate::support::{
    END, ROLES, binary, connection, drain, ping, pong, receive, replay_after, replay_on, text,
};

/// A fragmented message with a ping in it, one that is larger than a read, a pong, and a small one.
fn frames(role: Role) -> Vec<Vec<u8>> {
    vec![
        peer_frame(role, TEXT, b"frag"),
        peer_frame(role, FIN | PING, b"?"),
        peer_frame(role, FIN | CONTINUATION, b"ments"),
        peer_frame(role, FIN | BINARY, &vec![7; 70_000]),
        peer_frame(role, FIN | PONG, b"!"),
        peer_frame(role, FIN | TEXT, b"small"),
    ]
}

fn messages() -> Vec<Incoming> {
    vec![
        ping(b"?"),
        text("fragments"),
        binary(&vec![7; 70_000]),
        pong(b"!"),
        text("small"),
    ]
}

fn half_close(connection: &mut Connection) {
    let frame = CloseFrame::new(CloseCode::SERVICE_RESTART, "").expect("it may be sent");
    connection.half_close(Some(frame), Instant::now());
}

fn clean(code: u16) -> CloseInfo {
    let cause = CloseCause::ClosingHandshake;
    let mut info = CloseInfo::abnormal(CloseCode::new(code), Initiator::Local, cause);
    info.clean = true;
    info
}

fn opcodes(connection: &mut Connection) -> Vec<u8> {
    let frames = parse(&drain(connection)).into_iter();
    frames.map(|frame| frame.first).collect()
}

#[test]
fn x14_after_a_half_close_all_comes_up_to_the_peers_close_frame() {
    for role in ROLES {
        let mut bytes = frames(role).concat();
        bytes.extend(peer_close(role, 1012, ""));
        bytes.extend(peer_frame(role, FIN | TEXT, b"behind it"));
        let outcome = replay_after(role, &Limits::default(), &bytes, half_close);
        assert_eq!(outcome.incoming, messages(), "{role:?}");
        let expected = [
            (FIN | CLOSE, close_body(1012, "")),
            // As long as the peer has not closed, its pings are answered (§5.5.2).
            (FIN | PONG, b"?".to_vec()),
        ];
        assert_eq!(outcome.payloads(), expected);
        assert_eq!(outcome.info, clean(1012));
        assert_eq!(outcome.wants_read, role == Role::Client);
        assert_eq!(outcome.wants_shutdown, role == Role::Server);
    }
}

/// Half-closes at each byte of a session: what comes is the same as without that.
#[test]
fn x14_a_half_close_inside_of_a_message_changes_nothing_that_comes() {
    let now = Instant::now();
    for role in ROLES {
        let bytes = [
            peer_frame(role, BINARY, &[1; 200]),
            peer_frame(role, FIN | PING, b"?"),
            peer_frame(role, FIN | CONTINUATION, &[2; 70_000]),
            peer_frame(role, FIN | TEXT, b"small"),
        ]
        .concat();
        let whole = receive(&mut connection(role, &Limits::default()), &bytes, now);
        assert_eq!(whole.len(), 3);
        let places = (0..300).chain([40_000, bytes.len() - 12, bytes.len() - 1, bytes.len()]);
        for cut in places {
            let mut connection = connection(role, &Limits::default());
            let mut incoming = receive(&mut connection, &bytes[..cut], now);
            half_close(&mut connection);
            incoming.extend(receive(&mut connection, &bytes[cut..], now));
            assert!(incoming == whole, "{role:?}, at {cut}");
            receive(&mut connection, &peer_close(role, 1000, ""), now);
            drain(&mut connection);
            connection.handle_end(END);
            assert_eq!(connection.close_info(), Some(&clean(1000)));
        }
    }
}

#[test]
fn x14_what_is_compressed_is_decompressed_with_the_context_from_before() {
    let now = Instant::now();
    for role in ROLES {
        for (parameters, keeps) in [(takeover(), true), (no_takeover(), false)] {
            let mut deflater = PeerDeflater::new(6);
            let mut message = |first: u8| {
                if !keeps {
                    deflater = PeerDeflater::new(6);
                }
                let payload = deflater.message(&noise(2_000));
                peer_frame(role, FIN | RSV1 | first, &payload)
            };
            let (before, behind) = (message(BINARY), message(BINARY));
            assert_eq!(behind.len() < 200, keeps, "it looks back");
            let make = || {
                let mut connection = compressing(role, parameters);
                // Its own context is not needed any more.
                connection.send("something").unwrap();
                receive(&mut connection, &before, now);
                half_close(&mut connection);
                drain(&mut connection);
                connection
            };
            let outcome = replay_on(make, &[behind, peer_close(role, 1000, "")].concat());
            assert_eq!(outcome.incoming, [binary(&noise(2_000))]);
            assert_eq!(outcome.info, clean(1000));
        }
    }
}

#[test]
fn x14_a_message_in_pieces_goes_on_behind_our_close_frame() {
    let now = Instant::now();
    for role in ROLES {
        let payload = noise(3_000);
        let compressed = PeerDeflater::new(6).message(&payload);
        for bytes in [
            peer_frame(role, FIN | BINARY, &payload),
            peer_frame(role, FIN | RSV1 | BINARY, &compressed),
        ] {
            for cut in [0, 1, 5, 500, bytes.len() - 1, bytes.len()] {
                let mut connection = compressing(role, takeover());
                connection.set_delivery(Delivery::Pieces);
                let mut incoming = receive(&mut connection, &bytes[..cut], now);
                half_close(&mut connection);
                incoming.extend(receive(&mut connection, &bytes[cut..], now));
                let (mut joined, mut is_last) = (Vec::new(), false);
                for next in incoming {
                    let Incoming::Piece(piece) = next else {
                        panic!("pieces");
                    };
                    joined.extend_from_slice(&piece.bytes);
                    is_last = piece.last;
                }
                assert!(joined == payload && is_last, "{role:?}, at {cut}");
            }
        }
    }
}

#[test]
fn x14_a_half_closed_connection_sends_nothing_more() {
    let now = Instant::now();
    for role in ROLES {
        let mut connection = compressing(role, no_takeover());
        receive(&mut connection, &peer_frame(role, FIN | PING, b"1"), now);
        let kind = MessageKind::Text;
        connection.begin_message(kind, Compression::Skip).unwrap();
        connection.gather(b"never sent").unwrap();
        half_close(&mut connection);
        half_close(&mut connection);
        assert!(!connection.is_open() && connection.is_receiving());
        assert_eq!(connection.send("late"), Err(SendError::Closed));
        assert_eq!(connection.ping("late"), Err(SendError::Closed));
        assert_eq!(connection.gather(b"late"), Err(SendError::Closed));
        assert_eq!(opcodes(&mut connection), [FIN | PONG, FIN | CLOSE]);
    }
}

#[test]
fn x14_after_a_half_close_a_broken_rule_fails_the_connection_and_a_limit_holds() {
    let limits = Limits::default().message_size_max(100);
    for role in ROLES {
        let too_big = ProtocolError::MessageTooBig {
            size: 101,
            size_max: 100,
        };
        for (broken, error) in [
            (peer_frame(role, FIN | BINARY, &[0; 101]), too_big),
            (
                peer_frame(role, FIN | TEXT, b"\xff"),
                ProtocolError::InvalidUtf8,
            ),
            (
                peer_frame(role, FIN | RSV1 | TEXT, b""),
                ProtocolError::ReservedBits,
            ),
        ] {
            let bytes = [
                peer_frame(role, FIN | TEXT, b"before"),
                broken,
                peer_frame(role, FIN | TEXT, b"behind"),
            ]
            .concat();
            let outcome = replay_after(role, &limits, &bytes, half_close);
            assert_eq!(outcome.incoming, [text("before")]);
            assert_eq!(
                outcome.payloads(),
                [(FIN | CLOSE, close_body(1012, ""))],
                "one close frame"
            );
            assert_eq!(outcome.info.cause, CloseCause::Protocol(error));
            assert!(outcome.wants_read, "it is read away");
        }
    }
}

#[test]
fn x14_a_half_close_follows_no_close_and_a_close_that_follows_it_discards() {
    let now = Instant::now();
    for role in ROLES {
        let bytes = [frames(role).concat(), peer_close(role, 1000, "")].concat();
        let close = |connection: &mut Connection| connection.close(None, now);
        let outcome = replay_after(role, &Limits::default(), &bytes, |connection| {
            close(connection);
            half_close(connection);
        });
        assert_eq!(outcome.incoming, [ping(b"?")]);
        assert_eq!(outcome.payloads()[0], (FIN | CLOSE, vec![]));
        // Before the message, and inside of it: in the read buffer, and in its own.
        for cut in [0, 3, 12, 40_000] {
            let mut connection = connection(role, &Limits::default());
            half_close(&mut connection);
            let mut incoming = receive(&mut connection, &bytes[..cut], now);
            close(&mut connection);
            assert!(!connection.is_receiving() && connection.space().is_none());
            let mut input = BytesMut::from(&bytes[cut..]);
            while let Some(next) = connection.receive(&mut input, || now) {
                incoming.push(next);
            }
            incoming.retain(|next| matches!(next, Incoming::Message(_)));
            let given = usize::from(cut == 40_000);
            assert_eq!(incoming.len(), given, "{role:?}, at {cut}");
            assert_eq!(opcodes(&mut connection), [FIN | CLOSE, FIN | PONG]);
            connection.handle_end(END);
            assert_eq!(connection.close_info(), Some(&clean(1000)));
        }
    }
}

#[test]
fn x14_a_half_closed_connection_ends_after_the_close_timeout_whatever_comes() {
    let start = Instant::now();
    for role in ROLES {
        let mut connection = connection(role, &Limits::default());
        connection.set_keepalive(Keepalive::default(), start);
        connection.half_close(None, start);
        assert_eq!(opcodes(&mut connection), [FIN | CLOSE]);
        let end = start + Duration::from_secs(10);
        for second in 1..10 {
            let now = start + Duration::from_secs(second);
            let message = peer_frame(role, FIN | TEXT, b"still here");
            assert_eq!(
                receive(&mut connection, &message, now),
                [text("still here")]
            );
            assert_eq!(connection.poll_timeout(), Some(end));
            connection.handle_timeout(now);
        }
        assert!(!connection.output().has_remaining(), "no ping");
        connection.handle_timeout(end);
        let info = connection.close_info().expect("it has ended");
        assert_eq!(info.cause, CloseCause::CloseTimeout);
        let late = peer_frame(role, FIN | TEXT, b"late");
        assert_eq!(receive(&mut connection, &late, end), []);
    }
}
