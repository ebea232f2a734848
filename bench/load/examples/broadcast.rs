//! The least servers on talkback that send each message to all, on one thread: in `broadcast library` the task of each
//! socket waits for news as well, in `broadcast channel` whoever has received something hands it to all channels, and
//! `broadcast topics` publishes it.
//!
//! They take `--deflate`, and with it `--takeover`. In `broadcast topics --many` messages are of topics with numbers (see
//! `../src/many.rs`).

use std::env::args;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use talkback::{
    AcceptError, DeflatePolicy, Message, Prepared, Sender, WebSocket, WebSocketChannel, accept,
};
use talkback_topics::{Start, Subscriber, Topic, TopicEvent, Topics};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

fn has(flag: &str) -> bool {
    args().any(|argument| argument == flag)
}

async fn accepted(stream: TcpStream) -> Result<WebSocket<TcpStream>, AcceptError> {
    let takes_no_context = !has("--takeover");
    let policy = has("--deflate").then(|| {
        DeflatePolicy::default()
            .server_no_context_takeover(takes_no_context)
            .client_no_context_takeover(takes_no_context)
    });
    let mut socket = Box::pin(accept(stream).compression(policy).into_future()).await?;
    socket.forget_request();
    Ok(socket)
}

async fn library(stream: TcpStream, news: broadcast::Sender<Prepared>) -> Outcome {
    let mut socket = accepted(stream).await?;
    let mut receiver = news.subscribe();
    loop {
        tokio::select! {
            biased;
            // What is fed leaves as soon as nothing else is there.
            prepared = receiver.recv() => socket.feed(&prepared?).await?,
            message = socket.recv() => match message? {
                Some(message) => _ = news.send(Prepared::new(message)),
                None => return Ok(()),
            },
        }
    }
}

#[derive(Clone, Default)]
struct Room(Arc<Mutex<Vec<Sender>>>);

impl Room {
    fn enter(&self, client: Sender) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(client);
    }

    fn tell_all(&self, message: Message) {
        let prepared = Prepared::new(message);
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|client| client.try_send(&prepared).is_ok());
    }
}

async fn channel(stream: TcpStream, room: Room) -> Outcome {
    let mut socket = accepted(stream).await?;
    // Those who only listen answer no ping; in a debugger a run takes longer than they may by default.
    socket.set_keepalive(Duration::from_secs(3600));
    let mut channel = WebSocketChannel::from(socket);
    room.enter(channel.sender());
    while let Some(message) = channel.recv().await? {
        room.tell_all(message);
    }
    Ok(())
}

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
    let mode = args().nth(1);
    let (news, room, registry) = (broadcast::Sender::new(64), Room::default(), Topics::new());
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
        match mode.as_deref() {
            Some("channel") => tokio::spawn(channel(stream, room.clone())),
            Some("topics") => tokio::spawn(topics(stream, Arc::clone(&named))),
            _ => tokio::spawn(library(stream, news.clone())),
        };
    }
}
