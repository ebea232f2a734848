//! Closing, dropping, pausing and looking at a channel that stays connected.

use std::time::Duration;

use futures_util::StreamExt;
use talkback::{
    ChannelState, CloseCause, CloseCode, CloseInfo, Error, Initiator, LostCause, Message,
    SnapshotState, Verdict,
};

use super::reconnecting::{goes_away, refuses};
use super::{
    InTurn, LONG_ENOUGH, Observed, close_cleanly, expect_end, had_connections, in_state, next,
};
use crate::backend::Backend;
use crate::behaviour::{Behaviour, When};
use crate::outcome::{Failure, Outcome};

pub(crate) async fn re31_close_ends_a_wait_at_once(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([goes_away(When::Open)])?;
    let mut channel = server.when_told(backend).channel();
    in_state(backend, &channel.sender(), ChannelState::Retrying).await;
    is_not_opened(&channel.close().await?)?;
    expect_end(&mut channel).await?;
    backend.sleep(LONG_ENOUGH).await;
    server.see(backend, 1, 0).await
}

pub(crate) async fn re32_what_is_queued_gets_one_try_behind_the_hook(
    backend: &dyn Backend,
) -> Outcome {
    let observed = Observed::new()?;
    let server = InTurn::new([refuses(), observed.behaviour()])?;
    let reconnecting = server
        .when_told(backend)
        .on_connected(|mut connected| async move {
            connected.send("login").await?;
            Ok(())
        });
    let mut channel = reconnecting.channel();
    in_state(backend, &channel.sender(), ChannelState::Retrying).await;
    channel.try_send("a")?;
    channel.try_send("b")?;
    close_cleanly(&channel.sender()).await?;
    expect_end(&mut channel).await?;
    let seen = observed.seen(backend).await?;
    ensure_eq!(seen.messages, ["login", "a", "b"].map(Message::from));
    ensure_eq!(seen.end, "close 1005");
    Ok(())
}

pub(crate) async fn re35_dropped_while_it_waits_it_tries_no_more(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([goes_away(When::Open)])?;
    let after = Verdict::RetryAfter(LONG_ENOUGH);
    let channel = server.soon(backend).decide(move |_, _| after).channel();
    in_state(backend, &channel.sender(), ChannelState::Retrying).await;
    drop(channel);
    backend.sleep(2 * LONG_ENOUGH).await;
    server.see(backend, 1, 0).await
}

pub(crate) async fn re36_dropped_while_it_tries_it_closes_the_socket(
    backend: &dyn Backend,
) -> Outcome {
    let server = InTurn::new([goes_away(When::Open), Behaviour::Silent])?;
    let channel = server.soon(backend).channel();
    is_trying_again(backend, &channel).await;
    drop(channel);
    server.see(backend, 2, 0).await?;
    backend.sleep(LONG_ENOUGH).await;
    server.see(backend, 2, 0).await
}

pub(crate) async fn re81_a_pause_lasts_until_it_is_ended(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let server = InTurn::new([observed.behaviour(), Behaviour::Silent, Behaviour::ECHO])?;
    let mut channel = server.soon(backend).channel();
    channel.ready().await?;
    // While it is open:
    ensure!(channel.pause() && channel.pause(), "{:?}", channel.link());
    in_state(backend, &channel.sender(), ChannelState::Paused).await;
    let link = channel.link();
    ensure_matches!(
        link.lost().map(|lost| lost.cause().clone()),
        Some(LostCause::Paused)
    );
    ensure_eq!(observed.seen(backend).await?.end, "close 1005");
    channel.try_send("queued")?;
    backend.sleep(LONG_ENOUGH).await;
    server.see(backend, 1, 0).await?;
    ensure!(channel.resume() && channel.resume(), "{:?}", channel.link());
    // While it tries:
    is_trying_again(backend, &channel).await;
    channel.pause();
    server.see(backend, 2, 0).await?;
    ensure_eq!(channel.state(), ChannelState::Paused);
    channel.reconnect_now();
    ensure_eq!(next(&mut channel).await?, Message::from("queued"));
    close_cleanly(&channel.sender()).await?;
    ensure!(
        !channel.pause() && !channel.resume(),
        "{:?}",
        channel.link()
    );
    Ok(())
}

