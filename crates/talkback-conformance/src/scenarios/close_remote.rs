//! The peer closes.

use talkback::{CloseCause, Initiator, Message};

use super::{
    closes, connect, exchange, expect_closed, expect_end, is_handed_back, next, open, open_to_fault,
};
use crate::backend::Backend;
use crate::behaviour::When;
use crate::outcome::Outcome;

pub(crate) async fn is_the_only_event(backend: &dyn Backend) -> Outcome {
    let server = closes(Some(4123), b"server closed", When::Open);
    let mut channel = open(backend, &server).await?;
    let info = expect_closed(&mut channel).await?;
    ensure_eq!((info.code.number(), &*info.reason), (4123, "server closed"));
    ensure_eq!((info.clean, info.initiator), (true, Initiator::Remote));
    ensure_eq!(info.cause, CloseCause::ClosingHandshake);
    Ok(())
}

pub(crate) async fn then_text_and_binary_are_handed_back(backend: &dyn Backend) -> Outcome {
    let mut channel = open(backend, &closes(Some(4123), b"", When::Open)).await?;
    expect_closed(&mut channel).await?;
    for message in [Message::from("too late"), Message::from(vec![1, 2, 3])] {
        is_handed_back(&channel, &message).await?;
    }
    Ok(())
}

pub(crate) async fn then_close_tells_the_same(backend: &dyn Backend) -> Outcome {
    let mut channel = open(backend, &closes(Some(4123), b"first", When::Open)).await?;
    let info = expect_closed(&mut channel).await?;
    ensure_eq!(channel.close().await?, info);
    let again = channel.close_with(3000, "second")?;
    ensure_eq!(again.await?, info);
    ensure_eq!(channel.close_info(), Some(info));
    Ok(())
}

pub(crate) async fn with_an_invalid_reason_is_an_error(backend: &dyn Backend) -> Outcome {
    for when in [When::Open, When::Message] {
        let server = closes(Some(4123), &[0xC3, 0x28, 0xFF], when);
        if let Some(mut channel) = open_to_fault(backend, &server, when).await? {
            let info = expect_closed(&mut channel).await?;
            ensure_matches!(info.code.number(), 1005..=1007);
        }
    }
    Ok(())
}

pub(crate) async fn with_3001_is_an_error(backend: &dyn Backend) -> Outcome {
    let server = closes(Some(3001), b"server closed", When::Open);
    let mut channel = open(backend, &server).await?;
    let info = expect_closed(&mut channel).await?;
    ensure_eq!((info.code.number(), &*info.reason), (3001, "server closed"));
    Ok(())
}

pub(crate) async fn with_1000_ends_the_stream(backend: &dyn Backend) -> Outcome {
    ends_the_stream(backend, Some(1000), "done").await
}

pub(crate) async fn with_1001_ends_the_stream(backend: &dyn Backend) -> Outcome {
    ends_the_stream(backend, Some(1001), "restart").await
}

pub(crate) async fn without_a_code_ends_the_stream(backend: &dyn Backend) -> Outcome {
    ends_the_stream(backend, None, "").await
}

pub(crate) async fn after_a_message_comes_behind_it(backend: &dyn Backend) -> Outcome {
    let mut channel = open(backend, &closes(Some(4000), b"", When::Message)).await?;
    channel.send("last words").await?;
    // Only once everything is there does the program read.
    channel.closed().await?;
    ensure_eq!(next(&mut channel).await?, Message::from("last words"));
    ensure_eq!(expect_closed(&mut channel).await?.code.number(), 4000);
    Ok(())
}

pub(crate) async fn late_ends_a_waiting_reader(backend: &dyn Backend) -> Outcome {
    let mut channel = connect(backend, &closes(Some(4001), b"", When::Late));
    ensure_eq!(expect_closed(&mut channel).await?.code.number(), 4001);
    Ok(())
}

pub(crate) async fn is_told_to_a_program_that_never_reads(backend: &dyn Backend) -> Outcome {
    let server = closes(Some(4123), b"unread", When::Message);
    let mut channel = open(backend, &server).await?;
    exchange(&mut channel, "go").await?;
    let info = channel.closed().await?;
    ensure_eq!((info.code.number(), &*info.reason), (4123, "unread"));
    ensure_eq!(channel.close_info(), Some(info));
    Ok(())
}

async fn ends_the_stream(backend: &dyn Backend, code: Option<u16>, reason: &str) -> Outcome {
    let server = closes(code, reason.as_bytes(), When::Open);
    let mut channel = open(backend, &server).await?;
    expect_end(&mut channel).await?;
    let info = channel.closed().await?;
    ensure_eq!(info.code.number(), code.unwrap_or(1005));
    ensure_eq!(info.reason, reason);
    ensure_eq!((info.clean, info.initiator), (true, Initiator::Remote));
    Ok(())
}
