//! What topics and subscribers hold.

use std::mem::forget;
use std::time::Duration;

use talkback_testing::heap;
use talkback_topics::{Keep, Slow, Start, Subscriber, Topics};
use tokio::time::advance;

use crate::support::{Served, now, poll_once, publish, topic};

/// Has all be told of what was published: they are too many for whoever publishes.
fn go_round(runtime: &tokio::runtime::Runtime) {
    runtime.block_on(async {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn to13_who_is_behind_holds_16_kib_and_no_more() {
    const SUBSCRIBERS: usize = 10_000;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _guard = runtime.enter();
    let topic = topic();
    let mut all: Vec<_> = (0..SUBSCRIBERS)
        .map(|_| {
            let mut served = Served::to(&topic, Subscriber::new().slow(Slow::Skip));
            served.wire().room = 0;
            served.run();
            served
        })
        .collect();
    let text = "x".repeat(64);
    let ((), heap) = heap::measure(|| {
        for _ in 0..1024 {
            now(topic.publish(&*text).into_future()).unwrap();
        }
        go_round(&runtime);
        all.iter_mut().for_each(Served::run);
    });
    // The socket's buffer, and a timer; of the log there is one.
    let each = heap.left / SUBSCRIBERS as isize;
    assert!((16 * 1024..17 * 1024).contains(&each), "{each}");
    // However much more is published.
    let ((), heap) = heap::measure(|| {
        for _ in 0..5000 {
            now(topic.publish(&*text).into_future()).unwrap();
        }
        go_round(&runtime);
        all[..100].iter_mut().for_each(Served::run);
    });
    assert!(heap.left < 16 * 1024, "{}", heap.left);
}

#[test]
fn to13_one_that_waits_takes_160_bytes() {
    // The topic's table of them has just doubled: it never has more room to spare.
    const SUBSCRIBERS: usize = 8 * 1024 + 1;
    let topic = topic();
    let mut all = Vec::with_capacity(SUBSCRIBERS);
    let ((), heap) = heap::measure(|| {
        for number in 0..SUBSCRIBERS {
            let mut subscriber = Subscriber::new().for_connection(number as u64);
            now(subscriber.subscribe(&topic, Start::Now)).unwrap();
            assert!(poll_once(subscriber.next()).is_none());
            all.push(subscriber);
        }
    });
    let each = size_of::<Subscriber>() + heap.left as usize / SUBSCRIBERS;
    assert!(each <= 160, "{each}");
    // So it is after it has got something.
    publish(&topic, 0..1);
    let ((), heap) = heap::measure(|| {
        for subscriber in &mut all {
            assert!(poll_once(subscriber.next()).is_some());
            assert!(poll_once(subscriber.next()).is_none());
        }
    });
    assert!(heap.left <= 0, "{}", heap.left);
}

#[test]
fn to13_who_has_caught_up_takes_no_more_than_others() {
    let topic = topic();
    publish(&topic, 0..3);
    let waiting = |start| {
        let ((), heap) = heap::measure(|| {
            let mut subscriber = Subscriber::new();
            now(subscriber.subscribe(&topic, start)).unwrap();
            while poll_once(subscriber.next()).is_some() {}
            forget(subscriber);
        });
        heap.left
    };
    waiting(Start::Now);
    assert_eq!(waiting(Start::Last(3)), waiting(Start::Now));
}

#[test]
fn a_delivery_allocates_nothing() {
    let topic = topic();
    let mut served = Served::to(&topic, Subscriber::new());
    served.wire().written.reserve(1024 * 1024);
    let mut round = || {
        publish(&topic, 0..64);
        let ((), heap) = heap::measure(|| served.run());
        heap.total
    };
    round();
    for _ in 0..10 {
        assert_eq!(round(), 0);
    }
}

#[test]
fn a_publication_takes_little() {
    let topic = Topics::keeping(Keep::default().messages(64))
        .topic("prices")
        .unwrap();
    let mut served = Served::to(&topic, Subscriber::new());
    for _ in 0..4 {
        publish(&topic, 0..50);
        served.run();
    }
    let before = heap::allocations();
    let (_, heap) = heap::measure(|| now(topic.publish("1").into_future()).unwrap());
    let allocations = heap::allocations() - before;
    // An entry and what is prepared of it; one of before is freed.
    assert!(heap.total < 600 && heap.left <= 0, "{heap:?}");
    assert!(allocations <= 6, "{allocations}");
}

#[tokio::test(start_paused = true)]
async fn to18_of_a_million_topics_that_were_left_nothing_is_left() {
    let topics = Topics::new();
    let before = heap::in_use();
    for number in 0..1_000_000 {
        let topic = topics.topic(&format!("topic {number}")).unwrap();
        if number % 1000 == 0 {
            topic.publish("hello").await.unwrap();
            let mut subscriber = Subscriber::new();
            subscriber.subscribe(&topic, Start::Now).await.unwrap();
        }
    }
    let held = heap::in_use() - before;
    assert!(held > 100_000_000, "{held}");
    assert_eq!(topics.len(), 1_000_000);
    advance(Duration::from_secs(301)).await;
    for _ in 0..2000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(topics.len(), 0);
    let left = heap::in_use() - before;
    assert!(left < held / 20, "{left}");
}

#[test]
fn to19_above_the_bound_of_all_each_topic_keeps_its_newest() {
    let topics = Topics::keeping(Keep::default().bytes_in_all(100_000));
    let all: Vec<_> = (0..10)
        .map(|n| topics.topic(&n.to_string()).unwrap())
        .collect();
    let text = "x".repeat(1000);
    let waiting = |topic| {
        let mut subscriber = Subscriber::new();
        now(subscriber.subscribe(topic, Start::Last(1000)))
            .unwrap()
            .waiting()
    };
    for _ in 0..1000 {
        for topic in &all {
            now(topic.publish(&*text).into_future()).unwrap();
        }
        let kept: u64 = all.iter().map(waiting).sum();
        // About 200 bytes come on top of each; and above the bound, one of each topic.
        assert!(kept <= 100_000 / 1000 + 10, "{kept}");
        assert!(all.iter().all(|topic| waiting(topic) >= 1));
    }
    let kept: u64 = all.iter().map(waiting).sum();
    assert!(kept >= 10);
}

#[test]
fn to19_what_is_dropped_counts_no_more() {
    let topics = Topics::keeping(Keep::default().bytes_in_all(100_000));
    for number in 0..100 {
        let topic = topics.topic(&number.to_string()).unwrap();
        // Each would fill it alone; the handle is of a topic that is not forgotten.
        now(topic.publish("x".repeat(90_000)).into_future()).unwrap();
        now(topic.publish("x").into_future()).unwrap();
        let mut subscriber = Subscriber::new();
        let begun = now(subscriber.subscribe(&topic, Start::Last(2))).unwrap();
        assert_eq!(begun.waiting(), if number == 0 { 2 } else { 1 }, "{number}");
    }
    drop(topics);
    let topics = Topics::keeping(Keep::none().bytes_in_all(1_000));
    let topic = topics.topic("prices").unwrap();
    publish(&topic, 0..100);
    let mut subscriber = Subscriber::new();
    now(subscriber.subscribe(&topic, Start::Now)).unwrap();
    publish(&topic, 0..2);
    assert_eq!(subscriber.waiting(), 2);
    assert!(matches!(poll_once(subscriber.next()), Some(Ok(_))));
}
