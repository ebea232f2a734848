//! Where a subscription begins, of what is here and of what the store has.

use std::time::Duration;

use talkback_topics::{Keep, Position, Start, SubscribeErrorKind, Subscriber, Topic};
use tokio::time::sleep;

use super::store::Store;
use super::{publish, read_all, settle, subscribed};
use crate::support::texts;

async fn publish_in_store(store: &Store, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        store.publish("prices", number.to_string());
    }
    settle().await;
}

/// What comes of a position, and whether it is recovered.
async fn after(topic: &Topic, position: Position) -> (bool, Vec<String>) {
    let mut subscriber = Subscriber::new();
    let begun = subscriber.subscribe(topic, Start::After(position)).await;
    (begun.unwrap().is_recovered(), read_all(&mut subscriber))
}

#[tokio::test(start_paused = true)]
async fn rv10_a_position_of_one_hub_is_good_on_another() {
    let store = Store::default();
    let hubs = [store.topics(), store.topics()];
    let topics = hubs.each_ref().map(|hub| hub.topic("prices").unwrap());
    let mut first = subscribed(&topics[0], Start::Now).await;
    publish(&topics[0], 1..=5).await;
    let position = store.head("prices");
    publish(&topics[0], 6..=9).await;
    assert_eq!(read_all(&mut first), texts(1..=9));
    assert_eq!(after(&topics[1], position).await, (true, texts(6..=9)));
    assert_eq!(store.calls("read"), 1);
}

/// A client that has got more on another hub than has come to this one.
#[tokio::test(start_paused = true)]
async fn rv10_a_position_ahead_of_this_hub_is_asked_for() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut stays = subscribed(&topic, Start::Now).await;
    publish(&topic, 1..=5).await;
    store.publish_unseen("prices", "6");
    let position = store.head("prices");
    store.publish_unseen("prices", "7");
    assert_eq!(after(&topic, position).await, (true, texts([7])));
    assert_eq!(read_all(&mut stays), texts(1..=7));
    // The store does not know it either.
    let ahead = Position::new(position.epoch(), 100, position.mark());
    assert_eq!(after(&topic, ahead).await, (false, texts([])));
    assert_eq!(store.calls("read"), 2);
}

