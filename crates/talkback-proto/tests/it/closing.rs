//! What the closing lines of the requirements hold (RFC 6455 §5.5.1, §7).

use std::time::{Duration, Instant};

use bytes::BytesMut;
use talkback_proto::{
    CloseCause, CloseCode, CloseFrame, CloseFrameError, CloseInfo, Connection, Initiator, Limits,
    ProtocolError, Role, SendError,
};

use crate::support::wire::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, RSV1, TEXT, close_body, parse, peer_close,
    peer_frame,
};
use crate::support::{
    END, ROLES, assert_fails, assert_fails_after, connection, drain, receive, replay, replay_after,
    text,
};

const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

fn close_frame(code: u16, reason: &str) -> Option<CloseFrame> {
    Some(CloseFrame::new(CloseCode::new(code), reason).expect("a close frame that may be sent"))
}

fn open(role: Role) -> Connection {
    connection(role, &Limits::default())
}

/// Opcodes and payloads of what waits to be written, which is taken.
fn written(connection: &mut Connection) -> Vec<(u8, Vec<u8>)> {
    let frames = parse(&drain(connection)).into_iter();
    frames.map(|frame| (frame.first, frame.payload)).collect()
}

fn assert_sends_nothing(connection: &mut Connection) {
    assert!(!connection.is_open());
    assert_eq!(connection.send("late"), Err(SendError::Closed));
    assert_eq!(connection.send(vec![1]), Err(SendError::Closed));
    assert_eq!(connection.ping("late"), Err(SendError::Closed));
    assert_eq!(connection.pong("late"), Err(SendError::Closed));
    assert_eq!(drain(connection), b"");
}

/// An info of a closing handshake.
fn clean(code: u16, reason: &str, initiator: Initiator) -> CloseInfo {
    let cause = CloseCause::ClosingHandshake;
    let mut info = CloseInfo::abnormal(CloseCode::new(code), initiator, cause);
    info.reason = reason.to_owned();
    info.clean = true;
    info
}

fn info(connection: &Connection) -> CloseInfo {
    connection.close_info().expect("it has ended").clone()
}

#[test]
fn x1_nothing_is_sent_behind_our_close_frame() {
    let now = Instant::now();
    for role in ROLES {
        // Ours, the peer's, a failure's.
        let mut closed = open(role);
        closed.send("before").unwrap();
        closed.close(close_frame(1000, ""), now);
        assert_eq!(closed.send("between"), Err(SendError::Closed));
        let expected = [
            (FIN | TEXT, b"before".to_vec()),
            (FIN | CLOSE, close_body(1000, "")),
        ];
        assert_eq!(written(&mut closed), expected);
        assert_sends_nothing(&mut closed);
        for end in [
            peer_close(role, 1001, "bye"),
            peer_frame(role, FIN | RSV1 | TEXT, b""),
        ] {
            let mut ended = open(role);
            receive(&mut ended, &end, now);
            assert_eq!(written(&mut ended).len(), 1);
            assert_sends_nothing(&mut ended);
        }
        let mut lost = open(role);
        lost.handle_end(END);
        assert_sends_nothing(&mut lost);
    }
}

#[test]
fn x1_a_ping_from_before_is_answered_before_our_close_frame() {
    for role in ROLES {
        let mut connection = open(role);
        receive(
            &mut connection,
            &peer_frame(role, FIN | PING, b"1"),
            Instant::now(),
        );
        connection.close(None, Instant::now());
        let expected = [(FIN | PONG, b"1".to_vec()), (FIN | CLOSE, vec![])];
        assert_eq!(written(&mut connection), expected);
    }
}

#[test]
fn x2_answers_a_close_frame_exactly_once() {
    let longest = "a".repeat(123);
    let bodies = [
        vec![],
        close_body(1000, ""),
        close_body(1001, "안녕히"),
        close_body(4999, &longest),
    ];
    for role in ROLES {
        for body in &bodies {
            let close = peer_frame(role, FIN | CLOSE, body);
            for times in [1, 2, 3] {
                let outcome = replay(role, &Limits::default(), &close.repeat(times));
                assert_eq!(outcome.incoming, []);
                assert_eq!(
                    outcome.payloads(),
                    [(FIN | CLOSE, body.clone())],
                    "{role:?}"
                );
                assert!(outcome.info.clean && outcome.info.initiator == Initiator::Remote);
            }
        }
    }
}

