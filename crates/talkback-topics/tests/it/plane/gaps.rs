//! What does not come.

use std::time::Duration;

use talkback_topics::{Keep, Next, Slow, Start, Subscriber};
use tokio::time::sleep;

use super::store::Store;
use super::{patient, publish, read_all, settle, subscribed};
use crate::support::texts;

#[tokio::test(start_paused = true)]
async fn ba2_one_that_is_lost_is_read_once() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut subscribers = [
        subscribed(&topic, Start::Now).await,
        subscribed(&topic, Start::Now).await,
    ];
    publish(&topic, 1..=3).await;
    store.drop_for(0, 2);
    store.state().delay = Duration::from_millis(20);
    // Those that come while the store is asked wait.
    publish(&topic, 4..=9).await;
    sleep(Duration::from_millis(100)).await;
    for subscriber in &mut subscribers {
        assert_eq!(read_all(subscriber), texts(1..=9));
    }
    assert_eq!((store.calls("read"), store.calls("heads")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn ba2_many_that_are_lost_are_read_in_pages() {
    let store = Store::default();
    let hub = store.topics_keeping(Keep::default().messages(5000));
    let topic = hub.topic("prices").unwrap();
    let mut subscriber = subscribed(&topic, Start::Now).await;
    store.drop_for(0, 1500);
    for number in 1..=1500 {
        store.publish("prices", number.to_string());
    }
    // While they are read, more come than are held.
    store.state().delay = Duration::from_millis(20);
    for number in 1501..=3000 {
        store.publish("prices", number.to_string());
    }
    sleep(Duration::from_secs(1)).await;
    publish(&topic, [3001]).await;
    assert_eq!(read_all(&mut subscriber), texts(1..=3001));
    assert!(store.calls("read") <= 7, "{}", store.calls("read"));
}

#[tokio::test(start_paused = true)]
async fn ba3_the_last_one_lost_is_found_within_30_seconds() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut subscriber = subscribed(&topic, Start::Now).await;
    publish(&topic, [1]).await;
    store.drop_for(0, 1);
    publish(&topic, [2]).await;
    assert_eq!(read_all(&mut subscriber), ["1"]);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(read_all(&mut subscriber), ["2"]);
    assert_eq!(store.calls("read"), 1);
    // Those that are not quiet are not asked for.
    let before = store.calls("heads");
    for number in 3..=12 {
        publish(&topic, [number]).await;
        sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(store.calls("heads"), before);
}

#[tokio::test(start_paused = true)]
async fn ba3_quiet_topics_are_compared_512_at_a_time() {
    let store = Store::default();
    let hub = store.topics();
    let mut subscriber = Subscriber::new();
    for number in 0..1200 {
        let topic = hub.topic(&number.to_string()).unwrap();
        subscriber.subscribe(&topic, Start::Now).await.unwrap();
    }
    sleep(Duration::from_secs(61)).await;
    assert_eq!(store.state().batch, 512);
    assert_eq!(store.calls("read"), 0);
    assert!((3..=6).contains(&store.calls("heads")));
}

#[tokio::test(start_paused = true)]
async fn ba4_what_is_gone_is_told_to_all_whatever_their_policy() {
    let store = Store::default();
    store.state().kept = Some(3);
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut subscribers = Vec::new();
    for slow in [Slow::Close, Slow::Skip, Slow::Latest] {
        let mut subscriber = patient().slow(slow);
        subscriber.subscribe(&topic, Start::Now).await.unwrap();
        subscribers.push(subscriber);
    }
    publish(&topic, 1..=2).await;
    store.drop_for(0, 6);
    publish(&topic, 3..=8).await;
    // The store has the last three, when this comes.
    publish(&topic, [9]).await;
    publish(&topic, [10]).await;
    let told = ["1", "2", "gap 3-6", "7", "8", "9", "10"];
    for subscriber in &mut subscribers[..2] {
        assert_eq!(read_all(subscriber), told);
        assert_eq!((subscriber.delivered(), subscriber.skipped()), (6, 4));
    }
    assert_eq!(read_all(&mut subscribers[2]), ["gap 3-6", "10"]);
    assert_eq!(subscribers[2].skipped(), 9);
    assert!(subscribers.iter().all(|it| it.waiting() == 0));
    // A position before the gap is not continued, one behind it is.
    let position = |offset| {
        let entry = store.last("prices").position;
        talkback_topics::Position::new(entry.epoch(), offset, None)
    };
    let before = subscribed(&topic, Start::After(position(2))).await;
    assert_eq!(before.waiting(), 0);
    let mut last = subscribed(&topic, Start::Last(10)).await;
    assert_eq!(read_all(&mut last), ["7", "8", "9", "10"]);
}

#[tokio::test(start_paused = true)]
async fn ba4_all_that_was_lost_is_gone() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut subscriber = subscribed(&topic, Start::Now).await;
    let mut latest = patient().slow(Slow::Latest);
    latest.subscribe(&topic, Start::Now).await.unwrap();
    publish(&topic, 1..=2).await;
    store.drop_for(0, 3);
    publish(&topic, 3..=5).await;
    store.state().kept = Some(0);
    store.drop_for(0, 1);
    store.publish_unseen("prices", "6");
    sleep(Duration::from_secs(61)).await;
    assert_eq!(read_all(&mut subscriber), ["1", "2", "gap 3-6"]);
    // The newest is not to be had.
    assert_eq!(read_all(&mut latest), ["gap 3-6"]);
    publish(&topic, [7]).await;
    assert_eq!(read_all(&mut subscriber), ["7"]);
    assert_eq!(read_all(&mut latest), ["7"]);
    let end = store.head("prices");
    let mut after = subscribed(&topic, Start::After(end)).await;
    publish(&topic, [8]).await;
    assert_eq!(read_all(&mut after), ["8"]);
}

#[tokio::test(start_paused = true)]
async fn ba4_the_positions_of_a_gap_are_good_to_go_on_from() {
    let store = Store::default();
    store.state().kept = Some(2);
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut subscriber = subscribed(&topic, Start::Now).await;
    store.drop_for(0, 5);
    publish(&topic, 1..=6).await;
    let Next::Gap(gap) = subscriber.next().await.unwrap() else {
        panic!("there is a gap");
    };
    assert_eq!((gap.missed(), gap.topic()), (4, "prices"));
    let mut again = Subscriber::new();
    let begun = again.subscribe(&topic, Start::After(gap.to())).await;
    assert!(begun.unwrap().is_recovered());
    assert_eq!(read_all(&mut again), texts(5..=6));
}

#[tokio::test(start_paused = true)]
async fn ba10_what_overflows_the_inbox_is_read() {
    let store = Store::default();
    let hub = store.topics_keeping(Keep::default().messages(100_000).bytes(10_000_000));
    let topic = hub.topic("prices").unwrap();
    let mut subscriber = subscribed(&topic, Start::Now).await;
    // No task runs meanwhile.
    (0..66_000).for_each(|_| store.publish_next("prices"));
    settle().await;
    assert_eq!(read_all(&mut subscriber), texts(1..=66_000));
    assert_eq!((store.calls("heads"), store.calls("read")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn ba10_an_engine_that_may_have_lost_something_has_all_compared() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut subscriber = subscribed(&topic, Start::Now).await;
    store.drop_for(0, 1);
    publish(&topic, [1]).await;
    assert_eq!(read_all(&mut subscriber), texts([]));
    store.lose(0);
    settle().await;
    assert_eq!(read_all(&mut subscriber), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn what_comes_twice_is_delivered_once() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut subscriber = subscribed(&topic, Start::Now).await;
    publish(&topic, 1..=2).await;
    for _ in 0..3 {
        store.hand(0, "prices", store.last("prices"));
    }
    publish(&topic, [3]).await;
    assert_eq!(read_all(&mut subscriber), texts(1..=3));
    assert_eq!(store.calls("read"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_at_first_is_asked_again() {
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut subscriber = subscribed(&topic, Start::Now).await;
    store.drop_for(0, 1);
    store.publish("prices", "1");
    store.hang();
    store.publish("prices", "2");
    sleep(Duration::from_secs(7)).await;
    assert_eq!(read_all(&mut subscriber), texts([]));
    store.answer();
    sleep(Duration::from_secs(3)).await;
    assert_eq!(read_all(&mut subscriber), texts(1..=2));
}
