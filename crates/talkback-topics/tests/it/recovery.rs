//! Where subscriptions begin.

use talkback_topics::{Keep, Position, Slow, Start, Subscriber, Topic, Topics};

use crate::support::{Served, now, publish, read, texts, topic};

/// Publishes a number; where it stands.
fn publish_one(topic: &Topic, number: u64) -> Position {
    now(topic.publish(number.to_string()).into_future())
        .unwrap()
        .position()
}

/// Subscribes after a position; whether it is recovered, how many wait, and what has come once one more is published.
fn after(topic: &Topic, position: Position) -> (bool, u64, Vec<String>) {
    let mut subscriber = Subscriber::new();
    let begun = now(subscriber.subscribe(topic, Start::After(position))).unwrap();
    publish(topic, [1_000_000]);
    (begun.is_recovered(), begun.waiting(), read(&mut subscriber))
}

#[test]
fn rv1_what_follows_a_position_and_then_what_is_new() {
    let topic = topic();
    let positions: Vec<_> = (1..=60).map(|n| publish_one(&topic, n)).collect();
    let mut subscriber = Subscriber::new();
    let begun = now(subscriber.subscribe(&topic, Start::After(positions[49]))).unwrap();
    assert!(begun.is_recovered());
    assert_eq!((begun.waiting(), begun.position()), (10, positions[49]));
    publish(&topic, [61]);
    assert_eq!(read(&mut subscriber), texts(51..=61));
}

#[test]
fn rv1_a_position_before_the_first_is_one_too() {
    let topic = topic();
    let mut early = Subscriber::new();
    let begun = now(early.subscribe(&topic, Start::Now)).unwrap();
    publish(&topic, 1..=3);
    let (is_recovered, _, texts) = after(&topic, begun.position());
    assert!(is_recovered);
    assert_eq!(texts, ["1", "2", "3", "1000000"]);
}

#[test]
fn rv3_after_the_last_there_is_nothing_to_recover() {
    let topic = topic();
    publish(&topic, 1..=60);
    let head = publish_one(&topic, 61);
    assert_eq!(after(&topic, head), (true, 0, texts([1_000_000])));
}

#[test]
fn rv4_what_is_not_kept_any_more_is_not_recovered_in_part() {
    let topic = Topics::keeping(Keep::default().messages(10))
        .topic("prices")
        .unwrap();
    let positions: Vec<_> = (1..=20).map(|n| publish_one(&topic, n)).collect();
    // 11 to 20 are kept.
    let mut subscriber = Subscriber::new();
    let begun = now(subscriber.subscribe(&topic, Start::After(positions[9]))).unwrap();
    assert!(begun.is_recovered());
    assert_eq!(read(&mut subscriber), texts(11..=20));
    let positions: Vec<_> = (1..=20).map(|n| publish_one(&topic, n)).collect();
    assert_eq!(after(&topic, positions[8]), (false, 0, texts([1_000_000])));
}

#[test]
fn rv5_a_position_of_another_life_or_ahead_is_not_recovered() {
    let (topic, other) = (topic(), topic());
    publish(&topic, 1..=60);
    publish(&other, 1..=60);
    let elsewhere = publish_one(&other, 61);
    assert_eq!(after(&topic, elsewhere), (false, 0, texts([1_000_000])));
    let head = publish_one(&topic, 61).to_string();
    let ahead = head.replace("-62", "-63").parse().unwrap();
    assert_eq!(after(&topic, ahead), (false, 0, texts([1_000_000])));
    let last = head
        .replace("-62", "-18446744073709551615")
        .parse()
        .unwrap();
    assert_eq!(after(&topic, last), (false, 0, texts([1_000_000])));
}

#[test]
fn rv6_of_the_last_as_many_as_there_are() {
    let topic = topic();
    publish(&topic, 1..=3);
    for (count, expected) in [(0, 0), (2, 2), (3, 3), (10, 3), (usize::MAX, 3)] {
        let mut subscriber = Subscriber::new();
        let begun = now(subscriber.subscribe(&topic, Start::Last(count))).unwrap();
        assert_eq!((begun.waiting(), begun.is_recovered()), (expected, false));
        assert_eq!(read(&mut subscriber), texts(4 - expected..=3));
    }
}

