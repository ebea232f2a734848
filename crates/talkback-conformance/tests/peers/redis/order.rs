//! What is published gets to all, in one order.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use talkback_topics::{Keep, Next, Redis, Start};

use crate::redis::hub::Hub;
use crate::redis::server::RedisServer;

#[tokio::test]
async fn ba1_two_hubs_see_one_order() {
    const EACH: usize = 200;
    let server = RedisServer::start();
    let hubs = [Hub::at(&server.url()).await, Hub::at(&server.url()).await];
    let mut readers = Vec::new();
    for hub in hubs.iter().chain(&hubs) {
        readers.push(hub.reader("prices").await);
    }
    let publishers = (0..4).map(|publisher| {
        let hub = &hubs[publisher % 2];
        async move {
            for number in 0..EACH {
                hub.publish("prices", &format!("{publisher} {number}"))
                    .await;
            }
        }
    });
    join_all(publishers).await;
    let seen = join_all(readers.iter_mut().map(|reader| reader.texts(4 * EACH))).await;
    for other in &seen[1..] {
        assert_eq!(*other, seen[0]);
    }
    for publisher in 0..4 {
        let own = seen[0]
            .iter()
            .filter(|it| it.starts_with(&format!("{publisher} ")));
        let all = (0..EACH).map(|number| format!("{publisher} {number}"));
        assert!(own.eq(&all.collect::<Vec<_>>()), "{publisher}");
    }
}

#[tokio::test]
async fn ba12_forgotten_scripts_are_loaded_again() {
    let server = RedisServer::start();
    let hub = Hub::at(&server.url()).await;
    let mut reader = hub.reader("prices").await;
    let first = hub.publish("prices", "one").await;
    assert_eq!(server.asked(&["SCRIPT", "FLUSH"]), "OK");
    hub.publish("prices", "two").await;
    assert_eq!(reader.texts(2).await, ["one", "two"]);
    // On another hub, where nothing is known of the topic, both other scripts run.
    let cold = Hub::at(&server.url()).await;
    assert_eq!(server.asked(&["SCRIPT", "FLUSH"]), "OK");
    let (mut reader, begun) = cold
        .reader_from("prices", Start::After(first.position()))
        .await;
    assert!(begun.is_recovered());
    assert_eq!(reader.text().await, "two");
}

#[tokio::test]
async fn ba21_topics_of_any_name_are_their_own() {
    let long = "x".repeat(255);
    let names = [
        "prices", "prices.*", "prices.a", "*", ">", "prices.>", " ", "a b", "{}", "{a}", "}:c:a",
        "a:b", "a", "[a-z]", "?", "\\", "안녕", ".probe", "\"", "'", &long,
    ];
    let server = RedisServer::start();
    let (here, there) = (Hub::at(&server.url()).await, Hub::at(&server.url()).await);
    let mut readers = BTreeMap::new();
    for name in names {
        readers.insert(name, there.reader(name).await);
    }
    for name in names {
        let topic = here.topic(name);
        // The same id in each, of which none is known.
        let published = topic
            .publish(name)
            .id("a:b")
            .await
            .expect("it is published");
        assert!(!published.is_duplicate(), "{name:?}");
        assert_eq!(published.position().offset(), 1, "{name:?}");
        let again = topic.publish(name).id("a:b").await.expect("it is known");
        assert!(again.is_duplicate(), "{name:?}");
        assert_eq!(again.position(), published.position());
        topic.publish("the end").await.expect("it is published");
    }
    for (name, mut reader) in readers {
        assert_eq!(reader.texts(2).await, [name, "the end"]);
    }
}

