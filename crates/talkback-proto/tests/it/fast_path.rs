//! The fast paths: a message that arrives as one frame, and one that is sent from borrowed bytes.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use talkback_proto::{CloseCode, Incoming, Keepalive, Limits, Message, Outgoing, READ_SIZE, Role};

use crate::support::wire::peer_frame as frame;
use crate::support::{ROLES, connection, drain};

fn nobody_asks() -> Instant {
    panic!("nobody wants to know the time")
}

#[test]
fn a_whole_message_is_taken_without_a_clock() {
    for role in ROLES {
        for size in [0, 1, 64, 125, 126, 127, 4096, READ_SIZE / 4, READ_SIZE - 1] {
            let payload = "a".repeat(size);
            let (text, binary) = (
                Message::from(payload.as_str()),
                Message::from(payload.as_bytes()),
            );
            for (first, expected) in [(0x81, text), (0x82, binary)] {
                let mut connection = connection(role, &Limits::default());
                let mut input = BytesMut::from(&frame(role, first, payload.as_bytes())[..]);
                input.extend_from_slice(b"rest");
                let taken = connection.receive(&mut input, nobody_asks);
                assert_eq!(
                    taken,
                    Some(Incoming::Message(expected)),
                    "{role:?}, {size} bytes"
                );
                assert_eq!(input, "rest");
            }
        }
    }
}

#[test]
fn inside_of_a_message_no_other_is_taken() {
    for role in ROLES {
        let mut connection = connection(role, &Limits::default());
        let mut input = BytesMut::from(&frame(role, 0x01, b"begun")[..]);
        input.extend_from_slice(&frame(role, 0x81, b"interleaved"));
        assert_eq!(connection.receive(&mut input, Instant::now), None);
        assert!(!connection.is_open(), "§5.4");
        assert!(input.is_empty());
    }
}

#[test]
fn f12_text_that_is_not_utf8_fails_and_nothing_behind_it_comes() {
    for role in ROLES {
        for size in [3, READ_SIZE / 4] {
            let mut text = vec![b'a'; size];
            text[size - 1] = 0xFF;
            let mut connection = connection(role, &Limits::default());
            let mut input = BytesMut::from(&frame(role, 0x81, &text)[..]);
            input.extend_from_slice(&frame(role, 0x81, b"behind"));
            let now = Instant::now();
            assert_eq!(connection.receive(&mut input, || now), None);
            assert!(input.is_empty() && !connection.is_open());
            let close = drain(&mut connection);
            assert_eq!(close[0], 0x88);
            connection.handle_end("the end");
            let info = connection.close_info().unwrap();
            assert!(info.to_string().contains("UTF-8"), "{info}");
            assert_eq!(info.code, CloseCode::ABNORMAL);
        }
    }
}

#[test]
fn v55_a_whole_message_is_a_sign_of_life() {
    let start = Instant::now();
    let later = start + Duration::from_secs(15);
    let mut connection = connection(Role::Server, &Limits::default());
    connection.set_keepalive(Keepalive::default(), start);
    let mut input = BytesMut::from(&frame(Role::Server, 0x82, b"alive")[..]);
    let taken = connection.receive(&mut input, || later);
    assert!(taken.is_some());
    assert_eq!(
        connection.poll_timeout(),
        Some(later + Duration::from_secs(20))
    );
}

#[test]
fn borrowed_and_owned_payloads_make_the_same_frames() {
    for role in ROLES {
        for size in [0, 125, 126, 4095, 4096, 32 * 1024, 32 * 1024 + 1, 65_536] {
            let payload = "가나".repeat(size / 6) + &"~".repeat(size % 6);
            let owned: [Message; 2] = [payload.clone().into(), payload.clone().into_bytes().into()];
            let borrowed = [Outgoing::from(&payload), Outgoing::from(payload.as_bytes())];
            for (owned, borrowed) in owned.into_iter().zip(borrowed) {
                let mut first = connection(role, &Limits::default());
                first.send(owned).unwrap();
                let mut second = connection(role, &Limits::default());
                second.send(borrowed).unwrap();
                // Behind a small frame, too, whose buffer a large one does not join.
                second.send("x").unwrap();
                first.send("x").unwrap();
                assert!(
                    drain(&mut first) == drain(&mut second),
                    "{role:?}, {size} bytes"
                );
            }
        }
    }
}
