//! Every future dropped at every poll.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use talkback::accept;
use talkback::server::{Connections, Drain};
use tokio::time::{Instant, advance};

use super::{REQUEST, echo, end, open, settle};
use crate::support::Script;
use crate::support::dropping::{Cut, Runner};

#[tokio::test(start_paused = true)]
async fn co3_admitting_dropped_at_any_poll_gives_the_place_back() {
    let script = || Script::trickle(REQUEST, 10).write_max(10);
    let connections = Connections::new();
    let mut runner = Runner::new(Cut::Never);
    let admitted = runner.try_run(accept(script()).admit(&connections));
    let connection = admitted.unwrap().unwrap();
    assert_eq!(connections.len(), 1);
    drop(connection);
    for poll in 1..runner.polls {
        let script = script();
        let log = script.log.clone();
        let mut runner = Runner::new(Cut::At(poll));
        assert!(runner.try_run(accept(script).admit(&connections)).is_none());
        assert!(connections.is_empty(), "dropped at poll {poll}");
        let last = log.lock().unwrap().last().cloned();
        assert_eq!(last, Some(crate::support::Happened::Dropped));
    }
}

/// Polls a future until its end, and drops it after so many polls that were not ready; how often it was polled.
async fn dropped_after(polls: usize, step: Duration, future: impl Future) -> usize {
    let mut future = pin!(future);
    for poll in 1..=polls {
        let mut cx = Context::from_waker(Waker::noop());
        if future.as_mut().poll(&mut cx).is_ready() {
            return poll;
        }
        settle().await;
        advance(step).await;
        settle().await;
    }
    polls
}

#[tokio::test(start_paused = true)]
async fn dr11_a_drain_goes_on_however_often_its_future_is_dropped() {
    let step = Duration::from_millis(500);
    let mut all = usize::MAX;
    for polls in 1..100 {
        let connections = Connections::new();
        let mut peers = Vec::new();
        for _ in 0..20 {
            let (connection, peer) = open(&connections);
            connections.run(connection, echo);
            peers.push(tokio::spawn(end(peer)));
        }
        settle().await;
        let start = Instant::now();
        let polled = dropped_after(polls, step, connections.drain(Drain::default())).await;
        let report = connections.drain(Drain::default()).await;
        assert_eq!(
            (report.closed, report.cut),
            (20, 0),
            "dropped after {polls}"
        );
        assert!(start.elapsed() >= report.took);
        assert_eq!(report.took.as_millis(), 9_500);
        for peer in peers {
            assert_eq!(peer.await.unwrap().code, 1012);
        }
        if polled < polls {
            all = polled;
            break;
        }
    }
    assert!((10..100).contains(&all), "{all}");
}

#[tokio::test(start_paused = true)]
async fn dr16_a_dropped_rebalance_leaves_alone_those_whose_turn_had_not_come() {
    let step = Duration::from_millis(500);
    for polls in 1..=25 {
        let connections = Connections::new();
        let mut peers = Vec::new();
        for _ in 0..20 {
            let (connection, peer) = open(&connections);
            connections.run(connection, echo);
            peers.push(tokio::spawn(end(peer)));
        }
        settle().await;
        let over = Duration::from_secs(10);
        dropped_after(polls, step, connections.rebalance(20, over)).await;
        settle().await;
        assert_eq!(
            connections.len(),
            20_usize.saturating_sub(polls),
            "dropped after {polls}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn dr10_the_notice_dropped_at_any_poll_leaves_the_connection_to_be_closed() {
    for polls in 0..3 {
        let connections = Connections::new();
        let (connection, peer) = open(&connections);
        let peer = tokio::spawn(end(peer));
        let mut draining = connection.draining();
        let mut cx = Context::from_waker(Waker::noop());
        for poll in 0..polls {
            let is_ready = pin!(&mut draining).poll(&mut cx).is_ready();
            assert_eq!(is_ready, poll == 1);
            if poll == 0 {
                let connections = connections.clone();
                tokio::spawn(async move { connections.drain(Drain::default()).await });
                settle().await;
            }
        }
        drop(draining);
        let again = connection.draining();
        connections.run(connection, echo);
        let report = connections.drain(Drain::default());
        drop(again);
        let report = report.await;
        assert_eq!(
            (report.closed, report.took),
            (1, Duration::ZERO),
            "after {polls}"
        );
        assert_eq!(peer.await.unwrap().code, 1012);
    }
}
