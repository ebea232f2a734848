//! Every future dropped at every poll.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use talkback::server::{Connections, Drain};
use talkback::{CloseInfo, accept};
use talkback_proto::Opcode;
use tokio::time::{Instant, advance};

use super::{REQUEST, echo, end, many, open, settle};
use crate::support::dropping::{Cut, Runner, run};
use crate::support::{Fin, Happened, Script, masked, server, written};

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
        assert_eq!(last, Some(Happened::Dropped));
    }
}

/// What a future comes to within so many polls, between which a time passes; `None` if it was dropped.
async fn within<O>(polls: usize, step: Duration, future: impl Future<Output = O>) -> Option<O> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
        settle().await;
        advance(step).await;
        settle().await;
    }
    None
}

const STEP: Duration = Duration::from_millis(500);

#[tokio::test(start_paused = true)]
async fn dr11_a_drain_goes_on_however_often_its_future_is_dropped() {
    for polls in 1.. {
        let connections = Connections::new();
        let peers = many(&connections, 20);
        settle().await;
        let start = Instant::now();
        let ended = within(polls, STEP, connections.drain(Drain::default())).await;
        let report = connections.drain(Drain::default()).await;
        assert_eq!(
            (report.closed, report.cut),
            (20, 0),
            "dropped after {polls}"
        );
        assert!(start.elapsed() >= report.took);
        assert_eq!(report.took.as_millis(), 9_500);
        for peer in peers {
            assert_eq!(peer.await.unwrap().1.code, 1012);
        }
        if let Some(ended) = ended {
            assert_eq!(ended, report);
            assert!(polls > 10, "{polls}");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dr16_a_dropped_rebalance_leaves_alone_those_whose_turn_had_not_come() {
    for polls in 1.. {
        let connections = Connections::new();
        let _peers = many(&connections, 20);
        settle().await;
        let rebalancing = connections.rebalance(20, Duration::from_secs(10));
        let ended = within(polls, STEP, rebalancing).await;
        settle().await;
        let left = 20_usize.saturating_sub(polls);
        assert_eq!(connections.len(), left, "dropped after {polls}");
        // Those that are left are told by another.
        assert_eq!(connections.rebalance(20, Duration::ZERO).await, left);
        if let Some(closed) = ended {
            assert_eq!((closed, left), (20, 0));
            break;
        }
    }
}

/// What comes before an order to close, and behind it.
fn session() -> Vec<u8> {
    [
        masked(Fin::Last, Opcode::Text, b"one"),
        masked(Fin::Last, Opcode::Binary, &[2; 300]),
        masked(Fin::Last, Opcode::Text, b"behind it"),
        masked(Fin::Last, Opcode::Close, b"\x0f\xa1"),
    ]
    .concat()
}

/// An echo that is ordered to close behind its second message; its end, what was written, and how many polls it took.
fn closed(cut: Cut) -> (CloseInfo, Vec<u8>, usize) {
    let connections = Connections::new();
    let (socket, log) = server(Script::trickle(&session(), 10).write_max(7));
    let mut connection = connections.admit(None).unwrap().open(socket);
    let mut runner = Runner::new(cut);
    for _ in 0..2 {
        let message = run!(runner, connection.recv()).unwrap().unwrap();
        run!(runner, connection.feed(&message)).unwrap();
    }
    assert_eq!(connections.close_where(|_| true, 4001, "go"), Ok(1));
    let behind = run!(runner, connection.recv()).unwrap();
    assert_eq!(behind, Some("behind it".into()));
    assert!(run!(runner, connection.feed("late")).is_err());
    assert_eq!(run!(runner, connection.recv()).unwrap(), None);
    let info = run!(runner, connection.close());
    assert_eq!(connections.len(), 1);
    drop(connection);
    assert!(connections.is_empty());
    (info, written(&log), runner.polls)
}

#[tokio::test(start_paused = true)]
async fn co4_whoever_is_closed_from_outside_ends_the_same_whatever_is_dropped() {
    let (info, bytes, polls) = closed(Cut::Never);
    assert_eq!((info.code.number(), info.clean), (4001, true));
    assert!(polls > 50, "the script is meant to be slow: {polls} polls");
    for cut in (1..=polls).map(Cut::At).chain([Cut::Always]) {
        let (other, others, _) = closed(cut);
        assert_eq!((&other, &others), (&info, &bytes), "{cut:?}");
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
