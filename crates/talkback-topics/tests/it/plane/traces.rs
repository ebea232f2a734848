//! What `tracing` is told of a backplane.

use std::time::Duration;

use talkback_testing::secrets::SECRET;
use talkback_testing::traces::Told;
use talkback_topics::Start;
use tokio::time::sleep;

use super::store::Store;
use super::{publish, settle, subscribed};

/// Lets a line be told of anything again.
async fn a_second() {
    sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_what_is_gone_and_a_new_beginning_are_told() {
    let told = Told::default();
    let _guard = told.listen();
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic(SECRET).unwrap();
    let _subscriber = subscribed(&topic, Start::Now).await;
    topic.publish(SECRET).id(SECRET).await.unwrap();
    a_second().await;
    store.cut();
    settle().await;
    // What the store keeps none of is gone when the hub comes back.
    store.state().kept = Some(1);
    for _ in 0..4 {
        store.publish_unseen(SECRET, SECRET);
    }
    a_second().await;
    store.restore();
    a_second().await;
    store.fall_back(Default::default());
    store.cut();
    store.restore();
    settle().await;
    let expected = [
        "the backplane is reached left_out=0",
        "the backplane is not reached why=\"the test has cut it\" left_out=0",
        "the backplane is reached left_out=0",
        "publications are gone missed=3 left_out=0",
        "the backplane is reached left_out=0",
        "a topic has begun anew left_out=0",
    ];
    assert_eq!(told.lines(), expected);
    assert!(!told.text().contains(SECRET), "{}", told.text());
}

#[tokio::test(start_paused = true)]
async fn ba13_however_often_it_is_lost_one_line_a_second_is_told() {
    let told = Told::default();
    let _guard = told.listen();
    let store = Store::default();
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let _subscriber = subscribed(&topic, Start::Now).await;
    publish(&topic, [1]).await;
    a_second().await;
    for _ in 0..100 {
        store.cut();
        sleep(Duration::from_millis(50)).await;
        store.restore();
        sleep(Duration::from_millis(50)).await;
    }
    let lines = told.lines();
    let of = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!(of("the backplane is not reached"), 10, "{lines:#?}");
    assert_eq!(of("the backplane is reached"), 11, "{lines:#?}");
    let leaves_out_nine = |line: &String| line.ends_with("left_out=9");
    assert!(lines[3..].iter().all(leaves_out_nine), "{lines:#?}");
}
