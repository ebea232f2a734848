//! What is left once it is certain how a connection ends: the end of TCP (RFC 6455 §7.1.1).

use std::time::{Duration, Instant};

use bytes::Buf as _;
use talkback_proto::{CloseCode, Initiator, Limits, Role};

use crate::support::wire::{CLOSE, FIN, PING, RSV1, TEXT, peer_close, peer_frame};
use crate::support::{ROLES, connection, drain, receive};

#[test]
fn x3_the_client_waits_for_a_second_once_both_have_closed() {
    let start = Instant::now();
    let second = Duration::from_secs(1);
    let close = peer_close(Role::Client, 1000, "");
    for (limits, begins) in [
        (Limits::default(), true),
        (Limits::default(), false),
        (Limits::default().close_timeout(second / 2), true),
        (Limits::default().close_timeout(second / 2), false),
        (Limits::default().close_timeout(Duration::MAX), false),
    ] {
        let mut client = connection(Role::Client, &limits);
        let initiator = if begins {
            client.close(None, start);
            drain(&mut client);
            client.handle_written(|| start);
            Initiator::Local
        } else {
            Initiator::Remote
        };
        // The second begins when both close frames went, whichever was the last.
        let both = start + second / 4;
        receive(&mut client, &close, both);
        if !begins {
            assert_eq!(client.final_close_info(), None);
            let timeout = both.checked_add(limits.time_to_close());
            assert_eq!(client.poll_timeout(), timeout, "ours is not written");
            drain(&mut client);
            client.handle_written(|| both);
        }
        let since = if begins { start } else { both };
        let timeout = since.checked_add(limits.time_to_close());
        let end = timeout.map_or(both + second, |timeout| timeout.min(both + second));
        assert_eq!(client.poll_timeout(), Some(end));
        client.handle_written(|| both + second / 8);
        assert_eq!(client.poll_timeout(), Some(end), "it is not put off");
        client.handle_timeout(end - Duration::from_nanos(1));
        assert_eq!(client.close_info(), None);
        client.handle_timeout(end);
        // Close frames went both ways, so the closing handshake was completed (§7.1.4).
        let told = client.close_info().expect("it has ended");
        assert_eq!((told.initiator, told.clean), (initiator, true));
        assert_eq!(told.code, CloseCode::NORMAL);
    }
}

#[test]
fn l25_how_it_ends_is_known_once_all_is_written_and_stays() {
    let now = Instant::now();
    for role in ROLES {
        let ends: [(Vec<u8>, bool); 3] = [
            (peer_close(role, 3000, "bye"), true),
            (peer_frame(role, FIN | CLOSE, b""), true),
            (peer_frame(role, FIN | RSV1 | TEXT, b""), false),
        ];
        for (bytes, is_clean) in ends {
            for begins in [true, false] {
                let mut ending = connection(role, &Limits::default());
                if begins {
                    ending.close(None, now);
                }
                assert_eq!(ending.final_close_info(), None);
                receive(&mut ending, &bytes, now);
                assert_eq!(ending.final_close_info(), None, "our frame waits");
                drain(&mut ending);
                let known = ending.final_close_info().expect("it is certain");
                assert_eq!(known.clean, is_clean);
                assert_eq!(ending.close_info(), None, "but TCP has not ended");
                // Neither what still comes nor how the transport ends changes it.
                receive(&mut ending, &peer_close(role, 1001, "late"), now);
                assert_eq!(ending.final_close_info().as_ref(), Some(&known));
                match is_clean {
                    true => ending.handle_end("connection reset"),
                    false => ending.handle_timeout(now + Limits::default().time_to_close()),
                }
                assert_eq!(ending.close_info(), Some(&known));
                assert_eq!(ending.final_close_info(), Some(known));
            }
        }
        let mut lost = connection(role, &Limits::default());
        receive(&mut lost, &peer_close(role, 1000, ""), now);
        lost.handle_write_error("broken pipe", now);
        assert_eq!(lost.final_close_info(), None, "it may be read, or not");
    }
}

/// A pong is due for a ping that came between the two close frames (§5.5.2), to a peer that may have gone.
#[test]
fn l25_a_pong_that_is_lost_behind_both_close_frames_makes_no_end_unclean() {
    let now = Instant::now();
    for role in ROLES {
        let mut ending = connection(role, &Limits::default());
        ending.close(None, now);
        drain(&mut ending);
        receive(&mut ending, &peer_frame(role, FIN | PING, b"?"), now);
        receive(&mut ending, &peer_close(role, 1000, ""), now);
        let known = ending.final_close_info().expect("it is certain");
        assert!(ending.output().has_remaining(), "the pong is due");
        ending.handle_write_error("broken pipe", now);
        ending.handle_end("broken pipe");
        assert!(known.clean);
        assert_eq!(ending.close_info(), Some(&known));

        // But one that is lost before our close frame does.
        let mut lost = connection(role, &Limits::default());
        lost.handle_write_error("broken pipe", now);
        receive(&mut lost, &peer_close(role, 1000, ""), now);
        lost.handle_end("broken pipe");
        assert!(!lost.close_info().unwrap().clean);
    }
}