#[tokio::test(start_paused = true)]
async fn ba14_ten_thousand_that_come_back_at_once_are_one_read() {
    let store = Store::default();
    let mut positions = Vec::new();
    for number in 1..=900_u64 {
        store.publish("prices", number.to_string());
        positions.push(store.head("prices"));
    }
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    store.state().delay = Duration::from_millis(5);
    let mut coming = Vec::new();
    for number in 0..10_000 {
        let (topic, offset) = (topic.clone(), number % 900);
        let position = positions[offset];
        coming.push(tokio::spawn(async move {
            let mut subscriber = Subscriber::new();
            let begun = subscriber.subscribe(&topic, Start::After(position)).await;
            let begun = begun.unwrap();
            assert!(begun.is_recovered());
            assert_eq!(begun.waiting(), 899 - offset as u64);
        }));
    }
    for coming in coming {
        coming.await.unwrap();
    }
    assert_eq!((store.calls("attach"), store.calls("read")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn ba14_what_the_store_has_not_is_asked_for_once() {
    let store = Store::default();
    store.state().kept = Some(10);
    publish_in_store(&store, 1..=5).await;
    let old = store.head("prices");
    publish_in_store(&store, 6..=100).await;
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let stays = subscribed(&topic, Start::Now).await;
    for _ in 0..10 {
        assert_eq!(after(&topic, old).await, (false, texts([])));
    }
    let mut last = subscribed(&topic, Start::Last(50)).await;
    assert_eq!(read_all(&mut last), texts(91..=100));
    assert_eq!(store.calls("read"), 1);
    drop(stays);
}

#[tokio::test(start_paused = true)]
async fn ba14_the_last_ones_are_read_too() {
    let store = Store::default();
    publish_in_store(&store, 1..=100).await;
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut subscriber = Subscriber::new();
    let begun = subscriber.subscribe(&topic, Start::Last(10)).await.unwrap();
    assert_eq!((begun.waiting(), begun.is_recovered()), (10, false));
    assert_eq!(read_all(&mut subscriber), texts(91..=100));
    let mut more = subscribed(&topic, Start::Last(50)).await;
    assert_eq!(read_all(&mut more), texts(51..=100));
    assert_eq!(store.calls("read"), 1);
}

#[tokio::test(start_paused = true)]
async fn ba14_more_than_a_page_is_read_in_pages() {
    let store = Store::default();
    publish_in_store(&store, 1..=3).await;
    let old = store.head("prices");
    publish_in_store(&store, 4..=2500).await;
    let hub = store.topics_keeping(Keep::default().messages(3000));
    let topic = hub.topic("prices").unwrap();
    assert_eq!(after(&topic, old).await, (true, texts(4..=2500)));
    assert_eq!(store.calls("read"), 3);
}

/// What is published while older ones are read.
#[tokio::test(start_paused = true)]
async fn rv2_a_recovery_from_the_store_amid_publications() {
    let store = Store::default();
    publish_in_store(&store, 1..=10).await;
    let old = store.head("prices");
    publish_in_store(&store, 11..=20).await;
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    store.state().delay = Duration::from_millis(3);
    let recovering = tokio::spawn({
        let topic = topic.clone();
        async move {
            let mut subscriber = subscribed(&topic, Start::After(old)).await;
            sleep(Duration::from_millis(100)).await;
            read_all(&mut subscriber)
        }
    });
    for number in 21..=60 {
        store.publish("prices", number.to_string());
        settle().await;
    }
    assert_eq!(recovering.await.unwrap(), texts(11..=60));
    assert_eq!(store.calls("read"), 1);
}

#[tokio::test(start_paused = true)]
async fn ba22_the_smaller_store_wins() {
    for (kept, keep, recovered) in [(10, 100, 10), (100, 10, 10), (30, 30, 30)] {
        let store = Store::default();
        store.state().kept = Some(kept);
        let mut positions = Vec::new();
        for number in 1..=200_u64 {
            positions.push(store.head("prices"));
            store.publish("prices", number.to_string());
        }
        let hub = store.topics_keeping(Keep::default().messages(keep));
        let topic = hub.topic("prices").unwrap();
        for (number, position) in (1..=200_u64).zip(positions) {
            let is_recovered = number > 200 - recovered;
            let expected = match is_recovered {
                true => texts(number..=200),
                false => texts([]),
            };
            assert_eq!(after(&topic, position).await, (is_recovered, expected));
        }
        assert_eq!(store.calls("read"), 1, "{kept} {keep}");
    }
}

#[tokio::test(start_paused = true)]
async fn ba22_what_would_be_too_much_here_is_not_read_again() {
    let store = Store::default();
    let mut positions = Vec::new();
    for number in 0..100_u64 {
        positions.push(store.head("prices"));
        store.publish("prices", format!("{number:0>1000}"));
    }
    let keep = Keep::default().bytes(10_000);
    for (keep, kept) in [
        (keep.clone(), 10..=10),
        // With what each takes beside its payload.
        (Keep::default().bytes_in_all(10_000), 5..=9),
        (Keep::none(), 0..=0),
    ] {
        let hub = store.topics_keeping(keep);
        let topic = hub.topic("prices").unwrap();
        let before = store.calls("read");
        let mut recovered = 0;
        for (number, position) in positions.iter().enumerate() {
            let (is_recovered, read) = after(&topic, *position).await;
            recovered += usize::from(is_recovered);
            assert_eq!(read.len(), if is_recovered { 100 - number } else { 0 });
        }
        assert!(kept.contains(&recovered), "{recovered} of {kept:?}");
        assert!(store.calls("read") <= before + 1);
    }
    // What was dropped here is not read again, either.
    let hub = store.topics_keeping(keep);
    let topic = hub.topic("prices").unwrap();
    let stays = subscribed(&topic, Start::Last(5)).await;
    let before = store.calls("read");
    for number in 100..120_u64 {
        store.publish("prices", format!("{number:0>1000}"));
    }
    settle().await;
    assert!(!after(&topic, positions[99]).await.0);
    assert_eq!(store.calls("read"), before);
    drop(stays);
}

#[tokio::test(start_paused = true)]
async fn a_recovery_that_the_store_does_not_answer_fails_and_may_be_tried_again() {
    let store = Store::default();
    publish_in_store(&store, 1..=5).await;
    let old = store.head("prices");
    publish_in_store(&store, 6..=9).await;
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let stays = subscribed(&topic, Start::Now).await;
    store.hang();
    let mut subscriber = Subscriber::new();
    let failed = subscriber.subscribe(&topic, Start::After(old)).await;
    assert_eq!(failed.unwrap_err().kind(), SubscribeErrorKind::Unavailable);
    store.answer();
    assert_eq!(after(&topic, old).await, (true, texts(6..=9)));
    drop(stays);
}

#[tokio::test(start_paused = true)]
async fn ba19_without_marks_positions_are_good_all_the_same() {
    let store = Store::default();
    store.state().has_no_marks = true;
    publish_in_store(&store, 1..=5).await;
    let old = store.head("prices");
    publish_in_store(&store, 6..=9).await;
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    assert_eq!(after(&topic, old).await, (true, texts(6..=9)));
    let other = Position::new(old.epoch() + 1, 5, None);
    assert_eq!(after(&topic, other).await, (false, texts([])));
}

#[tokio::test(start_paused = true)]
async fn ba21_names_are_each_their_own() {
    let store = Store::default();
    let hub = store.topics();
    let long = "x".repeat(255);
    let names = ["a.b", "a.*", "a.>", "a b", "a{b}", "a/b", "안녕", &long];
    let mut subscribers = Vec::new();
    for name in names {
        let topic = hub.topic(name).unwrap();
        subscribers.push((subscribed(&topic, Start::Now).await, topic));
    }
    for (_, topic) in &subscribers {
        topic.publish(topic.name()).await.unwrap();
    }
    settle().await;
    for (subscriber, topic) in &mut subscribers {
        assert_eq!(read_all(subscriber), [topic.name()]);
    }
}