#[test]
fn rv7_a_long_recovery_goes_at_the_pace_of_the_socket() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _guard = runtime.enter();
    let topic = topic();
    let positions: Vec<_> = (1..=1000)
        .map(|n| publish_one(&topic, 1_000_000 + n))
        .collect();
    let mut served = Served::new(Subscriber::new());
    served.wire().room = 0;
    let begun = served
        .subscriber
        .subscribe(&topic, Start::After(positions[0]));
    assert_eq!(now(begun).unwrap().waiting(), 999);
    let mut got = Vec::new();
    for number in 1..=500 {
        served.run();
        served.give_room(30);
        // What is new comes behind it.
        publish(&topic, [2_000_000 + number]);
        got.extend(served.wire().take_texts());
        assert!(served.socket.buffered_amount() <= 16 * 1024);
    }
    served.give_room(usize::MAX);
    got.extend(served.texts());
    let expected = (1_000_002..=1_001_000).chain(2_000_001..=2_000_500);
    assert_eq!(got, texts(expected));
}

#[test]
fn rv8_without_traffic_the_second_recovery_brings_nothing() {
    let topic = topic();
    let first = publish_one(&topic, 1);
    publish(&topic, [2]);
    let mut position = first;
    for expected in [&["2"][..], &[], &[]] {
        let mut subscriber = Subscriber::new();
        let begun = now(subscriber.subscribe(&topic, Start::After(position))).unwrap();
        assert!(begun.is_recovered());
        let texts = read(&mut subscriber);
        assert_eq!(texts, expected);
        // What a client would hold now.
        let offset: u64 = 1 + texts.len() as u64;
        if offset == 2 {
            position = position.to_string().replace("-1", "-2").parse().unwrap();
        }
    }
}

#[test]
fn rv9_who_was_too_slow_comes_back_for_exactly_the_rest() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _guard = runtime.enter();
    let topic = Topics::keeping(Keep::default().messages(100))
        .topic("prices")
        .unwrap();
    let mut slow = Served::to(&topic, Subscriber::new().slow(Slow::Close));
    let positions: Vec<_> = (1..=50).map(|n| publish_one(&topic, n)).collect();
    assert_eq!(slow.texts(), texts(1..=50));
    slow.wire().room = 0;
    publish(&topic, [51]);
    slow.run();
    publish(&topic, 52..=149);
    slow.run();
    assert_eq!(topic.subscribers(), 1);
    // The socket's buffer took what there was; what comes now overruns.
    let begun = slow.socket.buffered_amount();
    assert!(begun > 0);
    now(topic.publish("x".repeat(16 * 1024)).into_future()).unwrap();
    slow.run();
    publish(&topic, 151..=250);
    publish(&topic, [251]);
    slow.run();
    assert_eq!(topic.subscribers(), 0, "it was too slow");
    // The client has 50, which is not kept any more; and one that has 151 gets the rest.
    assert!(!after(&topic, positions[49]).0);
    let position = positions[49]
        .to_string()
        .replace("-50", "-153")
        .parse()
        .unwrap();
    let (is_recovered, _, rest) = after(&topic, position);
    assert!(is_recovered);
    assert_eq!(rest[..98], texts(154..=251));
}

#[test]
fn without_history_nothing_is_recovered_and_nothing_is_kept() {
    let topic = Topics::keeping(Keep::none()).topic("prices").unwrap();
    publish(&topic, 1..=3);
    let head = publish_one(&topic, 4);
    let mut subscriber = Subscriber::new();
    let begun = now(subscriber.subscribe(&topic, Start::Last(3))).unwrap();
    assert_eq!((begun.waiting(), begun.position()), (0, head));
    publish(&topic, 5..=6);
    // One that is behind gets what it has still to get, though it has left.
    subscriber.unsubscribe(&topic);
    publish(&topic, [7]);
    assert_eq!(read(&mut subscriber), ["5", "6"]);
    assert_eq!(after(&topic, head), (false, 0, texts([1_000_000])));
    let head = publish_one(&topic, 8);
    assert_eq!(after(&topic, head), (true, 0, texts([1_000_000])));
}

#[test]
fn a_client_without_a_position_begins_now() {
    let position: Option<Position> = None;
    assert_eq!(Start::from(position), Start::Now);
    let position: Option<Position> = "1q8zk7c2m4v0p-121".parse().ok();
    assert_eq!(Start::from(position), Start::After(position.unwrap()));
}
