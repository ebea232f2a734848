//! What an end may send in a session: whole frames by the rules, one close frame, one pong a ping.

use talkback_proto::{CloseCause, Incoming, Role};
use talkback_testing::wire::{self, CLOSE, FIN, Frame, PING, PONG, TEXT};

use crate::outcome::{Outcome, SENT};
use crate::plan::{Plan, Writes};

pub(crate) fn check(plan: &Plan, outcome: &Outcome) {
    let frames = wire::parse(&outcome.seen.output);
    for frame in &frames {
        let is_masked = frame.key.is_some();
        assert_eq!(is_masked, plan.role == Role::Client, "RFC 6455 §5.1");
        assert!(frame.first & 0x0F < 8 || frame.payload.len() <= 125);
    }
    check_order(&frames);
    check_pongs(plan, outcome, &frames);
    check_close(plan, outcome, &frames);
}

/// No data behind a close frame, and no second one (§5.5.1); a ping is still answered (§5.5.2).
fn check_order(frames: &[Frame]) {
    let close = frames.iter().position(|frame| frame.first == FIN | CLOSE);
    let (before, behind) = frames.split_at(close.map_or(frames.len(), |at| at + 1));
    assert!(behind.iter().all(|frame| frame.first == FIN | PONG));
    for frame in before {
        let is_known = [TEXT, PING, PONG, CLOSE].contains(&(frame.first ^ FIN));
        let is_ours = frame.first != FIN | TEXT || frame.payload == SENT.as_bytes();
        assert!(is_known && is_ours, "{frame:?}");
    }
}

/// How many pongs may wait to be written.
const PONGS_MAX: usize = 12;

/// Each ping is answered with its payload (§5.5.2); one that never wrote answers a few and the latest.
fn check_pongs(plan: &Plan, outcome: &Outcome, frames: &[Frame]) {
    let pings = outcome.seen.incoming.iter().filter_map(|item| match item {
        Incoming::Ping(payload) => Some(&payload[..]),
        _ => None,
    });
    let pongs = frames.iter().filter(|frame| frame.first == FIN | PONG);
    let mut pongs = pongs.map(|frame| &frame.payload[..]);
    match plan.writes {
        Writes::AtOnce => assert!(pongs.eq(pings), "each ping is answered"),
        // A few wait; of further ones only the latest is answered.
        Writes::AtEnd => {
            assert!(pongs.clone().count() <= PONGS_MAX + 1);
            let mut pings = pings;
            assert!(pongs.all(|pong| pings.any(|ping| ping == pong)), "in order");
        }
    }
}

/// A failure tells the peer its one close code, unless the caller's close frame was out.
fn check_close(plan: &Plan, outcome: &Outcome, frames: &[Frame]) {
    let closes = frames.iter().filter(|frame| frame.first == FIN | CLOSE);
    let bodies: Vec<_> = closes.map(|frame| &frame.payload[..]).collect();
    assert!(bodies.len() <= 1, "one close frame (§5.5.1)");
    match &outcome.info.cause {
        CloseCause::Protocol(error) => {
            let code = error.close_code().number();
            assert!([1002, 1007, 1008, 1009].contains(&code), "{error}");
            let ours: [&[u8]; 3] = [&code.to_be_bytes(), b"", b"\x03\xe8done"];
            let closes_itself = plan.action.is_close();
            let allowed = &ours[..if closes_itself { 3 } else { 1 }];
            assert!(bodies.len() == 1 && allowed.contains(&bodies[0]));
            assert!(outcome.wants_shutdown && outcome.wants_read);
        }
        CloseCause::ClosingHandshake => assert!(outcome.info.clean && bodies.len() == 1),
        CloseCause::Transport(_) => {}
        other => panic!("{other:?} cannot happen here"),
    }
}
