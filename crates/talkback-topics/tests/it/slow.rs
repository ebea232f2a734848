//! Those who read too slowly.

use std::time::Duration;

use talkback::CloseCode;
use talkback_topics::{
    Gap, Keep, Next, Slow, Start, SubscribeErrorKind, Subscriber, TopicEvent, Topics,
};
use tokio::time::{Instant, advance};

use crate::support::{Served, now, poll_once, publish, read, text, texts, topic};

/// One whose transport takes nothing.
fn blocked(topic: &talkback_topics::Topic, slow: Slow) -> Served {
    let served = Served::to(topic, Subscriber::new().slow(slow));
    served.wire().room = 0;
    served
}

/// It was closed as too slow: once it takes bytes, its peer reads so.
fn assert_closed(served: &mut Served) {
    served.run();
    served.give_room(usize::MAX);
    served.run();
    let frames = served.wire().take_frames();
    let (first, payload) = frames.last().unwrap();
    assert_eq!((*first, &payload[..]), (0x88, &b"\x03\xf5too slow"[..]));
    served.peer_sends(0x88, b"\x03\xf5");
    let Some(Ok(TopicEvent::Closed(info))) = served.pump() else {
        panic!("it is closed");
    };
    assert_eq!(info.code, CloseCode::TRY_AGAIN_LATER);
    let is_closed = matches!(served.pump(), Some(Ok(TopicEvent::Closed(_))));
    assert!(is_closed, "ever after");
}

/// Pumps until there is a gap, which is so many, from the number that is its text.
#[track_caller]
fn assert_gap(gap: &Gap, from: &str, missed: u64) {
    assert_eq!(gap.missed(), missed);
    assert_eq!(gap.topic(), "prices");
    assert!(gap.from().to_string().ends_with(&format!("-{from}")));
}