#[tokio::test]
async fn ba22_of_two_hubs_the_smaller_store_wins() {
    let server = RedisServer::start();
    let small = Keep::default().messages(5);
    let small = Hub::by(Redis::connect(&server.url()).keep(small)).await;
    let large = Hub::at(&server.url()).await;
    let mut positions = Vec::new();
    for number in 1..=20 {
        positions.push(
            small
                .publish("prices", &number.to_string())
                .await
                .position(),
        );
    }
    large.publish("prices", "21").await;
    let cold = Hub::at(&server.url()).await;
    // Nobody has the twelfth any more.
    let (_, begun) = cold
        .reader_from("prices", Start::After(positions[10]))
        .await;
    assert!(!begun.is_recovered());
    let (mut reader, begun) = cold
        .reader_from("prices", Start::After(positions[16]))
        .await;
    assert!(begun.is_recovered());
    assert_eq!(reader.texts(4).await, ["18", "19", "20", "21"]);
}

#[tokio::test]
async fn rv10_who_leaves_one_hub_gets_the_rest_at_the_other() {
    let server = RedisServer::start();
    let (here, there) = (Hub::at(&server.url()).await, Hub::at(&server.url()).await);
    let mut reader = here.reader("prices").await;
    for number in 1..=5 {
        here.publish("prices", &number.to_string()).await;
    }
    assert_eq!(reader.texts(4).await, ["1", "2", "3", "4"]);
    let (_, position) = reader.delivery().await;
    drop((reader, here));
    for number in 6..=15 {
        there.publish("prices", &number.to_string()).await;
    }
    let (mut reader, begun) = there.reader_from("prices", Start::After(position)).await;
    assert!(begun.is_recovered());
    let rest: Vec<_> = (6..=15).map(|number| number.to_string()).collect();
    assert_eq!(reader.texts(10).await, rest);
    there.publish("prices", "live").await;
    assert_eq!(reader.text().await, "live");
}

#[tokio::test]
async fn who_subscribed_before_the_first_publication_is_recovered() {
    let server = RedisServer::start();
    let (here, there) = (Hub::at(&server.url()).await, Hub::at(&server.url()).await);
    let (reader, begun) = here.reader_from("prices", Start::Now).await;
    drop(reader);
    here.publish("prices", "one").await;
    let (mut reader, begun) = there
        .reader_from("prices", Start::After(begun.position()))
        .await;
    assert!(begun.is_recovered());
    assert_eq!(reader.text().await, "one");
}

#[tokio::test]
async fn garbage_in_the_store_is_passed_over() {
    let server = RedisServer::start();
    let (here, there) = (Hub::at(&server.url()).await, Hub::at(&server.url()).await);
    let mut reader = here.reader("prices").await;
    let first = there.publish("prices", "one").await;
    let keys = server.asked(&["KEYS", "*:s:prices"]);
    let channel = keys.replace(":s:", ":c:");
    server.asked(&["PUBLISH", &channel, "garbage"]);
    server.asked(&["PUBLISH", &channel, ""]);
    there.publish("prices", "two").await;
    assert_eq!(reader.texts(2).await, ["one", "two"]);
    // In the history it makes a hole, which is told.
    server.asked(&["XADD", &keys, "2-1", "p", "garbage"]);
    there.publish("prices", "three").await;
    let cold = Hub::at(&server.url()).await;
    let (_, begun) = cold
        .reader_from("prices", Start::After(first.position()))
        .await;
    assert!(!begun.is_recovered());
    assert_eq!(reader.text().await, "three");
}

#[tokio::test]
async fn databases_and_prefixes_are_apart() {
    let server = RedisServer::start();
    let hubs = [
        Hub::at(&server.url()).await,
        Hub::at(&format!("{}/3", server.url())).await,
        Hub::by(Redis::connect(&server.url()).prefix("other")).await,
    ];
    let mut readers = Vec::new();
    for hub in &hubs {
        readers.push(hub.reader("prices").await);
    }
    for (number, hub) in hubs.iter().enumerate() {
        hub.publish("prices", &number.to_string()).await;
    }
    for (number, reader) in readers.iter_mut().enumerate() {
        let next = reader.next().await;
        assert!(matches!(&next, Next::Delivery(_)), "{next:?}");
        hubs[number].publish("prices", "the end").await;
        assert_eq!(reader.text().await, "the end");
    }
}
