//! What a recorder of `metrics` is told of a backplane.

use std::collections::BTreeMap;
use std::time::Duration;

use ::metrics::set_default_local_recorder;
use talkback_testing::metrics::Told;
use talkback_topics::{Start, Subscriber};
use tokio::time::sleep;

use super::store::Store;
use super::{publish, read_all, subscribed};

/// Each series that is not at 0, without what all names begin with.
#[track_caller]
fn assert_told<const N: usize>(told: &Told, expected: [(&str, f64); N]) {
    let all = told.of("talkback_backplane").into_iter();
    let all: BTreeMap<_, _> = all.filter(|(_, value)| *value != 0.0).collect();
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(all, expected.into());
}

#[tokio::test(start_paused = true)]
async fn ba2_what_a_backplane_does_is_counted() {
    let told = Told::default();
    let _guard = set_default_local_recorder(&told);
    let store = Store::default();
    store.state().kept = Some(3);
    (1..=5).for_each(|_| store.publish_next("prices"));
    let old = store.head("prices");
    store.publish_next("prices");
    let hub = store.topics();
    let topic = hub.topic("prices").unwrap();
    let mut subscriber = subscribed(&topic, Start::Now).await;
    let mut again = Subscriber::new();
    again.subscribe(&topic, Start::After(old)).await.unwrap();
    assert_told(&told, [("_up", 1.0)]);
    store.publish_unseen("prices", "7");
    publish(&topic, [8]).await;
    for number in 9..=12 {
        store.publish_unseen("prices", &number.to_string());
    }
    publish(&topic, [13]).await;
    assert_eq!(
        read_all(&mut subscriber),
        ["7", "8", "gap 9-10", "11", "12", "13"]
    );
    store.hang();
    topic.publish("14").await.unwrap_err();
    store.answer();
    store.cut();
    topic.publish("15").await.unwrap_err();
    sleep(Duration::from_secs(1)).await;
    let expected = [
        ("_publish_total{outcome=ok}", 2.0),
        ("_publish_total{outcome=uncertain}", 1.0),
        ("_publish_total{outcome=unavailable}", 1.0),
        ("_gaps_total{outcome=healed}", 1.0),
        ("_gaps_total{outcome=told}", 1.0),
    ];
    assert_told(&told, expected);
    let recovered = told.of("talkback_topics_recoveries_total");
    assert_eq!(recovered["{outcome=store}"], 1.0);
}
