//! Who keeps a channel open, and what dropping the last of them does.

use futures_util::StreamExt;
use talkback::{ChannelState, Message, SnapshotState, TrySendErrorKind, WebSocketChannel};

use super::{Observed, close_cleanly, connect, exchange, expect_end, open};
use crate::backend::Backend;
use crate::behaviour::Behaviour;
use crate::outcome::{Failure, Outcome};

pub(crate) async fn drop_delivers_what_is_queued_then_closes(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let channel = open(backend, &observed.behaviour()).await?;
    drop_delivers(backend, channel, &observed).await
}

pub(crate) async fn drop_before_it_is_open_does_so_too(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let channel = connect(backend, &observed.behaviour());
    drop_delivers(backend, channel, &observed).await
}

pub(crate) async fn drop_closes_the_senders(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let channel = open(backend, &observed.behaviour()).await?;
    let sender = channel.sender();
    drop(channel);
    let message = Message::from("too late");
    let Err(refused) = sender.try_send(message.clone()) else {
        return Err(Failure::new("a message after the end"));
    };
    ensure_eq!(refused.kind(), TrySendErrorKind::Closed);
    ensure_eq!(refused.into_message(), message);
    let info = sender.closed().await?;
    ensure!(info.clean, "{info}");
    ensure_eq!(observed.seen(backend).await?.end, "close 1005");
    Ok(())
}

pub(crate) async fn receiver_dropped_discards_what_comes(backend: &dyn Backend) -> Outcome {
    let channel = open(backend, &Behaviour::ECHO).await?;
    let (sender, receiver) = channel.split();
    drop(receiver);
    // More than queues and sockets hold: were it not discarded, all would wait for each other.
    for _ in 0..500 {
        sender.send(vec![0; 64 * 1024]).await?;
    }
    sender.flush().await?;
    ensure_eq!(sender.state(), ChannelState::Open);
    close_cleanly(&sender).await?;
    Ok(())
}

pub(crate) async fn receiver_alone_keeps_it_open(backend: &dyn Backend) -> Outcome {
    let channel = open(backend, &Behaviour::Burst { count: 100 }).await?;
    let (sender, receiver) = channel.split();
    drop(sender);
    let received = receiver.take(100).collect::<Vec<_>>().await;
    for (number, message) in received.into_iter().enumerate() {
        ensure_eq!(message?, Message::from(number.to_string()));
    }
    Ok(())
}

pub(crate) async fn last_half_dropped_closes(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let channel = open(backend, &observed.behaviour()).await?;
    let (first, receiver) = channel.split();
    let last = first.clone();
    drop(first);
    drop(receiver);
    last.send("still open").await?;
    drop(last);
    let seen = observed.seen(backend).await?;
    ensure_eq!(seen.messages, [Message::from("still open")]);
    ensure_eq!(seen.end, "close 1005");
    Ok(())
}

pub(crate) async fn watch_does_not_keep_it_open(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let channel = open(backend, &observed.behaviour()).await?;
    let mut watch = channel.snapshots();
    drop(channel);
    while watch.next().await.is_some() {}
    let last = watch.latest();
    ensure_eq!(last.state, SnapshotState::Done);
    ensure!(last.error.is_none(), "{last:?}");
    ensure_eq!(observed.seen(backend).await?.end, "close 1005");
    Ok(())
}

pub(crate) async fn snapshots_dropped_close(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let channel = open(backend, &observed.behaviour()).await?;
    drop(channel.into_snapshots());
    ensure_eq!(observed.seen(backend).await?.end, "close 1005");
    Ok(())
}

pub(crate) async fn sender_keeps_snapshots_open(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let channel = open(backend, &observed.behaviour()).await?;
    let sender = channel.sender();
    drop(channel.into_snapshots());
    sender.send("still open").await?;
    drop(sender);
    let seen = observed.seen(backend).await?;
    ensure_eq!(seen.messages, [Message::from("still open")]);
    ensure_eq!(seen.end, "close 1005");
    Ok(())
}

pub(crate) async fn halves_in_two_tasks(backend: &dyn Backend) -> Outcome {
    const COUNT: usize = 1000;
    let (sender, receiver) = connect(backend, &Behaviour::ECHO).split();
    backend.spawn(Box::pin(async move {
        for number in 0..COUNT {
            // The other task sees what is missing.
            if sender.send(number.to_string()).await.is_err() {
                return;
            }
        }
    }));
    let received = receiver.take(COUNT).collect::<Vec<_>>().await;
    ensure_eq!(received.len(), COUNT);
    for (number, message) in received.into_iter().enumerate() {
        ensure_eq!(message?, Message::from(number.to_string()));
    }
    Ok(())
}

pub(crate) async fn sender_closes_from_another_task(backend: &dyn Backend) -> Outcome {
    let mut channel = open(backend, &Behaviour::ECHO).await?;
    exchange(&mut channel, "open").await?;
    let sender = channel.sender();
    backend.spawn(Box::pin(async move {
        // The other task sees the code.
        let _ = sender.close_with(3000, "enough");
    }));
    expect_end(&mut channel).await?;
    let info = channel.closed().await?;
    ensure_eq!((info.code.number(), &*info.reason), (3000, "enough"));
    Ok(())
}

async fn drop_delivers(
    backend: &dyn Backend,
    channel: WebSocketChannel,
    observed: &Observed,
) -> Outcome {
    let messages: Vec<Message> = vec!["one".into(), vec![2; 200_000].into(), "three".into()];
    for message in &messages {
        channel.try_send(message.clone())?;
    }
    drop(channel);
    let seen = observed.seen(backend).await?;
    ensure_eq!(seen.messages, messages);
    ensure_eq!(seen.end, "close 1005");
    Ok(())
}
