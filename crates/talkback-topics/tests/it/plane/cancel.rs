//! Calls over a backplane that are dropped, at each point at which they wait.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use talkback::{Role, WebSocket};
use talkback_topics::{Next, Start, Subscriber, Topic, TopicEvent};
use tokio::io::duplex;
use tokio::time::sleep;

use super::store::Store;
use super::{publish, read_all, settle, subscribed, told};
use crate::support::{text, texts};

/// Polls a future so often, as long as others have their turn between; then it is dropped.
async fn poll_times<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..times {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        sleep(Duration::from_micros(700)).await;
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
        sleep(Duration::from_secs(60)).await;
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

/// Publications of which some are lost and fetched, missed in an outage, and gone; then the store begins anew.
async fn trouble(store: Store, topic: Topic) {
    store.state().delay = Duration::from_millis(3);
    publish(&topic, 1..=5).await;
    store.drop_for(0, 2);
    publish(&topic, 6..=9).await;
    store.cut();
    sleep(Duration::from_secs(6)).await;
    store.publish_unseen("prices", "10");
    store.restore();
    sleep(Duration::from_secs(1)).await;
    store.state().kept = Some(1);
    store.drop_for(0, 3);
    publish(&topic, 11..=14).await;
    settle_all().await;
    store.fall_back(Default::default());
    store.cut();
    store.restore();
    settle_all().await;
    publish(&topic, 15..=16).await;
}

/// Lets the hub ask the store.
async fn settle_all() {
    sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn to23_next_that_is_dropped_at_every_poll_loses_and_doubles_nothing() {
    for times in 1..=3 {
        let store = Store::default();
        let topic = store.topics().topic("prices").unwrap();
        let mut subscriber = subscribed(&topic, Start::Now).await;
        tokio::spawn(trouble(store.clone(), topic));
        let mut got = Vec::new();
        while got.last().is_none_or(|last| last != "16") {
            let next = poll_times(times, subscriber.next()).await;
            got.extend(next.map(|next| told(&next.unwrap())));
        }
        let mut expected = texts(1..=9);
        let rest = "stale,10,live,gap 11-13,14,reset 0,15,16".split(',');
        expected.extend(rest.map(str::to_owned));
        assert_eq!(got, expected, "{times}");
    }
}

#[tokio::test(start_paused = true)]
async fn to23_a_pump_that_is_dropped_at_every_poll_loses_and_doubles_nothing() {
    for (times, capacity) in [(1, 1), (1, 1000), (2, 1), (3, 1000)] {
        let store = Store::default();
        let topic = store.topics().topic("prices").unwrap();
        let mut subscriber = subscribed(&topic, Start::Now).await;
        let (near, far) = duplex(capacity);
        let mut socket = WebSocket::from_upgraded(near, Role::Server);
        let mut client = WebSocket::from_upgraded(far, Role::Client);
        tokio::spawn(trouble(store.clone(), topic));
        let reading = tokio::spawn(async move {
            let mut got = Vec::new();
            while got.last().is_none_or(|last| last != "16") {
                got.push(text(&client.recv().await.unwrap().unwrap()).to_owned());
            }
            client.close().await;
            got
        });
        let mut events = Vec::new();
        loop {
            let event = poll_times(times, subscriber.pump(&mut socket)).await;
            match event.transpose().unwrap() {
                None => {}
                Some(TopicEvent::Closed(_)) => break,
                Some(TopicEvent::Gap(gap)) => events.push(told(&Next::Gap(gap))),
                Some(TopicEvent::Reset(reset)) => events.push(told(&Next::Reset(reset))),
                Some(TopicEvent::Stale) => events.push(told(&Next::Stale)),
                Some(TopicEvent::Live) => events.push(told(&Next::Live)),
                Some(other) => panic!("{other:?}"),
            }
        }
        let expected = texts((1..=10).chain(14..=16));
        assert_eq!(reading.await.unwrap(), expected, "{times}, {capacity}");
        assert_eq!(events, ["stale", "live", "gap 11-13", "reset 0"]);
    }
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
    sleep(Duration::from_secs(3)).await;
    assert_eq!(store.calls("drop"), 1);
}
