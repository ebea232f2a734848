//! What a recorder of `metrics` is told.

use std::collections::BTreeMap;
use std::time::Duration;

use ::metrics::set_default_local_recorder;
use talkback_testing::metrics::Told;
use talkback_topics::{Keep, Slow, Start, Subscriber, Topics};
use tokio::time::advance;

use crate::support::{now, publish, read};

/// Each series that is not at 0, without what all names begin with.
fn all(told: &Told) -> BTreeMap<String, f64> {
    let all = told.of("talkback_topics").into_iter();
    all.filter(|(_, value)| *value != 0.0).collect()
}

#[track_caller]
fn assert_told<const N: usize>(told: &Told, expected: [(&str, f64); N]) {
    let mut all = all(told);
    // What an entry takes beside its payload is its own matter.
    if let Some(bytes) = all.get_mut("_log_bytes") {
        *bytes = (*bytes / 100_000.0).floor();
    }
    let expected = expected
        .map(|(name, value)| (name.to_owned(), value))
        .into();
    assert_eq!(all, expected);
}

#[tokio::test(start_paused = true)]
async fn what_is_counted_adds_up() {
    let told = Told::default();
    let _guard = set_default_local_recorder(&told);
    let keep = Keep::default().messages(10).bytes_in_all(250_000);
    let topics = Topics::keeping(keep);
    assert_told(&told, []);
    let topic = topics.topic("a secret name").unwrap();
    let first = topic.publish("1").await.unwrap().position();
    let mut closed = Subscriber::new();
    let mut skipping = Subscriber::new().slow(Slow::Skip);
    let mut latest = Subscriber::new().slow(Slow::Latest);
    let starts = [Start::After(first), Start::Now, Start::Now];
    for (subscriber, start) in [&mut closed, &mut skipping, &mut latest]
        .into_iter()
        .zip(starts)
    {
        subscriber.subscribe(&topic, start).await.unwrap();
    }
    publish(&topic, 2..=13);
    topic.publish("13").id("x").await.unwrap();
    topic.publish("13").id("x").await.unwrap();
    advance(Duration::from_secs(2)).await;
    assert!(closed.next().await.is_err());
    skipping.next().await.unwrap();
    assert_eq!(read(&mut skipping).len(), 10);
    assert_eq!(read(&mut latest).len(), 1);
    let head = topic.publish("x".repeat(120_000)).await.unwrap().position();
    let other = topics.topic("another").unwrap();
    other.publish("x".repeat(120_000)).await.unwrap();
    // Above the bound, either keeps its newest.
    topic.publish("x".repeat(120_000)).await.unwrap();
    for (topic, start) in [(&topic, first), (&other, head)] {
        let mut late = Subscriber::new();
        now(late.subscribe(topic, Start::After(start))).unwrap();
    }
    let published = 1.0 + 13.0 + 3.0;
    let expected = [
        ("", 2.0),
        ("_subscribers", 2.0),
        ("_published_total", published),
        ("_delivered_total", 11.0),
        ("_skipped_total{policy=latest}", 12.0),
        ("_skipped_total{policy=skip}", 3.0),
        ("_slow_closed_total", 1.0),
        ("_lag_seconds count", 11.0),
        ("_lag_seconds sum", 22.0),
        ("_log_bytes", 2.0),
        ("_recoveries_total{outcome=epoch}", 1.0),
        ("_recoveries_total{outcome=ring}", 1.0),
        ("_recoveries_total{outcome=too_old}", 1.0),
        ("_trimmed_total", 9.0),
    ];
    assert_told(&told, expected);
    drop((closed, skipping, latest, topic, other, topics));
    let left = all(&told);
    let gauges = ["", "_subscribers", "_log_bytes"].map(|name| left.get(name));
    assert_eq!(gauges, [None; 3]);
}
