//! When a channel gives up.

use super::*;

fn tries(most: u32) -> TryLimits {
    TryLimits {
        tries_max: Some(most),
        time_max: None,
    }
}

fn a_minute() -> TryLimits {
    TryLimits {
        tries_max: None,
        time_max: Some(s(60.0)),
    }
}

#[test]
fn re14_the_last_try_that_may_be_is_the_end() {
    let mut life = Life::limited(tries(3));
    let waited = life.fails_each_time(&refused_tcp(), 2);
    assert_eq!(waited, waits(&[5.0, 10.0]));
    let (tries, after) = (3, s(15.0));
    assert_eq!(life.fails(&refused_tcp()), Next::GaveUp { tries, after });
}

#[test]
fn re14_tries_count_anew_once_a_connection_is_open() {
    let mut life = Life::limited(tries(2));
    life.fails(&refused_tcp());
    assert_eq!(life.schedule.tries(), 1);
    assert_eq!(life.opens_for(60.0, &closed(1006)), Next::Wait(s(5.0)));
    assert_eq!(life.schedule.tries(), 0);
    assert_eq!(life.fails(&refused_tcp()), Next::Wait(s(10.0)));
    let (tries, after) = (2, s(15.0));
    assert_eq!(life.fails(&refused_tcp()), Next::GaveUp { tries, after });
}

#[test]
fn re15_the_time_ends_a_try_that_is_under_way() {
    let mut life = Life::limited(a_minute());
    let schedule = &mut life.schedule;
    assert_eq!(schedule.deadline(), None, "nothing has begun");
    schedule.begin_try(s(100.0));
    assert_eq!(schedule.deadline(), Some(s(160.0)));
    assert_eq!(schedule.gave_up(s(159.999)), None);
    let (tries, after) = (1, s(60.0));
    assert_eq!(
        schedule.gave_up(s(160.0)),
        Some(Next::GaveUp { tries, after })
    );
    // What has failed at that moment is not tried again either.
    let next = schedule.next(&refused_tcp(), Verdict::Retry, s(160.0));
    assert_eq!(next, Next::GaveUp { tries, after });
}

#[test]
fn re15_the_time_counts_from_the_loss() {
    let mut life = Life::limited(a_minute());
    life.schedule.begin_try(s(0.0));
    life.schedule.opened(s(1.0));
    assert_eq!(life.schedule.deadline(), None, "it is open");
    assert_eq!(life.schedule.gave_up(s(1_000.0)), None);
    life.now = s(1_000.0);
    life.told(&closed(1006));
    assert_eq!(life.schedule.deadline(), Some(s(1_060.0)));
}

#[test]
fn re81_a_pause_counts_for_no_limit() {
    let mut life = Life::limited(TryLimits {
        tries_max: Some(2),
        time_max: Some(s(60.0)),
    });
    life.fails(&refused_tcp());
    life.schedule.resumed();
    assert_eq!(life.schedule.deadline(), None);
    assert_eq!(life.schedule.tries(), 0);
    life.now = s(1_000.0);
    assert_eq!(life.fails(&refused_tcp()), Next::Wait(s(10.0)));
    assert_eq!(life.schedule.deadline(), Some(s(1_060.0)));
}

#[test]
fn re129_a_wait_that_the_server_asks_for_ends_with_the_time() {
    let mut life = Life::limited(a_minute());
    let busy = answer(503, &[("retry-after", "600")]);
    assert_eq!(life.fails(&busy), Next::Wait(s(60.0)));
    let (tries, after) = (1, s(60.0));
    assert_eq!(
        life.schedule.gave_up(life.now),
        Some(Next::GaveUp { tries, after })
    );
}

#[test]
fn re130_one_try_is_one() {
    let mut life = Life::limited(tries(1));
    let (tries, after) = (1, s(0.0));
    assert_eq!(life.fails(&refused_tcp()), Next::GaveUp { tries, after });
}
