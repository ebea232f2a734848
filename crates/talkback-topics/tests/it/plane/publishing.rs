//! Publishing over a backplane.

use std::time::Duration;

use futures_util::future::join_all;
use talkback_topics::{PublishErrorKind, Start};
use tokio::time::{Instant, sleep};

use super::store::Store;
use super::{read_all, settle, subscribed};

#[tokio::test(start_paused = true)]
async fn an_id_is_known_on_every_hub() {
    let store = Store::default();
    let hubs = [store.topics(), store.topics()];
    let topics = hubs.each_ref().map(|hub| hub.topic("prices").unwrap());
    let mut subscriber = subscribed(&topics[1], Start::Now).await;
    let first = topics[0].publish("1").id("a").await.unwrap();
    let again = topics[1].publish("1").id("a").await.unwrap();
    assert!(!first.is_duplicate() && again.is_duplicate());
    assert_eq!(first.position(), again.position());
    assert_eq!((first.subscribers(), again.subscribers()), (0, 1));
    settle().await;
    assert_eq!(read_all(&mut subscriber), ["1"]);
    let refused = topics[0].publish("1").id("").await.unwrap_err();
    assert_eq!(refused.kind(), PublishErrorKind::Id);
}

#[tokio::test(start_paused = true)]
async fn ba20_one_that_is_too_large_is_refused() {
    let store = Store::default();
    store.state().size_max = Some(100);
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    topic.publish("x".repeat(100)).await.unwrap();
    let refused = topic.publish("x".repeat(101)).await.unwrap_err();
    assert_eq!(refused.kind(), PublishErrorKind::TooLarge { size_max: 100 });
    assert!(refused.to_string().contains("100 bytes"), "{refused}");
    topic.publish("small").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_more_than_1024_are_on_their_way() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    store.state().delay = Duration::from_millis(100);
    let before = Instant::now();
    let publishing = (0..3000).map(|number: u64| {
        let topic = topic.clone();
        async move { topic.publish(number.to_string()).await }
    });
    let publishing = tokio::spawn(join_all(publishing));
    sleep(Duration::from_millis(50)).await;
    assert_eq!(store.calls("publish"), 1024);
    let published = publishing.await.unwrap();
    assert!(published.iter().all(Result::is_ok));
    assert_eq!(before.elapsed(), Duration::from_millis(300));
}

/// Those whose turn does not come have published nothing, those whose answer does not come may have.
#[tokio::test(start_paused = true)]
async fn ba8_each_of_many_is_told_what_became_of_it() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    hub.up().await;
    store.hang();
    let publishing = (0..1500).map(|number: u64| {
        let topic = topic.clone();
        async move { topic.publish(number.to_string()).await }
    });
    let failed = join_all(publishing).await;
    let count = |kind| {
        let failed = failed.iter().map(|it| it.as_ref().unwrap_err().kind());
        failed.filter(|it| *it == kind).count()
    };
    let uncertain = count(PublishErrorKind::Uncertain);
    assert_eq!(uncertain, store.calls("publish"));
    assert_eq!(uncertain + count(PublishErrorKind::Unavailable), 1500);
}

/// An engine that has not yet said whether it is reached is waited for.
#[tokio::test(start_paused = true)]
async fn ba24_the_first_word_of_an_engine_is_waited_for() {
    let store = Store::default();
    store.state().is_silent = true;
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let publishing = tokio::spawn({
        let topic = topic.clone();
        async move { topic.publish("1").await }
    });
    let subscribing = tokio::spawn({
        let topic = topic.clone();
        async move { subscribed(&topic, Start::Now).await }
    });
    sleep(Duration::from_secs(1)).await;
    assert!(!publishing.is_finished() && !subscribing.is_finished());
    store.restore();
    publishing.await.unwrap().unwrap();
    subscribing.await.unwrap();
    // Not for ever.
    let other = store.topics().topic("prices").unwrap();
    let refused = other.publish("1").await.unwrap_err();
    assert_eq!(refused.kind(), PublishErrorKind::Unavailable);
}