#[test]
fn x2_a_close_frame_that_answers_ours_is_not_answered() {
    for role in ROLES {
        for body in [vec![], close_body(1000, ""), close_body(1001, "bye")] {
            let close = peer_frame(role, FIN | CLOSE, &body);
            let begin = |connection: &mut Connection| {
                connection.close(close_frame(1000, "done"), Instant::now());
            };
            let outcome = replay_after(role, &Limits::default(), &close.repeat(2), begin);
            let ours = close_body(1000, "done");
            assert_eq!(outcome.payloads(), [(FIN | CLOSE, ours)], "{role:?}");
            assert!(outcome.info.clean && outcome.info.initiator == Initiator::Local);
        }
    }
}

#[test]
fn x3_the_server_ends_tcp_and_the_client_waits_for_it() {
    let now = Instant::now();
    for begin in [None, Some(close_frame(1000, "bye"))] {
        for role in ROLES {
            let mut connection = open(role);
            let (initiator, we_began) = match &begin {
                Some(frame) => {
                    connection.close(frame.clone(), now);
                    (Initiator::Local, true)
                }
                None => (Initiator::Remote, false),
            };
            assert!(connection.wants_read() && !connection.wants_shutdown());
            assert_eq!(written(&mut connection).len(), usize::from(we_began));
            receive(&mut connection, &peer_close(role, 1000, "bye"), now);
            assert_eq!(written(&mut connection).len(), usize::from(!we_began));
            let waits = role == Role::Client;
            assert_eq!(
                (connection.wants_read(), connection.wants_shutdown()),
                (waits, !waits)
            );
            assert_eq!(connection.close_info(), None);
            match role {
                Role::Server => connection.handle_shutdown(),
                Role::Client => connection.handle_end(END),
            }
            assert_eq!(info(&connection), clean(1000, "bye", initiator));
            assert!(!connection.wants_read() && !connection.wants_shutdown());
            assert_eq!(connection.poll_timeout(), None);
        }
    }
}

#[test]
fn x3_a_shutdown_is_asked_for_once() {
    let now = Instant::now();
    for role in ROLES {
        let mut failed = open(role);
        receive(&mut failed, &peer_frame(role, FIN | RSV1 | TEXT, b""), now);
        drain(&mut failed);
        assert!(failed.wants_shutdown());
        failed.handle_shutdown();
        assert!(
            !failed.wants_shutdown(),
            "{role:?}: it was done, so a driver need not remember it"
        );
        assert!(failed.wants_read() && failed.close_info().is_none());
    }
}

#[test]
fn x4_a_close_body_of_one_byte_fails() {
    for role in ROLES {
        for byte in [0x03, 0x00, 0xFF] {
            let bytes = peer_frame(role, FIN | CLOSE, &[byte]);
            assert_fails(role, &bytes, ProtocolError::CloseBodyTooShort);
        }
        for body in [&b""[..], b"\x03\xe8", b"\x03\xe8\xed\x95\x9c"] {
            let bytes = peer_frame(role, FIN | CLOSE, body);
            assert!(replay(role, &Limits::default(), &bytes).info.clean);
        }
        for reason in [&b"\xff"[..], b"\xed\x95", b"fine\xc0\x80"] {
            let body = [b"\x03\xe8", reason].concat();
            let bytes = peer_frame(role, FIN | CLOSE, &body);
            assert_fails(role, &bytes, ProtocolError::InvalidCloseReason);
        }
    }
}

#[test]
fn x5_codes_that_are_only_reported_never_reach_the_wire() {
    for number in [1005, 1006, 1015] {
        let refused = Err(CloseFrameError::Code(number));
        assert_eq!(CloseFrame::new(CloseCode::new(number), ""), refused);
        for role in ROLES {
            let bytes = peer_close(role, number, "");
            assert_fails(role, &bytes, ProtocolError::InvalidCloseCode(number));
        }
    }
    for role in ROLES {
        // Reported are 1005 and 1006; what is sent has no body.
        let empty = replay(
            role,
            &Limits::default(),
            &peer_frame(role, FIN | CLOSE, b""),
        );
        assert_eq!(empty.info.code, CloseCode::NO_CODE);
        assert_eq!(empty.payloads(), [(FIN | CLOSE, vec![])]);
        let mut connection = open(role);
        connection.close(None, Instant::now());
        assert_eq!(written(&mut connection), [(FIN | CLOSE, vec![])]);
    }
}

