//! This end closes.

use std::time::Duration;

use talkback::{CloseCause, CloseCode, Error, Initiator, Limits, Message};

use super::{
    HOUR, Observed, close_cleanly, connect, exchange, expect_closed, expect_end, is_handed_back,
    open,
};
use crate::backend::{Backend, Options};
use crate::behaviour::Behaviour;
use crate::outcome::Outcome;

pub(crate) async fn ignores_what_the_peer_still_writes(backend: &dyn Backend) -> Outcome {
    // However long that takes.
    let limits = Limits::default().close_timeout(HOUR);
    let options = Options {
        limits,
        ..Options::default()
    };
    let mut channel = backend.open(&Behaviour::Flood { count: 10_000 }, options);
    channel.ready().await?;
    let closing = channel.close();
    expect_end(&mut channel).await?;
    let info = closing.await?;
    ensure_eq!((info.clean, info.initiator), (true, Initiator::Local));
    Ok(())
}

pub(crate) async fn refuses_1004(backend: &dyn Backend) -> Outcome {
    refuses(backend, 1004, "").await
}

pub(crate) async fn refuses_2999(backend: &dyn Backend) -> Outcome {
    refuses(backend, 2999, "").await
}

pub(crate) async fn refuses_5000(backend: &dyn Backend) -> Outcome {
    refuses(backend, 5000, "").await
}

pub(crate) async fn refuses_codes_that_are_only_reported(backend: &dyn Backend) -> Outcome {
    for code in [0, 999, 1005, 1006, 1015] {
        refuses(backend, code, "").await?;
    }
    Ok(())
}

pub(crate) async fn refuses_a_reason_of_124_bytes(backend: &dyn Backend) -> Outcome {
    refuses(backend, 3000, &"a".repeat(124)).await?;
    // Bytes count, not characters.
    refuses(backend, 3000, &"한".repeat(42)).await
}

pub(crate) async fn takes_a_reason_of_123_bytes(backend: &dyn Backend) -> Outcome {
    reaches_the_peer(backend, 3000, &"한".repeat(41)).await
}

pub(crate) async fn without_a_code_reaches_the_peer_as_1005(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let channel = open(backend, &observed.behaviour()).await?;
    close_cleanly(&channel.sender()).await?;
    ensure_eq!(observed.seen(backend).await?.end, "close 1005");
    Ok(())
}

pub(crate) async fn reaches_the_peer_with_1000(backend: &dyn Backend) -> Outcome {
    reaches_the_peer(backend, 1000, "").await
}

pub(crate) async fn reaches_the_peer_with_3000(backend: &dyn Backend) -> Outcome {
    reaches_the_peer(backend, 3000, "").await
}

pub(crate) async fn reaches_the_peer_with_4999(backend: &dyn Backend) -> Outcome {
    reaches_the_peer(backend, 4999, "").await
}

pub(crate) async fn reaches_the_peer_with_3000_and_a_reason(backend: &dyn Backend) -> Outcome {
    reaches_the_peer(backend, 3000, "Client initiated").await
}

pub(crate) async fn again_changes_nothing(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let mut channel = open(backend, &observed.behaviour()).await?;
    let first = channel.close_with(3000, "first")?;
    let second = channel.close_with(3001, "second")?;
    let third = channel.close();
    let info = first.await?;
    ensure_eq!(second.await?, info);
    ensure_eq!(third.await?, info);
    ensure_eq!(channel.close().await?, info);
    expect_end(&mut channel).await?;
    ensure_eq!(observed.seen(backend).await?.end, "close 3000 first");
    Ok(())
}

pub(crate) async fn then_text_is_handed_back(backend: &dyn Backend) -> Outcome {
    hands_back(backend, "too late".into()).await
}

pub(crate) async fn then_binary_is_handed_back(backend: &dyn Backend) -> Outcome {
    hands_back(backend, vec![1, 2, 3].into()).await
}

/// Unlike in Dart's package, where only a remote close is told.
pub(crate) async fn is_told_by_close_info(backend: &dyn Backend) -> Outcome {
    let mut channel = open(backend, &Behaviour::ECHO).await?;
    ensure_eq!(channel.close_info(), None);
    let code = CloseCode::new(3000);
    let info = channel.close_with(code, "done")?.await?;
    ensure_eq!(channel.close_info(), Some(info.clone()));
    ensure_eq!((info.code, info.reason.as_str()), (code, "done"));
    ensure_eq!(info.cause, CloseCause::ClosingHandshake);
    expect_end(&mut channel).await
}

pub(crate) async fn lets_what_is_queued_leave_first(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let channel = open(backend, &observed.behaviour()).await?;
    let messages: Vec<Message> = vec!["one".into(), vec![2; 200_000].into(), "three".into()];
    for message in &messages {
        channel.try_send(message.clone())?;
    }
    let info = channel.close_with(CloseCode::NORMAL, "")?.await?;
    ensure!(info.clean, "{info}");
    let seen = observed.seen(backend).await?;
    ensure_eq!(seen.messages, messages);
    ensure_eq!(seen.end, "close 1000");
    Ok(())
}

pub(crate) async fn comes_behind_a_large_message(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let channel = open(backend, &observed.behaviour()).await?;
    // More than may wait to be written, so that the close frame has to wait for capacity.
    let message = Message::from(vec![2; 200_000]);
    channel.try_send(message.clone())?;
    close_cleanly(&channel.sender()).await?;
    let seen = observed.seen(backend).await?;
    ensure_eq!(seen.messages, [message]);
    ensure_eq!(seen.end, "close 1005");
    Ok(())
}

pub(crate) async fn ends_though_the_peer_never_answers(backend: &dyn Backend) -> Outcome {
    let limits = Limits::default().close_timeout(Duration::from_millis(200));
    let options = Options {
        limits,
        ..Options::default()
    };
    let mut channel = backend.open(&Behaviour::IgnoreClose, options);
    channel.ready().await?;
    let info = channel.close().await?;
    ensure_eq!((info.clean, info.initiator), (false, Initiator::Local));
    ensure_eq!(info.code, CloseCode::ABNORMAL);
    ensure_eq!(info.cause, CloseCause::CloseTimeout);
    ensure_eq!(expect_closed(&mut channel).await?, info);
    Ok(())
}

/// The close frame is refused, and the channel stays open.
async fn refuses(backend: &dyn Backend, code: u16, reason: &str) -> Outcome {
    let mut channel = open(backend, &Behaviour::ECHO).await?;
    ensure_matches!(
        channel.close_with(code, reason).map_err(Error::from),
        Err(Error::CloseFrame(_))
    );
    exchange(&mut channel, "still open").await?;
    close_cleanly(&channel.sender()).await?;
    Ok(())
}

async fn reaches_the_peer(backend: &dyn Backend, code: u16, reason: &str) -> Outcome {
    let observed = Observed::new()?;
    let channel = open(backend, &observed.behaviour()).await?;
    let info = channel.close_with(code, reason)?.await?;
    ensure_eq!((info.clean, info.initiator), (true, Initiator::Local));
    let expected = format!("close {code} {reason}");
    ensure_eq!(observed.seen(backend).await?.end, expected.trim_end());
    Ok(())
}

async fn hands_back(backend: &dyn Backend, message: Message) -> Outcome {
    let channel = connect(backend, &Behaviour::ECHO);
    channel.ready().await?;
    let closing = channel.close();
    // While it closes, and once it is closed.
    for _ in 0..2 {
        is_handed_back(&channel, &message).await?;
        channel.closed().await?;
    }
    closing.await?;
    Ok(())
}
