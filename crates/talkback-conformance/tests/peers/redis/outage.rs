//! Redis ends, freezes, forgets, and comes back.

use std::time::Duration;

use talkback_topics::{Next, Position, PublishErrorKind, Redis, Start};
use tokio::time::{Instant, sleep, timeout};

use crate::redis::hub::{Hub, Reader, in_time};
use crate::redis::proxy::Proxy;
use crate::redis::server::RedisServer;

#[tokio::test]
async fn ba5_a_redis_that_comes_back_with_its_data_loses_nothing() {
    let mut server = RedisServer::durable();
    let (here, there) = (Hub::at(&server.url()).await, Hub::at(&server.url()).await);
    let mut reader = there.reader("prices").await;
    let mut published = Vec::new();
    for number in 0..50 {
        let text = number.to_string();
        here.publish("prices", &text).await;
        published.push(text);
    }
    server.kill();
    let begin = Instant::now();
    let error = here.try_publish("prices", "uncertain").await;
    let kind = error.expect_err("there is no Redis").kind();
    assert!(matches!(
        kind,
        PublishErrorKind::Unavailable | PublishErrorKind::Uncertain
    ));
    assert!(begin.elapsed() < Duration::from_secs(4), "2 s are allowed");
    // By then it is known.
    sleep(Duration::from_secs(1)).await;
    let error = here.try_publish("prices", "unavailable").await;
    assert_eq!(
        error.expect_err("there is no Redis").kind(),
        PublishErrorKind::Unavailable
    );
    assert_eq!(reader.texts(50).await, published);
    reader.told(|it| matches!(it, Next::Stale)).await;
    server.go_on();
    let next = reader.next().await;
    assert!(matches!(next, Next::Live), "{next:?}");
    here.topics.up().await;
    here.publish("prices", "after").await;
    assert_eq!(reader.text().await, "after");
}

#[tokio::test]
async fn ba6_a_redis_that_comes_back_empty_is_told() {
    let mut server = RedisServer::start();
    let hub = Hub::at(&server.url()).await;
    let mut reader = hub.reader("prices").await;
    let before = hub.publish("prices", "before").await;
    assert_eq!(reader.text().await, "before");
    server.kill();
    server.go_on();
    let reset = reader.reset().await;
    assert_ne!(reset.position().epoch(), before.position().epoch());
    hub.topics.up().await;
    hub.publish("prices", "after").await;
    reader.only("after").await;
    let (_, begun) = hub
        .reader_from("prices", Start::After(before.position()))
        .await;
    assert!(!begun.is_recovered());
}

/// A Redis that was saved at the third of six publications, and has come back so; only `here` has been there again. The
/// reader has read all six before, and hears on its way back that the topic was stale.
async fn fallen_back(
    here: &Hub,
    line: &Proxy,
    server: &mut RedisServer,
    reader: &mut Reader,
) -> Position {
    for number in 1..=3 {
        here.publish("prices", &format!("{number}")).await;
    }
    assert_eq!(server.asked(&["SAVE"]), "OK");
    for number in 4..=6 {
        here.publish("prices", &format!("{number}")).await;
    }
    assert_eq!(reader.texts(5).await, ["1", "2", "3", "4", "5"]);
    let (text, sixth) = reader.delivery().await;
    assert_eq!(text, "6");
    line.shut();
    server.kill();
    server.go_on();
    in_time("to be back", async {
        while here.try_publish("others", "there").await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    sixth
}

#[tokio::test]
async fn ba7_an_old_snapshot_is_told() {
    let mut server = RedisServer::start();
    let line = Proxy::before(server.port).await;
    let (here, there) = (Hub::at(&server.url()).await, Hub::at(&line.url()).await);
    let mut reader = there.reader("prices").await;
    fallen_back(&here, &line, &mut server, &mut reader).await;
    line.open();
    reader.reset().await;
    here.publish("prices", "after").await;
    reader.only("after").await;
}

#[tokio::test]
async fn ba7_so_it_is_if_it_has_the_old_offsets_again() {
    let mut server = RedisServer::start();
    let line = Proxy::before(server.port).await;
    let (here, there) = (Hub::at(&server.url()).await, Hub::at(&line.url()).await);
    let mut reader = there.reader("prices").await;
    let old = fallen_back(&here, &line, &mut server, &mut reader).await;
    assert_eq!(old.offset(), 6);
    // Of the same number as one that was seen, and one more.
    for number in 4..=7 {
        let position = here
            .publish("prices", &format!("new {number}"))
            .await
            .position();
        assert_eq!((position.epoch(), position.offset()), (old.epoch(), number));
    }
    // Nor is a client's position from before it good anywhere.
    let (_, begun) = here.reader_from("prices", Start::After(old)).await;
    assert!(!begun.is_recovered());
    line.open();
    reader.reset().await;
    here.publish("prices", "after").await;
    reader.only("after").await;
}

#[tokio::test]
async fn ba8_a_redis_that_freezes_is_found_out() {
    let server = RedisServer::start();
    let hub = Hub::at(&server.url()).await;
    let mut reader = hub.reader("prices").await;
    let topic = hub.topic("prices");
    topic.publish("one").await.expect("it is published");
    assert_eq!(reader.text().await, "one");
    server.signal("STOP");
    let frozen = Instant::now();
    let error = topic.publish("two").id("2").await;
    let kind = error.expect_err("it does not answer").kind();
    assert_eq!(kind, PublishErrorKind::Uncertain);
    while hub.topics.is_up() {
        assert!(
            frozen.elapsed() < Duration::from_secs(40),
            "the probe notices nothing"
        );
        sleep(Duration::from_millis(100)).await;
    }
    let error = topic.publish("three").await;
    let kind = error.expect_err("it is down").kind();
    assert_eq!(kind, PublishErrorKind::Unavailable);
    reader.told(|it| matches!(it, Next::Stale)).await;
    sleep(Duration::from_secs(60).saturating_sub(frozen.elapsed())).await;
    server.signal("CONT");
    in_time("to be back", hub.topics.up()).await;
    // Redis may have got it from the connection that was given up.
    let again = topic
        .publish("two")
        .id("2")
        .await
        .expect("it is published, or was");
    assert_eq!(again.position().offset(), 2);
    topic.publish("three").await.expect("it is published");
    let (texts, mut others) = reader.until("three").await;
    assert_eq!(texts, ["two", "three"]);
    if others.is_empty() {
        others.push(reader.next().await);
    }
    assert!(matches!(others[..], [Next::Live]), "{others:?}");
}

#[tokio::test]
async fn ba13_it_is_tried_again_for_ever() {
    let server = RedisServer::start();
    let line = Proxy::before(server.port).await;
    let hub = Hub::at(&line.url()).await;
    line.shut();
    let before = line.opened();
    // It waits 2 s at most, and opens one connection each time.
    in_time("to try", async {
        while line.opened() < before + 15 {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    line.open();
    let back = timeout(Duration::from_secs(20), hub.topics.up()).await;
    back.expect("it is tried every 2 s");
    hub.publish("prices", "one").await;
}

#[tokio::test]
async fn a_hub_that_is_dropped_leaves_no_connection() {
    let server = RedisServer::start();
    let hub = Hub::by(Redis::connect(&server.url())).await;
    let mut reader = hub.reader("prices").await;
    hub.publish("prices", "one").await;
    assert_eq!(reader.text().await, "one");
    drop((reader, hub));
    in_time("to go", async {
        // The one who asks is one.
        while server.told("clients", "connected_clients") > 1 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
