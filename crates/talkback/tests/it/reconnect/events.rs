//! What a reader sees of losses and openings, and what a widget does.

use super::*;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use futures_util::StreamExt;
use talkback::{ChannelEvent, Error, SnapshotState};
use talkback_testing::heap::in_use;

/// An event in a word.
fn word(event: Option<ChannelEvent>) -> String {
    match event {
        Some(ChannelEvent::Opened(opened)) => format!("opened {}", opened.connection()),
        Some(ChannelEvent::Lost(lost)) => format!("lost {}", lost.connection()),
        Some(ChannelEvent::Message(message)) => message.to_string(),
        Some(_) => "?".to_owned(),
        None => "end".to_owned(),
    }
}

async fn words(channel: &mut WebSocketChannel, count: usize) -> Vec<String> {
    let mut words = Vec::new();
    for _ in 0..count {
        let event = timeout(LONG, channel.recv_event()).await.unwrap();
        words.push(word(event.unwrap()));
    }
    words
}

/// Has 1, 2 and 3 come on this connection, and 4 and 5 on the next, which is returned.
async fn three_and_two(server: &mut ScriptedServer, mut peer: Peer) -> Peer {
    for text in ["1", "2", "3"] {
        peer.send(text).await.unwrap();
    }
    settle().await;
    peer.cut();
    let mut peer = accepted(server).await;
    for text in ["4", "5"] {
        peer.send(text).await.unwrap();
    }
    peer
}

#[tokio::test(start_paused = true)]
async fn re74_marks_stand_between_the_messages() {
    let (mut server, mut channel, peer) = open().await;
    let peer = three_and_two(&mut server, peer).await;
    settle().await;
    let expected = ["opened 1", "1", "2", "3", "lost 1", "opened 2", "4", "5"];
    assert_eq!(words(&mut channel, 8).await, expected);
    // One that is waited for comes when it happens.
    let waiting = tokio::spawn(async move { words(&mut channel, 2).await });
    settle().await;
    peer.cut();
    let _peer = accepted(&mut server).await;
    assert_eq!(waiting.await.unwrap(), ["lost 2", "opened 3"]);
}

