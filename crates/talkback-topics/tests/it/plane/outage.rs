//! A backplane that is not reached, or comes back otherwise than it was.

use std::error::Error;
use std::time::Duration;

use talkback_topics::{PublishErrorKind, Start, SubscribeErrorKind, Subscriber, TopicEvent};
use tokio::time::sleep;

use super::store::Store;
use super::{publish, read_all, settle, subscribed};
use crate::support::{Served, texts};

/// What the backplane said is for the program, and in no sentence that a client is sent.
fn is_told_apart(refused: &dyn Error) {
    const WHY: &str = "the test has cut it";
    assert_eq!(refused.source().unwrap().to_string(), WHY);
    assert!(!refused.to_string().contains(WHY), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn ba5_an_outage_is_told_after_5_seconds_and_healed_before_it_ends() {
    let store = Store::default();
    let hubs = [store.topics(), store.topics()];
    let topics = hubs.each_ref().map(|hub| hub.topic("prices").unwrap());
    let mut subscriber = subscribed(&topics[0], Start::Now).await;
    publish(&topics[1], 1..=3).await;
    store.cut();
    assert!(!hubs[0].is_up());
    let refused = topics[0].publish("x").await.unwrap_err();
    assert_eq!(refused.kind(), PublishErrorKind::Unavailable);
    is_told_apart(&refused);
    sleep(Duration::from_millis(4900)).await;
    assert_eq!(read_all(&mut subscriber), texts(1..=3));
    sleep(Duration::from_millis(200)).await;
    assert_eq!(read_all(&mut subscriber), ["stale"]);
    assert_eq!(read_all(&mut subscriber), texts([]));
    // What the other side of a partition publishes meanwhile.
    for number in 4..=6 {
        store.publish_unseen("prices", &number.to_string());
    }
    store.state().delay = Duration::from_millis(500);
    store.restore();
    sleep(Duration::from_millis(600)).await;
    // It is reached, and what is behind is being read.
    assert!(hubs[0].is_up());
    assert_eq!(read_all(&mut subscriber), texts([]));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(read_all(&mut subscriber), ["4", "5", "6", "live"]);
    store.state().delay = Duration::ZERO;
    publish(&topics[1], [7]).await;
    assert_eq!(read_all(&mut subscriber), ["7"]);
}

#[tokio::test(start_paused = true)]
async fn ba5_a_short_outage_is_not_told() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut subscriber = subscribed(&topic, Start::Now).await;
    store.cut();
    sleep(Duration::from_secs(3)).await;
    store.publish_unseen("prices", "1");
    store.restore();
    sleep(Duration::from_secs(10)).await;
    assert_eq!(read_all(&mut subscriber), ["1"]);
    // One that is over before anybody has looked is healed as well.
    store.cut();
    store.publish_unseen("prices", "2");
    store.restore();
    settle().await;
    assert_eq!(read_all(&mut subscriber), ["2"]);
}

#[tokio::test(start_paused = true)]
async fn ba5_who_comes_while_it_is_not_reached() {
    let store = Store::default();
    let hub = store.topics();
    let [warm, cold] = ["warm", "cold"].map(|name| hub.topic(name).unwrap());
    let stays = subscribed(&warm, Start::Now).await;
    publish(&warm, 1..=3).await;
    let old = store.head("warm");
    publish(&warm, 4..=5).await;
    store.cut();
    sleep(Duration::from_secs(6)).await;
    let mut subscriber = Subscriber::new();
    let refused = subscriber.subscribe(&cold, Start::Now).await.unwrap_err();
    assert_eq!(refused.kind(), SubscribeErrorKind::Unavailable);
    is_told_apart(&refused);
    let begun = subscriber.subscribe(&warm, Start::Now).await.unwrap();
    assert_eq!(begun.position(), store.head("warm"));
    assert_eq!(read_all(&mut subscriber), ["stale"]);
    let mut again = Subscriber::new();
    let begun = again.subscribe(&warm, Start::After(old)).await.unwrap();
    assert!(begun.is_recovered());
    assert_eq!(read_all(&mut again), ["4", "5", "stale"]);
    // What is not known here is not refused: it may be good.
    let position = talkback_topics::Position::new;
    for unknown in [
        position(old.epoch(), 9, Some(9)),
        position(77, 1, Some(1)),
        position(old.epoch(), 1, Some(1)),
    ] {
        let mut late = Subscriber::new();
        let refused = late.subscribe(&warm, Start::After(unknown)).await;
        assert_eq!(
            refused.unwrap_err().kind(),
            SubscribeErrorKind::Unavailable,
            "{unknown}"
        );
    }
    store.restore();
    settle().await;
    subscriber.subscribe(&cold, Start::Now).await.unwrap();
    assert_eq!(read_all(&mut subscriber), ["live"]);
    drop(stays);
}

#[tokio::test(start_paused = true)]
async fn ba5_pump_tells_it_too() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut served = Served::new(subscribed(&topic, Start::Now).await);
    served.run();
    store.cut();
    sleep(Duration::from_secs(6)).await;
    assert!(served.wakes.take() > 0);
    assert!(matches!(served.pump(), Some(Ok(TopicEvent::Stale))));
    served.run();
    store.fall_back(Default::default());
    store.publish_unseen("prices", "1");
    store.restore();
    settle().await;
    assert!(served.wakes.take() > 0);
    let Some(Ok(TopicEvent::Reset(reset))) = served.pump() else {
        panic!("it has begun anew");
    };
    assert_eq!((reset.topic(), reset.position().offset()), ("prices", 0));
    assert!(matches!(served.pump(), Some(Ok(TopicEvent::Live))));
    served.run();
    assert_eq!(served.wire().take_texts(), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn ba6_a_store_that_comes_back_empty_begins_anew() {
    let store = Store::default();
    let hubs = [store.topics(), store.topics()];
    let topics = hubs.each_ref().map(|hub| hub.topic("prices").unwrap());
    let mut subscribers = Vec::new();
    for topic in &topics {
        subscribers.push(subscribed(topic, Start::Now).await);
    }
    publish(&topics[0], 1..=3).await;
    let old = store.head("prices");
    store.cut();
    store.fall_back(Default::default());
    store.restore();
    settle().await;
    for subscriber in &mut subscribers {
        assert_eq!(read_all(subscriber), ["reset 0"]);
    }
    publish(&topics[0], 4..=5).await;
    for subscriber in &mut subscribers {
        assert_eq!(read_all(subscriber), texts(4..=5));
    }
    let mut again = Subscriber::new();
    let begun = again.subscribe(&topics[1], Start::After(old)).await;
    assert!(!begun.unwrap().is_recovered());
    assert_eq!(store.calls("renew"), 0);
}

#[tokio::test(start_paused = true)]
async fn ba6_one_that_has_nothing_yet_is_told_as_well() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut subscriber = subscribed(&topic, Start::Now).await;
    store.cut();
    store.fall_back(Default::default());
    store.restore();
    settle().await;
    assert_eq!(read_all(&mut subscriber), ["reset 0"]);
    publish(&topic, [1]).await;
    assert_eq!(read_all(&mut subscriber), ["1"]);
}

/// What is published before a hub has seen the fork gets the numbers of what it has.
#[tokio::test(start_paused = true)]
async fn ba7_a_store_that_has_fallen_back_is_found_by_its_marks() {
    for published in [0, 1, 2, 3, 4, 5, 9] {
        let store = Store::default();
        let hubs = [store.topics(), store.topics()];
        let topics = hubs.each_ref().map(|hub| hub.topic("prices").unwrap());
        let mut subscribers = Vec::new();
        for topic in &topics {
            subscribers.push(subscribed(topic, Start::Now).await);
        }
        publish(&topics[0], 1..=7).await;
        let snapshot = store.snapshot();
        publish(&topics[0], 8..=10).await;
        let position = store.head("prices");
        for subscriber in &mut subscribers {
            assert_eq!(read_all(subscriber), texts(1..=10));
        }
        // Nobody notices that it was gone.
        store.fall_back(snapshot);
        publish(&topics[1], 11..11 + published).await;
        sleep(Duration::from_secs(61)).await;
        for subscriber in &mut subscribers {
            let read = read_all(subscriber);
            assert_eq!(read[0], "reset 0", "{published}: {read:?}");
            let rest = texts(11..11 + published);
            assert!(rest.ends_with(&read[1..]), "{published}: {read:?}");
        }
        assert!(store.calls("renew") >= 1);
        publish(&topics[0], [99]).await;
        for subscriber in &mut subscribers {
            assert_eq!(read_all(subscriber), ["99"]);
        }
        for topic in &topics {
            let mut again = Subscriber::new();
            let begun = again.subscribe(topic, Start::After(position)).await;
            assert!(!begun.unwrap().is_recovered());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ba7_nothing_begins_anew_if_nothing_was_lost() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut subscriber = subscribed(&topic, Start::Now).await;
    publish(&topic, 1..=7).await;
    store.cut();
    store.fall_back(store.snapshot());
    store.restore();
    publish(&topic, 8..=9).await;
    sleep(Duration::from_secs(61)).await;
    assert_eq!(read_all(&mut subscriber), texts(1..=9));
    assert_eq!(store.calls("renew"), 0);
}

/// A hub that has heard nothing of the fork refuses what another hub's client brings from before it.
#[tokio::test(start_paused = true)]
async fn ba7_a_position_from_before_a_fork_is_refused_on_any_hub() {
    let store = Store::default();
    let hubs = [store.topics(), store.topics()];
    let topics = hubs.each_ref().map(|hub| hub.topic("prices").unwrap());
    publish(&topics[0], 1..=7).await;
    let snapshot = store.snapshot();
    publish(&topics[0], 8..=10).await;
    let position = store.head("prices");
    store.fall_back(snapshot);
    publish(&topics[0], 11..=15).await;
    for start in [Start::Now, Start::Last(10)] {
        // Be its ring cold or full.
        let warm = subscribed(&topics[1], start).await;
        let mut again = Subscriber::new();
        let begun = again.subscribe(&topics[1], Start::After(position)).await;
        assert!(!begun.unwrap().is_recovered());
        drop(warm);
    }
}

#[tokio::test(start_paused = true)]
async fn ba8_a_store_that_stands_still() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut subscriber = subscribed(&topic, Start::Now).await;
    store.hang();
    let before = tokio::time::Instant::now();
    let failed = topic.publish("1").id("a").await.unwrap_err();
    assert_eq!(failed.kind(), PublishErrorKind::Uncertain);
    assert_eq!(before.elapsed(), Duration::from_secs(2));
    // The engine finds out.
    store.cut();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(read_all(&mut subscriber), ["1", "stale"]);
    store.answer();
    store.restore();
    let again = topic.publish("1").id("a").await.unwrap();
    assert!(again.is_duplicate());
    settle().await;
    assert_eq!(read_all(&mut subscriber), ["live"]);
}

#[tokio::test(start_paused = true)]
async fn ba11_5000_topics_at_a_reconnect() {
    let store = Store::default();
    let hub = store.topics();
    let names: Vec<_> = (0..5000).map(|number| number.to_string()).collect();
    let mut subscribers = Vec::new();
    for name in &names {
        let topic = hub.topic(name).unwrap();
        subscribers.push(subscribed(&topic, Start::Now).await);
    }
    store.cut();
    sleep(Duration::from_secs(6)).await;
    for name in &names {
        store.publish_unseen(name, "missed");
    }
    store.state().delay = Duration::from_millis(1);
    store.restore();
    for name in &names {
        store.publish(name, "meanwhile");
    }
    sleep(Duration::from_secs(5)).await;
    for subscriber in &mut subscribers {
        // Nobody has looked while it was stale.
        assert_eq!(read_all(subscriber), ["missed", "meanwhile"]);
    }
    // Either call for 512 at a time.
    assert_eq!(store.calls("heads"), 10);
}

#[tokio::test(start_paused = true)]
async fn ba13_it_is_waited_for_however_often_it_is_lost() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut subscriber = subscribed(&topic, Start::Now).await;
    for _ in 0..100 {
        store.cut();
        sleep(Duration::from_secs(2)).await;
        store.restore();
        store.cut();
    }
    store.publish_unseen("prices", "1");
    store.restore();
    settle().await;
    assert_eq!(read_all(&mut subscriber), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn ba24_a_hub_starts_without_it() {
    let store = Store::default();
    store.cut();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    assert!(!hub.is_up());
    let refused = topic.publish("1").await.unwrap_err();
    assert_eq!(refused.kind(), PublishErrorKind::Unavailable);
    let up = tokio::spawn({
        let hub = hub.clone();
        async move { hub.up().await }
    });
    sleep(Duration::from_secs(30)).await;
    assert!(!up.is_finished());
    store.restore();
    up.await.unwrap();
    assert!(hub.is_up());
    let mut subscriber = subscribed(&topic, Start::Now).await;
    publish(&topic, [1]).await;
    settle().await;
    assert_eq!(read_all(&mut subscriber), ["1"]);
    // Without a backplane there is nothing to wait for.
    let here = talkback_topics::Topics::new();
    assert!(here.is_up());
    here.up().await;
}
