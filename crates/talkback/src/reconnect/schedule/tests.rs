mod asked_for;
mod limits;
mod whether;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use talkback_proto::handshake::HandshakeError;
use talkback_proto::{CloseCause, CloseInfo, Initiator, ProtocolError};

use super::*;
use crate::error::ConnectError;
use crate::reconnect::hook_error::HookError;

const URL: &str = "wss://a.example/";

fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn waits(seconds: &[f64]) -> Vec<Next> {
    seconds.iter().map(|it| Next::Wait(s(*it))).collect()
}

// ── What is lost ─────────────────────────────────────────────────────────────────────────────

fn lost(cause: LostCause) -> Lost {
    Lost::new(0, cause, None, 0)
}

fn closed(code: u16) -> Lost {
    let cause = CloseCause::ClosingHandshake;
    let info = CloseInfo::abnormal(code.into(), Initiator::Remote, cause);
    lost(LostCause::Closed(info))
}

fn refused_tcp() -> Lost {
    lost(LostCause::Connect(ConnectError::Tcp {
        url: URL.into(),
        error: Arc::new(io::ErrorKind::ConnectionRefused.into()),
    }))
}

fn bad_certificate() -> Lost {
    lost(LostCause::Connect(ConnectError::Tls {
        url: URL.into(),
        error: Arc::new(io::ErrorKind::InvalidData.into()),
        advice: "",
    }))
}

