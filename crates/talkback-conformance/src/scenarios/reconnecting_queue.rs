//! Messages of a channel that stays connected.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{Either, join, select};
use talkback::{
    ChannelEvent, ChannelState, Message, QueueLimits, SendErrorKind, TrySendErrorKind,
    WebSocketChannel,
};

use super::reconnecting::{goes_away, refuses};
use super::{
    InTurn, Observed, close_cleanly, exchange, had_connections, in_state, new_id, next, soon,
    when_told,
};
use crate::backend::Backend;
use crate::behaviour::{Behaviour, When};
use crate::outcome::{Failure, Outcome};

pub(crate) async fn re55_re56_a_full_queue_hands_back_and_send_waits(
    backend: &dyn Backend,
) -> Outcome {
    const CAPACITY: usize = 64;
    let server = InTurn::new([goes_away(When::Open), Behaviour::ECHO])?;
    let limits = QueueLimits::default().messages_max(CAPACITY);
    let connect = server.connect(backend).send_queue(limits);
    let mut channel = when_told(connect).channel();
    let sender = channel.sender();
    in_state(backend, &sender, ChannelState::Retrying).await;
    for number in 0..CAPACITY {
        channel.try_send(number.to_string())?;
    }
    let Err(refused) = channel.try_send("one too many") else {
        return Err(Failure::new("a message that was taken"));
    };
    ensure_eq!(refused.kind(), TrySendErrorKind::Full);
    ensure_eq!(refused.into_message(), Message::from("one too many"));
    let waiting = sender.send(CAPACITY.to_string());
    let reading = async {
        channel.reconnect_now();
        for number in 0..=CAPACITY {
            ensure_eq!(next(&mut channel).await?, Message::from(number.to_string()));
        }
        Ok(())
    };
    let (sent, read) = join(waiting, reading).await;
    sent?;
    read
}

pub(crate) async fn re57_a_send_that_waits_learns_of_the_end(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([refuses()])?;
    let limits = QueueLimits::default().messages_max(1);
    let connect = server.connect(backend).send_queue(limits);
    let channel = soon(connect).tries_max(1).channel();
    channel.try_send("a")?;
    let Err(refused) = channel.send("b").await else {
        return Err(Failure::new("a message that was taken"));
    };
    ensure_eq!(refused.kind(), SendErrorKind::Closed);
    ensure_eq!(refused.into_message(), Some(Message::from("b")));
    Ok(())
}

pub(crate) async fn re65_one_message_of_any_size_fits(backend: &dyn Backend) -> Outcome {
    let server = InTurn::new([goes_away(When::Open), Behaviour::ECHO])?;
    let mut channel = server.when_told(backend).channel();
    in_state(backend, &channel.sender(), ChannelState::Retrying).await;
    let large = Message::from(vec![7; 3 * 1024 * 1024]);
    channel.try_send(large.clone())?;
    ensure_matches!(channel.try_send("b"), Err(refused) if refused.is_full());
    channel.reconnect_now();
    let came = next(&mut channel).await?;
    ensure!(came == large, "{} bytes", came.len());
    Ok(())
}

pub(crate) async fn re71_flush_tells_of_what_was_in_flight(backend: &dyn Backend) -> Outcome {
    let delay = Duration::from_millis(300);
    let server = InTurn::new([Behaviour::Cut { delay }, Behaviour::ECHO])?;
    let unknown = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&unknown);
    let reconnecting = server.soon(backend).decide(move |lost, verdict| {
        counted.fetch_add(lost.unknown(), Ordering::Relaxed);
        verdict
    });
    let mut channel = reconnecting.channel();
    channel.ready().await?;
    // More than the sockets of both ends hold.
    channel.send(vec![0; 32 * 1024 * 1024]).await?;
    let Err(refused) = channel.flush().await else {
        return Err(Failure::new("a flush that saw no loss"));
    };
    ensure_eq!(refused.kind(), SendErrorKind::InFlight);
    had_connections(backend, &channel.sender(), 2).await;
    ensure_eq!(unknown.load(Ordering::Relaxed), 1);
    // It is told once, and the message is not sent again.
    exchange(&mut channel, "next").await?;
    channel.flush().await?;
    Ok(())
}