#[tokio::test(start_paused = true)]
async fn re74_they_are_polled_for_by_a_stream_of_ones_own() {
    let (mut server, mut channel, peer) = open().await;
    let polling = tokio::spawn(async move {
        let mut words = Vec::new();
        while words.len() < 8 {
            let event = poll_fn(|cx| channel.poll_recv_event(cx)).await;
            words.push(word(event.unwrap()));
        }
        words
    });
    let _peer = three_and_two(&mut server, peer).await;
    let expected = ["opened 1", "1", "2", "3", "lost 1", "opened 2", "4", "5"];
    assert_eq!(timeout(LONG, polling).await.unwrap().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn re74_what_there_is_of_them_is_had_at_once() {
    let (mut server, mut channel, peer) = open().await;
    let mut now = || {
        let mut words = Vec::new();
        while let Some(event) = channel.try_recv_event().unwrap() {
            words.push(word(Some(event)));
        }
        words
    };
    assert_eq!(now(), ["opened 1"]);
    let mut peer = three_and_two(&mut server, peer).await;
    settle().await;
    assert_eq!(now(), ["1", "2", "3", "lost 1", "opened 2", "4", "5"]);
    assert!(now().is_empty());
    tokio::spawn(async move { peer.close_with(4000, "").await });
    settle().await;
    assert_eq!(word(channel.try_recv_event().unwrap()), "lost 2");
    assert!(matches!(channel.try_recv_event(), Err(Error::Closed(_))));
    assert!(channel.try_recv_event().unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn re75_recv_passes_over_them_and_knows_the_connection() {
    let (mut server, mut channel, peer) = open().await;
    assert_eq!(channel.connection(), 0);
    let _peer = three_and_two(&mut server, peer).await;
    let mut seen = Vec::new();
    for text in ["1", "2", "3", "4", "5"] {
        assert_eq!(channel.recv().await.unwrap(), Some(text.into()));
        seen.push(channel.connection());
    }
    assert_eq!(seen, [1, 1, 1, 2, 2]);
}

#[tokio::test(start_paused = true)]
async fn re76_losses_that_nobody_reads_are_one_pair() {
    let mut server = ScriptedServer::new();
    let mut channel = reconnecting(&server).channel();
    let mut after_some = 0;
    for round in 0..1000 {
        accepted(&mut server).await.cut();
        if round == 100 {
            after_some = in_use();
        }
    }
    let more = in_use() - after_some;
    assert!(more <= 4096, "900 losses hold {more} bytes of heap");
    let _peer = accepted(&mut server).await;
    settle().await;
    assert_eq!(words(&mut channel, 2).await, ["lost 1000", "opened 1001"]);
    let more = timeout(Duration::from_secs(1), channel.recv_event()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test(start_paused = true)]
async fn re77_a_full_queue_is_given_out_before_the_mark() {
    let (mut server, mut channel, mut peer) = open().await;
    for number in 0..64 {
        peer.send(number.to_string()).await.unwrap();
    }
    settle().await;
    peer.cut();
    let mut peer = accepted(&mut server).await;
    peer.send("next").await.unwrap();
    let words = words(&mut channel, 1 + 64 + 3).await;
    assert_eq!(words[0], "opened 1");
    assert_eq!(words[64], "63");
    assert_eq!(words[65..], ["lost 1", "opened 2", "next"]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_does_not_reconnect_has_messages_alone() {
    let mut server = ScriptedServer::new();
    let mut channel = connect(&server).channel();
    let mut peer = accepted(&mut server).await;
    peer.send("a").await.unwrap();
    assert_eq!(words(&mut channel, 1).await, ["a"]);
    assert_eq!((channel.connection(), channel.link().connection()), (1, 1));
    assert!(!channel.reconnect_now() && !channel.pause() && !channel.resume());
    peer.cut();
    assert!(matches!(channel.recv_event().await, Err(Error::Closed(_))));
    assert_eq!(words(&mut channel, 1).await, ["end"]);
}

#[tokio::test(start_paused = true)]
async fn re102_snapshots_keep_the_data_through_a_loss() {
    let (mut server, channel, mut peer) = open().await;
    let sender = channel.sender();
    let snapshots = channel.into_snapshots();
    peer.send("a").await.unwrap();
    settle().await;
    peer.cut();
    settle().await;
    let snapshot = snapshots.latest();
    assert_eq!(
        (snapshot.state, snapshot.text()),
        (SnapshotState::Active, "a")
    );
    assert!(matches!(snapshot.error, Some(Error::Closed(_))));
    assert!(snapshot.close.is_none());
    assert_eq!(snapshot.link.connection(), 1);
    let mut peer = accepted(&mut server).await;
    sender.ready().await.unwrap();
    let snapshot = snapshots.latest();
    assert_eq!(
        (snapshot.state, snapshot.text()),
        (SnapshotState::Active, "a")
    );
    assert!(snapshot.error.is_none());
    peer.send("b").await.unwrap();
    settle().await;
    assert_eq!(snapshots.latest().text(), "b");
}

#[tokio::test(start_paused = true)]
async fn re103_snapshots_without_data_wait() {
    let (_server, channel) = retrying().await;
    assert_eq!(channel.snapshots().latest().state, SnapshotState::Waiting);
}

#[tokio::test(start_paused = true)]
async fn re104_snapshots_end_once_with_the_error() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).tries_max(2).channel();
    let mut snapshots = channel.into_snapshots();
    accepted(&mut server).await.cut();
    for _ in 0..2 {
        let attempt = server.next_try().await;
        attempt.fail(std::io::ErrorKind::ConnectionRefused);
    }
    let mut done = 0;
    while let Some(snapshot) = snapshots.next().await {
        if snapshot.state == SnapshotState::Done {
            assert!(matches!(snapshot.error, Some(Error::GaveUp { .. })));
            done += 1;
        }
    }
    assert_eq!(done, 1);
}

#[tokio::test(start_paused = true)]
async fn re105_a_wait_wakes_nobody() {
    let (mut server, channel) = retrying().await;
    let attempt = server.next_try().await;
    let busy = http::Response::builder()
        .status(503)
        .header("Retry-After", "3000");
    attempt.answer(busy.body("").unwrap()).await.unwrap();
    in_state(&channel, ChannelState::Retrying).await;
    let mut snapshots = channel.snapshots();
    snapshots.latest();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut look = || {
        let polled = snapshots.poll_next_unpin(&mut Context::from_waker(&waker));
        (polled.is_pending(), woken.0.load(Ordering::Relaxed))
    };
    assert_eq!(look(), (true, 0));
    tokio::time::sleep(Duration::from_secs(2900)).await;
    assert_eq!(look(), (true, 0));
    // A change of state is one wake.
    let _attempt = server.next_try().await;
    assert_eq!(look(), (false, 1));
}

/// How often a task was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn re110_a_receiver_that_is_dropped_holds_up_nothing() {
    let (mut server, channel, mut peer) = open().await;
    let (sender, receiver) = channel.split();
    drop(receiver);
    peer.send("nobody reads this").await.unwrap();
    settle().await;
    peer.cut();
    let mut peer = accepted(&mut server).await;
    sender.ready().await.unwrap();
    assert_eq!(sender.link().connection(), 2);
    sender.send("a").await.unwrap();
    assert_eq!(peer.recv().await.unwrap(), Some("a".into()));
}

#[tokio::test(start_paused = true)]
async fn re111_those_who_only_look_keep_nothing_open() {
    let (mut server, channel) = retrying().await;
    let snapshots = channel.snapshots();
    drop(channel);
    settle().await;
    assert_eq!(snapshots.latest().state, SnapshotState::Done);
    assert!(no_try(&mut server, LONG).await);
}

#[test]
fn re121_without_a_runtime() {
    let mut listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async move {
            for text in ["one", "two"] {
                listener.set_nonblocking(true).unwrap();
                let accepting = tokio::net::TcpListener::from_std(listener).unwrap();
                let (stream, _) = accepting.accept().await.unwrap();
                listener = accepting.into_std().unwrap();
                let mut socket = talkback::accept(stream).await.unwrap();
                socket.send(text).await.unwrap();
                if text == "two" {
                    while let Ok(Some(_)) = socket.recv().await {}
                }
            }
        });
    });
    let backoff = talkback::Backoff::default().first(Duration::from_millis(10));
    let mut channel = talkback::connect(url)
        .reconnect()
        .backoff(backoff)
        .channel();
    assert_eq!(channel.blocking_recv().unwrap(), Some("one".into()));
    assert_eq!(channel.blocking_recv().unwrap(), Some("two".into()));
    channel.close().wait().unwrap();
    server.join().unwrap();
}

#[tokio::test(start_paused = true)]
async fn re74_an_opening_tells_how_long_there_was_none() {
    let (mut server, mut channel, peer) = open().await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    peer.cut();
    let lost = Instant::now();
    server
        .next_try()
        .await
        .fail(std::io::ErrorKind::ConnectionRefused);
    let _peer = accepted(&mut server).await;
    let after = lost.elapsed();
    for _ in 0..2 {
        channel.recv_event().await.unwrap();
    }
    let event = channel.recv_event().await.unwrap();
    let Some(ChannelEvent::Opened(opened)) = event else {
        panic!("{event:?}")
    };
    assert!(opened.after().unwrap().abs_diff(after) < Duration::from_millis(5));
}
