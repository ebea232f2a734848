//! A heartbeat of the program's own, on a channel that stays connected.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use talkback::{ChannelState, Heartbeat, LostCause, Message};

use super::{HOUR, InTurn, Observed, exchange, in_state, next};
use crate::backend::Backend;
use crate::behaviour::Behaviour;
use crate::outcome::Outcome;

/// A heartbeat after a moment of silence, which counts itself.
fn heartbeat() -> (Heartbeat, Arc<AtomicU32>) {
    let sent = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&sent);
    let message = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Message::from("heartbeat")
    };
    let is_answer = |message: &Message| message.as_text() == Some("heartbeat");
    let heartbeat = Heartbeat::new(message, is_answer);
    (heartbeat.interval(Duration::from_millis(30)), sent)
}

pub(crate) async fn re86_a_silent_peer_is_asked_and_given_up(backend: &dyn Backend) -> Outcome {
    let observed = Observed::new()?;
    let server = InTurn::new([observed.behaviour(), Behaviour::ECHO])?;
    let (heartbeat, _) = heartbeat();
    let heartbeat = heartbeat.timeout(Duration::from_millis(60));
    let channel = server.when_told(backend).heartbeat(heartbeat).channel();
    in_state(backend, &channel.sender(), ChannelState::Retrying).await;
    let link = channel.link();
    ensure_matches!(
        link.lost().map(|lost| lost.cause().clone()),
        Some(LostCause::Heartbeat)
    );
    let seen = observed.seen(backend).await?;
    ensure_eq!(
        (seen.messages, &*seen.end),
        (vec![Message::from("heartbeat")], "close 1005")
    );
    Ok(())
}

pub(crate) async fn re87_a_peer_that_answers_stays_and_its_answers_are_not_given_out(
    backend: &dyn Backend,
) -> Outcome {
    let server = InTurn::new([Behaviour::ECHO])?;
    let (heartbeat, sent) = heartbeat();
    let heartbeat = heartbeat.timeout(HOUR);
    let mut channel = server.soon(backend).heartbeat(heartbeat).channel();
    channel.ready().await?;
    // Each but the last was answered.
    while sent.load(Ordering::Relaxed) < 4 {
        backend.sleep(Duration::from_millis(10)).await;
    }
    exchange(&mut channel, "a").await?;
    channel.send("b").await?;
    ensure_eq!(next(&mut channel).await?, Message::from("b"));
    ensure_eq!(channel.link().connection(), 1);
    Ok(())
}