#[test]
fn x6_reports_1005_without_a_body_and_1006_without_a_close_frame() {
    for role in ROLES {
        let replay = |bytes: &[u8]| replay(role, &Limits::default(), bytes).info;
        let empty = replay(&peer_frame(role, FIN | CLOSE, b""));
        assert_eq!(empty, clean(1005, "", Initiator::Remote));
        assert!(empty.is_normal());
        let coded = replay(&peer_close(role, 3000, "why"));
        assert_eq!(coded, clean(3000, "why", Initiator::Remote));
        let none = replay(&peer_frame(role, FIN | TEXT, b"text"));
        assert_eq!((none.code, none.clean), (CloseCode::ABNORMAL, false));
        let failed = replay(&peer_frame(role, RSV1 | FIN | TEXT, b"text"));
        assert_eq!((failed.code, failed.clean), (CloseCode::ABNORMAL, false));
    }
}

#[test]
fn x7_nothing_is_processed_after_a_failure() {
    for role in ROLES {
        let behind = [
            peer_frame(role, FIN | TEXT, b"text"),
            peer_frame(role, FIN | PING, b"ping"),
            peer_frame(role, FIN | PONG, b"pong"),
            peer_frame(role, BINARY, b"fragment"),
            peer_close(role, 1000, "bye"),
            vec![0xFF; 300],
        ];
        let failures = [
            (
                peer_frame(role, FIN | RSV1 | TEXT, b""),
                ProtocolError::ReservedBits,
            ),
            (
                peer_frame(role, FIN | TEXT, b"\xff"),
                ProtocolError::InvalidUtf8,
            ),
            (
                peer_frame(role, FIN | CLOSE, b"\x03"),
                ProtocolError::CloseBodyTooShort,
            ),
            (
                peer_close(role, 1006, ""),
                ProtocolError::InvalidCloseCode(1006),
            ),
        ];
        for (failure, error) in failures {
            let before = peer_frame(role, FIN | TEXT, b"before");
            let begun = peer_frame(role, TEXT, b"never whole");
            let end = peer_frame(role, FIN | CONTINUATION, b"");
            let limits = Limits::default();
            let bytes = [&before[..], &failure, &behind.concat()].concat();
            assert_fails_after(role, &limits, &bytes, &[text("before")], error.clone());
            if failure[0] & 0x0F == CLOSE {
                let bytes = [&begun[..], &failure, &end].concat();
                assert_fails_after(role, &limits, &bytes, &[], error);
            }
        }
    }
}

#[test]
fn x8_a_lost_transport_reports_1006_and_its_cause() {
    let now = Instant::now();
    let lost = |what: &str, initiator| {
        CloseInfo::abnormal(
            CloseCode::ABNORMAL,
            initiator,
            CloseCause::Transport(what.into()),
        )
    };
    for role in ROLES {
        let mut connection = open(role);
        connection.handle_end("connection reset");
        assert_eq!(
            info(&connection),
            lost("connection reset", Initiator::Remote)
        );
        connection.handle_end("once more");
        assert_eq!(
            info(&connection),
            lost("connection reset", Initiator::Remote)
        );

        let mut closing = open(role);
        closing.close(None, now);
        drain(&mut closing);
        closing.handle_end("connection reset");
        assert_eq!(info(&closing), lost("connection reset", Initiator::Local));

        // What could not be written is the first thing that went wrong.
        let mut broken = open(role);
        broken.send("lost").unwrap();
        broken.handle_write_error("broken pipe", now);
        assert_sends_nothing(&mut broken);
        let message = peer_frame(role, FIN | TEXT, b"the last words");
        assert_eq!(
            receive(&mut broken, &message, now),
            [text("the last words")]
        );
        assert_eq!(broken.poll_timeout(), Some(now + CLOSE_TIMEOUT));
        broken.handle_end("the end");
        assert_eq!(info(&broken), lost("broken pipe", Initiator::Remote));
    }
}

