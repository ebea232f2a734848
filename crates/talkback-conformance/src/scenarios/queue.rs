//! The bounded queues in both directions.

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use talkback::{CloseCause, Error, Limits, Message, Sender};

use super::{Observed, close_cleanly, expect_closed, expect_end, new_id, next, open};
use crate::backend::{Backend, Options};
use crate::behaviour::{Behaviour, When};
use crate::outcome::{Failure, Outcome};

/// 640 MB of fillers: more than any platform's sockets hold.
const ACCEPTED_MAX: usize = 10_000;

/// Longer than any scenario takes.
const FOR_EVER: Duration = Duration::from_secs(3600);

pub(crate) async fn full_hands_the_message_back(backend: &dyn Backend) -> Outcome {
    let channel = open(backend, &Behaviour::Stall { delay: FOR_EVER }).await?;
    let sender = channel.sender();
    let (refused, mut total) = fill(&sender)?;
    ensure_eq!(refused, filler());
    ensure!(
        channel.buffered_amount() > 0,
        "a full queue with nothing in it"
    );
    // The transport takes some more, but it has an end as well.
    loop {
        backend.sleep(Duration::from_millis(20)).await;
        let (_, accepted) = fill(&sender)?;
        total += accepted;
        if accepted == 0 {
            return Ok(());
        }
        ensure!(
            total < ACCEPTED_MAX,
            "{total} messages and capacity for more"
        );
    }
}

pub(crate) async fn full_makes_send_wait(backend: &dyn Backend) -> Outcome {
    let delay = Duration::from_millis(200);
    let channel = open(backend, &Behaviour::Stall { delay }).await?;
    let (sender, mut receiver) = channel.split();
    let (refused, accepted) = fill(&sender)?;
    let receiving = async {
        // Everything that was accepted comes back, and then what had to wait.
        for _ in 0..=accepted {
            let message = receiver.recv().await?;
            ensure_eq!(message, Some(filler()));
        }
        Outcome::Ok(())
    };
    let (sent, received) = futures_util::future::join(sender.send(refused), receiving).await;
    sent?;
    received
}

pub(crate) async fn full_does_not_keep_close_from_ending(backend: &dyn Backend) -> Outcome {
    let limits = Limits::default().close_timeout(Duration::from_millis(200));
    let options = Options {
        limits,
        ..Options::default()
    };
    let channel = backend.open(&Behaviour::Stall { delay: FOR_EVER }, options);
    channel.ready().await?;
    fill(&channel.sender())?;
    // If the sockets did not take all of it, that is no silent loss.
    let outcome = channel.close().await;
    ensure_matches!(outcome, Ok(_) | Err(Error::Send(_)));
    let info = channel.close_info();
    let end = info.map(|info| (info.clean, info.cause));
    ensure_eq!(end, Some((false, CloseCause::CloseTimeout)));
    Ok(())
}

pub(crate) async fn takes_one_message_of_any_size(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let channel = open(backend, &observed.behaviour()).await?;
    let message = Message::from(vec![7; 3 * 1024 * 1024]);
    channel.try_send(message.clone())?;
    close_cleanly(&channel.sender()).await?;
    ensure_eq!(observed.seen(backend).await?.messages, [message]);
    Ok(())
}

pub(crate) async fn is_empty_after_a_flush(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let channel = open(backend, &observed.behaviour()).await?;
    for _ in 0..10 {
        channel.try_send(vec![0; 1000])?;
    }
    channel.flush().await?;
    ensure_eq!(channel.buffered_amount(), 0);
    close_cleanly(&channel.sender()).await?;
    ensure_eq!(observed.seen(backend).await?.messages.len(), 10);
    Ok(())
}

pub(crate) async fn waits_for_a_reader_that_stops(backend: &dyn Backend) -> Outcome {
    const COUNT: u32 = 10_000;
    let mut channel = open(backend, &Behaviour::Burst { count: COUNT }).await?;
    // Time for the queue to fill. Whether it does or not, nothing may be lost.
    backend.sleep(Duration::from_millis(200)).await;
    for number in 0..COUNT {
        let expected = Message::from(number.to_string());
        ensure_eq!(next(&mut channel).await?, expected);
    }
    Ok(())
}

