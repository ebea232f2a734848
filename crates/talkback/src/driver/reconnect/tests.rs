//! Sleeps of the machine: the wall clock has gone on, and the other one has not.

use http::Response;
use talkback_proto::{Incoming, Keepalive};
use tokio::time::{Instant, timeout};

use super::*;
use crate::channel::WebSocketChannel;
use crate::channel::lifecycle::ChannelState;
use crate::reconnect::heartbeat::Heartbeat;
use crate::reconnect::reconnecting::Reconnecting;
use crate::sleep::tests::{set_ahead, set_back};
use crate::test_util::{Peer, ScriptedServer};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const SECOND: Duration = Duration::from_secs(1);

/// A channel that is open. Its waits would be long.
async fn open(
    options: impl FnOnce(Reconnecting) -> Reconnecting,
) -> (ScriptedServer, WebSocketChannel, Peer) {
    let mut server = ScriptedServer::new();
    let connect = crate::connect("ws://server.example/").connector(server.connector());
    let backoff = crate::Backoff::default().first(HOUR).longest(HOUR);
    let reconnecting = connect.reconnect().backoff(backoff.shortest(HOUR));
    let channel = options(reconnecting).channel();
    let peer = server.next_try().await.accept().await.unwrap();
    channel.ready().await.unwrap();
    (server, channel, peer)
}

/// What happens to the channel: how many seconds from now it is lost, if it is, and tried again.
async fn lost_and_tried(
    server: &mut ScriptedServer,
    channel: &WebSocketChannel,
) -> (u64, Duration) {
    let begun = Instant::now();
    while channel.state() == ChannelState::Open {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let lost = Instant::now();
    let seconds = (lost - begun + SECOND / 4).as_secs();
    let attempt = timeout(2 * HOUR, server.next_try()).await.unwrap();
    drop(attempt);
    (seconds, lost.elapsed())
}

#[tokio::test(start_paused = true)]
async fn re89_after_a_sleep_a_peer_that_is_gone_is_found_soon() {
    let (mut server, channel, _peer) = open(|reconnecting| reconnecting).await;
    tokio::time::sleep(15 * SECOND).await;
    set_ahead(8 * HOUR);
    // The next tick is 5 s from now, and the answer has 5 s.
    let (lost, tried) = lost_and_tried(&mut server, &channel).await;
    assert_eq!(lost, 10);
    assert!(tried <= SECOND + SECOND / 10, "{tried:?}");
}

#[tokio::test(start_paused = true)]
async fn re89_so_it_is_if_a_ping_was_on_its_way() {
    let (mut server, channel, _peer) = open(|reconnecting| reconnecting).await;
    tokio::time::sleep(30 * SECOND).await;
    set_ahead(8 * HOUR);
    // Of its time 10 s are left.
    let (lost, tried) = lost_and_tried(&mut server, &channel).await;
    assert_eq!(lost, 10);
    assert!(tried <= SECOND + SECOND / 10, "{tried:?}");
}

#[tokio::test(start_paused = true)]
async fn re89_what_the_program_sends_is_a_look_too() {
    let (mut server, channel, _peer) = open(|reconnecting| reconnecting).await;
    set_ahead(8 * HOUR);
    channel.try_send("a").unwrap();
    let (lost, tried) = lost_and_tried(&mut server, &channel).await;
    assert_eq!(lost, 5);
    assert!(tried <= SECOND + SECOND / 10, "{tried:?}");
}

#[tokio::test(start_paused = true)]
async fn re89_a_heartbeat_is_sent_as_well() {
    let heartbeat = Heartbeat::new(|| "ping".into(), |_| false).interval(HOUR);
    let (_server, channel, mut peer) = open(|reconnecting| reconnecting.heartbeat(heartbeat)).await;
    set_ahead(8 * HOUR);
    channel.try_send("a").unwrap();
    let mut came = [peer.recv().await.unwrap(), peer.recv().await.unwrap()];
    came.sort_by_key(|message| message.as_ref().map(|message| message.as_bytes().len()));
    assert_eq!(came, [Some("a".into()), Some("ping".into())]);
}

#[tokio::test(start_paused = true)]
async fn re89_a_peer_that_answers_no_pings_is_not_asked() {
    let mut server = ScriptedServer::new();
    let connect = crate::connect("ws://server.example/").connector(server.connector());
    let channel = connect.keepalive(Keepalive::OFF).reconnect().channel();
    let _peer = server.next_try().await.accept().await.unwrap();
    channel.ready().await.unwrap();
    set_ahead(8 * HOUR);
    channel.try_send("a").unwrap();
    tokio::time::sleep(HOUR).await;
    assert_eq!(channel.state(), ChannelState::Open);
}

#[tokio::test(start_paused = true)]
async fn re89_a_wait_becomes_a_short_one() {
    let late = |_: &Lost, _| Verdict::RetryAfter(HOUR);
    let (mut server, channel, peer) = open(|reconnecting| reconnecting.decide(late)).await;
    peer.cut();
    tokio::time::sleep(SECOND).await;
    assert!(channel.link().next_try_in() > Some(HOUR - 10 * SECOND));
    tokio::time::sleep(10 * SECOND).await;
    set_ahead(8 * HOUR);
    // Nothing wakes the loop but its own look, once a minute.
    let begun = Instant::now();
    let attempt = timeout(2 * HOUR, server.next_try()).await.unwrap();
    assert!(begun.elapsed() <= 51 * SECOND, "{:?}", begun.elapsed());
    drop(attempt);
}

#[tokio::test(start_paused = true)]
async fn re89_a_wait_without_a_sleep_is_as_long_as_ever() {
    let (mut server, _channel, peer) = open(|reconnecting| reconnecting).await;
    let busy = Response::builder()
        .status(503)
        .header("Retry-After", "7200");
    peer.cut();
    let attempt = timeout(2 * HOUR, server.next_try()).await.unwrap();
    attempt.answer(busy.body("").unwrap()).await.unwrap();
    let begun = Instant::now();
    let _attempt = timeout(2 * HOUR, server.next_try()).await.unwrap();
    assert!(begun.elapsed() >= HOUR, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn re90_a_clock_that_is_set_costs_a_ping() {
    let (_server, channel, peer) = open(|reconnecting| reconnecting).await;
    let answering = tokio::spawn(async move {
        let mut peer = peer;
        let mut pings = 0;
        while let Ok(Some(incoming)) = peer.recv_incoming().await {
            match incoming {
                Incoming::Ping(_) => pings += 1,
                Incoming::Message(message) if message.as_text() == Some("last") => break,
                _ => {}
            }
        }
        (pings, peer)
    });
    for (set, message) in [(set_ahead as fn(Duration), "a"), (set_back, "b")] {
        set(DAY);
        channel.try_send(message).unwrap();
        tokio::time::sleep(SECOND).await;
    }
    channel.try_send("last").unwrap();
    let (pings, _peer) = answering.await.unwrap();
    assert_eq!(pings, 1);
    assert_eq!(channel.state(), ChannelState::Open);
    assert_eq!(channel.link().lost().map(ToString::to_string), None);
}
