//! What is published, and who gets it.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use talkback::server::Connections;
use talkback::{Compression, Role, WebSocket};
use talkback_topics::{Next, Start, SubscribeErrorKind, Subscriber, TopicEvent, Topics};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Served, Wakes, now, poll_once, publish, read, texts, topic};

#[test]
fn to1_all_get_all_in_order() {
    let topic = topic();
    let mut all: Vec<_> = (0..3)
        .map(|_| Served::to(&topic, Subscriber::new()))
        .collect();
    for served in &mut all {
        served.run();
    }
    publish(&topic, 1..=100);
    for served in &mut all {
        assert_eq!(served.wakes.take(), 1);
        assert_eq!(served.texts(), texts(1..=100));
        assert_eq!(served.subscriber.delivered(), 100);
    }
}

#[test]
fn to1_whoever_publishes_is_told_how_many_there_are_and_where_it_stands() {
    let topic = topic();
    let first = now(topic.publish("1").into_future()).unwrap();
    assert_eq!((first.subscribers(), topic.subscribers()), (0, 0));
    let subscribed = [
        Served::to(&topic, Subscriber::new()),
        Served::to(&topic, Subscriber::new()),
    ];
    let second = now(topic.publish("2").into_future()).unwrap();
    assert_eq!((second.subscribers(), topic.subscribers()), (2, 2));
    assert_ne!(first.position(), second.position());
    drop(subscribed);
    assert_eq!(topic.subscribers(), 0);
}

#[test]
fn to3_what_was_published_before_the_end_of_a_subscription_comes() {
    let topic = topic();
    let mut served = Served::to(&topic, Subscriber::new());
    publish(&topic, [1]);
    assert!(served.subscriber.unsubscribe(&topic));
    assert!(!served.subscriber.unsubscribe(&topic));
    assert_eq!(topic.subscribers(), 0);
    publish(&topic, [2]);
    assert_eq!(served.texts(), ["1"]);
    publish(&topic, [3]);
    assert_eq!(served.texts(), [""; 0]);
    assert_eq!(served.subscriber.waiting(), 0);
}

#[test]
fn to3_a_subscription_that_follows_one_comes_behind_it() {
    for is_in_one_go in [true, false] {
        let topic = topic();
        let mut subscriber = Subscriber::new();
        now(subscriber.subscribe(&topic, Start::Now)).unwrap();
        let twice = now(subscriber.subscribe(&topic, Start::Now)).unwrap_err();
        assert_eq!(twice.kind(), SubscribeErrorKind::Subscribed);
        publish(&topic, 1..=100);
        assert!(subscriber.unsubscribe(&topic));
        publish(&topic, 101..=110);
        if !is_in_one_go {
            assert_eq!(read(&mut subscriber), texts(1..=100));
        }
        now(subscriber.subscribe(&topic, Start::Last(2))).unwrap();
        publish(&topic, [111]);
        let all = read(&mut subscriber);
        let (rest, new) = all.split_at(all.len() - 3);
        assert_eq!(new, ["109", "110", "111"]);
        let rest_expected = if is_in_one_go {
            texts(1..=100)
        } else {
            Vec::new()
        };
        assert_eq!(rest, rest_expected);
    }
}

#[test]
fn to4_a_subscriber_that_is_dropped_gets_nothing_more() {
    let topic = topic();
    let mut served = Served::to(&topic, Subscriber::new());
    served.run();
    publish(&topic, [1]);
    served.subscriber.unsubscribe(&topic);
    served.subscriber = Subscriber::new();
    publish(&topic, [2]);
    // It had waited, and was woken by the first alone.
    assert_eq!(served.wakes.take(), 1);
    assert_eq!(served.texts(), [""; 0]);
    assert_eq!(topic.subscribers(), 0);
}

