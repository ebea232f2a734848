//! What a driver learns of a connection: how far its output has come, its bounds, its end.

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use talkback_proto::{Connection, Limits, Role};

use crate::support::wire::{FIN, PING, TEXT, parse, peer_close, peer_frame};
use crate::support::{END, ROLES, connection, drain, receive};

fn open(role: Role) -> Connection {
    connection(role, &Limits::default())
}

#[test]
fn progress_counts_what_was_queued_and_what_was_written() {
    for role in ROLES {
        let mut sending = open(role);
        assert_eq!((sending.bytes_queued(), sending.bytes_written()), (0, 0));
        assert_eq!(sending.buffered(), 0);
        sending.send("안녕").unwrap();
        // Two bytes of header, a client's masking key, and the text.
        let frame_size = match role {
            Role::Client => 12,
            Role::Server => 8,
        };
        let end = frame_size as u64;
        assert_eq!(sending.buffered(), frame_size);
        assert_eq!((sending.bytes_queued(), sending.bytes_written()), (end, 0));
        sending.output().advance(3);
        assert_eq!(sending.buffered(), frame_size - 3);
        assert_eq!((sending.bytes_queued(), sending.bytes_written()), (end, 3));
        drain(&mut sending);
        sending.ping("").unwrap();
        assert_eq!(sending.bytes_written(), end);
        assert_eq!(
            sending.bytes_queued(),
            end + sending.buffered() as u64,
            "both count from the beginning"
        );
    }
}

#[test]
fn output_is_lost_if_the_end_comes_before_it_is_written() {
    let now = Instant::now();
    for role in ROLES {
        let mut written = open(role);
        written.send("all of it").unwrap();
        drain(&mut written);
        written.handle_end(END);
        assert!(!written.is_output_lost() && written.output_lost() == 0);

        let mut unwritten = open(role);
        unwritten.send("a part of it").unwrap();
        unwritten.output().advance(5);
        assert!(!unwritten.is_output_lost());
        let size = unwritten.buffered();
        unwritten.handle_end(END);
        assert!(unwritten.is_output_lost());
        assert_eq!(unwritten.output_lost(), size);
        assert_eq!(unwritten.buffered(), 0);

        let mut broken = open(role);
        broken.send("none of it").unwrap();
        let size = broken.buffered();
        broken.handle_write_error("broken pipe", now);
        assert!(broken.is_output_lost() && drain(&mut broken).is_empty());
        // A close frame is not even queued any more.
        broken.close(None, now);
        broken.handle_end(END);
        assert_eq!(broken.output_lost(), size);
        assert!(broken.is_output_lost(), "{role:?}: the end changes nothing");
    }
}

/// V50, to the last pong; `bounds.rs` has a million pings.
#[test]
fn of_pings_behind_the_pongs_that_wait_only_the_latest_is_answered() {
    for role in ROLES {
        let mut connection = open(role);
        // What was written frees capacity.
        for _ in 0..2 {
            for number in 0..30 {
                let ping = peer_frame(role, FIN | PING, &[number]);
                receive(&mut connection, &ping, Instant::now());
            }
            let pongs = parse(&drain(&mut connection)).into_iter();
            let answered: Vec<u8> = pongs.map(|pong| pong.payload[0]).collect();
            assert_eq!(
                answered,
                [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 29],
                "{role:?}"
            );
        }
    }
}

#[test]
fn a_connection_tells_its_role_and_its_limits() {
    let limits = Limits::default()
        .message_size_max(7)
        .close_timeout(Duration::from_secs(3));
    for role in ROLES {
        let connection = connection(role, &limits);
        assert_eq!((connection.role(), connection.limits()), (role, &limits));
    }
}

#[test]
fn debug_shows_where_a_connection_stands_and_no_payload() {
    let now = Instant::now();
    let mut server = open(Role::Server);
    server.send("s3cret").unwrap();
    receive(&mut server, &peer_frame(Role::Server, TEXT, b"s3cret"), now);
    let shown = format!("{server:?}");
    for part in ["Server", "Open", "in_message: true", "buffered: 8"] {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(!shown.contains("s3cret"), "{shown}");
    let mut client = open(Role::Client);
    receive(&mut client, &peer_close(Role::Client, 1000, "bye"), now);
    drain(&mut client);
    client.handle_end(END);
    let shown = format!("{client:?}");
    assert!(
        shown.contains("Client") && shown.contains("reason_size: 3") && !shown.contains("bye"),
        "{shown}"
    );
}

#[test]
fn v34_bytes_behind_the_end_are_used_and_bring_nothing() {
    let now = Instant::now();
    for role in ROLES {
        let mut ended = open(role);
        ended.handle_end(END);
        let mut input = BytesMut::from(&peer_frame(role, FIN | TEXT, b"late")[..]);
        assert_eq!(ended.receive(&mut input, || now), None);
        assert!(input.is_empty() && !ended.has_more() && ended.space().is_none());
    }
}
