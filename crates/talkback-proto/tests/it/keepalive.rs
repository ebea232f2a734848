//! Keepalive and deadlines of a connection, in virtual time (RFC 6455 §5.5.2, §7.1.1).

use std::time::{Duration, Instant};

use bytes::Buf;
use talkback_proto::{
    CloseCause, CloseCode, CloseInfo, Connection, Initiator, Keepalive, Limits, Role,
};

use crate::support::wire::{CLOSE, FIN, PING, PONG, RSV1, TEXT, parse, peer_frame};
use crate::support::{END, ROLES, connection, drain, pong, receive, text};

/// The default of how long nothing may come, before the ping and behind it.
const SILENCE: Duration = Duration::from_secs(20);
const NANOSECOND: Duration = Duration::from_nanos(1);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn kept_alive(role: Role, start: Instant) -> Connection {
    let mut connection = connection(role, &Limits::default());
    connection.set_keepalive(Keepalive::default(), start);
    connection
}

/// The payload of the one ping that waits to be written, which is taken.
fn ping_payload(connection: &mut Connection) -> Vec<u8> {
    let frames = parse(&drain(connection));
    let [frame] = &frames[..] else {
        panic!("one ping, not {frames:?}");
    };
    assert_eq!(frame.first, FIN | PING);
    frame.payload.clone()
}

fn lost(cause: CloseCause) -> CloseInfo {
    CloseInfo::abnormal(CloseCode::ABNORMAL, Initiator::Local, cause)
}

#[test]
fn v55_a_silent_peer_is_pinged_and_then_given_up() {
    let start = Instant::now();
    for role in ROLES {
        let mut silent = kept_alive(role, start);
        assert_eq!(silent.poll_timeout(), Some(start + SILENCE));
        silent.handle_timeout(start + SILENCE - NANOSECOND);
        assert_eq!(drain(&mut silent), b"");
        silent.handle_timeout(start + SILENCE);
        let payload = ping_payload(&mut silent);
        assert!(!payload.is_empty(), "an answer is told from a strange pong");
        assert_eq!(silent.poll_timeout(), Some(start + 2 * SILENCE));
        silent.handle_timeout(start + 2 * SILENCE - NANOSECOND);
        assert!(silent.is_open() && drain(&mut silent).is_empty());
        silent.handle_timeout(start + 2 * SILENCE);
        assert_eq!(
            silent.close_info(),
            Some(&lost(CloseCause::KeepaliveTimeout))
        );
        assert_eq!((silent.poll_timeout(), silent.wants_read()), (None, false));
    }
}

#[test]
fn v55_a_peer_whose_answer_is_unread_is_asked_anew() {
    let start = Instant::now();
    for role in ROLES {
        let mut unread = kept_alive(role, start);
        assert!(
            !unread.is_peer_given_up(start + 100 * SILENCE),
            "it was not asked"
        );
        unread.handle_timeout(start + SILENCE);
        assert!(!unread.is_output_taken());
        let first = ping_payload(&mut unread);
        unread.handle_written(|| start + SILENCE);
        assert!(unread.is_output_taken());
        let end = start + 2 * SILENCE;
        assert!(!unread.is_peer_given_up(end - NANOSECOND) && unread.is_peer_given_up(end));

        unread.handle_unread(end);
        unread.handle_timeout(end);
        assert!(unread.is_open() && !unread.is_peer_given_up(end));
        unread.handle_timeout(end + SILENCE);
        assert!(!unread.is_output_taken(), "since the last ping");
        assert_ne!(ping_payload(&mut unread), first);
        unread.handle_timeout(end + 2 * SILENCE);
        assert_eq!(
            unread.close_info(),
            Some(&lost(CloseCause::KeepaliveTimeout))
        );
        assert!(!unread.is_peer_given_up(end + 2 * SILENCE));
    }
}

#[test]
fn v55_whatever_comes_puts_the_ping_off() {
    let start = Instant::now();
    for role in ROLES {
        let mut busy = kept_alive(role, start);
        let later = start + seconds(15);
        let message = peer_frame(role, FIN | TEXT, b"busy");
        assert_eq!(receive(&mut busy, &message, later), [text("busy")]);
        assert_eq!(busy.poll_timeout(), Some(later + SILENCE));
        // The first byte of a frame is a sign of life too.
        let later = start + seconds(30);
        assert_eq!(receive(&mut busy, &message[..1], later), []);
        assert_eq!(busy.poll_timeout(), Some(later + SILENCE));
    }
}

#[test]
fn v55_the_answer_to_the_ping_measures_the_latency() {
    let start = Instant::now();
    for role in ROLES {
        let mut answered = kept_alive(role, start);
        answered.handle_timeout(start + SILENCE);
        let payload = ping_payload(&mut answered);
        let now = start + SILENCE + seconds(1);
        let strange = peer_frame(role, FIN | PONG, b"strange");
        assert_eq!(receive(&mut answered, &strange, now), [pong(b"strange")]);
        assert_eq!(answered.latency(), None);
        let now = start + SILENCE + seconds(3);
        let answer = peer_frame(role, FIN | PONG, &payload);
        assert_eq!(receive(&mut answered, &answer, now), [pong(&payload)]);
        assert_eq!(answered.latency(), Some(seconds(3)));
        assert_eq!(answered.poll_timeout(), Some(now + SILENCE));
    }
}