#[test]
fn to5_a_connection_that_is_left_out_misses_nothing_else() {
    let connections = Connections::new();
    let (near, _far) = tokio::io::duplex(1024);
    let place = connections.admit(None).unwrap();
    let connection = place.open(WebSocket::from_upgraded(near, Role::Server));
    let topic = topic();
    let mut own = Subscriber::new().for_connection(connection.id());
    let mut other = Subscriber::new().for_connection(connection.id() + 1);
    let mut nobodys = Subscriber::new();
    for subscriber in [&mut own, &mut other, &mut nobodys] {
        now(subscriber.subscribe(&topic, Start::Now)).unwrap();
    }
    publish(&topic, [1]);
    now(topic.publish("2").except(connection.id()).into_future()).unwrap();
    publish(&topic, [3]);
    assert_eq!(read(&mut own), ["1", "3"]);
    assert_eq!(read(&mut other), ["1", "2", "3"]);
    assert_eq!(read(&mut nobodys), ["1", "2", "3"]);
    assert_eq!((own.delivered(), own.skipped(), own.waiting()), (2, 0, 0));
    let mut served = Served::to(&topic, Subscriber::new().for_connection(7));
    now(topic.publish("4").except(7).into_future()).unwrap();
    publish(&topic, [5]);
    assert_eq!(served.texts(), ["5"]);
}

#[test]
fn what_may_not_be_compressed_is_said_to_whoever_sends_it() {
    let topic = topic();
    let mut subscriber = Subscriber::new();
    now(subscriber.subscribe(&topic, Start::Now)).unwrap();
    now(topic
        .publish("1")
        .compression(Compression::Skip)
        .into_future())
    .unwrap();
    publish(&topic, [2]);
    for expected in [Compression::Skip, Compression::Auto] {
        let Some(Ok(Next::Delivery(delivery))) = poll_once(subscriber.next()) else {
            panic!("there is one");
        };
        assert_eq!(delivery.compression(), expected);
        assert_eq!(delivery.topic(), "prices");
    }
}