#[tokio::test(start_paused = true)]
async fn to6_who_does_not_read_is_closed_at_the_overrun_and_delays_nobody() {
    let begun = Instant::now();
    let topic = topic();
    let mut slow = blocked(&topic, Slow::Close);
    let mut other = Subscriber::new();
    other.subscribe(&topic, Start::Now).await.unwrap();
    // It fills the socket, and what is kept beyond.
    let text_of_1_kib = "x".repeat(1000);
    let mut published = 0;
    while topic.subscribers() == 2 {
        topic.publish(&*text_of_1_kib).await.unwrap();
        published += 1;
        assert!(published < 2000);
        assert!(
            matches!(poll_once(other.next()), Some(Ok(_))),
            "at its first poll"
        );
        let woken = slow.wakes.take();
        if woken > 0 || published == 1 {
            slow.run();
        }
    }
    // 16 in the socket, and 1,024 in the topic.
    assert_eq!(published, 16 + 1024 + 1);
    let subscriber = &slow.subscriber;
    assert_eq!(
        (
            subscriber.delivered(),
            subscriber.skipped(),
            subscriber.waiting()
        ),
        (16, 0, 1025)
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_closed(&mut slow);
    let error = now(slow.subscriber.subscribe(&topic, Start::Now)).unwrap_err();
    assert_eq!(error.kind(), SubscribeErrorKind::TooSlow);
    assert_eq!(topic.subscribers(), 1);
}

#[test]
fn to6_by_hand_it_fails_then_and_ever_after() {
    let topic = topic();
    let mut subscriber = Subscriber::new();
    now(subscriber.subscribe(&topic, Start::Now)).unwrap();
    publish(&topic, 1..=1024);
    assert_eq!(read(&mut subscriber), texts(1..=1024));
    publish(&topic, 1..=1025);
    for _ in 0..2 {
        let error = poll_once(subscriber.next()).unwrap().unwrap_err();
        assert_eq!(
            (error.topic(), error.close_code()),
            ("prices", CloseCode::TRY_AGAIN_LATER)
        );
    }
    assert_eq!((subscriber.delivered(), subscriber.waiting()), (1024, 1025));
    let mut stream = std::pin::pin!(subscriber);
    let mut next = || poll_once(futures_util::StreamExt::next(&mut stream)).unwrap();
    assert!(matches!(next(), Some(Err(_))));
    assert!(next().is_none());
}

#[test]
fn to7_a_hole_is_told_once_and_in_its_place() {
    let topic = topic();
    let mut subscriber = Subscriber::new().slow(Slow::Skip);
    now(subscriber.subscribe(&topic, Start::Now)).unwrap();
    publish(&topic, 1..=3);
    assert_eq!(read(&mut subscriber), texts(1..=3));
    publish(&topic, 4..=1503);
    let Some(Ok(Next::Gap(gap))) = poll_once(subscriber.next()) else {
        panic!("it has missed some");
    };
    assert_gap(&gap, "4", 476);
    assert_eq!(read(&mut subscriber), texts(480..=1503));
    let counted = subscriber.delivered() + subscriber.skipped();
    assert_eq!(
        (counted, subscriber.skipped(), subscriber.waiting()),
        (1503, 476, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn to7_of_a_blocked_socket_holes_are_one_when_there_is_room() {
    let topic = topic();
    let mut served = blocked(&topic, Slow::Skip);
    let text = "x".repeat(999);
    for _ in 0..3000 {
        topic.publish(&*text).await.unwrap();
        served.run();
    }
    // What waits in the socket stands before it.
    served.give_room(usize::MAX);
    let Some(Ok(TopicEvent::Gap(gap))) = served.pump() else {
        panic!("it has missed some");
    };
    assert_gap(&gap, "17", 3000 - 16 - 1024);
    assert_eq!(served.wire().take_texts().len(), 16);
    now(served.socket.feed("a gap")).unwrap();
    let rest = served.texts();
    assert_eq!((rest.len(), &*rest[0]), (1025, "a gap"));
    let subscriber = &served.subscriber;
    assert_eq!(subscriber.delivered() + subscriber.skipped(), 3000);
}

#[tokio::test(start_paused = true)]
async fn to8_the_latest_is_all_that_comes() {
    let topic = topic();
    let mut served = blocked(&topic, Slow::Latest);
    let first = "x".repeat(16 * 1024);
    topic.publish(first).await.unwrap();
    served.run();
    for number in 1..=1000 {
        publish(&topic, [number]);
        served.run();
        advance(Duration::from_secs(1)).await;
    }
    served.give_room(usize::MAX);
    let texts = served.texts();
    assert_eq!((texts.len(), &*texts[1]), (2, "1000"));
    publish(&topic, [1001]);
    assert_eq!(served.texts(), ["1001"]);
    let subscriber = &served.subscriber;
    assert_eq!((subscriber.delivered(), subscriber.skipped()), (3, 999));
}

#[test]
fn to8_if_the_latest_leaves_it_out_nothing_older_comes() {
    let topic = topic();
    let mut subscriber = Subscriber::new().slow(Slow::Latest).for_connection(7);
    now(subscriber.subscribe(&topic, Start::Now)).unwrap();
    publish(&topic, 1..=5);
    now(topic.publish("own").except(7).into_future()).unwrap();
    assert_eq!(read(&mut subscriber), [""; 0]);
    publish(&topic, [6]);
    assert_eq!(read(&mut subscriber), ["6"]);
}

#[tokio::test(start_paused = true)]
async fn to9_what_has_waited_too_long_closes_though_nothing_follows() {
    let topic = topic();
    let mut served = blocked(&topic, Slow::Close);
    topic.publish("x".repeat(16 * 1024)).await.unwrap();
    advance(Duration::from_secs(10)).await;
    served.run();
    topic.publish("waits").await.unwrap();
    served.run();
    served.wakes.take();
    advance(Duration::from_secs(29)).await;
    assert_eq!(served.wakes.take(), 0);
    advance(Duration::from_secs(2)).await;
    assert!(served.wakes.take() > 0, "by time alone");
    assert_closed(&mut served);
    assert_eq!(topic.subscribers(), 0);
    assert_eq!(
        (served.subscriber.delivered(), served.subscriber.waiting()),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn to9_what_has_waited_too_long_is_skipped_and_what_follows_is_not() {
    let topic = topic();
    let mut served = blocked(&topic, Slow::Skip);
    topic.publish("x".repeat(16 * 1024)).await.unwrap();
    served.run();
    publish(&topic, 1..=10);
    served.run();
    advance(Duration::from_secs(31)).await;
    served.run();
    publish(&topic, [11]);
    advance(Duration::from_secs(20)).await;
    served.give_room(usize::MAX);
    let Some(Ok(TopicEvent::Gap(gap))) = served.pump() else {
        panic!("it has missed some");
    };
    assert_gap(&gap, "2", 10);
    served.wire().take_frames();
    assert_eq!(served.texts(), ["11"]);
}

#[tokio::test(start_paused = true)]
async fn to9_by_hand_it_is_found_when_it_is_asked() {
    let topic = topic();
    let mut subscriber = Subscriber::new().lag_max(Duration::from_secs(5));
    subscriber.subscribe(&topic, Start::Now).await.unwrap();
    publish(&topic, [1]);
    advance(Duration::from_secs(4)).await;
    assert_eq!(read(&mut subscriber), ["1"]);
    publish(&topic, [2]);
    advance(Duration::from_secs(6)).await;
    assert!(subscriber.next().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn to10_a_pause_is_forgiven() {
    let topic = topic();
    let mut served = blocked(&topic, Slow::Close);
    let text = "x".repeat(999);
    for _ in 0..500 {
        topic.publish(&*text).await.unwrap();
    }
    served.run();
    advance(Duration::from_secs(20)).await;
    served.run();
    served.give_room(usize::MAX);
    assert_eq!(served.texts().len(), 500);
    // Nor does the time that it was blocked for count later.
    advance(Duration::from_secs(20)).await;
    served.wire().room = 0;
    for _ in 0..20 {
        topic.publish(&*text).await.unwrap();
    }
    served.run();
    served.give_room(usize::MAX);
    assert_eq!(served.texts().len(), 20);
}

#[test]
fn to11_a_pong_comes_before_further_publications() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _guard = runtime.enter();
    let text = "x".repeat(999);
    // So many are fed while the socket takes nothing: it is full, or has room for more.
    for (published, fed) in [(100, 16), (5, 5)] {
        let topic = topic();
        let mut served = blocked(&topic, Slow::Close);
        let publish = |count| {
            for _ in 0..count {
                now(topic.publish(&*text).into_future()).unwrap();
            }
        };
        publish(published);
        served.run();
        publish(10);
        served.peer_sends(0x89, b"alive?");
        // At the same instant at which there is room.
        served.give_room(usize::MAX);
        served.wakes.take();
        served.run();
        let frames = served.wire().take_frames();
        let pong = frames.iter().position(|(first, _)| *first == 0x8a);
        assert_eq!(pong, Some(fed), "behind what waited in the socket");
        assert_eq!(frames.len(), published + 10 + 1);
    }
}

#[test]
fn to12_one_that_is_larger_than_what_is_kept_is_kept_alone() {
    let topic = Topics::keeping(Keep::default().bytes(1024 * 1024))
        .topic("prices")
        .unwrap();
    publish(&topic, 1..=10);
    let mut served = Served::to(&topic, Subscriber::new().slow(Slow::Skip));
    now(topic.publish("x".repeat(2 * 1024 * 1024)).into_future()).unwrap();
    let mut later = Subscriber::new();
    assert_eq!(
        now(later.subscribe(&topic, Start::Last(100)))
            .unwrap()
            .waiting(),
        1
    );
    served.run();
    let frames = served.wire().take_frames();
    assert_eq!((frames.len(), frames[0].1.len()), (1, 2 * 1024 * 1024));
    publish(&topic, [11]);
    assert_eq!(served.texts(), ["11"]);
}

#[test]
fn a_gap_shows_its_ends() {
    let topic = Topics::keeping(Keep::default().messages(2))
        .topic("prices")
        .unwrap();
    let mut subscriber = Subscriber::new().slow(Slow::Skip);
    let begun = now(subscriber.subscribe(&topic, Start::Now)).unwrap();
    publish(&topic, 1..=5);
    let Some(Ok(Next::Gap(gap))) = poll_once(subscriber.next()) else {
        panic!("it has missed some");
    };
    let of = |offset| {
        begun
            .position()
            .to_string()
            .replace("-0", &format!("-{offset}"))
    };
    assert_eq!(
        [gap.from(), gap.to()].map(|it| it.to_string()),
        [of(1), of(3)]
    );
    let Some(Ok(Next::Delivery(delivery))) = poll_once(subscriber.next()) else {
        panic!("there is one");
    };
    assert_eq!(delivery.position().to_string(), of(4));
    assert_eq!(text(delivery.message().message()), "4");
}

#[tokio::test(start_paused = true)]
async fn to10_a_pause_may_be_forgiven_for_ever() {
    let keep = Keep::default().idle(Duration::MAX);
    let topic = Topics::keeping(keep).topic("prices").unwrap();
    let subscriber = Subscriber::new().lag_max(Duration::MAX);
    let mut served = Served::to(&topic, subscriber);
    served.wire().room = 0;
    publish(&topic, [1]);
    served.run();
    publish(&topic, std::iter::repeat_n(2, 1000));
    topic.publish("x".repeat(16 * 1024)).await.unwrap();
    publish(&topic, [3]);
    served.run();
    advance(Duration::from_secs(24 * 3600)).await;
    served.give_room(usize::MAX);
    assert_eq!(served.texts().len(), 1003);
}
