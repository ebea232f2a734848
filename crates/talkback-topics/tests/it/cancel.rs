//! Calls that are dropped.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use talkback::{Role, WebSocket};
use talkback_topics::{Next, Start, Subscriber, TopicEvent};
use tokio::io::duplex;

use crate::support::{Served, publish, text, texts, topic};

#[tokio::test(start_paused = true)]
async fn to23_a_pump_that_is_dropped_at_every_poll_loses_and_doubles_nothing() {
    for capacity in [16, 100, 5000, 1_000_000] {
        let topic = topic();
        let (near, far) = duplex(capacity);
        let mut socket = WebSocket::from_upgraded(near, Role::Server);
        let mut client = WebSocket::from_upgraded(far, Role::Client);
        let mut subscriber = Subscriber::new();
        subscriber.subscribe(&topic, Start::Now).await.unwrap();
        let publishing = tokio::spawn(async move {
            for number in 0..500_u64 {
                topic.publish(number.to_string()).await.unwrap();
                if number % 7 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        });
        let reading = tokio::spawn(async move {
            let mut got = Vec::new();
            for number in 0..500_u64 {
                if number % 50 == 0 {
                    client.send(number.to_string()).await.unwrap();
                }
                got.push(text(&client.recv().await.unwrap().unwrap()).to_owned());
            }
            client.close().await;
            got
        });
        let mut from_peer = Vec::new();
        loop {
            let polled = poll_fn(|cx| {
                let polled = pin!(subscriber.pump(&mut socket)).poll(cx);
                Poll::Ready(polled)
            });
            match polled.await {
                Poll::Pending => tokio::task::yield_now().await,
                Poll::Ready(Ok(TopicEvent::Message(message))) => {
                    from_peer.push(text(&message).to_owned());
                }
                Poll::Ready(Ok(TopicEvent::Closed(_))) => break,
                Poll::Ready(other) => panic!("{other:?}"),
            }
        }
        publishing.await.unwrap();
        assert_eq!(reading.await.unwrap(), texts(0..500), "{capacity}");
        assert_eq!(from_peer, texts((0..10).map(|n| n * 50)));
    }
}

#[tokio::test(start_paused = true)]
async fn to23_beside_other_calls_in_a_select() {
    let topic = topic();
    let (near, far) = duplex(64);
    let mut socket = WebSocket::from_upgraded(near, Role::Server);
    let mut client = WebSocket::from_upgraded(far, Role::Client);
    let mut subscriber = Subscriber::new();
    subscriber.subscribe(&topic, Start::Now).await.unwrap();
    let reading = tokio::spawn(async move {
        let mut got = Vec::new();
        while got.len() < 200 {
            got.push(text(&client.recv().await.unwrap().unwrap()).to_owned());
        }
        got
    });
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(1));
    let mut number = 0;
    while !reading.is_finished() {
        tokio::select! {
            event = subscriber.pump(&mut socket) => {
                // Its client is dropped once it has all.
                assert!(event.is_err() || number >= 200, "{event:?}");
                break;
            }
            _ = ticks.tick() => {
                if number < 200 {
                    publish(&topic, [number]);
                    number += 1;
                }
            }
        }
    }
    assert_eq!(reading.await.unwrap(), texts(0..200));
}

/// Those that wait for nothing: whole at the first poll, or never begun.
#[test]
fn a_call_that_is_never_polled_does_nothing() {
    let topic = topic();
    let mut subscriber = Subscriber::new();
    drop(subscriber.subscribe(&topic, Start::Now));
    drop(topic.publish("1").into_future());
    assert_eq!(topic.subscribers(), 0);
    let mut waiting = Served::to(&topic, Subscriber::new());
    assert!(waiting.pump().is_none());
    assert_eq!(waiting.subscriber.delivered(), 0);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(
        pin!(subscriber.subscribe(&topic, Start::Now))
            .poll(&mut cx)
            .is_ready()
    );
    assert!(
        pin!(topic.publish("1").into_future())
            .poll(&mut cx)
            .is_ready()
    );
    assert_eq!(topic.subscribers(), 2);
}

#[test]
fn to23_next_that_is_dropped_loses_nothing() {
    let topic = topic();
    let mut subscriber = Subscriber::new();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(
        pin!(subscriber.subscribe(&topic, Start::Now))
            .poll(&mut cx)
            .is_ready()
    );
    for number in 0..100 {
        assert!(pin!(subscriber.next()).poll(&mut cx).is_pending());
        drop(subscriber.next());
        publish(&topic, [number]);
        let Poll::Ready(Ok(Next::Delivery(delivery))) = pin!(subscriber.next()).poll(&mut cx)
        else {
            panic!("there is one");
        };
        assert_eq!(text(delivery.message().message()), number.to_string());
    }
}