pub(crate) async fn re72_flush_waits_for_what_is_queued(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let server = InTurn::new([goes_away(When::Open), observed.behaviour()])?;
    let channel = server.when_told(backend).channel();
    in_state(backend, &channel.sender(), ChannelState::Retrying).await;
    channel.try_send("a")?;
    let flushing = Box::pin(channel.flush());
    let waited = select(flushing, backend.sleep(Duration::from_millis(100))).await;
    let Either::Right(((), flushing)) = waited else {
        return Err(Failure::new("a flush that did not wait"));
    };
    channel.reconnect_now();
    flushing.await?;
    close_cleanly(&channel.sender()).await?;
    ensure_eq!(observed.seen(backend).await?.messages, [Message::from("a")]);
    Ok(())
}

/// A channel with a message of each of two connections, which nobody has read.
async fn with_a_gap(backend: &dyn Backend) -> Result<WebSocketChannel, Failure> {
    let server = InTurn::new([goes_away(When::Message), Behaviour::ECHO])?;
    let channel = server.soon(backend).channel();
    channel.ready().await?;
    channel.send("a").await?;
    had_connections(backend, &channel.sender(), 2).await;
    channel.send("b").await?;
    Ok(channel)
}

pub(crate) async fn re74_events_stand_between_the_messages(backend: &dyn Backend) -> Outcome {
    let mut channel = with_a_gap(backend).await?;
    let mut words = Vec::new();
    for _ in 0..5 {
        words.push(match channel.recv_event().await? {
            Some(ChannelEvent::Opened(opened)) => format!("opened {}", opened.connection()),
            Some(ChannelEvent::Lost(lost)) => format!("lost {}", lost.connection()),
            Some(ChannelEvent::Message(message)) => message.to_string(),
            other => format!("{other:?}"),
        });
    }
    ensure_eq!(words, ["opened 1", "a", "lost 1", "opened 2", "b"]);
    Ok(())
}

pub(crate) async fn re75_recv_passes_over_them_and_knows_the_connection(
    backend: &dyn Backend,
) -> Outcome {
    let mut channel = with_a_gap(backend).await?;
    for (text, connection) in [("a", 1), ("b", 2)] {
        ensure_eq!(next(&mut channel).await?, Message::from(text));
        ensure_eq!(channel.connection(), connection);
    }
    Ok(())
}

pub(crate) async fn re80_an_open_connection_is_exchanged(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let server = InTurn::new([observed.behaviour(), Behaviour::ECHO])?;
    let mut channel = server.soon(backend).channel();
    channel.ready().await?;
    let messages = [1, 2, 3].map(|number| Message::from(vec![number; 20_000]));
    for message in &messages {
        channel.try_send(message)?;
    }
    // They are with the socket.
    backend.sleep(Duration::from_millis(50)).await;
    ensure!(channel.reconnect_now(), "{:?}", channel.link());
    had_connections(backend, &channel.sender(), 2).await;
    exchange(&mut channel, "new").await?;
    let seen = observed.seen(backend).await?;
    ensure_eq!(seen.messages, messages);
    ensure_eq!(seen.end, "close 1005");
    server.see(backend, 2, 1).await
}

pub(crate) async fn re80_what_the_old_one_says_reaches_nobody(backend: &dyn Backend) -> Outcome {
    // It says this once it gets our close frame.
    let floods = Behaviour::Flood { count: 100 };
    let server = InTurn::new([floods, Behaviour::ECHO])?;
    let mut channel = server.soon(backend).channel();
    channel.ready().await?;
    ensure!(channel.reconnect_now(), "{:?}", channel.link());
    had_connections(backend, &channel.sender(), 2).await;
    server.see(backend, 2, 1).await?;
    let text = new_id()?.to_string();
    exchange(&mut channel, text).await
}
