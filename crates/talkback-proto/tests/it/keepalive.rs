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
/// By so much two times differ; those of Windows that are 100 ns apart count as equal.
const RESOLUTION: Duration = Duration::from_nanos(if cfg!(windows) { 200 } else { 1 });

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
        silent.handle_timeout(start + SILENCE - RESOLUTION);
        assert_eq!(drain(&mut silent), b"");
        silent.handle_timeout(start + SILENCE);
        let payload = ping_payload(&mut silent);
        assert!(!payload.is_empty(), "an answer is told from a strange pong");
        assert_eq!(silent.poll_timeout(), Some(start + 2 * SILENCE));
        silent.handle_timeout(start + 2 * SILENCE - RESOLUTION);
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
        assert!(!unread.is_peer_given_up(end - RESOLUTION) && unread.is_peer_given_up(end));

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
        hurried.handle_timeout(start + seconds(5) - RESOLUTION);
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

/// Sends so many bytes of payload, and has the transport take them.
fn write(connection: &mut Connection, size: usize, now: Instant) {
    connection.send(vec![0; size]).unwrap();
    let all = connection.buffered();
    take(connection, all, now);
}

/// The transport takes so many bytes.
fn take(connection: &mut Connection, size: usize, now: Instant) {
    connection.output().advance(size);
    connection.handle_written(|| now);
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A peer is taken to read 64 KiB a second at least.
#[test]
fn l28_an_answer_behind_what_is_on_its_way_is_not_late() {
    let start = Instant::now();
    for role in ROLES {
        // 8 MiB in the buffers of the kernels: 128 s.
        let mut slow = kept_alive(role, start);
        write(&mut slow, 8 * MIB, start);
        slow.handle_timeout(start + SILENCE);
        let payload = ping_payload(&mut slow);
        slow.handle_written(|| start + SILENCE);
        let end = start + seconds(128) + SILENCE;
        assert_eq!(slow.poll_timeout(), Some(end), "{role:?}");
        slow.handle_timeout(end - RESOLUTION);
        assert!(slow.is_open());

        // Its answer tells that all of it was read.
        let now = start + seconds(80);
        receive(&mut slow, &peer_frame(role, FIN | PONG, &payload), now);
        assert_eq!(slow.latency(), Some(seconds(60)));
        assert_eq!(slow.poll_timeout(), Some(now + SILENCE));
        slow.handle_timeout(now + SILENCE);
        drain(&mut slow);
        slow.handle_written(|| now + SILENCE);
        slow.handle_timeout(now + 2 * SILENCE);
        assert_eq!(slow.close_info(), Some(&lost(CloseCause::KeepaliveTimeout)));
    }
}

#[test]
fn l28_an_answer_tells_nothing_of_what_was_sent_behind_the_ping() {
    let start = Instant::now();
    for role in ROLES {
        let mut slow = kept_alive(role, start);
        slow.handle_timeout(start + SILENCE);
        let payload = ping_payload(&mut slow);
        slow.handle_written(|| start + SILENCE);
        // Which does not put the answer's time off.
        write(&mut slow, 2 * MIB, start + seconds(25));
        assert_eq!(slow.poll_timeout(), Some(start + 2 * SILENCE));
        // The answer to the next ping stands behind 2 MiB, which are read in 32 s.
        let answered = start + seconds(30);
        receive(&mut slow, &peer_frame(role, FIN | PONG, &payload), answered);
        slow.handle_timeout(answered + SILENCE);
        drain(&mut slow);
        slow.handle_written(|| answered + SILENCE);
        let end = start + seconds(25 + 32) + SILENCE;
        assert_eq!(slow.poll_timeout(), Some(end));
    }
}

#[test]
fn l28_what_leaves_in_one_write_with_the_ping_and_behind_it_gives_no_time() {
    let start = Instant::now();
    for role in ROLES {
        let mut busy = kept_alive(role, start);
        busy.handle_timeout(start + SILENCE);
        busy.send(vec![0; 16 * MIB]).unwrap();
        let all = busy.buffered();
        take(&mut busy, all, start + SILENCE);
        assert_eq!(busy.poll_timeout(), Some(start + 2 * SILENCE));
    }
}

#[test]
fn l28_no_more_is_on_its_way_than_buffers_hold() {
    let start = Instant::now();
    for role in ROLES {
        let mut flooded = kept_alive(role, start);
        for _ in 0..100 {
            write(&mut flooded, 16 * MIB, start + seconds(1));
        }
        flooded.handle_timeout(start + SILENCE);
        drain(&mut flooded);
        flooded.handle_written(|| start + SILENCE);
        // 16 MiB, 256 s.
        let end = start + seconds(1) + seconds(256) + SILENCE;
        assert_eq!(flooded.poll_timeout(), Some(end));
    }
}

#[test]
fn l28_a_peer_that_reads_as_fast_as_is_sent_has_nothing_on_its_way() {
    let start = Instant::now();
    for role in ROLES {
        // Whatever went in the course of an hour, without any answer as no ping was due.
        let mut chatty = kept_alive(role, start);
        let mut now = start;
        for _ in 0..3600 {
            now += seconds(1);
            write(&mut chatty, 32 * KIB, now);
            receive(&mut chatty, &peer_frame(role, FIN | TEXT, b"here"), now);
        }
        chatty.handle_timeout(now + SILENCE);
        drain(&mut chatty);
        chatty.handle_written(|| now + SILENCE);
        assert_eq!(chatty.poll_timeout(), Some(now + 2 * SILENCE));
    }
}

#[test]
fn l28_a_vanished_peer_to_which_little_is_sent_is_given_up_in_the_usual_time() {
    let start = Instant::now();
    for role in ROLES {
        let mut vanished = kept_alive(role, start);
        let mut now = start;
        // The transport takes it, which proves nothing.
        while vanished.is_open() {
            assert!(now <= start + 2 * SILENCE);
            if vanished.poll_timeout() <= Some(now) {
                vanished.handle_timeout(now);
            }
            if vanished.is_open() {
                write(&mut vanished, 100, now);
            }
            now += Duration::from_millis(100);
        }
        assert_eq!(
            vanished.close_info(),
            Some(&lost(CloseCause::KeepaliveTimeout))
        );
    }
}

#[test]
fn l28_a_vanished_peer_whose_transport_is_full_is_given_up_in_the_usual_time() {
    let start = Instant::now();
    for role in ROLES {
        // 4 MiB fill the transport, and more waits.
        let mut vanished = kept_alive(role, start);
        write(&mut vanished, 4 * MIB, start);
        vanished.send("waits").unwrap();
        vanished.handle_write_pending(|| start);
        vanished.handle_write_pending(|| start + seconds(10));
        vanished.handle_timeout(start + SILENCE);
        vanished.handle_write_pending(|| start + SILENCE);
        assert_eq!(vanished.poll_timeout(), Some(start + 2 * SILENCE));
        vanished.handle_timeout(start + 2 * SILENCE);
        assert_eq!(
            vanished.close_info(),
            Some(&lost(CloseCause::KeepaliveTimeout))
        );

        // The ping is on its way when the transport becomes full.
        let mut vanished = kept_alive(role, start);
        write(&mut vanished, 4 * MIB, start);
        vanished.handle_timeout(start + SILENCE);
        let all = vanished.buffered();
        take(&mut vanished, all, start + SILENCE);
        vanished.send("waits").unwrap();
        vanished.handle_write_pending(|| start + seconds(30));
        let end = start + seconds(30) + SILENCE;
        assert_eq!(vanished.poll_timeout(), Some(end));
    }
}

#[test]
fn l28_what_is_taken_once_the_transport_was_full_is_a_sign_of_life() {
    let start = Instant::now();
    for role in ROLES {
        // It puts the ping off.
        let mut slow = kept_alive(role, start);
        slow.send(vec![0; MIB]).unwrap();
        take(&mut slow, 1000, start + seconds(1));
        assert_eq!(slow.poll_timeout(), Some(start + SILENCE));
        slow.handle_write_pending(|| start + seconds(1));
        take(&mut slow, 1000, start + seconds(10));
        assert_eq!(slow.poll_timeout(), Some(start + seconds(10) + SILENCE));
        // Once: what the transport takes now proves nothing.
        take(&mut slow, 1000, start + seconds(15));
        assert_eq!(slow.poll_timeout(), Some(start + seconds(10) + SILENCE));

        // And behind a ping that has left.
        let mut slow = kept_alive(role, start);
        slow.handle_timeout(start + SILENCE);
        drain(&mut slow);
        slow.handle_written(|| start + SILENCE);
        slow.send(vec![0; MIB]).unwrap();
        slow.handle_write_pending(|| start + seconds(25));
        take(&mut slow, 1000, start + seconds(39));
        let end = start + seconds(39) + SILENCE;
        assert_eq!(slow.poll_timeout(), Some(end));

        // While nothing is read, it does not begin the keepalive anew.
        slow.pause_keepalive();
        slow.handle_write_pending(|| start + seconds(40));
        take(&mut slow, 1000, start + seconds(50));
        assert_eq!(slow.poll_timeout(), None);
    }
}

#[test]
fn l28_an_answer_behind_a_long_message_is_not_late() {
    let start = Instant::now();
    for role in ROLES {
        let mut busy = kept_alive(role, start);
        busy.handle_timeout(start + SILENCE);
        let payload = ping_payload(&mut busy);
        let message = peer_frame(role, FIN | TEXT, &[b'a'; 1000]);
        // 100 bytes in ten seconds, and the answer behind all of it.
        let mut now = start + SILENCE;
        for bytes in message.chunks(100) {
            now += seconds(10);
            busy.handle_timeout(now);
            receive(&mut busy, bytes, now);
        }
        now += seconds(10);
        receive(&mut busy, &peer_frame(role, FIN | PONG, &payload), now);
        assert_eq!(busy.latency(), Some(now - start - SILENCE));
        assert_eq!(busy.poll_timeout(), Some(now + SILENCE));
    }
}

#[test]
fn l28_what_went_before_the_keepalive_was_set_may_be_on_its_way() {
    let start = Instant::now();
    for role in ROLES {
        let mut late = connection(role, &Limits::default());
        write(&mut late, 2 * MIB, start);
        late.set_keepalive(Keepalive::default(), start);
        let answer = |late: &mut Connection, now| {
            late.handle_timeout(now);
            drain(late);
            late.handle_written(|| now);
            late.poll_timeout().unwrap()
        };
        let end = start + seconds(32) + SILENCE;
        assert_eq!(answer(&mut late, start + SILENCE), end);
        // Setting it anew forgets nothing, and does not count anything twice.
        late.set_keepalive(Keepalive::default(), start + seconds(21));
        let end = start + seconds(41) + SILENCE;
        assert_eq!(answer(&mut late, start + seconds(41)), end);
    }
}
