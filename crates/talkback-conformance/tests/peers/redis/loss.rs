//! What is lost on the way is read from the store, or told.

use futures_util::future::join_all;
use talkback_topics::{Keep, Next, Redis};

use crate::redis::hub::{Hub, Reader, in_time};
use crate::redis::proxy::{Proxy, is_published};
use crate::redis::server::RedisServer;

#[tokio::test]
async fn ba2_what_is_lost_is_read_once() {
    let server = RedisServer::start();
    let proxy = Proxy::before(server.port).await;
    let (here, there) = (Hub::at(&server.url()).await, Hub::at(&proxy.url()).await);
    let mut readers = [there.reader("prices").await, there.reader("prices").await];
    proxy.lose("lost");
    for text in ["one", "lost", "three", "four"] {
        here.publish("prices", text).await;
    }
    for reader in &mut readers {
        assert_eq!(reader.texts(4).await, ["one", "lost", "three", "four"]);
    }
    assert_eq!(there.asked.read(), 1);
}

#[tokio::test]
async fn ba3_a_lost_last_one_is_noticed() {
    let server = RedisServer::start();
    let proxy = Proxy::before(server.port).await;
    let (here, there) = (Hub::at(&server.url()).await, Hub::at(&proxy.url()).await);
    let mut reader = there.reader("prices").await;
    proxy.lose("lost");
    here.publish("prices", "one").await;
    here.publish("prices", "lost").await;
    // Nothing is published after it.
    assert_eq!(reader.texts(2).await, ["one", "lost"]);
}

#[tokio::test]
async fn ba4_what_is_lost_in_the_store_as_well_is_told() {
    let server = RedisServer::start();
    let proxy = Proxy::before(server.port).await;
    let keep = Keep::default().messages(2);
    let here = Hub::by(Redis::connect(&server.url()).keep(keep)).await;
    let there = Hub::at(&proxy.url()).await;
    let mut readers = [there.reader("prices").await, there.reader("prices").await];
    proxy.lose("lost");
    let first = here.publish("prices", "one").await.position();
    for number in 2..=5 {
        here.publish("prices", &format!("lost {number}")).await;
    }
    here.publish("prices", "six").await;
    for reader in &mut readers {
        assert_eq!(reader.text().await, "one");
        match reader.next().await {
            Next::Gap(gap) => {
                assert_eq!(gap.missed(), 3);
                assert_eq!(gap.from().epoch(), first.epoch());
            }
            other => panic!("no gap: {other:?}"),
        }
        assert_eq!(reader.texts(2).await, ["lost 5", "six"]);
    }
    here.publish("prices", "live").await;
    for reader in &mut readers {
        assert_eq!(reader.text().await, "live");
    }
}

#[tokio::test]
async fn ba9_a_line_that_publishes_nothing_is_found_out() {
    let server = RedisServer::start();
    let proxy = Proxy::before(server.port).await;
    let (here, there) = (Hub::at(&server.url()).await, Hub::at(&proxy.url()).await);
    let mut reader = there.reader("prices").await;
    here.publish("prices", "one").await;
    assert_eq!(reader.text().await, "one");
    let deaf = proxy.opened();
    proxy.pass_if(move |number, frame| number >= deaf || !is_published(frame));
    here.publish("prices", "two").await;
    assert_eq!(reader.text().await, "two");
    assert!(proxy.opened() > deaf, "it has connected again");
    here.publish("prices", "three").await;
    assert_eq!(reader.text().await, "three");
}

#[tokio::test]
async fn ba10_a_hub_that_redis_cuts_off_is_healed() {
    // A topic keeps 1 MiB.
    const COUNT: usize = 16;
    let server = RedisServer::with(&["--client-output-buffer-limit", "pubsub 64kb 0 0"]);
    let (here, there) = (Hub::at(&server.url()).await, Hub::at(&server.url()).await);
    let mut reader = there.reader("prices").await;
    let topic = here.topic("prices");
    let connections = || server.told("stats", "total_connections_received");
    let before = connections();
    let burst = (0..COUNT).map(|number| {
        let text = format!("{number} {}", "x".repeat(50_000));
        let topic = &topic;
        async move { topic.publish(text).await }
    });
    for published in join_all(burst).await {
        published.expect("it is published, whoever hears of it");
    }
    let mut seen = Vec::new();
    for text in reader.texts(COUNT).await {
        let (number, _) = text.split_once(' ').expect("a number is before it");
        seen.push(number.parse::<usize>().expect("it is a number"));
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..COUNT), "each came once");
    // The one that asks is one, too.
    assert!(connections() >= before + 3, "the burst is too small");
}

#[tokio::test]
async fn ba11_many_topics_come_back_in_batches() {
    const TOPICS: usize = 5_000;
    let server = RedisServer::start();
    let (here, there) = (Hub::at(&server.url()).await, Hub::at(&server.url()).await);
    let names: Vec<_> = (0..TOPICS)
        .map(|number| format!("topic {number}"))
        .collect();
    let readers = names.iter().map(|name| there.reader(name));
    let mut readers = in_time("to subscribe", join_all(readers)).await;
    let before = server.told("commandstats", "cmdstat_subscribe:calls");
    // Who listens to more than a probe.
    let listeners = server.asked(&["CLIENT", "LIST", "TYPE", "pubsub"]);
    let busy = listeners.lines().find(|it| !it.contains(" sub=1 "));
    let id = busy.and_then(|it| it.strip_prefix("id=")?.split(' ').next());
    let killed = server.asked(&["CLIENT", "KILL", "ID", id.expect("somebody listens")]);
    assert_eq!(killed, "1");
    for text in ["meanwhile", "the end"] {
        // Not more than may be on their way at a time.
        for some in names.chunks(500) {
            join_all(some.iter().map(|name| here.publish(name, text))).await;
        }
        let texts = join_all(readers.iter_mut().map(Reader::text)).await;
        assert!(texts.iter().all(|it| it == text), "each came once");
    }
    // To its probe, and to 5,000 topics.
    let calls = server.told("commandstats", "cmdstat_subscribe:calls") - before;
    assert_eq!(calls, 1 + TOPICS.div_ceil(512) as u64);
}