pub(crate) async fn re81_a_wait_can_be_paused(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([refuses(), Behaviour::ECHO])?;
    let after = Verdict::RetryAfter(LONG_ENOUGH);
    let channel = server.soon(backend).decide(move |_, _| after).channel();
    in_state(backend, &channel.sender(), ChannelState::Retrying).await;
    channel.pause();
    in_state(backend, &channel.sender(), ChannelState::Paused).await;
    ensure_eq!(channel.link().next_try_in(), None);
    backend.sleep(2 * LONG_ENOUGH).await;
    server.see(backend, 1, 0).await?;
    channel.resume();
    channel.ready().await?;
    Ok(())
}

pub(crate) async fn re82_close_while_paused_sends_what_is_queued(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let server = InTurn::new([Behaviour::ECHO, observed.behaviour()])?;
    let mut channel = server.soon(backend).channel();
    channel.ready().await?;
    channel.pause();
    in_state(backend, &channel.sender(), ChannelState::Paused).await;
    channel.try_send("queued")?;
    close_cleanly(&channel.sender()).await?;
    expect_end(&mut channel).await?;
    ensure_eq!(
        observed.seen(backend).await?.messages,
        [Message::from("queued")]
    );
    Ok(())
}

pub(crate) async fn re82_close_while_paused_ends_at_once(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([Behaviour::ECHO])?;
    let mut channel = server.soon(backend).channel();
    channel.ready().await?;
    channel.pause();
    in_state(backend, &channel.sender(), ChannelState::Paused).await;
    is_not_opened(&channel.close().await?)?;
    expect_end(&mut channel).await?;
    server.see(backend, 1, 0).await
}

pub(crate) async fn re102_snapshots_keep_the_data_through_a_loss(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([goes_away(When::Message), Behaviour::ECHO])?;
    let channel = server.when_told(backend).channel();
    let sender = channel.sender();
    let snapshots = channel.into_snapshots();
    ensure_eq!(snapshots.latest().state, SnapshotState::Waiting);
    sender.send("a").await?;
    in_state(backend, &sender, ChannelState::Retrying).await;
    let down = snapshots.latest();
    ensure_eq!((down.state, down.text()), (SnapshotState::Active, "a"));
    ensure_matches!(down.error, Some(Error::Closed(info)) if info.code == CloseCode::GOING_AWAY);
    ensure!(down.close.is_none(), "{down:?}");
    ensure_eq!(down.link.state(), ChannelState::Retrying);
    sender.reconnect_now();
    sender.ready().await?;
    let up = snapshots.latest();
    ensure_eq!((up.state, up.text()), (SnapshotState::Active, "a"));
    ensure!(up.error.is_none(), "{up:?}");
    sender.send("b").await?;
    while snapshots.latest().text() != "b" {
        backend.sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

pub(crate) async fn re104_snapshots_end_once_with_the_error(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([goes_away(When::Open), refuses()])?;
    let mut snapshots = server.soon(backend).tries_max(2).channel().into_snapshots();
    let mut done = 0;
    while let Some(snapshot) = snapshots.next().await {
        if snapshot.state == SnapshotState::Done {
            ensure_matches!(snapshot.error, Some(Error::GaveUp { tries: 2, .. }));
            done += 1;
        }
    }
    ensure_eq!(done, 1);
    Ok(())
}

pub(crate) async fn re110_a_receiver_that_is_dropped_holds_up_nothing(
    backend: &dyn Backend,
) -> Outcome {
    let observed = Observed::new()?;
    let server = InTurn::new([goes_away(When::Message), observed.behaviour()])?;
    let (sender, receiver) = server.soon(backend).channel().split();
    drop(receiver);
    sender.send("its answer reaches nobody").await?;
    had_connections(backend, &sender, 2).await;
    sender.send("a").await?;
    ensure_eq!(sender.link().state(), ChannelState::Open);
    close_cleanly(&sender).await?;
    ensure_eq!(observed.seen(backend).await?.messages, [Message::from("a")]);
    Ok(())
}

/// Waits until a later try is with the server.
async fn is_trying_again(backend: &dyn Backend, channel: &talkback::WebSocketChannel) {
    let is_trying = || {
        let link = channel.link();
        link.state() == ChannelState::Connecting && link.connection() == 1 && link.tries() == 1
    };
    while !is_trying() {
        backend.sleep(Duration::from_millis(5)).await;
    }
    backend.sleep(LONG_ENOUGH).await;
}

/// Holds a channel to have ended while there was no connection.
fn is_not_opened(info: &CloseInfo) -> Result<(), Failure> {
    ensure_matches!(info.cause, CloseCause::NotOpened(why) if why.contains("closed while waiting"));
    ensure_eq!(
        (info.code, info.initiator),
        (CloseCode::ABNORMAL, Initiator::Local)
    );
    Ok(())
}