/// TCP that counts the system calls by which it reads.
struct Counted {
    stream: TcpStream,
    reads: Arc<AtomicUsize>,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // As tokio does it, which goes to the system only where that has said that there is something.
        while self.stream.poll_read_ready(cx)?.is_ready() {
            self.reads.fetch_add(1, Ordering::SeqCst);
            match self.stream.try_read_buf(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
        Poll::Pending
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn to14_a_burst_is_one_write_and_no_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (reads, writes) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let counted = Counted {
        stream: listener.accept().await.unwrap().0,
        reads: Arc::clone(&reads),
        writes: Arc::clone(&writes),
    };
    let mut socket = WebSocket::from_upgraded(counted, Role::Server);
    let topic = topic();
    let mut subscriber = Subscriber::new();
    now(subscriber.subscribe(&topic, Start::Now)).unwrap();
    // The peer's first message, after which the system has nothing more to read.
    client.write_all(&[0x81, 0x80, 0, 0, 0, 0]).await.unwrap();
    let event = subscriber.pump(&mut socket).await.unwrap();
    assert!(matches!(event, TopicEvent::Message(_)));
    assert!(poll_once(subscriber.pump(&mut socket)).is_none());
    let before = (reads.load(Ordering::SeqCst), writes.load(Ordering::SeqCst));
    assert!(before.0 > 0);
    publish(&topic, 1..=16);
    assert!(poll_once(subscriber.pump(&mut socket)).is_none());
    let after = (reads.load(Ordering::SeqCst), writes.load(Ordering::SeqCst));
    assert_eq!((after.0 - before.0, after.1 - before.1), (0, 1));
    assert_eq!(subscriber.delivered(), 16);
}

#[test]
fn to14_what_is_fed_before_leaves_first() {
    let topic = topic();
    let mut served = Served::to(&topic, Subscriber::new());
    publish(&topic, 1..=3);
    now(served.socket.feed("0")).unwrap();
    assert_eq!(served.texts(), texts(0..=3));
    assert_eq!(served.wire().writes, 1);
}

#[test]
fn to15_topics_take_turns() {
    let topics = Topics::new();
    let all: Vec<_> = (0..10)
        .map(|n| topics.topic(&n.to_string()).unwrap())
        .collect();
    let mut served = Served::new(Subscriber::new());
    for topic in &all {
        now(served.subscriber.subscribe(topic, Start::Now)).unwrap();
    }
    for _ in 0..10 {
        // One of them has more than the others will ever have.
        publish(&all[3], std::iter::repeat_n(0, 1000));
        for (number, topic) in (1..).zip(&all) {
            publish(topic, [number]);
        }
        // It takes what it is fed once.
        served.wire().room = 16 * 1024;
        let mut texts = served.texts();
        served.give_room(usize::MAX);
        texts.retain(|text| text != "0");
        texts.sort_unstable_by_key(|text| text.parse::<u64>().unwrap());
        let others: Vec<_> = (1..=10)
            .filter(|n| *n != 4)
            .map(|n| n.to_string())
            .collect();
        texts.retain(|text| text != "4");
        assert_eq!(texts, others);
        served.run();
        served.wire().take_frames();
    }
}

#[test]
fn to15_by_hand_topics_take_turns_too() {
    let topics = Topics::new();
    let [busy, quiet] = ["busy", "quiet"].map(|name| topics.topic(name).unwrap());
    let mut subscriber = Subscriber::new();
    for topic in [&busy, &quiet] {
        now(subscriber.subscribe(topic, Start::Now)).unwrap();
    }
    publish(&busy, 1..=1000);
    publish(&quiet, [2000]);
    let position = read(&mut subscriber).iter().position(|text| text == "2000");
    assert!(position.unwrap() <= 1);
}

#[tokio::test]
async fn to16_a_handler_publishes_to_its_own_topic() {
    let topic = topic();
    let mut served = Served::to(&topic, Subscriber::new().for_connection(7));
    for (payload, is_left_out) in [(b"a", false), (b"b", true), (b"c", false)] {
        served.peer_sends(0x81, payload);
        let Some(Ok(TopicEvent::Message(message))) = served.pump() else {
            panic!("it has come");
        };
        let publish = topic.publish(message);
        match is_left_out {
            true => publish.except(7).await.unwrap(),
            false => publish.await.unwrap(),
        };
    }
    assert_eq!(served.texts(), ["a", "c"]);
}

#[test]
fn a_burst_wakes_a_subscriber_once() {
    let topic = topic();
    let mut served = Served::to(&topic, Subscriber::new());
    // It has not waited yet, and looks by itself.
    publish(&topic, [1]);
    assert_eq!(served.wakes.take(), 0);
    for round in 0..3 {
        served.run();
        publish(&topic, 0..100);
        assert_eq!(served.wakes.take(), 1, "{round}");
    }
}

#[tokio::test]
async fn to24_more_than_64_are_woken_by_a_task() {
    let topic = topic();
    let mut all: Vec<_> = (0..3000)
        .map(|_| Served::to(&topic, Subscriber::new()))
        .collect();
    all.iter_mut().for_each(Served::run);
    publish(&topic, [1]);
    let woken = |all: &[Served]| all.iter().filter(|it| it.wakes.take() > 0).count();
    assert_eq!(woken(&all), 0, "whoever publishes wakes none of them");
    // A portion for each turn of the task.
    for expected in [1024, 1024, 952] {
        tokio::task::yield_now().await;
        assert_eq!(woken(&all), expected);
    }
    assert!(all.iter_mut().all(|it| it.texts() == ["1"]));
    // One comes while a round is under way: those that had their turn have another.
    publish(&topic, [2]);
    tokio::task::yield_now().await;
    assert_eq!(woken(&all), 1024);
    all[..1024]
        .iter_mut()
        .for_each(|it| assert_eq!(it.texts(), ["2"]));
    publish(&topic, [3]);
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    assert_eq!(woken(&all), 3000);
    assert!(all[..1024].iter_mut().all(|it| it.texts() == ["3"]));
    assert!(all[1024..].iter_mut().all(|it| it.texts() == ["2", "3"]));
}

#[test]
fn to24_without_a_runtime_whoever_publishes_wakes_them_all() {
    let topic = topic();
    let mut all: Vec<_> = (0..200)
        .map(|_| Served::to(&topic, Subscriber::new()))
        .collect();
    all.iter_mut().for_each(Served::run);
    publish(&topic, [1]);
    assert!(all.iter().all(|it| it.wakes.take() == 1));
}

#[test]
fn to24_a_runtime_that_ends_leaves_nobody_asleep() {
    let topic = topic();
    let mut all: Vec<_> = (0..200)
        .map(|_| Served::to(&topic, Subscriber::new()))
        .collect();
    all.iter_mut().for_each(Served::run);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async { topic.publish("1").await.unwrap() });
    drop(runtime);
    assert!(all.iter().all(|it| it.wakes.take() == 1));
    all.iter_mut().for_each(|it| assert_eq!(it.texts(), ["1"]));
    publish(&topic, [2]);
    assert!(all.iter().all(|it| it.wakes.take() == 1));
}

#[tokio::test]
async fn to6_a_connection_that_closes_is_fed_no_more_and_nobody_spins() {
    let connections = Connections::new();
    let topic = topic();
    let (near, far) = tokio::io::duplex(1024);
    let place = connections.admit(None).unwrap();
    let mut connection = place.open(WebSocket::from_upgraded(near, Role::Server));
    let mut peer = WebSocket::from_upgraded(far, Role::Client);
    let mut subscriber = Subscriber::new();
    subscriber.subscribe(&topic, Start::Now).await.unwrap();
    publish(&topic, [1]);
    let wakes = Arc::<Wakes>::default();
    let waker = Waker::from(Arc::clone(&wakes));
    let mut cx = Context::from_waker(&waker);
    assert!(
        pin!(subscriber.pump(&mut connection))
            .poll(&mut cx)
            .is_pending()
    );
    connections.each(|it| it.close(4001, "").unwrap());
    assert_eq!(wakes.take(), 1);
    assert!(
        pin!(subscriber.pump(&mut connection))
            .poll(&mut cx)
            .is_pending()
    );
    publish(&topic, 2..=100);
    wakes.take();
    for _ in 0..3 {
        assert!(
            pin!(subscriber.pump(&mut connection))
                .poll(&mut cx)
                .is_pending()
        );
        assert_eq!(wakes.take(), 0);
    }
    assert_eq!((subscriber.delivered(), subscriber.waiting()), (1, 99));
    // What the peer sends before it has read the close frame comes.
    for text in ["behind it", "and more"] {
        peer.send(text).await.unwrap();
        let event = subscriber.pump(&mut connection).await.unwrap();
        assert!(matches!(event, TopicEvent::Message(message) if message == text.into()));
    }
    // What is only in the topic does not leave before the close frame, nor behind it.
    assert_eq!(peer.recv().await.unwrap(), Some("1".into()));
    assert!(peer.recv().await.is_err());
    assert_eq!(peer.close_info().unwrap().code, 4001);
    drop(peer);
    let event = subscriber.pump(&mut connection).await.unwrap();
    assert!(matches!(event, TopicEvent::Closed(info) if info.code == 4001));
}

#[test]
fn to15_a_large_one_has_its_turn_beside_many_small_ones() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _guard = runtime.enter();
    let topics = Topics::new();
    let [small, large] = ["small", "large"].map(|name| topics.topic(name).unwrap());
    let mut served = Served::new(Subscriber::new());
    served.wire().room = 0;
    for topic in [&small, &large] {
        now(served.subscriber.subscribe(topic, Start::Now)).unwrap();
    }
    for _ in 0..2 {
        now(large.publish("x".repeat(12_000)).into_future()).unwrap();
    }
    let publish_small = |count| {
        for _ in 0..count {
            now(small.publish("x".repeat(98)).into_future()).unwrap();
        }
    };
    publish_small(300);
    let mut sizes = Vec::new();
    // As many come as the socket takes, so that there are always some that would fit.
    for _ in 0..100 {
        publish_small(10);
        served.give_room(1000);
        served.run();
        let frames = served.wire().take_frames();
        sizes.extend(frames.iter().map(|(_, payload)| payload.len()));
    }
    assert_eq!(sizes.iter().filter(|size| **size == 12_000).count(), 2);
}