#[test]
fn x8_a_close_frame_that_came_before_the_loss_is_reported() {
    let now = Instant::now();
    for role in ROLES {
        let mut broken = open(role);
        broken.handle_write_error("broken pipe", now);
        receive(&mut broken, &peer_close(role, 1011, "overload"), now);
        broken.handle_end(END);
        let info = info(&broken);
        assert_eq!(
            (info.code, &info.reason[..]),
            (CloseCode::INTERNAL_ERROR, "overload")
        );
        // It was not answered, so the closing handshake was not completed (§7.1.4).
        assert!(!info.clean && !info.is_normal());
        assert_eq!(info.cause, CloseCause::Transport("broken pipe".into()));
    }
}

#[test]
fn x9_the_first_close_frame_decides_the_code() {
    for role in ROLES {
        let first = peer_close(role, 3000, "first");
        for second in [
            peer_close(role, 3001, "second"),
            peer_frame(role, FIN | CLOSE, b""),
            peer_frame(role, FIN | CLOSE, b"\x03"),
            peer_frame(role, FIN | RSV1 | TEXT, b"a failure"),
        ] {
            let bytes = [&first[..], &second].concat();
            let info = replay(role, &Limits::default(), &bytes).info;
            assert_eq!(info, clean(3000, "first", Initiator::Remote));
            // Ours is sent first here; the peer's is reported all the same (§7.1.5).
            let close = |connection: &mut Connection| {
                connection.close(close_frame(4000, "ours"), Instant::now());
            };
            let info = replay_after(role, &Limits::default(), &bytes, close).info;
            assert_eq!(info, clean(3000, "first", Initiator::Local));
        }
    }
}

#[test]
fn x10_takes_exactly_the_codes_of_the_rfc_and_the_registry() {
    let now = Instant::now();
    let is_listed = |number| match number {
        1000 | 1001 | 1002 | 1003 | 1007 | 1008 | 1009 | 1010 | 1011 => true,
        1012..=1014 => true,
        number => (3000..5000).contains(&number),
    };
    for role in ROLES {
        for number in 0..=u16::MAX {
            let mut connection = open(role);
            receive(&mut connection, &peer_close(role, number, ""), now);
            let answer = if is_listed(number) { number } else { 1002 };
            let expected = [(FIN | CLOSE, close_body(answer, ""))];
            assert_eq!(written(&mut connection), expected, "{role:?} {number}");
            connection.handle_end(END);
            let reported = if is_listed(number) { number } else { 1006 };
            assert_eq!(info(&connection).code, reported);
            assert_eq!(info(&connection).clean, is_listed(number));
        }
    }
}

#[test]
fn x12_an_unanswered_close_ends_at_the_close_timeout() {
    let now = Instant::now();
    for role in ROLES {
        let mut connection = open(role);
        connection.close(None, now);
        // Neither what the peer goes on to send nor another close moves the deadline.
        let data = [
            peer_frame(role, FIN | TEXT, b"and"),
            peer_frame(role, FIN | PONG, b""),
        ];
        let later = now + CLOSE_TIMEOUT / 2;
        assert_eq!(receive(&mut connection, &data.concat(), later), []);
        connection.close(None, later);
        assert_eq!(connection.poll_timeout(), Some(now + CLOSE_TIMEOUT));
        connection.handle_timeout(later);
        assert_eq!(connection.close_info(), None);
        connection.handle_timeout(now + CLOSE_TIMEOUT);
        let cause = CloseCause::CloseTimeout;
        let expected = CloseInfo::abnormal(CloseCode::ABNORMAL, Initiator::Local, cause);
        assert_eq!(info(&connection), expected);
        assert_eq!(connection.poll_timeout(), None);
        assert!(!connection.wants_read() && !connection.wants_shutdown());
        assert_eq!(drain(&mut connection), b"");
    }
}

#[test]
fn x12_a_peer_that_reads_nothing_does_not_hold_the_end_up() {
    let now = Instant::now();
    for role in ROLES {
        let mut closed = open(role);
        receive(&mut closed, &peer_close(role, 1000, ""), now);
        // The answer is never written.
        closed.handle_timeout(now + CLOSE_TIMEOUT);
        let cause = CloseCause::CloseTimeout;
        let expected = CloseInfo::abnormal(CloseCode::NORMAL, Initiator::Remote, cause);
        assert_eq!(info(&closed), expected);

        let mut failed = open(role);
        receive(&mut failed, &peer_frame(role, FIN | RSV1 | TEXT, b""), now);
        failed.handle_shutdown();
        assert_eq!(failed.poll_timeout(), Some(now + CLOSE_TIMEOUT));
        failed.handle_timeout(now + CLOSE_TIMEOUT);
        let cause = CloseCause::Protocol(ProtocolError::ReservedBits);
        assert_eq!(info(&failed).cause, cause);

        let mut broken = open(role);
        broken.handle_write_error("broken pipe", now);
        broken.handle_timeout(now + CLOSE_TIMEOUT);
        assert_eq!(
            info(&broken).cause,
            CloseCause::Transport("broken pipe".into())
        );
    }
}