fn answer(status: u16, headers: &[(&'static str, &str)]) -> Lost {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let error = HandshakeError::refused(&response.body(()).unwrap(), Bytes::new());
    let url = URL.into();
    lost(LostCause::Connect(ConnectError::Handshake { url, error }))
}

fn too_big() -> Lost {
    let error = ProtocolError::MessageTooBig {
        size: 2,
        size_max: 1,
    };
    let cause = CloseCause::Protocol(error);
    let info = CloseInfo::abnormal(CloseCode::ABNORMAL, Initiator::Local, cause);
    lost(LostCause::Closed(info))
}

// ── A channel without its connection ─────────────────────────────────────────────────────────

/// One of a program whose tries all send the same.
fn schedule(backoff: Backoff, limits: TryLimits, draw: Draw) -> Schedule {
    Schedule::new(backoff, limits, BeforeTry::None, draw)
}

/// A channel whose waits and connections take their time at once.
struct Life {
    schedule: Schedule,
    now: Duration,
}

impl Life {
    fn of(schedule: Schedule) -> Self {
        let now = s(0.0);
        Self { schedule, now }
    }

    fn with(draw: Draw) -> Self {
        let (backoff, limits) = Default::default();
        Self::of(schedule(backoff, limits, draw))
    }

    fn limited(limits: TryLimits) -> Self {
        Self::of(schedule(Backoff::default(), limits, Draw::Highest))
    }

    fn with_before_try() -> Self {
        let (backoff, limits) = Default::default();
        let before_try = BeforeTry::Set;
        Self::of(Schedule::new(backoff, limits, before_try, Draw::Highest))
    }

    /// One that was open for a minute, and was lost as it is every day.
    fn that_was_open() -> Self {
        let mut life = Self::with(Draw::Highest);
        let after_a_minute = life.opens_for(60.0, &closed(1006));
        assert_eq!(after_a_minute, Next::Wait(s(5.0)));
        life
    }

    /// The next try fails, or the connection is lost; the channel's own answer is taken.
    fn told(&mut self, lost: &Lost) -> Next {
        let verdict = self.schedule.lost(lost, self.now);
        self.decided(lost, verdict)
    }

    fn decided(&mut self, lost: &Lost, verdict: Verdict) -> Next {
        let next = self.schedule.next(lost, verdict, self.now);
        if let Next::Wait(wait) = next {
            self.now = self.now.saturating_add(wait);
        }
        next
    }

    fn fails(&mut self, why: &Lost) -> Next {
        self.schedule.begin_try(self.now);
        self.told(why)
    }

    fn opens_for(&mut self, seconds: f64, why: &Lost) -> Next {
        self.schedule.begin_try(self.now);
        self.schedule.opened(self.now);
        self.now += s(seconds);
        self.told(why)
    }

    fn fails_each_time(&mut self, why: &Lost, times: usize) -> Vec<Next> {
        (0..times).map(|_| self.fails(why)).collect()
    }
}

// ── Waits ────────────────────────────────────────────────────────────────────────────────────

#[test]
fn re2_the_highest_waits_double_up_to_half_a_minute() {
    let mut life = Life::with(Draw::Highest);
    let waited = life.fails_each_time(&refused_tcp(), 5);
    assert_eq!(waited, waits(&[5.0, 10.0, 20.0, 30.0, 30.0]));
}

#[test]
fn re3_the_lowest_waits_are_half_a_second_but_for_the_first() {
    let mut life = Life::with(Draw::Lowest);
    let waited = life.fails_each_time(&refused_tcp(), 5);
    assert_eq!(waited, waits(&[0.0, 0.5, 0.5, 0.5, 0.5]));
}

#[test]
fn re4_with_no_first_wait_the_others_are_not_below_the_shortest() {
    for draw in [Draw::Highest, Draw::Lowest, Draw::Random(1)] {
        let backoff = Backoff::default().first(Duration::ZERO);
        let mut life = Life::of(schedule(backoff, TryLimits::default(), draw));
        assert_eq!(life.fails(&refused_tcp()), Next::Wait(s(0.0)));
        for next in life.fails_each_time(&refused_tcp(), 2_000) {
            let Next::Wait(wait) = next else {
                panic!("{next:?}");
            };
            assert!((s(0.5)..=s(30.0)).contains(&wait), "{wait:?}");
        }
    }
}

#[test]
fn re9_a_seed_decides_the_waits() {
    let waited = |seed| Life::with(Draw::Random(seed)).fails_each_time(&refused_tcp(), 20);
    assert_eq!(waited(1), waited(1));
    assert_ne!(waited(1), waited(2));
}

#[test]
fn re10_a_server_that_accepts_and_closes_is_left_alone_for_longer() {
    let mut life = Life::with(Draw::Highest);
    let waited: Vec<_> = (0..5).map(|_| life.opens_for(1.0, &closed(1011))).collect();
    assert_eq!(waited, waits(&[5.0, 10.0, 20.0, 30.0, 30.0]));
}

#[test]
fn re11_re12_a_connection_that_lasts_as_long_as_the_wait_begins_anew() {
    for (lasts, wait) in [(4.9, 10.0), (5.0, 5.0)] {
        let mut life = Life::with(Draw::Highest);
        assert_eq!(life.fails(&refused_tcp()), Next::Wait(s(5.0)));
        assert_eq!(life.opens_for(lasts, &closed(1011)), Next::Wait(s(wait)));
    }
}

#[test]
fn re13_it_has_to_last_as_long_as_the_longest_that_the_wait_could_be() {
    for draw in [Draw::Highest, Draw::Lowest] {
        for (lasts, window) in [(19.9, 30.0), (20.0, 5.0)] {
            let mut life = Life::with(draw.clone());
            life.fails_each_time(&refused_tcp(), 3);
            life.opens_for(lasts, &closed(1011));
            assert_eq!(life.schedule.window, s(window), "after {lasts} s");
        }
    }
}

#[test]
fn re12_it_has_to_last_for_the_time_of_a_stable_one_after_a_shorter_wait() {
    for (lasts, wait) in [(4.9, 2.0), (5.0, 1.0)] {
        let backoff = Backoff::default().first(s(1.0));
        let mut life = Life::of(schedule(backoff, TryLimits::default(), Draw::Highest));
        assert_eq!(life.fails(&refused_tcp()), Next::Wait(s(1.0)));
        assert_eq!(life.opens_for(lasts, &closed(1011)), Next::Wait(s(wait)));
    }
}

// ── By hand, and by news of the network ──────────────────────────────────────────────────────

#[test]
fn re79_two_tries_that_are_asked_for_begin_a_second_apart() {
    let mut life = Life::with(Draw::Highest);
    life.fails(&refused_tcp());
    let mut begun = 0;
    for tenth in 20..30 {
        let now = Duration::from_millis(tenth * 100);
        let wait = life.schedule.hasten(now, Duration::ZERO);
        if wait.is_zero() {
            begun += 1;
            life.now = now;
            life.fails(&refused_tcp());
        }
    }
    assert_eq!(begun, 1);
    let wait = life.schedule.hasten(s(2.9), Duration::ZERO);
    assert_eq!(wait, s(0.1), "the other one waits");
}

#[test]
fn re80_a_connection_that_is_given_up_counts_for_nothing() {
    let mut life = Life::with(Draw::Highest);
    let asked = lost(LostCause::Asked);
    assert_eq!(life.opens_for(3.0, &asked), Next::Wait(s(0.0)));
    assert_eq!(life.opens_for(0.25, &asked), Next::Wait(s(0.75)));
    let left = lost(LostCause::PageLeft);
    assert_eq!(life.opens_for(0.25, &left), Next::Wait(s(0.0)));
    assert_eq!(life.fails(&refused_tcp()), Next::Wait(s(5.0)), "index 0");
}

#[test]
fn re83_without_a_network_waits_are_drawn_in_the_longest_window() {
    let mut life = Life::with(Draw::Highest);
    life.fails(&refused_tcp());
    life.schedule.stretch();
    assert_eq!(life.fails(&refused_tcp()), Next::Wait(s(30.0)));
    assert_eq!(life.opens_for(29.0, &closed(1006)), Next::Wait(s(30.0)));
    assert_eq!(life.opens_for(30.0, &closed(1006)), Next::Wait(s(5.0)));
}

#[test]
fn re85_what_the_network_hastens_comes_within_a_second_and_then_the_waits_go_on() {
    for seed in 0..1_000 {
        let mut life = Life::with(Draw::Random(seed));
        life.fails_each_time(&refused_tcp(), 3);
        let now = life.schedule.begun.unwrap() + s(0.25);
        let wait = life.schedule.hasten(now, s(1.0));
        assert!((s(0.75)..=s(1.0)).contains(&wait), "{wait:?}");
        assert!(life.schedule.hasten(life.now + s(9.0), s(1.0)) <= s(1.0));
        life.fails(&refused_tcp());
        assert_eq!(life.schedule.window, s(30.0));
    }
}
