//! Hubs over a store, under random schedules. An inbox holds two publications here, and a topic that waits for the store one.

use shuttle::future::{block_on, spawn};
use shuttle::thread;
use talkback_topics::{Start, Subscriber, Topic, Topics};

use crate::schedules::{check, read};
use crate::store::Store;

fn hub(store: &Store) -> (Topics, Topic) {
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    (hub, topic)
}

async fn subscribed(topic: &Topic, start: Start) -> (Subscriber, u64) {
    let mut subscriber = Subscriber::new();
    let begun = subscriber.subscribe(topic, start).await.unwrap();
    (subscriber, begun.position().offset())
}

/// Reads up to this number, each in its turn.
async fn read_from(subscriber: &mut Subscriber, after: u64, last: u64) {
    for (position, text) in read(subscriber, (last - after) as usize).await {
        assert_eq!(position.offset().to_string(), text);
    }
}

#[test]
fn ba15_a_first_subscriber_amid_publications() {
    check(|| {
        let store = Store::default();
        let (_hub, topic) = hub(&store);
        let publishing = {
            let store = store.clone();
            thread::spawn(move || (1..=4).for_each(|it| store.publish("prices", it.to_string())))
        };
        let subscribing = [(); 2].map(|()| {
            let topic = topic.clone();
            spawn(async move {
                let (mut subscriber, after) = subscribed(&topic, Start::Now).await;
                read_from(&mut subscriber, after, 4).await;
            })
        });
        for subscribing in subscribing {
            block_on(subscribing).unwrap();
        }
        publishing.join().unwrap();
        assert_eq!(store.calls("attach"), 1);
    });
}

#[test]
fn ba14_recoveries_at_once_are_one_read() {
    check(|| {
        let store = Store::default();
        store.publish("prices", "1");
        let start = Start::After(store.head("prices"));
        (2..=3).for_each(|it| store.publish("prices", it.to_string()));
        let (_hub, topic) = hub(&store);
        let subscribing = [(); 3].map(|()| {
            let topic = topic.clone();
            spawn(async move {
                let (mut subscriber, after) = subscribed(&topic, start).await;
                assert_eq!(after, 1);
                read_from(&mut subscriber, after, 3).await;
            })
        });
        for subscribing in subscribing {
            block_on(subscribing).unwrap();
        }
        assert_eq!((store.calls("attach"), store.calls("read")), (1, 1));
    });
}

#[test]
fn ba10_what_overflows_is_fetched() {
    check(|| {
        let store = Store::default();
        let (_hub, topic) = hub(&store);
        let (mut subscriber, after) = block_on(subscribed(&topic, Start::Now));
        let publishing = [(); 2].map(|()| {
            let store = store.clone();
            thread::spawn(move || (0..3).for_each(|_| store.publish_next("prices")))
        });
        block_on(read_from(&mut subscriber, after, 6));
        publishing.into_iter().for_each(|it| it.join().unwrap());
    });
}

#[test]
fn ba5_an_outage_amid_publications() {
    check(|| {
        let store = Store::default();
        let (_hub, topic) = hub(&store);
        let (mut subscriber, after) = block_on(subscribed(&topic, Start::Now));
        let losing = {
            let store = store.clone();
            thread::spawn(move || {
                store.cut();
                store.restore();
            })
        };
        let publishing = {
            let store = store.clone();
            thread::spawn(move || (1..=4).for_each(|_| store.publish_next("prices")))
        };
        block_on(read_from(&mut subscriber, after, 4));
        losing.join().unwrap();
        publishing.join().unwrap();
    });
}
