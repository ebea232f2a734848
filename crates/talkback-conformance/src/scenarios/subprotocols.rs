//! What is offered, and what is chosen (RFC 6455 §1.9, §4.1).

use talkback::{Error, Message, WebSocketChannel};

use super::{close_cleanly, exchange, next};
use crate::backend::{Backend, Options};
use crate::behaviour::Behaviour;
use crate::outcome::Outcome;

pub(crate) async fn none_is_offered(backend: &dyn Backend) -> Outcome {
    let mut channel = offer(backend, &[], None);
    ensure_eq!(channel.subprotocol(), None);
    ensure_eq!(next(&mut channel).await?, Message::from("none"));
    ensure_eq!(channel.subprotocol(), None);
    Ok(())
}

pub(crate) async fn one_is_offered_and_chosen(backend: &dyn Backend) -> Outcome {
    let mut channel = offer(backend, &["chat.example.com"], Some("chat.example.com"));
    ensure_eq!(next(&mut channel).await?, Message::from("chat.example.com"));
    ensure_eq!(channel.subprotocol().as_deref(), Some("chat.example.com"));
    // It is told as long as the channel lives.
    close_cleanly(&channel.sender()).await?;
    ensure_eq!(channel.subprotocol().as_deref(), Some("chat.example.com"));
    Ok(())
}

pub(crate) async fn several_are_offered_in_order(backend: &dyn Backend) -> Outcome {
    let mut channel = offer(backend, &["v2", "chat", "v1"], Some("v2"));
    ensure_eq!(next(&mut channel).await?, Message::from("v2, chat, v1"));
    ensure_eq!(channel.subprotocol().as_deref(), Some("v2"));
    Ok(())
}

pub(crate) async fn the_last_of_several_is_chosen(backend: &dyn Backend) -> Outcome {
    let channel = offer(backend, &["v2", "chat", "v1"], Some("v1"));
    channel.ready().await?;
    ensure_eq!(channel.subprotocol().as_deref(), Some("v1"));
    Ok(())
}

pub(crate) async fn one_that_was_not_offered_fails(backend: &dyn Backend) -> Outcome {
    does_not_open(offer(backend, &["chat"], Some("another"))).await
}

pub(crate) async fn one_chosen_though_none_was_offered_fails(backend: &dyn Backend) -> Outcome {
    does_not_open(offer(backend, &[], Some("another"))).await
}

pub(crate) async fn none_chosen_opens_without(backend: &dyn Backend) -> Outcome {
    let mut channel = offer(backend, &["chat"], None);
    ensure_eq!(next(&mut channel).await?, Message::from("chat"));
    ensure_eq!(channel.subprotocol(), None);
    exchange(&mut channel, "open").await
}

pub(crate) async fn a_name_that_is_no_token_is_refused(backend: &dyn Backend) -> Outcome {
    for name in ["", "two words", "a,b", "채팅"] {
        does_not_open(offer(backend, &[name], None)).await?;
    }
    Ok(())
}

pub(crate) async fn the_same_name_twice_is_refused(backend: &dyn Backend) -> Outcome {
    does_not_open(offer(backend, &["chat", "chat"], None)).await
}

fn offer(backend: &dyn Backend, offered: &[&str], choice: Option<&str>) -> WebSocketChannel {
    let behaviour = Behaviour::Subprotocol {
        choice: choice.map(str::to_owned),
    };
    let subprotocols = offered.iter().map(|&name| name.to_owned()).collect();
    let options = Options {
        subprotocols,
        ..Options::default()
    };
    backend.open(&behaviour, options)
}

async fn does_not_open(mut channel: WebSocketChannel) -> Outcome {
    ensure_matches!(channel.ready().await, Err(Error::Connect(_)));
    ensure_matches!(channel.recv().await, Err(Error::Connect(_)));
    ensure_eq!(channel.recv().await?, None);
    ensure_eq!(channel.subprotocol(), None);
    Ok(())
}
