//! Hubs over a store that a test scripts.

mod cancel;
mod delivery;
mod gaps;
#[cfg(feature = "metrics")]
mod metrics;
mod outage;
mod positions;
mod publishing;
#[cfg(feature = "json")]
mod serving;
mod store;
mod threads;
#[cfg(feature = "tracing")]
mod traces;

use std::time::Duration;

use talkback_topics::{Next, Start, Subscriber, Topic};
use tokio::time::sleep;

use crate::support::text;

/// Lets all tasks do what they can.
pub(crate) async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

/// A subscriber that may be read from late.
pub(crate) fn patient() -> Subscriber {
    Subscriber::new().lag_max(Duration::from_secs(3600))
}

/// A subscriber of a topic.
pub(crate) async fn subscribed(topic: &Topic, start: impl Into<Start>) -> Subscriber {
    let mut subscriber = patient();
    subscriber.subscribe(topic, start).await.unwrap();
    subscriber
}

/// Publishes numbers, and lets them come back.
pub(crate) async fn publish(topic: &Topic, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        topic.publish(number.to_string()).await.unwrap();
    }
    settle().await;
}

/// What a subscriber has to read: texts, and what is told beside.
pub(crate) fn read_all(subscriber: &mut Subscriber) -> Vec<String> {
    let mut read = Vec::new();
    while let Some(next) = crate::support::poll_once(subscriber.next()) {
        match next {
            Ok(next) => read.push(told(&next)),
            Err(too_slow) => {
                read.push(too_slow.to_string());
                break;
            }
        }
    }
    read
}

/// A text, or what is told beside.
pub(crate) fn told(next: &Next) -> String {
    match next {
        Next::Delivery(delivery) => text(delivery.message().message()).to_owned(),
        Next::Gap(gap) => format!("gap {}-{}", gap.from().offset(), gap.to().offset()),
        Next::Reset(reset) => format!("reset {}", reset.position().offset()),
        Next::Stale => "stale".to_owned(),
        Next::Live => "live".to_owned(),
        other => panic!("{other:?}"),
    }
}
