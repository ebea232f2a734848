//! When a hub listens to a topic, and when it asks for what was.

use std::time::Duration;

use futures_util::future::join_all;
use talkback_topics::Start;
use tokio::time::sleep;

use crate::redis::hub::{Hub, in_time};
use crate::redis::server::RedisServer;

#[tokio::test]
async fn ba14_ten_thousand_who_come_back_are_one_read() {
    const CLIENTS: usize = 10_000;
    let server = RedisServer::start();
    let (here, there) = (Hub::at(&server.url()).await, Hub::at(&server.url()).await);
    let first = here.publish("prices", "one").await;
    for text in ["two", "three"] {
        here.publish("prices", text).await;
    }
    let start = Start::After(first.position());
    let readers = (0..CLIENTS).map(|_| there.reader_from("prices", start));
    let readers = in_time("to subscribe", join_all(readers)).await;
    for (mut reader, begun) in readers {
        assert!(begun.is_recovered());
        assert_eq!(reader.texts(2).await, ["two", "three"]);
    }
    assert_eq!((there.asked.attached(), there.asked.read()), (1, 1));
}

#[tokio::test]
async fn ba15_a_topic_is_listened_to_for_a_while_after_the_last_has_left() {
    let server = RedisServer::start();
    let (here, there) = (Hub::at(&server.url()).await, Hub::at(&server.url()).await);
    let mut reader = there.reader("prices").await;
    here.publish("prices", "one").await;
    let (_, one) = reader.delivery().await;
    drop(reader);
    here.publish("prices", "two").await;
    sleep(Duration::from_secs(10)).await;
    let (mut reader, begun) = there.reader_from("prices", Start::After(one)).await;
    assert!(begun.is_recovered());
    let (text, two) = reader.delivery().await;
    assert_eq!(text, "two");
    assert_eq!((there.asked.attached(), there.asked.read()), (1, 0));
    drop(reader);
    here.publish("prices", "three").await;
    sleep(Duration::from_secs(40)).await;
    assert_eq!(server.asked(&["PUBSUB", "CHANNELS", "*:c:*"]), "");
    here.publish("prices", "four").await;
    let (mut reader, begun) = there.reader_from("prices", Start::After(two)).await;
    assert!(begun.is_recovered());
    assert_eq!(reader.texts(2).await, ["three", "four"]);
    assert_eq!(there.asked.attached(), 2);
}

#[tokio::test]
async fn what_is_large_is_read_in_parts_each_of_which_is_there_in_time() {
    let server = RedisServer::start();
    let (here, there) = (Hub::at(&server.url()).await, Hub::at(&server.url()).await);
    let large = |number: usize| format!("{number:04}").repeat(256 * 1024);
    for number in 1..=24 {
        here.publish("films", &large(number)).await;
    }
    let (mut reader, _) = there.reader_from("films", Start::Last(3)).await;
    // As much as is kept of it.
    assert_eq!(reader.text().await, large(24));
    assert_eq!(there.asked.read(), 3);
}
