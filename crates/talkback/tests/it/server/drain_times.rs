//! When each connection's turn comes.

use std::time::Duration;

use talkback::server::{Connections, Drain, Refused};
use talkback::{CloseInfo, Role, WebSocket};
use tokio::io::duplex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::{echo, end, many, open, settle};

/// When each was closed, from `start` on in milliseconds, in the order in which they were opened.
async fn times(peers: Vec<JoinHandle<(Instant, CloseInfo)>>, start: Instant) -> Vec<u128> {
    let mut times = Vec::new();
    for peer in peers {
        let (time, info) = peer.await.unwrap();
        assert_eq!(info.code, 1012);
        times.push((time - start).as_millis());
    }
    times
}

fn assert_even(times: &[u128], each: u128) {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    assert_ne!(sorted, times, "the order is random");
    for (number, time) in sorted.into_iter().enumerate() {
        let expected = number as u128 * each;
        assert!(
            time.abs_diff(expected) <= 10,
            "number {number} after {time} ms"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn dr2_a_thousand_are_closed_evenly_in_random_order() {
    let connections = Connections::new();
    let peers = many(&connections, 1_000);
    settle().await;
    let start = Instant::now();
    let report = connections.drain(Drain::default()).await;
    assert_eq!((report.closed, report.by_peer, report.cut), (1_000, 0, 0));
    assert_eq!(report.took.as_secs_f64().round(), 10.0);
    assert_even(&times(peers, start).await, 10);
}

#[tokio::test(start_paused = true)]
async fn dr2_a_second_drain_hurries_the_first() {
    let connections = Connections::new();
    let peers = many(&connections, 100);
    settle().await;
    let start = Instant::now();
    let draining = connections.clone();
    let drain = Drain::default().lame_duck(Duration::from_secs(10));
    let first = tokio::spawn(async move { draining.drain(drain).await });
    sleep(Duration::from_secs(2)).await;
    let drain = Drain::default().spread(Duration::from_secs(1));
    let second = connections.drain(drain).await;
    assert_eq!(first.await.unwrap(), second);
    assert_eq!((second.closed, second.cut), (100, 0));
    let times = times(peers, start).await;
    // Those whose turn would have come by now.
    assert!(
        times.iter().all(|time| (2_000..=3_010).contains(time)),
        "{times:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn dr2_what_the_deadline_finds_open_is_cut() {
    let connections = Connections::new();
    let peers = many(&connections, 100);
    settle().await;
    let drain = Drain::default()
        .spread(Duration::from_secs(20))
        .deadline(Duration::from_secs(10));
    let report = connections.drain(drain).await;
    assert_eq!(report.took, Duration::from_secs(10));
    assert_eq!(report.closed + report.cut, 100);
    assert!((49..=51).contains(&report.closed), "{report:?}");
    // Those that are cut are told as much as the others.
    for peer in peers {
        assert_eq!(peer.await.unwrap().1.code, 1012);
    }
}

#[tokio::test(start_paused = true)]
async fn dr7_a_lame_duck_lets_in_for_a_while() {
    let connections = Connections::new();
    let start = Instant::now();
    let draining = connections.clone();
    let drain = Drain::default().lame_duck(Duration::from_secs(5));
    // None are open, and it waits all the same: load balancers still send some.
    let draining = tokio::spawn(async move { draining.drain(drain).await });
    settle().await;
    assert!(connections.is_draining());
    sleep(Duration::from_millis(4_990)).await;
    let (connection, peer) = open(&connections);
    connections.run(connection, echo);
    let peer = tokio::spawn(end(peer));
    // Whether somebody is refused counts only while there are some left.
    let busy = open(&connections);
    sleep(Duration::from_millis(20)).await;
    assert_eq!(connections.admit(None).unwrap_err(), Refused::Draining);
    assert_eq!(peer.await.unwrap().code, 1012);
    drop(busy);
    let report = draining.await.unwrap();
    assert_eq!((report.closed, report.cut, report.refused), (2, 0, 1));
    assert_eq!(start.elapsed().as_millis(), 5_010);
    assert_eq!(report.took, start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn dr8_who_was_let_in_before_opens_and_is_closed_at_the_end_of_the_queue() {
    let connections = Connections::new();
    let peers = many(&connections, 100);
    let [soon, late, never] = [0; 3].map(|_| connections.admit(None).unwrap());
    let start = Instant::now();
    let open_after = |place: talkback::server::Place, time| {
        let connections = connections.clone();
        tokio::spawn(async move {
            sleep(time).await;
            let (near, far) = duplex(1024);
            let connection = place.open(WebSocket::from_upgraded(near, Role::Server));
            connections.run(connection, echo);
            (
                end(WebSocket::from_upgraded(far, Role::Client)).await.code,
                start.elapsed(),
            )
        })
    };
    let soon = open_after(soon, Duration::from_secs(1));
    let late = open_after(late, Duration::from_secs(12));
    let never = open_after(never, Duration::from_secs(30));
    settle().await;
    let report = connections.drain(Drain::default()).await;
    assert_eq!((report.closed, report.cut), (102, 0));
    assert_eq!(report.took, Duration::from_secs(25));
    assert_even(&times(peers, start).await, 100);
    let (code, time) = soon.await.unwrap();
    assert_eq!(code, 1012);
    assert!((9_900..=10_000).contains(&time.as_millis()), "{time:?}");
    assert_eq!(late.await.unwrap(), (1012.into(), Duration::from_secs(12)));
    // The drain is over by then.
    assert_eq!(never.await.unwrap().1, Duration::from_secs(30));
    settle().await;
    assert!(connections.is_empty());
}

#[tokio::test(start_paused = true)]
async fn dr16_those_that_end_already_are_none_of_those_that_are_closed() {
    let connections = Connections::new();
    // Nobody polls them.
    let mut open: Vec<_> = (0..200).map(|_| open(&connections)).collect();
    assert_eq!(connections.close_where(|_| true, 4001, ""), Ok(200));
    open.push(super::open(&connections));
    assert_eq!(connections.rebalance(1, Duration::ZERO).await, 1);
}

#[tokio::test(start_paused = true)]
async fn dr16_some_are_closed_to_connect_elsewhere_and_the_rest_is_left_alone() {
    let connections = Connections::new();
    let mut peers = many(&connections, 1_000);
    settle().await;
    let start = Instant::now();
    assert_eq!(
        connections.rebalance(100, Duration::from_secs(10)).await,
        100
    );
    assert!(start.elapsed().as_millis().abs_diff(9_900) <= 10);
    settle().await;
    assert_eq!(connections.len(), 900);
    assert!(!connections.is_draining());
    let is_chosen: Vec<bool> = peers.iter().map(JoinHandle::is_finished).collect();
    // Of a tenth that is drawn none is missing from a quarter once in 10^12 runs.
    for quarter in is_chosen.chunks(250) {
        assert!(quarter.contains(&true), "{is_chosen:?}");
    }
    let closed: Vec<_> = peers.extract_if(.., |peer| peer.is_finished()).collect();
    assert_eq!(closed.len(), 100);
    assert_even(&times(closed, start).await, 100);
    let (connection, _peer) = open(&connections);
    connections.run(connection, echo);
    // Others than those who were told: more than there are.
    assert_eq!(connections.rebalance(2_000, Duration::ZERO).await, 901);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(connections.len(), 1, "one that answers no close frame");
}
