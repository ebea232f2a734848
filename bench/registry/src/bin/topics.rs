//! Topics in memory, with 10,000 connections that have no socket: `topics publish` says what a publication takes,
//! `topics subscribe` what a subscription, `topics lag` what those hold who take nothing, with `--queues` in the place of a
//! topic a queue of each, and `topics threads` how many deliveries a second are made by `--workers N`.
//!
//! It prints a line of JSON.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use lexopt::prelude::*;
use talkback::{Message, Role, WebSocket};
use talkback_testing::heap;
use talkback_topics::{Keep, Slow, Start, Subscriber, Topic, Topics};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::yield_now;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const SUBSCRIBERS: usize = 10_000;
const ROUNDS: usize = 200;
const PAYLOAD: [u8; 64] = [0; 64];

/// A peer that sends nothing, and takes everything, which is counted, or nothing.
struct Peer(Option<Arc<AtomicUsize>>);

impl AsyncRead for Peer {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(written) = &self.0 else {
            return Poll::Pending;
        };
        written.fetch_add(bytes.len(), Ordering::Relaxed);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Peer {
    fn socket(self) -> WebSocket<Self> {
        WebSocket::from_upgraded(self, Role::Server)
    }
}

/// Serves so many subscribers of a topic; what counts the bytes that they get.
async fn serve(topic: &Topic, count: usize) -> Outcome<Arc<AtomicUsize>> {
    let written = Arc::new(AtomicUsize::new(0));
    for _ in 0..count {
        let mut socket = Peer(Some(Arc::clone(&written))).socket();
        let mut subscriber = Subscriber::new();
        subscriber.subscribe(topic, Start::Now).await?;
        tokio::spawn(async move { subscriber.pump(&mut socket).await.map(drop) });
    }
    Ok(written)
}

/// Publishes some to all, and waits until all have them; how long publishing took for the first, and for all.
async fn round(
    topic: &Topic,
    written: &AtomicUsize,
    subscribers: usize,
    burst: usize,
) -> Outcome<[Duration; 2]> {
    let before = written.load(Ordering::Relaxed);
    let messages: Vec<_> = (0..burst).map(|_| Message::from(&PAYLOAD[..])).collect();
    let (at, mut first) = (Instant::now(), Duration::ZERO);
    for (index, message) in messages.into_iter().enumerate() {
        topic.publish(message).await?;
        if index == 0 {
            first = at.elapsed();
        }
    }
    let took = [first, at.elapsed()];
    let frame = PAYLOAD.len() + 2;
    while written.load(Ordering::Relaxed) < before + subscribers * burst * frame {
        yield_now().await;
    }
    Ok(took)
}

async fn publish() -> Outcome<String> {
    const BURST: usize = 16;
    let (mut told, mut allocations) = (Vec::new(), 0);
    for count in [0, 1, SUBSCRIBERS] {
        let keep = Keep::default().messages(64);
        let topic = Topics::keeping(keep).topic("prices")?;
        let written = serve(&topic, count).await?;
        // The log is to be full, so that one leaves it for each that comes.
        for _ in 0..10 {
            round(&topic, &written, count, BURST).await?;
        }
        let (mut first, mut each) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
        let before = heap::allocations();
        for _ in 0..ROUNDS {
            let took = round(&topic, &written, count, BURST).await?;
            first.push(took[0]);
            each.push(took[1] / BURST as u32);
        }
        let in_all = heap::allocations() - before;
        match count {
            // A list of messages is one more for each burst, which is less than one for each of them.
            0 => allocations = in_all / (ROUNDS * BURST),
            _ => {
                let more = in_all.saturating_sub((allocations + 1) * ROUNDS * BURST);
                told.push(format!(
                    "\"allocations_{count}\": {}",
                    more / (count * ROUNDS * BURST)
                ));
            }
        }
        for (name, mut took) in [("first", first), ("each", each)] {
            took.sort();
            told.push(format!(
                "\"{name}_{count}\": {}",
                took[ROUNDS / 2].as_nanos()
            ));
        }
    }
    Ok(format!(
        "\"allocations\": {allocations}, {}",
        told.join(", ")
    ))
}

async fn subscribe() -> Outcome<String> {
    const TOPICS: usize = 100_000;
    const EACH: usize = 10;
    let topics = Topics::new();
    let named = (0..TOPICS).map(|number| topics.topic(&format!("topic {number}")));
    let named = named.collect::<Result<Vec<_>, _>>()?;
    // A step that has no divisor with their number in common goes round all of them.
    let which = |subscriber: usize, index| &named[(subscriber * EACH + index) * 7_919 % TOPICS];
    let mut all: Vec<_> = (0..SUBSCRIBERS).map(|_| Subscriber::new()).collect();
    let begun = Instant::now();
    for (number, subscriber) in all.iter_mut().enumerate() {
        for index in 0..EACH {
            subscriber
                .subscribe(which(number, index), Start::Now)
                .await?;
        }
    }
    let subscribed = Instant::now();
    for (number, subscriber) in all.iter_mut().enumerate() {
        for index in 0..EACH {
            subscriber.unsubscribe(which(number, index));
        }
    }
    let each = |took: Duration| took.as_nanos() / (SUBSCRIBERS * EACH) as u128;
    let took = (each(subscribed - begun), each(subscribed.elapsed()));
    Ok(format!(
        "\"subscribe_ns\": {}, \"unsubscribe_ns\": {}",
        took.0, took.1
    ))
}

/// What everything holds, at a first and a later moment.
async fn lag(has_queues: bool) -> Outcome<String> {
    let payload = Message::from(vec![0_u8; 1024]);
    let topic = Topics::new().topic("prices")?;
    let mut queues: Vec<UnboundedSender<Message>> = Vec::new();
    for _ in 0..SUBSCRIBERS {
        let mut socket = Peer(None).socket();
        if has_queues {
            let (queue, mut waiting) = unbounded_channel();
            queues.push(queue);
            tokio::spawn(async move {
                while let Some(message) = waiting.recv().await {
                    socket.send(message).await?;
                }
                Ok::<_, talkback::SendError>(())
            });
        } else {
            let mut subscriber = Subscriber::new().slow(Slow::Skip);
            subscriber.subscribe(&topic, Start::Now).await?;
            tokio::spawn(async move { subscriber.pump(&mut socket).await.map(drop) });
        }
    }
    yield_now().await;
    let before = heap::in_use();
    let mut told = Vec::new();
    for count in [1024, 3 * 1024] {
        for _ in 0..count {
            // Each is another message, as it came from somewhere.
            let message = Message::from(payload.as_bytes().to_vec());
            if has_queues {
                for queue in &queues {
                    queue.send(message.clone())?;
                }
            } else {
                topic.publish(message).await?;
            }
            yield_now().await;
        }
        for _ in 0..100 {
            yield_now().await;
        }
        told.push((heap::in_use() - before) as usize / SUBSCRIBERS);
    }
    Ok(format!(
        "\"each\": {}, \"each_later\": {}",
        told[0], told[1]
    ))
}

async fn threads() -> Outcome<String> {
    let topic = Topics::new().topic("prices")?;
    let written = serve(&topic, SUBSCRIBERS).await?;
    for _ in 0..20 {
        round(&topic, &written, SUBSCRIBERS, 1).await?;
    }
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        round(&topic, &written, SUBSCRIBERS, 1).await?;
    }
    let each = begun.elapsed().as_nanos() / (ROUNDS * SUBSCRIBERS) as u128;
    Ok(format!("\"ns_each\": {each}"))
}

fn main() -> Outcome {
    let mut parser = lexopt::Parser::from_env();
    let (mut mode, mut has_queues, mut workers) = (String::new(), false, 1);
    while let Some(argument) = parser.next()? {
        match argument {
            Value(value) => mode = value.string()?,
            Long("queues") => has_queues = true,
            Long("workers") => workers = parser.value()?.parse()?,
            _ => return Err(argument.unexpected().into()),
        }
    }
    // What is counted of the heap is the thread's.
    let mut builder = match workers {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(workers).enable_time().build()?;
    let told = runtime.block_on(async {
        match mode.as_str() {
            "publish" => publish().await,
            "subscribe" => subscribe().await,
            "lag" => lag(has_queues).await,
            // The task that publishes is one among the others.
            "threads" => tokio::spawn(threads()).await?,
            _ => Err("it is publish, subscribe, lag or threads".into()),
        }
    })?;
    println!("{{{told}}}");
    // Nobody waits until all is freed.
    std::process::exit(0)
}
