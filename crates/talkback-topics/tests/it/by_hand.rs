//! The same without `pump`: over a channel, and as a stream.

use futures_util::StreamExt;
use talkback_topics::{Next, Start, Subscriber};

use crate::support::{publish, text, topic};

#[tokio::test]
async fn to1_over_a_channel() {
    let topic = topic();
    let (mut client, server) = talkback::pair();
    let mut subscriber = Subscriber::new();
    subscriber.subscribe(&topic, Start::Now).await.unwrap();
    let serving = tokio::spawn(async move {
        loop {
            match subscriber.next().await.unwrap() {
                Next::Delivery(delivery) => server.send(delivery.message()).await.unwrap(),
                next => panic!("{next:?}"),
            }
        }
    });
    publish(&topic, 1..=100);
    for number in 1..=100 {
        let message = client.recv().await.unwrap().unwrap();
        assert_eq!(text(&message), number.to_string());
    }
    serving.abort();
}

#[tokio::test]
async fn to1_as_a_stream() {
    let topic = topic();
    let mut subscriber = Subscriber::new();
    subscriber.subscribe(&topic, Start::Now).await.unwrap();
    publish(&topic, 1..=100);
    let stream = subscriber.take(100).map(|next| match next.unwrap() {
        Next::Delivery(delivery) => text(delivery.message().message()).to_owned(),
        next => panic!("{next:?}"),
    });
    let all: Vec<_> = stream.collect().await;
    assert_eq!(all.last().map(String::as_str), Some("100"));
    assert_eq!(all.len(), 100);
}
