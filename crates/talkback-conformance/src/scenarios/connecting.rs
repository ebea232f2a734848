//! The way to an open channel, and the ways in which it fails.

use std::time::Duration;

use futures_util::future::join3;
use talkback::{
    ChannelState, CloseCause, CloseCode, ConnectError, Error, HandshakeError, Initiator, Message,
    Refused, UrlError, WebSocketChannel,
};

use super::{
    Observed, close_cleanly, connect, exchange, expect_closed, expect_end, expect_failure, next,
    open, open_to_fault,
};
use crate::backend::{Backend, Capabilities, Options};
use crate::behaviour::{Behaviour, When};
use crate::outcome::{Failure, Outcome};

pub(crate) async fn refuses_a_url_of_https(_: &dyn Backend) -> Outcome {
    let mut channel = WebSocketChannel::connect("https://127.0.0.1/");
    let error = expect_failure(&mut channel).await?;
    ensure_matches!(error, ConnectError::Url(UrlError::HttpScheme));
    Ok(())
}

pub(crate) async fn refuses_what_is_no_url(_: &dyn Backend) -> Outcome {
    for url in ["", "somewhere", "ws://", "ws://a b/", "ftp://127.0.0.1/"] {
        let mut channel = WebSocketChannel::connect(url);
        let error = expect_failure(&mut channel).await?;
        ensure_matches!(error, ConnectError::Url(_));
    }
    Ok(())
}

pub(crate) async fn fails_on_200_in_place_of_101(backend: &dyn Backend) -> Outcome {
    let page = Behaviour::Status {
        code: 200,
        body: "a page".to_owned(),
    };
    let mut channel = connect(backend, &page);
    let error = expect_failure(&mut channel).await?;
    ensure_matches!(error, ConnectError::Handshake { .. });
    Ok(())
}

pub(crate) async fn tells_the_status_and_body_of_404(backend: &dyn Backend) -> Outcome {
    let refused = expect_refusal(backend, 404, "there is nothing here").await?;
    ensure_eq!(refused.status.as_u16(), 404);
    ensure!(
        refused.body.starts_with(b"there is nothing here"),
        "{:?}",
        refused.body
    );
    Ok(())
}

pub(crate) async fn tells_the_status_and_body_of_401(backend: &dyn Backend) -> Outcome {
    let refused = expect_refusal(backend, 401, "the token has expired").await?;
    ensure_eq!(refused.status.as_u16(), 401);
    ensure!(
        refused.body.starts_with(b"the token has expired"),
        "{:?}",
        refused.body
    );
    Ok(())
}

pub(crate) async fn reports_a_failure_to_all_who_wait_and_on_the_stream_once(
    _: &dyn Backend,
) -> Outcome {
    // Nobody listens at port 1.
    let mut channel = WebSocketChannel::connect("ws://127.0.0.1:1/");
    // On a busy machine it may be refused before this comes to it.
    let _ = channel.try_send("lost");
    let (first, second, third) = join3(channel.ready(), channel.ready(), channel.ready()).await;
    for outcome in [first, second, third] {
        ensure_matches!(outcome, Err(Error::Connect(_)));
    }
    expect_failure(&mut channel).await?;
    ensure_matches!(channel.close().await, Err(Error::Connect(_)));
    let info = channel.close_info();
    ensure_matches!(info, Some(info) if matches!(info.cause, CloseCause::NotOpened(_))
        && info.code == CloseCode::ABNORMAL && !info.clean);
    ensure_eq!(channel.state(), ChannelState::Closed);
    Ok(())
}

pub(crate) async fn tells_all_who_wait_that_it_is_open(backend: &dyn Backend) -> Outcome {
    let mut channel = connect(backend, &slow_echo());
    let (first, second, third) = join3(channel.ready(), channel.ready(), channel.ready()).await;
    for outcome in [first, second, third, channel.ready().await] {
        outcome?;
    }
    exchange(&mut channel, "open").await
}

pub(crate) async fn times_out(backend: &dyn Backend) -> Outcome {
    let options = Options {
        timeout: Some(Duration::from_millis(200)),
        ..Options::default()
    };
    let mut channel = backend.open(&Behaviour::Silent, options);
    let error = expect_failure(&mut channel).await?;
    ensure_matches!(error, ConnectError::Timeout { .. });
    Ok(())
}

