//! Topics of a server, on a page.

use std::time::Duration;

use talkback::Backoff;
use talkback_conformance::Behaviour;
use talkback_topics::client::{Event, TopicChannel};
use talkback_topics::subscribe;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::browser::Page;

/// The server may outlive this page.
fn random() -> u64 {
    (js_sys::Math::random() * 2_f64.powi(53)) as u64
}

/// A client that is cut off by its own number, and comes back soon.
fn client(topic: &str) -> (u64, TopicChannel) {
    let id = random();
    let soon = Duration::from_millis(100);
    let backoff = Backoff::default().first(soon).shortest(soon).longest(soon);
    let subscribing = subscribe(Page::url(&Behaviour::Topics { id }), topic);
    let reconnecting = subscribing.reconnecting(move |it| it.backoff(backoff));
    (id, reconnecting.channel())
}

async fn next(client: &mut TopicChannel) -> Event {
    client.recv().await.unwrap().expect("it goes on")
}

/// Publishes, and waits until it stands in its topic.
async fn publish(client: &mut TopicChannel, topic: &str, text: &str) {
    let number = client.publish(topic, text).unwrap();
    loop {
        match next(client).await {
            Event::Published(published) if published.number() == number => return,
            _ => {}
        }
    }
}

#[wasm_bindgen_test]
async fn rv2_a_page_that_was_cut_off_gets_each_publication_once() {
    let topic = format!("prices {}", random());
    let (id, mut page) = client(&topic);
    let (_, mut other) = client("nothing");
    assert!(matches!(next(&mut page).await, Event::Subscribed(_)));
    publish(&mut other, &topic, "1").await;
    publish(&mut other, &format!("cut {id}"), "now").await;
    for text in ["2", "안녕"] {
        publish(&mut other, &topic, text).await;
    }
    let mut got = Vec::new();
    while got.len() < 3 {
        let Event::Delivery(delivery) = next(&mut page).await else {
            panic!("it continues");
        };
        got.push(delivery.message().to_string());
    }
    assert_eq!(got, ["1", "2", "안녕"]);
    publish(&mut page, &topic, "4").await;
    assert_eq!(page.channel().connection(), 2, "it was cut off");
    page.channel().close().await.unwrap();
}
