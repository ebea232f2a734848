//! Hubs on several threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use talkback_topics::{Keep, Next, Position, Start, Subscriber};

use super::store::Store;
use super::subscribed;

const PUBLISHERS: u64 = 4;
const EACH: u64 = 500;

/// Reads so many, each in its turn; then where it is.
async fn read(subscriber: &mut Subscriber, count: u64) -> Option<Position> {
    let mut last: Option<Position> = None;
    for _ in 0..count {
        let Next::Delivery(delivery) = subscriber.next().await.unwrap() else {
            panic!("nothing is gone");
        };
        let position = delivery.position();
        if let Some(last) = last {
            assert_eq!(position.offset(), last.offset() + 1);
        }
        last = Some(position);
    }
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ba2_nothing_is_missing_whatever_is_lost_on_the_way() {
    let store = Store::default();
    let keep = Keep::default().messages(10_000);
    let hubs = [
        store.topics_keeping(keep.clone()),
        store.topics_keeping(keep),
    ];
    let topics = hubs.each_ref().map(|hub| hub.topic("prices").unwrap());
    let mut reading = Vec::new();
    for topic in [&topics[0], &topics[0], &topics[1], &topics[1]] {
        let (topic, mut subscriber) = (topic.clone(), subscribed(topic, Start::Now).await);
        reading.push(tokio::spawn(async move {
            let mut left = PUBLISHERS * EACH;
            // It comes back time and again.
            while left > 0 {
                let count = left.min(300);
                let last = read(&mut subscriber, count).await.unwrap();
                left -= count;
                let mut again = Subscriber::new();
                let begun = again.subscribe(&topic, Start::After(last)).await.unwrap();
                assert!(begun.is_recovered());
                subscriber = again;
            }
        }));
    }
    for publisher in 0..PUBLISHERS {
        let topic = topics[publisher as usize % 2].clone();
        tokio::spawn(async move {
            for number in 0..EACH {
                topic.publish(number.to_string()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let disturbing = tokio::spawn({
        let (store, is_over) = (store.clone(), Arc::clone(&is_over));
        async move {
            for round in 0.. {
                if is_over.load(Ordering::Acquire) {
                    return;
                }
                store.drop_for(round % 2, round % 5);
                tokio::time::sleep(Duration::from_millis(1)).await;
                // Or the last one would be missed for 30 s.
                store.lose(round % 2);
            }
        }
    });
    for reading in reading {
        reading.await.unwrap();
    }
    is_over.store(true, Ordering::Release);
    disturbing.await.unwrap();
    assert!(store.calls("read") > 0);
}

/// Be it attached, just being detached, or not attached at the moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ba15_they_come_and_go_while_it_is_detached() {
    let store = Store::default();
    let hub = store.topics_keeping(Keep::default().idle(Duration::from_micros(300)));
    let topic = hub.topic("prices").unwrap();
    let mut coming = Vec::new();
    for task in 0..3 {
        let (store, topic) = (store.clone(), topic.clone());
        coming.push(tokio::spawn(async move {
            let mut last = Start::Now;
            for round in 0..200_u64 {
                let mut subscriber = Subscriber::new();
                let begun = subscriber.subscribe(&topic, last).await.unwrap();
                assert_eq!(begun.is_recovered(), round > 0);
                let text = format!("{task} {round}");
                store.publish("prices", text.as_str());
                loop {
                    let Next::Delivery(delivery) = subscriber.next().await.unwrap() else {
                        panic!("nothing is gone");
                    };
                    last = Start::After(delivery.position());
                    if delivery.message().message().as_text() == Some(&text) {
                        break;
                    }
                }
                drop(subscriber);
                tokio::time::sleep(Duration::from_micros(100 * (round % 30))).await;
            }
        }));
    }
    for coming in coming {
        coming.await.unwrap();
    }
    assert!(store.calls("attach") > 1);
}
