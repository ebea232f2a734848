//! From one hub to the others.

use std::time::Duration;

use talkback_topics::{Start, Subscriber};
use tokio::time::sleep;

use super::store::Store;
use super::{publish, read_all, settle, subscribed};
use crate::support::texts;

#[tokio::test(start_paused = true)]
async fn ba1_two_hubs_and_one_order() {
    let store = Store::default();
    let hubs = [store.topics(), store.topics()];
    let topics = hubs.each_ref().map(|hub| hub.topic("prices").unwrap());
    let mut subscribers = Vec::new();
    for topic in [&topics[0], &topics[1], &topics[0], &topics[1]] {
        subscribers.push(subscribed(topic, Start::Now).await);
    }
    let publishing = (0..4).map(|publisher| {
        let topic = topics[publisher % 2].clone();
        tokio::spawn(async move {
            for number in 0..50 {
                let text = format!("{publisher} {number}");
                topic.publish(text).await.unwrap();
                tokio::task::yield_now().await;
            }
        })
    });
    for publishing in publishing.collect::<Vec<_>>() {
        publishing.await.unwrap();
    }
    settle().await;
    let orders: Vec<_> = subscribers.iter_mut().map(read_all).collect();
    assert_eq!(orders[0].len(), 200);
    assert!(orders.iter().all(|order| *order == orders[0]));
    assert_eq!(store.calls("attach"), 2);
    assert_eq!(store.calls("read"), 0);
}

#[tokio::test(start_paused = true)]
async fn ba1_what_one_hub_leaves_out_the_other_does_not() {
    let store = Store::default();
    let hubs = [store.topics(), store.topics()];
    let topics = hubs.each_ref().map(|hub| hub.topic("prices").unwrap());
    let mut subscribers = Vec::new();
    for topic in &topics {
        // Both hubs have a connection with this number.
        let mut subscriber = Subscriber::new().for_connection(7);
        subscriber.subscribe(topic, Start::Now).await.unwrap();
        subscribers.push(subscriber);
    }
    topics[0].publish("1").except(7).await.unwrap();
    topics[1].publish("2").except(8).await.unwrap();
    settle().await;
    assert_eq!(read_all(&mut subscribers[0]), ["2"]);
    assert_eq!(read_all(&mut subscribers[1]), ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn ba15_a_topic_is_listened_to_for_30_seconds_after_the_last_has_left() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let subscriber = subscribed(&topic, Start::Now).await;
    publish(&topic, 1..=3).await;
    let head = topic.publish("4").await.unwrap().position();
    drop(subscriber);
    sleep(Duration::from_secs(10)).await;
    publish(&topic, 5..=6).await;
    let mut soon = subscribed(&topic, Start::After(head)).await;
    assert_eq!(read_all(&mut soon), texts(5..=6));
    assert_eq!((store.calls("attach"), store.calls("read")), (1, 0));
    drop(soon);
    sleep(Duration::from_secs(40)).await;
    assert_eq!(store.listeners("prices"), 0);
    publish(&topic, 7..=8).await;
    let mut late = subscribed(&topic, Start::After(head)).await;
    publish(&topic, [9]).await;
    assert_eq!(read_all(&mut late), texts(5..=9));
    assert_eq!((store.calls("attach"), store.calls("read")), (2, 1));
    drop((topic, late, hub));
    settle().await;
    assert_eq!((store.calls("detach"), store.calls("drop")), (2, 1));
}
