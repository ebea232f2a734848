//! Topics that nobody uses.

use std::time::Duration;

use talkback_topics::{Keep, Start, Subscriber, TopicNameError, Topics};
use tokio::time::advance;

use crate::support::{now, publish, read};

const IDLE: Duration = Duration::from_secs(300);

#[tokio::test(start_paused = true)]
async fn to17_a_topic_that_nobody_uses_is_forgotten_and_begins_anew() {
    let topics = Topics::new();
    let first = topics
        .topic("prices")
        .unwrap()
        .publish("1")
        .await
        .unwrap()
        .position();
    assert_eq!(topics.len(), 1);
    advance(IDLE - Duration::from_secs(1)).await;
    // A publication prolongs it, and so does a subscription.
    let second = topics
        .topic("prices")
        .unwrap()
        .publish("2")
        .await
        .unwrap()
        .position();
    let mut subscriber = Subscriber::new();
    let topic = topics.topic("prices").unwrap();
    let begun = subscriber
        .subscribe(&topic, Start::After(first))
        .await
        .unwrap();
    assert_eq!((begun.is_recovered(), begun.waiting()), (true, 1));
    drop(topic);
    advance(3 * IDLE).await;
    assert_eq!(topics.len(), 1);
    assert_eq!(topics.topic("prices").unwrap().subscribers(), 1);
    drop(subscriber);
    advance(IDLE - Duration::from_secs(1)).await;
    tokio::task::yield_now().await;
    assert_eq!(topics.len(), 1);
    advance(Duration::from_secs(2)).await;
    tokio::task::yield_now().await;
    assert_eq!(topics.len(), 0);
    let mut subscriber = Subscriber::new();
    let topic = topics.topic("prices").unwrap();
    let begun = subscriber
        .subscribe(&topic, Start::After(second))
        .await
        .unwrap();
    assert!(!begun.is_recovered());
}

#[tokio::test(start_paused = true)]
async fn to17_a_handle_that_is_kept_is_of_the_same_topic_for_ever() {
    let topics = Topics::new();
    let kept = topics.topic("prices").unwrap();
    let first = kept.publish("1").await.unwrap().position();
    for _ in 0..5 {
        advance(IDLE + Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
    let mut subscriber = Subscriber::new();
    let found = topics.topic("prices").unwrap();
    let begun = subscriber
        .subscribe(&found, Start::After(first))
        .await
        .unwrap();
    assert!(!begun.is_recovered());
    publish(&kept, [2]);
    assert_eq!(read(&mut subscriber), ["2"]);
    drop((kept, found, subscriber));
    advance(2 * IDLE).await;
    tokio::task::yield_now().await;
    assert_eq!(topics.len(), 0);
}

/// The clock alone decides, whether or not somebody has looked meanwhile.
#[test]
fn to17_without_a_runtime_it_begins_anew_as_well() {
    let topics = Topics::keeping(Keep::default().idle(Duration::ZERO));
    let topic = topics.topic("prices").unwrap();
    let positions = [1, 2].map(|_| now(topic.publish("1").into_future()).unwrap().position());
    assert!(positions.iter().all(|it| it.to_string().ends_with("-1")));
    assert_ne!(positions[0], positions[1]);
    // Not while somebody is subscribed.
    let mut subscriber = Subscriber::new();
    now(subscriber.subscribe(&topic, Start::Now)).unwrap();
    publish(&topic, [2, 3]);
    assert_eq!(read(&mut subscriber), ["2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn to17_who_has_left_and_reads_on_is_told_that_it_is_forgotten() {
    use talkback_topics::{Next, Slow};

    let topics = Topics::new();
    let topic = topics.topic("prices").unwrap();
    let mut slow = Subscriber::new();
    let mut skipping = Subscriber::new().slow(Slow::Skip);
    for subscriber in [&mut slow, &mut skipping] {
        subscriber.subscribe(&topic, Start::Now).await.unwrap();
    }
    publish(&topic, 1..=3);
    slow.unsubscribe(&topic);
    skipping.unsubscribe(&topic);
    advance(2 * IDLE).await;
    tokio::task::yield_now().await;
    publish(&topic, 1..=3);
    assert!(slow.next().await.is_err());
    let Next::Gap(gap) = skipping.next().await.unwrap() else {
        panic!("it has missed them");
    };
    assert_eq!(gap.missed(), 3);
    assert_eq!(read(&mut skipping), [""; 0]);
}

#[test]
fn topics_have_names() {
    let topics = Topics::new();
    let names = ["a", "/", "a.*>{}", "안녕", "a b", &"x".repeat(255)];
    let handles = names.map(|name| topics.topic(name).unwrap());
    for (topic, name) in handles.iter().zip(names) {
        assert_eq!(topic.name(), name);
        publish(topic, [1]);
    }
    let error = |name: &str| topics.topic(name).unwrap_err();
    let errors: [TopicNameError; 3] = [error(""), error(&"x".repeat(256)), error("a\n")];
    let said = errors.map(|error| error.to_string());
    assert_eq!(
        said,
        [
            "the name of a topic is empty",
            "the name of a topic is 256 bytes long: 255 are the most",
            "the name of a topic has a control character",
        ]
    );
    let mut visited = Vec::new();
    topics.each(|topic| {
        // It may use them meanwhile.
        assert_eq!(topics.len(), names.len());
        visited.push(topic.name().to_owned());
    });
    visited.sort();
    let mut expected = names.map(str::to_owned);
    expected.sort();
    assert_eq!(visited, expected);
}