pub(crate) async fn makes_the_peer_wait_for_a_reader(backend: &dyn Backend) -> Outcome {
    // 128 MB: more than any platform's sockets hold.
    const COUNT: u32 = 2000;
    let id = new_id()?;
    let mut channel = open(backend, &Behaviour::Pour { count: COUNT, id }).await?;
    let mut before = 0;
    loop {
        backend.sleep(Duration::from_millis(100)).await;
        let poured = poured(backend, id).await?;
        ensure!(
            poured < COUNT,
            "all {COUNT} messages sent though nobody reads"
        );
        if poured > 0 && poured == before {
            break;
        }
        before = poured;
    }
    for _ in 0..COUNT {
        ensure_eq!(next(&mut channel).await?.len(), 64 * 1024);
    }
    Ok(())
}

pub(crate) async fn tells_of_a_close_behind_unread_messages(backend: &dyn Backend) -> Outcome {
    // 200 texts "x", and a close frame with 4123 and a reason.
    let texts = b"\x81\x01x".repeat(200);
    let server = Behaviour::Raw {
        bytes: [&texts[..], b"\x88\x08\x10\x1benough"].concat(),
        when: When::Open,
    };
    let mut channel = open(backend, &server).await?;
    let refused = loop {
        match channel.send("tick").await {
            Ok(()) => backend.sleep(Duration::from_millis(5)).await,
            Err(refused) => break refused.to_string(),
        }
    };
    ensure!(
        refused.contains("4123") && refused.contains("enough"),
        "{refused}"
    );
    for _ in 0..200 {
        ensure_eq!(next(&mut channel).await?, Message::from("x"));
    }
    let info = expect_closed(&mut channel).await?;
    ensure_eq!((info.code.number(), &*info.reason), (4123, "enough"));
    Ok(())
}

pub(crate) async fn loses_nothing_when_recv_is_dropped(backend: &dyn Backend) -> Outcome {
    const COUNT: u32 = 1000;
    let mut channel = open(backend, &Behaviour::Burst { count: COUNT }).await?;
    for number in 0..COUNT {
        let message = loop {
            // Dropped right after its first poll, if it has to wait.
            match channel.recv().now_or_never() {
                Some(message) => break message?,
                None => backend.sleep(Duration::from_millis(1)).await,
            }
        };
        ensure_eq!(message, Some(Message::from(number.to_string())));
    }
    Ok(())
}

pub(crate) async fn is_a_stream_and_a_sink(backend: &dyn Backend) -> Outcome {
    let mut channel = open(backend, &Behaviour::ECHO).await?;
    SinkExt::feed(&mut channel, "one".into()).await?;
    SinkExt::send(&mut channel, "two".into()).await?;
    for text in ["one", "two"] {
        let message = StreamExt::next(&mut channel).await.transpose()?;
        ensure_eq!(message, Some(Message::from(text)));
    }
    SinkExt::close(&mut channel).await?;
    ensure!(
        channel.close_info().is_some_and(|info| info.clean),
        "an end that is not clean"
    );
    expect_end(&mut channel).await
}

async fn poured(backend: &dyn Backend, id: u64) -> Result<u32, Failure> {
    let mut channel = open(backend, &Behaviour::Poured { id }).await?;
    let count = next(&mut channel).await?;
    Ok(count.as_text().unwrap_or_default().parse()?)
}

fn filler() -> Message {
    Message::from(vec![0x42; 64 * 1024])
}

/// Queues messages until one is refused; returns it, and how many were accepted.
fn fill(sender: &Sender) -> Result<(Message, usize), Failure> {
    for accepted in 0..ACCEPTED_MAX {
        match sender.try_send(filler()) {
            Ok(()) => {}
            Err(full) if full.is_full() => return Ok((full.into_message(), accepted)),
            Err(other) => return Err(other.into()),
        }
    }
    Err(Failure::new("a queue that is never full"))
}
