//! What a server asks for.

use super::*;

#[test]
fn re16_retry_after_is_heeded_and_a_little_is_added() {
    let busy = answer(503, &[("retry-after", "50")]);
    let mut life = Life::with(Draw::Highest);
    life.schedule.begin_try(life.now);
    let verdict = life.schedule.lost(&busy, life.now);
    assert_eq!(verdict, Verdict::RetryAfter(s(50.0)));
    assert_eq!(life.decided(&busy, verdict), Next::Wait(s(55.0)));
    assert_eq!(life.fails(&refused_tcp()), Next::Wait(s(10.0)), "index 1");
    assert_eq!(Life::with(Draw::Lowest).fails(&busy), Next::Wait(s(50.0)));
    // A tenth of a short one, and the backoff's if that is more.
    let soon = answer(503, &[("retry-after", "10")]);
    assert_eq!(Life::with(Draw::Highest).fails(&soon), Next::Wait(s(11.0)));
    let at_once = answer(503, &[("retry-after", "1")]);
    assert_eq!(
        Life::with(Draw::Highest).fails(&at_once),
        Next::Wait(s(5.0))
    );
}

#[test]
fn re17_a_date_is_counted_by_the_servers_own_clock() {
    let busy = answer(
        429,
        &[
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("retry-after", "Sun, 06 Nov 1994 08:51:37 GMT"),
        ],
    );
    assert_eq!(Life::with(Draw::Lowest).fails(&busy), Next::Wait(s(120.0)));
    assert_eq!(Life::with(Draw::Highest).fails(&busy), Next::Wait(s(125.0)));
}

#[test]
fn re18_what_is_no_retry_after_is_ignored_and_none_is_longer_than_an_hour() {
    for value in ["-1", "x", "", "0"] {
        let busy = answer(503, &[("retry-after", value)]);
        let next = Life::with(Draw::Highest).fails(&busy);
        assert_eq!(next, Next::Wait(s(5.0)), "{value:?}");
    }
    let twice = answer(503, &[("retry-after", "50"), ("retry-after", "60")]);
    assert_eq!(Life::with(Draw::Highest).fails(&twice), Next::Wait(s(5.0)));
    let long = answer(503, &[("retry-after", "99999999999999999999")]);
    for draw in [Draw::Highest, Draw::Lowest, Draw::Random(1)] {
        assert_eq!(Life::with(draw).fails(&long), Next::Wait(s(3_600.0)));
    }
}

#[test]
fn re18_a_failure_that_is_tried_a_few_times_is_tried_when_the_server_says() {
    let mut life = Life::that_was_open();
    let gone = answer(404, &[("retry-after", "50")]);
    assert_eq!(life.fails(&gone), Next::Wait(s(55.0)));
}

#[test]
fn re19_a_try_that_is_asked_for_does_not_wait_for_the_server() {
    let mut life = Life::with(Draw::Highest);
    let busy = answer(503, &[("retry-after", "600")]);
    assert_eq!(life.fails(&busy), Next::Wait(s(605.0)));
    let asked = s(3.0);
    assert_eq!(life.schedule.hasten(asked, Duration::ZERO), s(0.0));
    life.now = asked;
    assert_eq!(
        life.fails(&refused_tcp()),
        Next::Wait(s(10.0)),
        "index kept"
    );
}

#[test]
fn re7_re8_the_waits_after_those_go_on_by_the_backoff() {
    for code in [1012, 1013] {
        let mut life = Life::with(Draw::Highest);
        assert_eq!(life.opens_for(60.0, &closed(code)), Next::Wait(s(30.0)));
        let waited = life.fails_each_time(&refused_tcp(), 3);
        assert_eq!(waited, waits(&[10.0, 20.0, 30.0]));
    }
}
