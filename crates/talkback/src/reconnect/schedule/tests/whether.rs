//! Whether a try follows.

use super::*;

#[test]
fn re20_re21_what_is_wrong_on_a_channel_that_was_never_open_is_its_end() {
    for why in [bad_certificate(), answer(404, &[]), too_big()] {
        assert_eq!(Life::with(Draw::Highest).fails(&why), Next::Stop, "{why:?}");
        // It was tried before, and still was never open.
        let mut life = Life::with(Draw::Highest);
        life.fails(&refused_tcp());
        assert_eq!(life.fails(&why), Next::Stop, "{why:?}");
    }
}

#[test]
fn re23_on_one_that_was_open_it_is_tried_three_times_in_a_row() {
    let gone = answer(404, &[]);
    let mut life = Life::that_was_open();
    life.fails_each_time(&gone, 2);
    assert!(matches!(life.opens_for(60.0, &closed(1006)), Next::Wait(_)));
    let waited = life.fails_each_time(&gone, 3);
    assert_eq!(waited, waits(&[10.0, 20.0, 30.0]));
    assert_eq!(life.fails(&gone), Next::Stop);
}

#[test]
fn re23_another_kind_of_failure_counts_anew() {
    let mut life = Life::that_was_open();
    life.fails_each_time(&answer(404, &[]), 3);
    assert!(matches!(life.fails(&refused_tcp()), Next::Wait(_)));
    life.fails_each_time(&bad_certificate(), 3);
    assert_eq!(life.fails(&answer(404, &[])), Next::Stop, "of either kind");
}

#[test]
fn re23_a_connection_that_lasts_counts_anew_and_a_short_one_does_not() {
    let mut life = Life::that_was_open();
    for _ in 0..20 {
        assert!(matches!(life.opens_for(60.0, &closed(1002)), Next::Wait(_)));
    }
    let mut life = Life::that_was_open();
    for _ in 0..3 {
        assert!(matches!(life.opens_for(1.0, &closed(1002)), Next::Wait(_)));
    }
    assert_eq!(life.opens_for(1.0, &closed(1002)), Next::Stop);
}

#[test]
fn re24_re25_the_codes_of_a_server_that_goes_away_are_tried_again() {
    for code in [1001, 1005, 1006, 1011, 1012, 1013, 1014, 3008] {
        let mut life = Life::with(Draw::Highest);
        for _ in 0..20 {
            let next = life.opens_for(1.0, &closed(code));
            assert!(matches!(next, Next::Wait(_)), "{code}");
        }
    }
}

#[test]
fn re26_re27_the_codes_of_a_server_that_is_done_are_the_end() {
    for code in [1000, 1003, 1008, 1009, 1010, 3000, 3999, 4000, 4999] {
        let next = Life::with(Draw::Highest).opens_for(60.0, &closed(code));
        assert_eq!(next, Next::Stop, "{code}");
    }
}

#[test]
fn re27_the_codes_of_a_broken_protocol_are_tried_a_few_times() {
    for code in [1002, 1007] {
        let mut life = Life::with(Draw::Highest);
        for _ in 0..3 {
            assert!(matches!(life.opens_for(1.0, &closed(code)), Next::Wait(_)));
        }
        assert_eq!(life.opens_for(1.0, &closed(code)), Next::Stop, "{code}");
    }
}

#[test]
fn re30_what_the_program_decides_counts() {
    let mut life = Life::with(Draw::Highest);
    life.schedule.begin_try(life.now);
    let gone = answer(404, &[]);
    assert_eq!(life.schedule.lost(&gone, life.now), Verdict::Stop);
    assert_eq!(life.decided(&gone, Verdict::Retry), Next::Wait(s(5.0)));
    let done = closed(4000);
    let seven = Verdict::RetryAfter(s(7.0));
    assert_eq!(
        life.decided(&done, seven),
        Next::Wait(s(10.0)),
        "the backoff's"
    );
    life.opens_for(60.0, &closed(1006));
    life.opens_for(60.0, &closed(1006));
    assert_eq!(
        life.schedule.next(&done, Verdict::Stop, life.now),
        Next::Stop
    );
    // A day, if the program says so.
    let day = s(86_400.0);
    assert_eq!(
        life.decided(&done, Verdict::RetryAfter(day)),
        Next::Wait(day)
    );
    let ever = Verdict::RetryAfter(Duration::MAX);
    assert_eq!(life.decided(&done, ever), Next::Wait(Duration::MAX));
}

#[test]
fn re30_a_few_tries_are_as_few_where_the_program_says_so() {
    let mut life = Life::that_was_open();
    for _ in 0..3 {
        life.schedule.begin_try(life.now);
        life.schedule.lost(&closed(4000), life.now);
        let next = life.decided(&closed(4000), Verdict::RetryFew);
        assert!(matches!(next, Next::Wait(_)));
    }
    assert_eq!(life.decided(&closed(4000), Verdict::RetryFew), Next::Stop);
}

#[test]
fn re44_a_hook_that_fails_is_waited_for_and_one_that_stops_is_the_end() {
    let mut life = Life::with(Draw::Highest);
    let failing = lost(LostCause::OnConnected(HookError::from("no answer")));
    let waited = life.fails_each_time(&failing, 3);
    assert_eq!(waited, waits(&[5.0, 10.0, 20.0]));
    let stop = lost(LostCause::OnConnected(HookError::stop("logged out")));
    assert_eq!(life.fails(&stop), Next::Stop);
}

#[test]
fn re46_other_credentials_are_tried_once() {
    let mut life = Life::with_before_try();
    assert_eq!(life.fails(&answer(401, &[])), Next::Wait(s(5.0)));
    // They were good, and are refused for the first time, however short it was.
    assert!(matches!(life.opens_for(1.0, &closed(1006)), Next::Wait(_)));
    assert!(matches!(life.fails(&answer(401, &[])), Next::Wait(_)));
    let asked = lost(LostCause::Asked);
    assert!(matches!(life.opens_for(1.0, &asked), Next::Wait(_)));
    assert!(matches!(life.fails(&answer(407, &[])), Next::Wait(_)));
}

#[test]
fn re47_the_second_refusal_in_a_row_is_the_end() {
    for (first, second) in [(401, 401), (401, 407), (407, 407)] {
        let mut life = Life::with_before_try();
        life.fails(&answer(first, &[]));
        assert_eq!(life.fails(&answer(second, &[])), Next::Stop);
    }
}

#[test]
fn re48_the_same_credentials_are_not_sent_again() {
    assert_eq!(
        Life::with(Draw::Highest).fails(&answer(401, &[])),
        Next::Stop
    );
    assert_eq!(Life::that_was_open().fails(&answer(401, &[])), Next::Stop);
}

#[test]
fn re117_a_message_that_is_too_big_each_time_is_the_end_at_the_fourth() {
    let mut life = Life::with(Draw::Highest);
    for _ in 0..3 {
        assert!(matches!(life.opens_for(1.0, &too_big()), Next::Wait(_)));
    }
    assert_eq!(life.opens_for(1.0, &too_big()), Next::Stop);
}
