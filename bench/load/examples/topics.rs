//! The least server on talkback-topics that publishes each message to all, on one thread. It takes `--deflate`, and with it
//! `--takeover`; with `--many` messages are of topics with numbers (see `../src/many.rs`).
//!
//! It is a program of its own, so that it changes nothing of how the compiler inlines the others of `broadcast.rs`.

mod accepted;

use std::error::Error;
use std::sync::Arc;

use talkback::WebSocket;
use talkback_topics::{Start, Subscriber, Topic, TopicEvent, Topics};
use tokio::net::{TcpListener, TcpStream};

use accepted::{accepted, has};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

async fn topics(stream: TcpStream, topics: Arc<[Topic]>) -> Outcome {
    let mut socket = accepted(stream).await?;
    let mut subscriber = Subscriber::new();
    if has("--many") {
        return many(socket, subscriber, topics).await;
    }
    let all = &topics[0];
    subscriber.subscribe(all, Start::Now).await?;
    loop {
        match subscriber.pump(&mut socket).await? {
            TopicEvent::Message(message) => _ = all.publish(message).await?,
            TopicEvent::Closed(_) => return Ok(()),
            event => return Err(format!("{event:?}").into()),
        }
    }
}

/// What begins with 0 subscribes, and is sent back; what begins with 1 is published.
async fn many(
    mut socket: WebSocket<TcpStream>,
    mut subscriber: Subscriber,
    topics: Arc<[Topic]>,
) -> Outcome {
    let numbered = |number: &[u8]| -> Result<_, Box<dyn Error + Send + Sync>> {
        let number = u32::from_le_bytes(number.try_into()?);
        topics
            .get(number as usize)
            .ok_or_else(|| "there is no such topic".into())
    };
    loop {
        match subscriber.pump(&mut socket).await? {
            TopicEvent::Message(message) => match message.as_bytes().split_first() {
                Some((0, numbers)) => {
                    for number in numbers.chunks(4) {
                        subscriber.subscribe(numbered(number)?, Start::Now).await?;
                    }
                    socket.feed(message).await?;
                }
                Some((1, rest)) if rest.len() >= 4 => {
                    numbered(&rest[..4])?.publish(message).await?;
                }
                _ => return Err("it is no such message".into()),
            },
            TopicEvent::Closed(_) => return Ok(()),
            event => return Err(format!("{event:?}").into()),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let registry = Topics::new();
    let names = 0..if has("--many") { 100_000 } else { 1 };
    let named: Result<_, _> = names
        .map(|number| registry.topic(&format!("topic {number}")))
        .collect();
    let named: Arc<[Topic]> = named?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}/", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(topics(stream, Arc::clone(&named)));
    }
}