pub(crate) async fn queues_what_is_sent_before(backend: &dyn Backend) -> Outcome {
    let mut channel = connect(backend, &slow_echo());
    channel.try_send("one")?;
    channel.send(vec![2]).await?;
    ensure_eq!(next(&mut channel).await?, Message::from("one"));
    ensure_eq!(next(&mut channel).await?, Message::from(vec![2]));
    channel.ready().await?;
    Ok(())
}

pub(crate) async fn closes_at_once_if_nothing_is_queued(backend: &dyn Backend) -> Outcome {
    let mut channel = connect(backend, &Behaviour::Silent);
    let info = channel.close().await?;
    ensure_eq!((info.clean, info.initiator), (false, Initiator::Local));
    ensure_matches!(info.cause, CloseCause::NotOpened(_));
    ensure_matches!(channel.ready().await, Err(Error::Closed(_)));
    // What one closes oneself is no error.
    expect_end(&mut channel).await
}

pub(crate) async fn delivers_what_is_queued_though_it_is_closed_before(
    backend: &dyn Backend,
) -> Outcome {
    let observed = Observed::new()?;
    let mut channel = connect(backend, &observed.behaviour());
    channel.try_send("one")?;
    channel.try_send("two")?;
    let info = channel.close().await?;
    ensure_eq!((info.clean, info.initiator), (true, Initiator::Local));
    expect_end(&mut channel).await?;
    let seen = observed.seen(backend).await?;
    ensure_eq!(seen.messages, [Message::from("one"), Message::from("two")]);
    ensure_eq!(seen.end, "close 1005");
    Ok(())
}

pub(crate) async fn keeps_what_comes_with_the_101(backend: &dyn Backend) -> Outcome {
    let text = "a message in the same segment";
    let greets = Behaviour::Greet {
        text: text.to_owned(),
    };
    let mut channel = connect(backend, &greets);
    ensure_eq!(next(&mut channel).await?, Message::from(text));
    exchange(&mut channel, "and the next").await
}

pub(crate) async fn passes_through_the_states(backend: &dyn Backend) -> Outcome {
    // Each of a server that keeps the channel there.
    let connecting = connect(backend, &Behaviour::Silent);
    ensure_eq!(connecting.state(), ChannelState::Connecting);
    // A browser connects to a server once at a time (RFC 6455 §4.1).
    drop(connecting);
    let channel = open(backend, &Behaviour::IgnoreClose).await?;
    ensure_eq!(channel.state(), ChannelState::Open);
    channel.close();
    ensure_eq!(channel.state(), ChannelState::Closing);
    let channel = open(backend, &Behaviour::ECHO).await?;
    close_cleanly(&channel.sender()).await?;
    ensure_eq!(channel.state(), ChannelState::Closed);
    Ok(())
}

pub(crate) async fn then_losing_the_peer_is_one_error(backend: &dyn Backend) -> Outcome {
    for when in [When::Open, When::Message] {
        let server = Behaviour::Disconnect { when };
        let Some(mut channel) = open_to_fault(backend, &server, when).await? else {
            continue;
        };
        let info = expect_closed(&mut channel).await?;
        ensure_matches!(info.code.number(), 1002 | 1005 | 1006);
        ensure_eq!((info.clean, info.initiator), (false, Initiator::Remote));
    }
    Ok(())
}

pub(crate) async fn then_a_reset_is_one_error(backend: &dyn Backend) -> Outcome {
    let mut channel = connect(backend, &Behaviour::Reset);
    // The reset may overtake the 101.
    if channel.ready().await.is_err() {
        expect_failure(&mut channel).await?;
        return Ok(());
    }
    let info = expect_closed(&mut channel).await?;
    ensure_matches!(info.code.number(), 1002 | 1005 | 1006);
    ensure!(!info.clean, "{info}");
    if backend.capabilities().contains(Capabilities::IN_ORDER) {
        ensure_eq!(info.initiator, Initiator::Remote);
    }
    Ok(())
}

fn slow_echo() -> Behaviour {
    Behaviour::Echo {
        delay: Duration::from_millis(100),
    }
}

async fn expect_refusal(backend: &dyn Backend, code: u16, body: &str) -> Result<Refused, Failure> {
    let body = body.to_owned();
    let mut channel = connect(backend, &Behaviour::Status { code, body });
    match expect_failure(&mut channel).await? {
        ConnectError::Handshake {
            error: HandshakeError::Status(refused),
            ..
        } => Ok(*refused),
        other => Err(Failure::new(format!("expected a refusal, saw {other:?}"))),
    }
}