#[test]
fn v55_the_time_to_answer_begins_when_the_ping_has_left() {
    let start = Instant::now();
    for role in ROLES {
        let mut slow = kept_alive(role, start);
        slow.send("before the ping").unwrap();
        slow.handle_timeout(start + SILENCE);
        let write = |connection: &mut Connection, size: usize, now| {
            connection.output().advance(size);
            connection.handle_written(|| now);
        };
        // A peer that takes what stands before the ping is alive.
        let now = start + seconds(39);
        write(&mut slow, 1, now);
        assert_eq!(slow.poll_timeout(), Some(now + SILENCE));
        let ping_written = start + seconds(50);
        let rest = slow.buffered();
        write(&mut slow, rest, ping_written);
        assert_eq!(slow.poll_timeout(), Some(ping_written + SILENCE));
        // What leaves behind it says nothing.
        slow.send("behind the ping").unwrap();
        write(&mut slow, 1, start + seconds(60));
        assert_eq!(slow.poll_timeout(), Some(ping_written + SILENCE));
    }
}

#[test]
fn a_pause_suspends_the_keepalive_until_reading_goes_on() {
    let start = Instant::now();
    for role in ROLES {
        let mut paused = kept_alive(role, start);
        // Nothing was paused, so that this is no sign of life.
        paused.resume_keepalive(|| start + seconds(10));
        assert_eq!(paused.poll_timeout(), Some(start + SILENCE));
        paused.pause_keepalive();
        assert_eq!(paused.poll_timeout(), None);
        paused.handle_timeout(start + seconds(500));
        assert!(paused.is_open() && drain(&mut paused).is_empty());
        paused.resume_keepalive(|| start + seconds(500));
        assert_eq!(paused.poll_timeout(), Some(start + seconds(500) + SILENCE));
    }
}

#[test]
fn without_keepalive_a_peer_is_left_in_peace() {
    let start = Instant::now();
    for role in ROLES {
        let mut left = kept_alive(role, start);
        left.set_keepalive(Keepalive::OFF, start);
        left.pause_keepalive();
        left.resume_keepalive(|| start);
        left.handle_written(|| start);
        assert_eq!((left.poll_timeout(), left.latency()), (None, None));
        left.handle_timeout(start + seconds(100_000));
        assert!(left.is_open() && drain(&mut left).is_empty());
    }
}

#[test]
fn a_connection_that_closes_or_failed_sends_no_ping() {
    let start = Instant::now();
    let limits = Limits::default().close_timeout(seconds(60));
    for role in ROLES {
        let end: [fn(&mut Connection, Instant); 3] = [
            |connection, now| connection.close(None, now),
            |connection, now| {
                let failure = peer_frame(connection.role(), FIN | RSV1 | TEXT, b"");
                receive(connection, &failure, now);
            },
            |connection, now| connection.handle_write_error("broken pipe", now),
        ];
        for end in end {
            let mut ending = connection(role, &limits);
            ending.set_keepalive(Keepalive::default(), start);
            end(&mut ending, start);
            assert_eq!(ending.poll_timeout(), Some(start + seconds(60)), "{role:?}");
            ending.handle_timeout(start + seconds(59));
            let frames = parse(&drain(&mut ending));
            assert!(frames.iter().all(|frame| frame.first == FIN | CLOSE));
            assert_eq!(ending.close_info(), None);
        }
    }
}

#[test]
fn x12_the_first_deadline_counts_and_the_nearest_timeout_comes_first() {
    let start = Instant::now();
    for role in ROLES {
        let mut hurried = kept_alive(role, start);
        assert!(!hurried.has_close_deadline());
        hurried.start_close_timeout(start + seconds(15));
        assert!(hurried.has_close_deadline() && hurried.is_open());
        // At 25 s the close timeout; the ping is due before.
        assert_eq!(hurried.poll_timeout(), Some(start + SILENCE));

        let mut hurried = kept_alive(role, start);
        hurried.set_close_deadline(start + seconds(5));
        hurried.set_close_deadline(start + seconds(3));
        hurried.start_close_timeout(start);
        assert_eq!(hurried.poll_timeout(), Some(start + seconds(5)));
        hurried.handle_timeout(start + seconds(5) - NANOSECOND);
        assert_eq!(hurried.close_info(), None);
        hurried.send("what is queued may still leave").unwrap();
        hurried.handle_timeout(start + seconds(5));
        assert_eq!(hurried.close_info(), Some(&lost(CloseCause::CloseTimeout)));
        hurried.handle_end(END);
        assert_eq!(hurried.close_info(), Some(&lost(CloseCause::CloseTimeout)));
    }
}

#[test]
fn a_duration_is_both_times_of_a_keepalive() {
    let keepalive = Keepalive::from(seconds(3));
    assert_eq!(
        keepalive,
        Keepalive::OFF.interval(seconds(3)).timeout(seconds(3))
    );
    assert!(Keepalive::OFF.is_off() && !keepalive.is_off());
    let start = Instant::now();
    let mut asking = connection(Role::Server, &Limits::default());
    asking.set_keepalive(seconds(3), start);
    assert_eq!(asking.poll_timeout(), Some(start + seconds(3)));
    asking.handle_timeout(start + seconds(3));
    assert_eq!(asking.poll_timeout(), Some(start + seconds(6)));
}
