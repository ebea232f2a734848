//! Closing and dropping a channel, in each state.

use super::*;

use std::sync::Arc;

use talkback::{CloseCause, CloseCode, Fate, Initiator};
use talkback_testing::heap::in_use;
use tokio::runtime::Handle;

#[tokio::test(start_paused = true)]
async fn re31_close_ends_a_wait_at_once() {
    let (mut server, mut channel) = retrying().await;
    let began = Instant::now();
    let info = channel.close().await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(
        matches!(&info.cause, CloseCause::NotOpened(why) if why.contains("closed while waiting"))
    );
    assert_eq!(
        (info.code, info.initiator),
        (CloseCode::ABNORMAL, Initiator::Local)
    );
    assert_eq!(channel.recv().await.unwrap(), None);
    assert!(no_try(&mut server, Duration::from_secs(3600)).await);
}

#[tokio::test(start_paused = true)]
async fn re32_what_is_queued_gets_one_try() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server)
        .on_connected(|mut connected| async move {
            connected.send("login").await?;
            Ok(())
        })
        .channel();
    accepted(&mut server).await.cut();
    in_state(&channel, ChannelState::Retrying).await;
    channel.try_send("a").unwrap();
    channel.try_send("b").unwrap();
    let began = Instant::now();
    let closing = channel.close();
    let mut peer = accepted(&mut server).await;
    assert!(began.elapsed() < Duration::from_millis(5));
    for text in ["login", "a", "b"] {
        assert_eq!(peer.recv().await.unwrap(), Some(text.into()));
    }
    assert_eq!(peer.recv().await.unwrap(), None);
    let info = closing.await.unwrap();
    assert!(info.clean && info.initiator == Initiator::Local);
    assert!(no_try(&mut server, LONG).await);
}

#[tokio::test(start_paused = true)]
async fn re33_a_refusal_ends_it() {
    let (mut server, channel) = retrying().await;
    let receipts = ["a", "b"].map(|text| channel.send_tracked(text).unwrap());
    let closing = channel.close();
    let attempt = server.next_try().await;
    attempt.fail(std::io::ErrorKind::ConnectionRefused);
    let error = closing.await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("2 messages that were queued were not written"),
        "{error}"
    );
    let fates = receipts.map(|receipt| receipt.fate());
    assert_eq!(fates, [Some(Fate::Unsent); 2]);
    assert!(no_try(&mut server, LONG).await);
}

#[tokio::test(start_paused = true)]
async fn re34_silence_ends_it_with_the_close_timeout() {
    let (mut server, channel) = retrying().await;
    channel.try_send("a").unwrap();
    let began = Instant::now();
    let closing = channel.close();
    let _held = server.next_try().await;
    assert!(closing.await.is_err());
    let after = began.elapsed();
    assert!((9_990..10_010).contains(&after.as_millis()), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn re35_a_dropped_channel_tries_no_more() {
    let mut after = Vec::new();
    // What the first one sets up for good is no part of the others.
    for _ in 0..3 {
        let (mut server, channel) = retrying().await;
        drop(channel);
        assert!(no_try(&mut server, Duration::from_secs(3600)).await);
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
        drop(server);
        after.push(in_use());
    }
    assert_eq!(after[1], after[2]);
}

#[tokio::test(start_paused = true)]
async fn re36_a_try_that_is_dropped_is_closed() {
    let (mut server, channel) = retrying().await;
    let mut attempt = server.next_try().await;
    drop(channel);
    attempt.given_up().await;
    drop(attempt);
    assert!(no_try(&mut server, Duration::from_secs(3600)).await);
}

#[tokio::test(start_paused = true)]
async fn re37_a_hook_that_runs_is_dropped() {
    let mut server = ScriptedServer::new();
    // The function holds it, and so does what it has returned.
    let held = Arc::new(());
    let holder = || Arc::clone(&held);
    let hangs = |held: Arc<()>| async move {
        std::future::pending::<()>().await;
        drop(held);
    };
    let function = holder();
    let channel = reconnecting(&server)
        .before_try(move |connect, _| {
            let hook = hangs(Arc::clone(&function));
            async move {
                hook.await;
                Ok(connect)
            }
        })
        .channel();
    settle().await;
    assert_eq!(Arc::strong_count(&held), 3);
    let info = channel.close().await.unwrap();
    assert!(matches!(info.cause, CloseCause::NotOpened(_)));
    settle().await;
    assert_eq!(Arc::strong_count(&held), 1);
    let function = holder();
    let channel = reconnecting(&server)
        .on_connected(move |_connected| {
            let hook = hangs(Arc::clone(&function));
            async move {
                hook.await;
                Ok(())
            }
        })
        .channel();
    let peer = accepted(&mut server).await;
    settle().await;
    assert_eq!(channel.state(), ChannelState::Connecting);
    assert_eq!(Arc::strong_count(&held), 3);
    channel.close().await.unwrap();
    peer.gone().await;
    settle().await;
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test(start_paused = true)]
async fn re38_the_last_half_that_is_dropped_ends_it() {
    let (mut server, channel) = retrying().await;
    let (sender, receiver) = channel.split();
    drop(receiver);
    settle().await;
    assert_eq!(sender.state(), ChannelState::Retrying);
    drop(sender);
    assert!(no_try(&mut server, Duration::from_secs(3600)).await);
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn re39_closing_twice_is_closing_once() {
    let (mut server, channel) = retrying().await;
    channel.try_send("a").unwrap();
    let first = channel.close();
    let attempt = server.next_try().await;
    let second = channel.close();
    let mut peer = attempt.accept().await.unwrap();
    let third = channel.close();
    while let Ok(Some(_)) = peer.recv().await {}
    let info = first.await.unwrap();
    for other in [second, third] {
        assert_eq!(other.await.unwrap(), info);
    }
}

#[tokio::test(start_paused = true)]
async fn re82_close_while_paused_is_as_while_it_waits() {
    let (mut server, channel, _peer) = open().await;
    assert!(channel.pause());
    in_state(&channel, ChannelState::Paused).await;
    channel.try_send("a").unwrap();
    let closing = channel.close();
    let mut peer = accepted(&mut server).await;
    assert_eq!(peer.recv().await.unwrap(), Some("a".into()));
    assert_eq!(peer.recv().await.unwrap(), None);
    closing.await.unwrap();
    let (_server, channel, _peer) = open().await;
    channel.pause();
    in_state(&channel, ChannelState::Paused).await;
    assert!(matches!(
        channel.close().await.unwrap().cause,
        CloseCause::NotOpened(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn re120_a_runtime_that_is_shut_down_ends_it() {
    let (sent, received) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let (_server, channel) = runtime.block_on(retrying());
        drop(runtime);
        sent.send(channel).unwrap();
    });
    let mut channel = received.recv().unwrap();
    let error = channel.recv().await.unwrap_err();
    assert!(error.to_string().contains("runtime"), "{error}");
    assert_eq!(channel.state(), ChannelState::Closed);
}
