//! A session over a hub.

use talkback::{Role, WebSocket};
use talkback_topics::Session;
use tokio::io::duplex;

use super::settle;
use super::store::Store;

#[tokio::test(start_paused = true)]
async fn ba5_a_subscription_waits_for_the_backplane_and_clients_are_told_of_the_outage() {
    let store = Store::default();
    let empty = store.snapshot();
    let topics = store.topics();
    let (near, far) = duplex(1 << 20);
    let mut served = WebSocket::from_upgraded(near, Role::Server);
    let mut session = Session::new(&topics);
    tokio::spawn(async move { session.serve(&mut served).await });
    let mut client = WebSocket::from_upgraded(far, Role::Client);
    let mut asks = async |text: &str| {
        if !text.is_empty() {
            client.send(text).await.unwrap();
        }
        client.recv().await.unwrap().unwrap().to_string()
    };
    let warm = asks(r#"{"do":"subscribe","topic":"warm"}"#).await;
    assert!(warm.contains(r#""subscribed":true"#), "{warm}");

    store.cut();
    let refused = asks(r#"{"do":"publish","topic":"warm","text":"1","id":"a"}"#).await;
    assert!(refused.contains("cannot be reached"), "{refused}");
    assert!(
        refused.ends_with(r#""topic":"warm","id":"a"}"#),
        "{refused}"
    );
    // What waits holds up nothing else.
    let stale = asks(r#"{"do":"subscribe","topic":"cold"}"#).await;
    assert_eq!(stale, r#"{"stale":true}"#);
    let wrong = asks(r#"{"do":"subscribe","topic":"warm"}"#).await;
    assert!(wrong.contains("it is subscribed to this topic"), "{wrong}");

    store.restore();
    settle().await;
    let mut told = [asks("").await, asks("").await];
    told.sort();
    assert_eq!(told[0], r#"{"live":true}"#);
    assert!(told[1].starts_with(r#"{"topic":"cold""#), "{told:?}");
    assert!(told[1].contains(r#""subscribed":true"#), "{told:?}");

    // It comes back with nothing of what it had.
    store.cut();
    store.fall_back(empty);
    store.restore();
    for _ in 0..2 {
        let reset = asks("").await;
        assert!(reset.starts_with(r#"{"topic":""#), "{reset}");
        assert!(reset.ends_with(r#"-0","reset":true}"#), "{reset}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_again_for_what_has_not_begun_is_answered_once_and_has_it() {
    let store = Store::default();
    let topics = store.topics();
    settle().await;
    store.hang();
    let (near, far) = duplex(1 << 20);
    let mut served = WebSocket::from_upgraded(near, Role::Server);
    let mut session = Session::new(&topics);
    tokio::spawn(async move { session.serve(&mut served).await });
    let mut client = WebSocket::from_upgraded(far, Role::Client);
    for start in ["", r#","last":1"#] {
        let ask = format!(r#"{{"do":"subscribe","topic":"cold"{start}}}"#);
        client.send(ask).await.unwrap();
    }
    settle().await;
    store.publish("cold", "1");
    store.answer();
    let mut told = async || client.recv().await.unwrap().unwrap().to_string();
    let begun = told().await;
    assert!(begun.contains(r#""subscribed":true"#), "{begun}");
    let first = told().await;
    assert!(first.ends_with(r#""data":1}"#), "{first}");
    store.publish("cold", "2");
    let second = told().await;
    assert!(second.ends_with(r#""data":2}"#), "{second}");
}
