//! Many channels of one server, by their draws alone.

use super::*;

const HERD: u64 = 10_000;

/// When each of many channels that lose their connection at the same time tries first.
fn first_tries(why: &Lost) -> Vec<Duration> {
    let first_try = |seed| {
        let mut life = Life::with(Draw::Random(seed));
        match life.opens_for(60.0, why) {
            Next::Wait(wait) => wait,
            next => panic!("{next:?}"),
        }
    };
    (0..HERD).map(first_try).collect()
}

/// How many come in each tenth of a second.
fn in_tenths(tries: impl IntoIterator<Item = Duration>, tenths: usize) -> Vec<u32> {
    let mut counts = vec![0; tenths];
    for at in tries {
        // What is drawn at the very end belongs to the last one.
        let tenth = usize::try_from(at.as_millis() / 100).unwrap();
        counts[tenth.min(tenths - 1)] += 1;
    }
    counts
}

#[test]
fn v57_re5_the_clients_of_a_server_that_dies_come_back_evenly_in_five_seconds() {
    let tries = first_tries(&closed(1006));
    assert!(tries.iter().all(|at| *at <= s(5.0)));
    let counts = in_tenths(tries, 50);
    let most = counts.iter().max().unwrap();
    assert!(*most <= 300, "{counts:?}");
    // With 49 degrees of freedom one of a thousand even ones is above 85.4.
    let expected = f64::from(HERD as u32) / 50.0;
    let squares = counts
        .iter()
        .map(|count| (f64::from(*count) - expected).powi(2));
    let chi_squared = squares.sum::<f64>() / expected;
    assert!(chi_squared < 85.4, "{chi_squared}: {counts:?}");
}

#[test]
fn re6_the_clients_of_a_server_that_is_down_for_long_stay_spread() {
    const BACK: f64 = 120.0;
    let mut tries = Vec::new();
    for seed in 0..HERD {
        let mut life = Life::with(Draw::Random(seed));
        life.opens_for(0.0, &closed(1006));
        while life.now <= s(BACK) {
            tries.push(life.now);
            life.fails(&refused_tcp());
        }
        // The one that finds it open again.
        tries.push(life.now);
    }
    let counts = in_tenths(tries, 1_510);
    // All wait in the longest window by then: 5, 10 and 20 s are over. The herd comes back from 120 s on.
    let at_the_cap = &counts[350..1_200];
    let most = *at_the_cap.iter().max().unwrap();
    let mean = f64::from(at_the_cap.iter().sum::<u32>()) / at_the_cap.len() as f64;
    assert!(most <= 120, "{most} in a tenth of a second: {at_the_cap:?}");
    assert!((60.0..75.0).contains(&mean), "{mean}");
    let returning = &counts[1_200..];
    assert!(returning.iter().all(|count| *count <= 120), "{returning:?}");
}

#[test]
fn re7_after_a_restart_all_wait_five_to_thirty_seconds() {
    let tries = first_tries(&closed(1012));
    assert!(tries.iter().all(|at| (s(5.0)..=s(30.0)).contains(at)));
    let counts = in_tenths(tries, 300);
    assert!(
        counts[50..].iter().all(|count| (10..=90).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn re8_after_an_overload_all_wait_fifteen_to_thirty_seconds() {
    let tries = first_tries(&closed(1013));
    assert!(tries.iter().all(|at| (s(15.0)..=s(30.0)).contains(at)));
    let counts = in_tenths(tries, 300);
    assert!(
        counts[150..].iter().all(|count| (25..=120).contains(count)),
        "{counts:?}"
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
