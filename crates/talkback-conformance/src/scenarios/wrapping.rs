//! A channel over a socket of the platform, in each of its stages.

use talkback::{ChannelState, Message};

use super::{close_cleanly, exchange, expect_end, is_handed_back, next};
use crate::backend::{Backend, SocketStage};
use crate::behaviour::Behaviour;
use crate::outcome::Outcome;

pub(crate) async fn a_socket_that_connects(backend: &dyn Backend) -> Outcome {
    let mut channel = backend
        .wrap(&Behaviour::ECHO, SocketStage::Connecting)
        .await?;
    channel.send("queued").await?;
    ensure_eq!(next(&mut channel).await?, Message::from("queued"));
    channel.ready().await?;
    close_cleanly(&channel.sender()).await?;
    Ok(())
}

pub(crate) async fn a_socket_that_is_open(backend: &dyn Backend) -> Outcome {
    let mut channel = backend.wrap(&Behaviour::ECHO, SocketStage::Open).await?;
    ensure_eq!(channel.state(), ChannelState::Open);
    channel.ready().await?;
    exchange(&mut channel, "open").await?;
    close_cleanly(&channel.sender()).await?;
    expect_end(&mut channel).await
}

pub(crate) async fn a_socket_that_is_closed(backend: &dyn Backend) -> Outcome {
    let mut channel = backend.wrap(&Behaviour::ECHO, SocketStage::Closed).await?;
    expect_end(&mut channel).await?;
    ensure_eq!(channel.state(), ChannelState::Closed);
    let message = Message::from("too late");
    is_handed_back(&channel, &message).await?;
    let info = channel.close().await?;
    ensure_eq!(channel.close_info(), Some(info));
    Ok(())
}
