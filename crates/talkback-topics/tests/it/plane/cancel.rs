//! Calls over a backplane that are dropped, at each point at which they wait.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use talkback_topics::{Start, Subscriber};

use super::store::Store;
use super::{publish, read_all, settle, subscribed};
use crate::support::texts;

/// Polls a future so often, as long as others have their turn between; then it is dropped.
async fn poll_times<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..times {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        tokio::time::sleep(Duration::from_micros(700)).await;
    }
    None
}

#[tokio::test(start_paused = true)]
async fn a_subscribe_that_is_dropped_at_every_poll() {
    let mut is_done = false;
    for times in 0.. {
        let store = Store::default();
        for number in 1..=10 {
            store.publish("prices", number.to_string());
        }
        let position = store.head("prices");
        for number in 11..=20 {
            store.publish("prices", number.to_string());
        }
        store.state().delay = Duration::from_millis(1);
        let hub = store.topics();
        let topic = hub.topic("prices").unwrap();
        let mut subscriber = Subscriber::new();
        let start = Start::After(position);
        let begun = poll_times(times, subscriber.subscribe(&topic, start)).await;
        assert_eq!(topic.subscribers(), usize::from(begun.is_some()));
        is_done = begun.is_some();
        if !is_done {
            assert!(!subscriber.unsubscribe(&topic));
            let begun = subscriber.subscribe(&topic, start).await.unwrap();
            assert!(begun.is_recovered());
        }
        publish(&topic, 21..=22).await;
        settle().await;
        assert_eq!(read_all(&mut subscriber), texts(11..=22), "{times}");
        assert_eq!((store.calls("attach"), store.calls("read")), (1, 1));
        // Whoever was dropped leaves nothing that holds the hub.
        drop((subscriber, topic, hub));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(store.calls("drop"), 1, "{times}");
        if is_done {
            break;
        }
    }
    assert!(is_done);
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_is_dropped_at_every_poll_may_be_called_again() {
    for times in 0.. {
        let store = Store::default();
        store.state().delay = Duration::from_millis(1);
        let hub = store.topics();
        let topic = hub.topic("prices").unwrap();
        let mut subscriber = subscribed(&topic, Start::Now).await;
        let publishing = topic.publish("1").id("a").into_future();
        let published = poll_times(times, publishing).await;
        topic.publish("1").id("a").await.unwrap();
        publish(&topic, [2]).await;
        settle().await;
        assert_eq!(read_all(&mut subscriber), texts(1..=2));
        if published.is_some() {
            break;
        }
    }
}

/// The places of those on their way are given back.
#[tokio::test(start_paused = true)]
async fn ten_thousand_that_are_dropped_leave_room() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    hub.up().await;
    store.hang();
    for _ in 0..10_000 {
        let publishing = topic.publish("1").into_future();
        assert!(poll_times(1, publishing).await.is_none());
    }
    store.answer();
    topic.publish("2").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn up_that_is_dropped_changes_nothing() {
    let store = Store::default();
    store.cut();
    let hub = store.topics();
    for times in 0..3 {
        assert!(poll_times(times, hub.up()).await.is_none());
    }
    store.restore();
    hub.up().await;
}

/// A subscriber whose topic waits for nobody any more: its task ends with the hub.
#[tokio::test(start_paused = true)]
async fn a_hub_that_is_dropped_while_its_engine_hangs_is_gone_soon() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    hub.up().await;
    store.hang();
    let mut subscriber = Subscriber::new();
    let subscribing = subscriber.subscribe(&topic, Start::Now);
    assert!(poll_times(3, subscribing).await.is_none());
    drop((subscriber, topic, hub));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(store.calls("drop"), 1);
}
