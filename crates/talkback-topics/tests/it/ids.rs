//! Publications with an id.

use std::time::Duration;

use talkback_topics::{PublishError, PublishErrorKind, Start, Subscriber};
use tokio::time::advance;

use crate::support::{now, publish, read, topic};

#[test]
fn to20_an_id_that_is_known_is_not_published_again() {
    let topic = topic();
    let mut subscriber = Subscriber::new();
    now(subscriber.subscribe(&topic, Start::Now)).unwrap();
    let once = || now(topic.publish("1").id("order-17").into_future()).unwrap();
    let first = once();
    publish(&topic, [2]);
    let second = once();
    assert_eq!([first.is_duplicate(), second.is_duplicate()], [false, true]);
    assert_eq!(first.position(), second.position());
    assert_eq!(read(&mut subscriber), ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn to20_an_id_is_known_for_two_minutes() {
    let topic = topic();
    for (wait, is_duplicate) in [(0, false), (119, true), (2, false), (119, true)] {
        advance(Duration::from_secs(wait)).await;
        let published = topic.publish("1").id("order-17").await.unwrap();
        assert_eq!(published.is_duplicate(), is_duplicate, "{wait}");
    }
}

#[test]
fn to20_of_the_last_1024() {
    let topic = topic();
    let is_duplicate = |id: usize| {
        let publishing = topic.publish("1").id(id.to_string()).into_future();
        now(publishing).unwrap().is_duplicate()
    };
    assert!((0..1024).all(|id| !is_duplicate(id)));
    assert!((0..1024).all(is_duplicate));
    assert!(!is_duplicate(1024));
    assert!(!is_duplicate(0), "1,024 others were published since");
    assert!(is_duplicate(2));
}

#[test]
fn to20_an_id_has_a_bound() {
    let topic = topic();
    for (id, is_one) in [
        ("", false),
        ("x", true),
        (&"x".repeat(255), true),
        (&"x".repeat(256), false),
    ] {
        let published = now(topic.publish("1").id(id).into_future());
        let kind = published.as_ref().err().map(PublishError::kind);
        assert_eq!(
            kind,
            (!is_one).then_some(PublishErrorKind::Id),
            "{}",
            id.len()
        );
    }
}
