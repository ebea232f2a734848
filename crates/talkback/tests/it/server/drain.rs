//! How a server lets go of its connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use talkback::server::{Connections, Drain, Refused};
use talkback::{
    CloseCause, CloseFrameError, Message, Role, WebSocket, WebSocketChannel, accept, connect,
};
use talkback_testing::wire::{self, CLOSE, FIN, KEY, close_body};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::time::{Instant, sleep};

use super::{echo, end, many, open, settle};

/// Says when it is dropped.
struct Guard(Arc<AtomicBool>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn dr1_few_are_closed_at_once() {
    let connections = Connections::new();
    let peers = many(&connections, 16);
    settle().await;
    assert!(!connections.is_draining());
    let report = connections.drain(Drain::default()).await;
    assert_eq!((report.closed, report.by_peer, report.cut), (16, 0, 0));
    assert_eq!((report.refused, report.took), (0, Duration::ZERO));
    assert!(connections.is_draining() && connections.is_empty());
    for peer in peers {
        let (_, info) = peer.await.unwrap();
        let told = (info.code.number(), &*info.reason, info.clean);
        assert_eq!(told, (1012, "the server restarts", true));
    }
}

#[tokio::test(start_paused = true)]
async fn dr3_a_peer_that_answers_late_is_waited_for() {
    let connections = Connections::new();
    let (connection, peer) = open(&connections);
    connections.run(connection, echo);
    let peer = tokio::spawn(async move {
        sleep(Duration::from_secs(8)).await;
        end(peer).await
    });
    let report = connections.drain(Drain::default()).await;
    assert_eq!((report.closed, report.cut), (1, 0));
    assert_eq!(report.took, Duration::from_secs(8));
    assert!(peer.await.unwrap().clean);
}

#[tokio::test(start_paused = true)]
async fn dr4_a_peer_that_never_answers_is_cut_by_the_close_timeout_or_the_deadline() {
    for (deadline, took) in [(25, 10), (5, 5)] {
        let connections = Connections::new();
        let (mut connection, peer) = open(&connections);
        let handler = tokio::spawn(async move {
            let error = connection.recv().await.unwrap_err();
            (connection.close_info().unwrap().cause.clone(), error)
        });
        let drain = Drain::default().deadline(Duration::from_secs(deadline));
        let report = connections.drain(drain).await;
        assert_eq!((report.closed, report.by_peer, report.cut), (0, 0, 1));
        // The timer of the close timeout is a millisecond late at most.
        assert_eq!(report.took.as_secs(), took);
        let (cause, _) = handler.await.unwrap();
        match deadline {
            25 => assert_eq!(cause, CloseCause::CloseTimeout),
            _ => assert!(matches!(cause, CloseCause::Transport(_)), "{cause:?}"),
        }
        settle().await;
        assert!(connections.is_empty());
        // It was told, and finds the end behind it.
        assert_eq!(end(peer).await.code, 1012);
    }
}

#[tokio::test(start_paused = true)]
async fn dr5_a_handler_that_ignores_everything_is_dropped_at_the_deadline() {
    let connections = Connections::new();
    let is_dropped = Arc::new(AtomicBool::new(false));
    let (connection, peer) = open(&connections);
    let guard = Guard(Arc::clone(&is_dropped));
    connections.run(connection, |connection| async move {
        sleep(Duration::from_secs(3600)).await;
        drop((connection, guard));
    });
    // Of a handler that is not ours, the connection is cut once it looks again.
    let (mut other, other_peer) = open(&connections);
    let handler = tokio::spawn(async move {
        sleep(Duration::from_secs(3600)).await;
        let late = other.send("late").await;
        (
            late.is_err(),
            other.send("later").await.is_err(),
            other.recv().await.is_err(),
        )
    });
    let start = Instant::now();
    let report = connections.drain(Drain::default()).await;
    assert_eq!((report.closed, report.by_peer, report.cut), (0, 0, 2));
    assert_eq!(report.took, Duration::from_secs(25));
    assert_eq!(start.elapsed(), Duration::from_secs(25));
    settle().await;
    assert!(is_dropped.load(Ordering::SeqCst));
    assert_eq!(connections.len(), 1);
    assert_eq!(end(peer).await.code, 1012);
    let (_, later, end_is_error) = handler.await.unwrap();
    assert!(later && end_is_error);
    assert_eq!(start.elapsed(), Duration::from_secs(3600));
    drop(other_peer);
    assert!(connections.is_empty());
}

#[tokio::test(start_paused = true)]
async fn dr5_a_handler_that_is_run_once_all_was_cut_is_dropped() {
    let connections = Connections::new();
    let place = connections.admit(None).unwrap();
    connections.drain(Drain::now()).await;
    let (near, _far) = duplex(64);
    let connection = place.open(WebSocket::from_upgraded(near, Role::Server));
    connections.run(connection, |connection| async move {
        sleep(Duration::from_secs(3600)).await;
        drop(connection);
    });
    settle().await;
    assert!(connections.is_empty());
}

#[tokio::test(start_paused = true)]
async fn dr6_who_comes_during_the_drain_is_refused_and_counted() {
    let connections = Connections::new();
    let (connection, peer) = open(&connections);
    let draining = connections.clone();
    let draining = tokio::spawn(async move { draining.drain(Drain::default()).await });
    settle().await;
    let (near, far) = duplex(4096);
    let connecting = connect("ws://a.example/").over(near);
    let (client, server) = tokio::join!(connecting, accept(far).admit(&connections));
    assert!(server.is_err());
    let error = client.map(drop).unwrap_err();
    let refused = error.refused().unwrap();
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    let after = refused.headers[RETRY_AFTER].to_str().unwrap();
    assert!((1..=5).contains(&after.parse().unwrap()), "{after}");
    connections.run(connection, echo);
    let end = tokio::spawn(end(peer));
    let report = draining.await.unwrap();
    assert_eq!((report.closed, report.refused), (1, 1));
    assert_eq!(end.await.unwrap().code, 1012);
}

#[tokio::test(start_paused = true)]
async fn dr9_where_both_ends_close_at_once_there_is_one_close_frame_each_way() {
    for is_drained_first in [false, true] {
        let connections = Connections::new();
        let (near, mut far) = duplex(1024);
        let socket = WebSocket::from_upgraded(near, Role::Server);
        let connection = connections.admit(None).unwrap().open(socket);
        // Its close frame waits to be read when the drain begins, or comes when that has begun.
        let close = wire::frame(FIN | CLOSE, Some(KEY), &close_body(4000, "I go"));
        if !is_drained_first {
            far.write_all(&close).await.unwrap();
        }
        let draining = connections.clone();
        let draining = tokio::spawn(async move { draining.drain(Drain::default()).await });
        settle().await;
        connections.run(connection, echo);
        if is_drained_first {
            settle().await;
            far.write_all(&close).await.unwrap();
        }
        let mut sent = Vec::new();
        far.read_to_end(&mut sent).await.unwrap();
        let frames = wire::parse(&sent);
        let [frame] = &frames[..] else {
            panic!("{frames:?}");
        };
        let report = draining.await.unwrap();
        assert_eq!(report.closed + report.by_peer, 1, "{report}");
        assert_eq!((frame.first, report.cut), (FIN | CLOSE, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn dr9_a_peer_that_closes_meanwhile_is_not_closed_again() {
    let connections = Connections::new();
    let mut peers = Vec::new();
    for _ in 0..20 {
        let (connection, peer) = open(&connections);
        connections.run(connection, echo);
        peers.push(peer);
    }
    let draining = connections.clone();
    let drain = Drain::default().spread(Duration::from_secs(20));
    let draining = tokio::spawn(async move { draining.drain(drain).await });
    // The first one's turn has come, and that of no other.
    sleep(Duration::from_millis(500)).await;
    assert_eq!(connections.admit(None).unwrap_err(), Refused::Draining);
    let mut by_themselves = 0;
    for mut peer in peers {
        let info = peer.close_with(4000, "I go").await.unwrap();
        assert!(info.clean);
        match info.code.number() {
            4000 => by_themselves += 1,
            code => assert_eq!(code, 1012),
        }
    }
    let report = draining.await.unwrap();
    assert_eq!((by_themselves, report.by_peer, report.closed), (19, 19, 1));
    assert_eq!((report.cut, report.refused), (0, 1));
    assert_eq!(report.took, Duration::from_millis(500));
}

/// Answers until the notice comes, and then says good-bye.
async fn polite(mut connection: super::Connection) {
    let mut draining = connection.draining();
    loop {
        tokio::select! {
            message = connection.recv() => match message.unwrap() {
                Some(message) => connection.feed(message).await.unwrap(),
                None => panic!("it was closed before the notice"),
            },
            () = &mut draining => {
                connection.send("good-bye").await.unwrap();
                connection.close_with(4001, "my own").await.unwrap();
                return;
            }
        }
    }
}

/// What a peer receives, and the code of the end.
async fn received(mut peer: super::Peer) -> (Vec<Message>, u16) {
    let mut messages = Vec::new();
    while let Ok(Some(message)) = peer.recv().await {
        messages.push(message);
    }
    (messages, peer.close_info().unwrap().code.number())
}

#[tokio::test(start_paused = true)]
async fn dr10_a_handler_that_awaits_the_notice_has_the_last_word() {
    let connections = Connections::new();
    let mut peers = Vec::new();
    // As many as `select!` needs to have begun with either branch.
    for _ in 0..60 {
        let (connection, peer) = open(&connections);
        connections.run(connection, polite);
        peers.push(tokio::spawn(received(peer)));
    }
    settle().await;
    let report = connections.drain(Drain::default()).await;
    assert_eq!((report.closed, report.cut), (60, 0));
    for peer in peers {
        let expected = (vec![Message::from("good-bye")], 4001);
        assert_eq!(peer.await.unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn dr10_after_the_notice_the_next_wait_for_a_message_closes() {
    let connections = Connections::new();
    let (connection, peer) = open(&connections);
    connections.run(connection, |mut connection| async move {
        connection.draining().await;
        connection.send("not much").await.unwrap();
        sleep(Duration::from_secs(2)).await;
        connection.send("more").await.unwrap();
        assert_eq!(connection.recv().await.unwrap(), None);
    });
    // Whoever listens no more, though nothing came of it, is closed without the notice.
    let (mut other, other_peer) = open(&connections);
    let draining = other.draining();
    tokio::spawn(async move {
        assert_eq!(other.recv().await.unwrap(), None);
    });
    let peers = [peer, other_peer].map(|peer| tokio::spawn(received(peer)));
    let forgets = tokio::spawn(async move {
        sleep(Duration::from_secs(3)).await;
        drop(draining);
    });
    let report = connections.drain(Drain::default()).await;
    forgets.await.unwrap();
    assert_eq!((report.closed, report.took), (2, Duration::from_secs(3)));
    let [peer, other] = peers;
    assert_eq!(
        peer.await.unwrap(),
        (vec!["not much".into(), "more".into()], 1012)
    );
    assert_eq!(other.await.unwrap(), (vec![], 1012));
}

#[tokio::test(start_paused = true)]
async fn dr10_whoever_has_had_notice_closes_with_the_code_of_that() {
    let connections = Connections::new();
    let (connection, peer) = open(&connections);
    let notice = connection.draining();
    assert_eq!(connections.rebalance(1, Duration::ZERO).await, 1);
    let draining = connections.clone();
    let drain = Drain::default().close_with(1001, "too late").unwrap();
    let draining = tokio::spawn(async move { draining.drain(drain).await });
    settle().await;
    drop(notice);
    connections.run(connection, echo);
    assert_eq!(end(peer).await.code, 1012);
    assert_eq!(draining.await.unwrap().closed, 1);
}

#[tokio::test(start_paused = true)]
async fn dr10_a_notice_that_nobody_heeds_ends_with_the_deadline() {
    let connections = Connections::new();
    let (connection, _peer) = open(&connections);
    connections.run(connection, |mut connection| async move {
        let draining = connection.draining();
        let _ = connection.recv().await;
        drop(draining);
    });
    let report = connections.drain(Drain::default()).await;
    assert_eq!((report.cut, report.took), (1, Duration::from_secs(25)));
    // A close order waits for no notice.
    let connections = Connections::new();
    let (connection, peer) = open(&connections);
    connections.run(connection, |mut connection| async move {
        let draining = connection.draining();
        assert_eq!(connection.recv().await.unwrap(), None);
        draining.await;
    });
    settle().await;
    assert_eq!(connections.close_where(|_| true, 4002, ""), Ok(1));
    assert_eq!(received(peer).await, (vec![], 4002));
}

#[tokio::test(start_paused = true)]
async fn dr10_who_only_sends_after_the_notice_is_cut_at_the_deadline() {
    let connections = Connections::new();
    let (mut connection, peer) = open(&connections);
    // Not run by `run`: nothing but the order wakes it, as its peer reads nothing.
    let handler = tokio::spawn(async move {
        let draining = connection.draining();
        draining.await;
        let sent = connection.send(vec![0; 1 << 20]).await;
        (sent.is_err(), Instant::now())
    });
    settle().await;
    let start = Instant::now();
    let report = connections.drain(Drain::default()).await;
    assert_eq!((report.cut, report.took), (1, Duration::from_secs(25)));
    let (is_error, time) = handler.await.unwrap();
    assert!(is_error);
    assert_eq!(time - start, Duration::from_secs(25));
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn dr11_a_second_drain_cuts_at_once_and_both_tell_the_same() {
    let connections = Connections::new();
    let peers = many(&connections, 100);
    settle().await;
    let (first, second) = (connections.clone(), connections.clone());
    let first = tokio::spawn(async move { first.drain(Drain::default()).await });
    sleep(Duration::from_secs(2)).await;
    let second = second.drain(Drain::now()).await;
    assert_eq!(first.await.unwrap(), second);
    assert_eq!(second.closed + second.cut, 100);
    assert!((20..=22).contains(&second.closed), "{second:?}");
    assert_eq!(second.took, Duration::from_secs(2));
    // Those that are cut are told as much as the others.
    for peer in peers {
        assert_eq!(peer.await.unwrap().1.code, 1012);
    }
}

#[tokio::test(start_paused = true)]
async fn dr12_of_none_it_returns_at_once_and_again() {
    let connections = Connections::new();
    let start = Instant::now();
    let first = connections.drain(Drain::default()).await;
    assert_eq!(
        (first.closed, first.by_peer, first.cut, first.refused),
        (0, 0, 0, 0)
    );
    assert_eq!(first, connections.drain(Drain::default()).await);
    assert_eq!(first, connections.drain(Drain::now()).await);
    assert_eq!(start.elapsed(), Duration::ZERO);

    let connections = Connections::new();
    let (connection, peer) = open(&connections);
    connections.run(connection, echo);
    drop(peer);
    settle().await;
    connections.drain(Drain::default()).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn dr13_codes_that_may_be_sent_are_sent_and_others_refused_when_it_is_built() {
    for code in [1001_u16, 4000] {
        let connections = Connections::new();
        let (connection, peer) = open(&connections);
        connections.run(connection, echo);
        let peer = tokio::spawn(end(peer));
        let drain = Drain::default().close_with(code, "away").unwrap();
        connections.drain(drain).await;
        let info = peer.await.unwrap();
        assert_eq!((info.code.number(), &*info.reason), (code, "away"));
    }
    for code in [0, 999, 1005, 1006, 1015, 2999, 5000] {
        let error = Drain::default().close_with(code, "").map(drop).unwrap_err();
        assert_eq!(error, CloseFrameError::Code(code));
    }
    let error = Drain::default()
        .close_with(1012, &"x".repeat(124))
        .map(drop);
    assert_eq!(error, Err(CloseFrameError::ReasonTooLong(124)));
}

#[tokio::test(start_paused = true)]
async fn dr1_a_channel_ends_by_the_drain_as_by_its_own_close() {
    let connections = Connections::new();
    let (connection, peer) = open(&connections);
    let mut channel = WebSocketChannel::from(connection);
    let peer = tokio::spawn(end(peer));
    settle().await;
    let draining = connections.clone();
    let draining = tokio::spawn(async move { draining.drain(Drain::default()).await });
    assert_eq!(channel.recv().await.unwrap(), None);
    assert_eq!(channel.closed().await.unwrap().code, 1012);
    drop(channel);
    let report = draining.await.unwrap();
    assert_eq!((report.closed, report.took), (1, Duration::ZERO));
    assert_eq!(peer.await.unwrap().code, 1012);
}

#[test]
fn a_report_is_a_line_for_a_log() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let report = runtime.unwrap().block_on(async {
        let connections = Connections::new();
        let (connection, _peer) = open(&connections);
        let draining = connections.drain(Drain::now()).await;
        drop(connection);
        draining
    });
    assert_eq!(
        report.to_string(),
        "connections: 0 closed, 0 closed by the peer, 1 cut, 0 refused, in 0.0 s"
    );
}
