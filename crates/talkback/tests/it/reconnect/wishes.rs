//! `reconnect_now`, `pause` and `resume`.

use super::*;

use std::io;

use talkback::{LostCause, Verdict};

#[tokio::test(start_paused = true)]
async fn re79_tries_that_are_asked_for_begin_a_second_apart() {
    let (mut server, channel) = retrying().await;
    let began = Instant::now();
    let mut tries = 0;
    while began.elapsed() < Duration::from_secs(1) {
        assert!(channel.reconnect_now());
        if let Ok(attempt) = timeout(Duration::from_millis(100), server.next_try()).await {
            attempt.fail(io::ErrorKind::ConnectionRefused);
            tries += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    assert!((1..=2).contains(&tries), "{tries}");
}

#[tokio::test(start_paused = true)]
async fn re80_an_open_connection_is_exchanged() {
    let (mut server, mut channel, mut old) = open().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    for number in 0..3 {
        channel.try_send(vec![number; 20_000]).unwrap();
    }
    settle().await;
    assert!(channel.reconnect_now());
    let began = Instant::now();
    let mut new = accepted(&mut server).await;
    assert!(began.elapsed() < Duration::from_millis(5));
    channel.ready().await.unwrap();
    // The old one gets what was handed to it, and an empty close frame; what it says reaches nobody.
    old.send("late").await.unwrap();
    for number in 0..3 {
        let message = old.recv().await.unwrap();
        let message = message.unwrap_or_else(|| panic!("{:?}", old.close_info()));
        assert_eq!(message.as_bytes()[0], number);
    }
    assert_eq!(old.recv().await.unwrap(), None);
    assert_eq!(old.close_info().unwrap().code.number(), 1005);
    new.send("new").await.unwrap();
    assert_eq!(channel.recv().await.unwrap(), Some("new".into()));
    assert_eq!(channel.link().connection(), 2);
}

#[tokio::test(start_paused = true)]
async fn re30_re80_what_the_program_asks_for_it_need_not_decide() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).decide(|_, _| Verdict::Stop).channel();
    let _old = accepted(&mut server).await;
    channel.ready().await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(channel.reconnect_now());
    let _new = accepted(&mut server).await;
    channel.ready().await.unwrap();
    assert!(channel.pause() && channel.resume());
    in_state(&channel, ChannelState::Open).await;
    assert!(channel.pause());
    in_state(&channel, ChannelState::Paused).await;
    assert!(channel.resume());
    accepted(&mut server).await.cut();
    assert!(channel.closed().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn re81_a_pause_lasts_until_it_is_ended() {
    // While it is open:
    let (mut server, channel, mut peer) = open().await;
    assert!(channel.pause() && channel.pause());
    assert_eq!(peer.recv().await.unwrap(), None);
    assert_eq!(peer.close_info().unwrap().code.number(), 1005);
    in_state(&channel, ChannelState::Paused).await;
    assert!(matches!(
        channel.link().lost().unwrap().cause(),
        LostCause::Paused
    ));
    channel.try_send("queued").unwrap();
    assert!(no_try(&mut server, Duration::from_secs(3600)).await);
    assert!(channel.resume());
    let mut peer = timeout(Duration::from_millis(5), accepted(&mut server))
        .await
        .unwrap();
    assert_eq!(peer.recv().await.unwrap(), Some("queued".into()));
    assert!(channel.resume(), "it changes nothing");
    // While it waits:
    peer.cut();
    in_state(&channel, ChannelState::Retrying).await;
    channel.pause();
    in_state(&channel, ChannelState::Paused).await;
    assert_eq!(channel.link().next_try_in(), None);
    assert!(no_try(&mut server, Duration::from_secs(3600)).await);
    channel.reconnect_now();
    // While it tries:
    let mut attempt = server.next_try().await;
    channel.pause();
    attempt.given_up().await;
    assert_eq!(channel.state(), ChannelState::Paused);
    channel.resume();
    let _peer = accepted(&mut server).await;
    channel.ready().await.unwrap();
    channel.close();
    assert!(!channel.pause() && !channel.reconnect_now());
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_ended_at_once_is_none() {
    let (mut server, channel, mut peer) = open().await;
    channel.pause();
    channel.resume();
    assert!(no_try(&mut server, Duration::from_secs(1)).await);
    channel.send("a").await.unwrap();
    assert_eq!(peer.recv().await.unwrap(), Some("a".into()));
}

#[tokio::test(start_paused = true)]
async fn re81_a_pause_just_before_it_opens_is_kept() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).channel();
    let mut peer = accepted(&mut server).await;
    assert!(channel.pause());
    in_state(&channel, ChannelState::Paused).await;
    assert_eq!(peer.recv().await.unwrap(), None);
    assert!(no_try(&mut server, Duration::from_secs(3600)).await);
    // One that is ended before the loop has seen it is none.
    assert!(channel.resume());
    let _peer = accepted(&mut server).await;
    channel.pause();
    channel.resume();
    channel.ready().await.unwrap();
    assert!(no_try(&mut server, Duration::from_secs(1)).await);
}

#[tokio::test(start_paused = true)]
async fn re79_the_answer_to_a_loss_is_a_try_at_once() {
    let (mut server, mut channel, peer) = open().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    peer.cut();
    loop {
        match channel.recv_event().await.unwrap().unwrap() {
            talkback::ChannelEvent::Lost(_) => break,
            _ => assert_eq!(channel.state(), ChannelState::Open),
        }
    }
    assert_eq!(channel.state(), ChannelState::Retrying);
    assert!(channel.reconnect_now());
    assert!(!no_try(&mut server, Duration::from_millis(5)).await);
}

#[tokio::test(start_paused = true)]
async fn re80_close_is_more_than_another_connection() {
    for wish in [WebSocketChannel::reconnect_now, WebSocketChannel::pause] {
        let (_server, channel, mut peer) = open().await;
        for _ in 0..100 {
            channel.try_send(vec![0; 10_000]).unwrap();
        }
        assert!(wish(&channel));
        let closing = channel.close();
        for _ in 0..100 {
            assert!(peer.recv().await.unwrap().is_some());
        }
        assert_eq!(peer.recv().await.unwrap(), None);
        assert!(closing.await.unwrap().clean);
    }
}

#[tokio::test(start_paused = true)]
async fn re108_a_ping_is_lost_with_its_connection() {
    let (mut server, channel, mut peer) = open().await;
    // The keepalive's first ping comes after 20 s of silence.
    let first_ping = Duration::from_secs(21);
    assert!(timeout(first_ping, peer.recv()).await.is_err());
    assert!(channel.latency().is_some());
    let pinging = channel.ping("");
    let cutting = async {
        settle().await;
        peer.cut();
    };
    let (answered, ()) = tokio::join!(pinging, cutting);
    let error = answered.unwrap_err();
    assert_eq!(error.kind(), talkback::SendErrorKind::InFlight);
    in_state(&channel, ChannelState::Retrying).await;
    assert_eq!(channel.latency(), None);
    let mut peer = accepted(&mut server).await;
    channel.ready().await.unwrap();
    assert_eq!(channel.latency(), None);
    assert!(timeout(first_ping, peer.recv()).await.is_err());
    assert!(channel.latency().is_some());
    tokio::spawn(async move { peer.recv().await });
    let answered = timeout(Duration::from_secs(1), channel.ping("")).await;
    answered.unwrap().unwrap();
}
