//! A heartbeat of the program's own, and time in which the program did not run.

use super::*;

use std::io;

use talkback::{Fate, Heartbeat, Keepalive, LostCause, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connections::upgraded;

const SECOND: Duration = Duration::from_secs(1);

fn heartbeat() -> Heartbeat {
    Heartbeat::new(
        || "ping".into(),
        |message| message.as_text() == Some("pong"),
    )
}

/// A channel that is open, with a heartbeat and without another keepalive.
async fn beating(heartbeat: Heartbeat) -> (ScriptedServer, WebSocketChannel, Peer) {
    let mut server = ScriptedServer::new();
    let connect = connect(&server).keepalive(Keepalive::OFF);
    let channel = connect.reconnect().heartbeat(heartbeat).channel();
    let peer = accepted(&mut server).await;
    channel.ready().await.unwrap();
    (server, channel, peer)
}

async fn next(peer: &mut Peer) -> Option<Message> {
    peer.recv().await.unwrap()
}

fn is_heartbeat(channel: &WebSocketChannel) -> bool {
    let link = channel.link();
    let cause = link.lost().map(talkback::Lost::cause);
    matches!(cause, Some(LostCause::Heartbeat))
}

/// How long it took, in seconds, to the next one.
fn seconds(since: Instant) -> u64 {
    (since.elapsed() + Duration::from_millis(100)).as_secs()
}

#[tokio::test(start_paused = true)]
async fn re86_a_silent_peer_is_asked_and_given_up() {
    let (mut server, channel, mut peer) = beating(heartbeat()).await;
    let opened = Instant::now();
    assert_eq!(next(&mut peer).await, Some("ping".into()));
    assert_eq!(seconds(opened), 20);
    in_state(&channel, ChannelState::Retrying).await;
    assert_eq!(seconds(opened), 40);
    assert!(is_heartbeat(&channel), "{:?}", channel.link());
    let lost = channel.link().lost().unwrap().to_string();
    assert_eq!(lost, "nothing came after the heartbeat");
    // Told so, without a code, and let go at once.
    assert_eq!(next(&mut peer).await, None);
    assert_eq!(peer.close_info().unwrap().code.number(), 1005);
    timeout(Duration::from_millis(5), peer.gone())
        .await
        .unwrap();
    let _peer = accepted(&mut server).await;
    channel.ready().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn re86_interval_and_timeout_are_the_programs() {
    let heartbeat = heartbeat().interval(7 * SECOND).timeout(2 * SECOND);
    let (_server, channel, mut peer) = beating(heartbeat).await;
    let opened = Instant::now();
    assert_eq!(next(&mut peer).await, Some("ping".into()));
    assert_eq!(seconds(opened), 7);
    in_state(&channel, ChannelState::Retrying).await;
    assert_eq!(seconds(opened), 9);
}

#[tokio::test(start_paused = true)]
async fn re86_a_peer_that_takes_nothing_is_not_waited_for() {
    let (mut server, channel, peer) = beating(heartbeat()).await;
    // More than a pipe holds.
    channel.try_send(vec![0; 1 << 20]).unwrap();
    let opened = Instant::now();
    in_state(&channel, ChannelState::Retrying).await;
    assert_eq!(seconds(opened), 40);
    timeout(Duration::from_millis(5), peer.gone())
        .await
        .unwrap();
    let attempt = server.next_try().await;
    attempt.fail(io::ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn re87_whatever_comes_is_a_sign_of_life_and_answers_are_not_given_out() {
    let (_server, mut channel, mut peer) = beating(heartbeat()).await;
    for round in 0..5 {
        let begun = Instant::now();
        assert_eq!(next(&mut peer).await, Some("ping".into()));
        assert_eq!(seconds(begun), 20);
        tokio::time::sleep(19 * SECOND).await;
        match round % 2 {
            0 => peer.send("pong").await.unwrap(),
            _ => peer.send("news").await.unwrap(),
        }
        settle().await;
    }
    peer.send("pong").await.unwrap();
    peer.send("last").await.unwrap();
    for expected in ["news", "news", "last"] {
        assert_eq!(channel.recv().await.unwrap(), Some(expected.into()));
    }
    assert_eq!(channel.link().connection(), 1);
    assert_eq!(channel.link().lost().map(ToString::to_string), None);
}

#[tokio::test(start_paused = true)]
async fn re87_a_peer_that_says_something_now_and_then_is_not_asked() {
    let (_server, mut channel, mut peer) = beating(heartbeat()).await;
    for number in 0..10_u8 {
        tokio::time::sleep(19 * SECOND).await;
        peer.send(vec![number]).await.unwrap();
        assert_eq!(channel.recv().await.unwrap().unwrap().as_bytes(), [number]);
    }
    assert!(timeout(19 * SECOND, peer.recv()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn re87_a_message_that_comes_slowly_is_a_sign_of_life() {
    let mut server = ScriptedServer::new();
    let connect = connect(&server);
    let mut channel = connect.reconnect().heartbeat(heartbeat()).channel();
    let mut stream = upgraded(server.next_try().await.connect(), "").await;
    // Ten bytes, one after the other.
    stream.write_all(b"\x82\x0a").await.unwrap();
    for _ in 0..10 {
        tokio::time::sleep(15 * SECOND).await;
        stream.write_u8(7).await.unwrap();
    }
    assert_eq!(channel.recv().await.unwrap(), Some(vec![7; 10].into()));
    assert_eq!(channel.link().lost().map(ToString::to_string), None);
}

#[tokio::test(start_paused = true)]
async fn re87_a_peer_that_takes_what_stands_before_it_is_there() {
    let mut server = ScriptedServer::new();
    let connect = connect(&server).keepalive(Keepalive::OFF);
    let channel = connect.reconnect().heartbeat(heartbeat()).channel();
    let mut stream = upgraded(server.next_try().await.connect(), "").await;
    channel.ready().await.unwrap();
    // The heartbeat stands behind it.
    channel.try_send(vec![0; 1 << 20]).unwrap();
    let mut part = vec![0; 128 * 1024];
    for _ in 0..7 {
        tokio::time::sleep(15 * SECOND).await;
        stream.read_exact(&mut part).await.unwrap();
    }
    assert_eq!(channel.state(), ChannelState::Open);
    let taken = Instant::now();
    in_state(&channel, ChannelState::Retrying).await;
    assert_eq!(seconds(taken), 20);
    assert!(is_heartbeat(&channel), "{:?}", channel.link());
}

#[tokio::test(start_paused = true)]
async fn re87_many_answers_are_taken_in() {
    let (_server, mut channel, mut peer) = beating(heartbeat()).await;
    for _ in 0..10_000 {
        peer.feed("pong").await.unwrap();
    }
    peer.send("behind").await.unwrap();
    let behind = timeout(SECOND, channel.recv()).await.unwrap();
    assert_eq!(behind.unwrap(), Some("behind".into()));
}

#[tokio::test(start_paused = true)]
async fn re87_it_goes_past_what_is_queued_and_counts_for_nothing() {
    const SIZE: usize = 1 << 19;
    let (_server, channel, mut peer) = beating(heartbeat()).await;
    // The first takes all capacity of the socket, as the peer does not read.
    let first = channel.send_tracked(vec![0; SIZE]).unwrap();
    let queued = channel.send_tracked("queued").unwrap();
    tokio::time::sleep(20 * SECOND + Duration::from_millis(2)).await;
    assert_eq!(next(&mut peer).await.unwrap().len(), SIZE);
    assert_eq!(next(&mut peer).await, Some("ping".into()));
    assert_eq!(next(&mut peer).await, Some("queued".into()));
    let connection = 1;
    for receipt in [first, queued] {
        assert_eq!(receipt.await, Fate::Written { connection });
    }
    assert_eq!(channel.buffered_amount(), 0);
    // One that is on its way at the loss is no message of the program's.
    peer.cut_after(3);
    in_state(&channel, ChannelState::Retrying).await;
    assert_eq!(channel.link().lost().unwrap().unknown(), 0);
    channel.flush().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn re87_a_full_queue_suspends_it() {
    const CAPACITY: usize = 64;
    let (mut server, mut channel, mut peer) = beating(heartbeat()).await;
    for number in 0..CAPACITY {
        peer.send(number.to_string()).await.unwrap();
    }
    settle().await;
    peer.cut();
    // The next connection finds the queue full: nothing of it is received.
    let mut peer = accepted(&mut server).await;
    channel.ready().await.unwrap();
    let asked = timeout(600 * SECOND, peer.recv()).await;
    assert!(asked.is_err(), "{asked:?}");
    assert_eq!(channel.link().connection(), 2);
    for number in 0..CAPACITY {
        assert_eq!(
            channel.recv().await.unwrap(),
            Some(number.to_string().into())
        );
    }
    // Its silence counts from now on.
    let read = Instant::now();
    let reading = tokio::spawn(async move { channel.recv().await });
    assert_eq!(next(&mut peer).await, Some("ping".into()));
    assert_eq!(seconds(read), 20);
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn re87_closing_is_as_ever() {
    let (_server, channel, mut peer) = beating(heartbeat()).await;
    tokio::time::sleep(35 * SECOND).await;
    let closed = Instant::now();
    let closing = channel.close();
    let info = closing.await.unwrap();
    // By the close timeout, though the peer was to be given up 5 s before.
    assert_eq!(seconds(closed), 10);
    assert!(!info.clean);
    assert_eq!(next(&mut peer).await, Some("ping".into()));
}

#[tokio::test(start_paused = true)]
async fn re88_a_time_in_which_nothing_ran_does_not_count() {
    let (_server, channel, mut peer) = beating(heartbeat()).await;
    assert_eq!(next(&mut peer).await, Some("ping".into()));
    tokio::time::advance(60 * SECOND).await;
    let woken = Instant::now();
    settle().await;
    assert_eq!(channel.state(), ChannelState::Open);
    assert_eq!(next(&mut peer).await, Some("ping".into()), "another one");
    assert_eq!(seconds(woken), 0);
    tokio::time::sleep(19 * SECOND).await;
    assert_eq!(channel.state(), ChannelState::Open);
    peer.send("pong").await.unwrap();
    // From now on it has as long as ever.
    assert_eq!(next(&mut peer).await, Some("ping".into()));
    in_state(&channel, ChannelState::Retrying).await;
    assert_eq!(seconds(woken), 59);
}

/// A channel with the default keepalive, whose program is stopped for a minute while a ping is on its way.
async fn stopped() -> (ScriptedServer, WebSocketChannel, Peer) {
    let (server, channel, peer) = open().await;
    tokio::time::sleep(20 * SECOND + Duration::from_millis(2)).await;
    tokio::time::advance(60 * SECOND).await;
    (server, channel, peer)
}

#[tokio::test(start_paused = true)]
async fn re131_a_program_that_was_stopped_gives_nobody_up_for_it() {
    let (_server, channel, mut peer) = stopped().await;
    tokio::time::sleep(19 * SECOND).await;
    assert_eq!(channel.state(), ChannelState::Open);
    // It answers late, and what was asked last.
    let receiving = tokio::spawn(async move { peer.recv().await });
    tokio::time::sleep(120 * SECOND).await;
    assert_eq!(channel.link().connection(), 1);
    assert_eq!(channel.state(), ChannelState::Open);
    assert!(channel.latency().is_some());
    receiving.abort();
}

#[tokio::test(start_paused = true)]
async fn re131_a_peer_that_is_not_there_is_found_in_the_time_that_it_has() {
    let (_server, channel, _peer) = stopped().await;
    let woken = Instant::now();
    in_state(&channel, ChannelState::Retrying).await;
    assert_eq!(seconds(woken), 20);
}

#[tokio::test(start_paused = true)]
async fn re131_what_ended_meanwhile_is_told_at_once() {
    let (_server, mut channel, peer) = open().await;
    tokio::time::sleep(20 * SECOND + Duration::from_millis(2)).await;
    peer.cut();
    tokio::time::advance(60 * SECOND).await;
    let woken = Instant::now();
    let lost = loop {
        let event = channel.recv_event().await.unwrap();
        if let Some(talkback::ChannelEvent::Lost(lost)) = event {
            break lost;
        }
    };
    assert!(lost.close_info().is_some(), "{lost}");
    assert_eq!(seconds(woken), 0);
}

#[tokio::test(start_paused = true)]
async fn re114_a_heartbeat_that_panics_ends_its_channel_alone() {
    let heartbeat = Heartbeat::new(|| "ping".into(), |_| panic!("as the test wants it"));
    let (_server, mut channel, mut peer) = beating(heartbeat).await;
    peer.send("a").await.unwrap();
    let error = channel.recv().await.unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    assert_eq!(channel.state(), ChannelState::Closed);
}