#[test]
fn x12_the_close_timeout_runs_from_the_first_reason_to_end() {
    let now = Instant::now();
    let later = now + CLOSE_TIMEOUT / 2;
    for role in ROLES {
        for end in [
            peer_close(role, 1000, ""),
            peer_frame(role, FIN | RSV1 | TEXT, b""),
        ] {
            let mut broken = open(role);
            broken.handle_write_error("broken pipe", now);
            receive(&mut broken, &end, later);
            assert_eq!(broken.poll_timeout(), Some(now + CLOSE_TIMEOUT), "{role:?}");
        }
    }
}

#[test]
fn x13_close_is_idempotent() {
    let now = Instant::now();
    for role in ROLES {
        let mut twice = open(role);
        twice.close(close_frame(3000, "first"), now);
        twice.close(close_frame(3001, "second"), now);
        assert_eq!(
            written(&mut twice),
            [(FIN | CLOSE, close_body(3000, "first"))]
        );
        twice.close(None, now);
        assert_eq!(drain(&mut twice), b"");

        for end in [
            peer_close(role, 1001, "bye"),
            peer_frame(role, FIN | RSV1 | TEXT, b""),
        ] {
            let mut late = open(role);
            receive(&mut late, &end, now);
            late.close(close_frame(3000, "late"), now);
            assert_eq!(written(&mut late).len(), 1, "only the answer");
        }

        let mut ended = open(role);
        ended.handle_end(END);
        let before = info(&ended);
        ended.close(None, now);
        assert_eq!(drain(&mut ended), b"");
        assert_eq!((info(&ended), ended.poll_timeout()), (before, None));
    }
}

#[test]
fn data_that_comes_after_our_close_frame_is_discarded() {
    for role in ROLES {
        let large = peer_frame(role, FIN | BINARY, &vec![7; 70_000]);
        let frames = [
            peer_frame(role, TEXT, b"frag"),
            peer_frame(role, FIN | CONTINUATION, b"ments"),
            large,
            peer_frame(role, FIN | PONG, b""),
            peer_close(role, 1000, "bye"),
        ];
        let close = |connection: &mut Connection| connection.close(None, Instant::now());
        let outcome = replay_after(role, &Limits::default(), &frames.concat(), close);
        assert_eq!(outcome.incoming, []);
        assert_eq!(outcome.payloads(), [(FIN | CLOSE, vec![])]);
        assert_eq!(outcome.info, clean(1000, "bye", Initiator::Local));
    }
}

#[test]
fn a_message_in_progress_at_our_close_frame_is_discarded() {
    let now = Instant::now();
    for role in ROLES {
        let bytes = [
            peer_frame(role, FIN | BINARY, &vec![7; 70_000]),
            peer_frame(role, FIN | TEXT, b"whole"),
            peer_close(role, 1000, "bye"),
        ]
        .concat();
        for cut in [1, 5, 14, 100, 69_999, 70_005] {
            let mut connection = open(role);
            let mut input = BytesMut::from(&bytes[..cut]);
            assert_eq!(connection.receive(&mut input, || now), None);
            connection.close(None, now);
            assert!(connection.space().is_none());
            let mut input = BytesMut::from(&bytes[cut..]);
            assert_eq!(connection.receive(&mut input, || now), None);
            drain(&mut connection);
            connection.handle_end(END);
            assert_eq!(info(&connection), clean(1000, "bye", Initiator::Local));
        }
    }
}

#[test]
fn a_normal_end_is_told_from_an_abnormal_one() {
    let by = |code, initiator| clean(code, "", initiator).is_normal();
    for code in [1000, 1001, 1005] {
        assert!(by(code, Initiator::Remote) && by(code, Initiator::Local));
    }
    for code in [1002, 1008, 1011, 3000] {
        assert!(!by(code, Initiator::Remote) && by(code, Initiator::Local));
    }
}
