//! Both halves together: a client whose connections are cut, and the sessions that serve it.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt as _;
use talkback::OriginPolicy;
use talkback::test_util::{ScriptedServer, ScriptedStream};
use talkback_topics::client::{Error, ErrorKind, Event, TopicChannel};
use talkback_topics::{Keep, Position, SUBPROTOCOL, Session, Start, Topic, Topics, subscribe};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep;

/// A server's end that ends once so many bytes were written.
struct Ending {
    stream: ScriptedStream,
    room: usize,
}

impl AsyncRead for Ending {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Ending {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.room == 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let size = bytes.len().min(self.room);
        let polled = Pin::new(&mut self.stream).poll_write(cx, &bytes[..size]);
        if let Poll::Ready(Ok(written)) = &polled {
            self.room -= written;
        }
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// How a connection is cut: once so many bytes have gone to the client, or come from it.
#[derive(Clone, Copy)]
enum Cut {
    ToClient(usize),
    FromClient(usize),
}

/// A client's builder, and the server that it comes to, of which one connection after the other is cut, and those behind them not.
fn served(
    topics: &Topics,
    cuts: impl IntoIterator<Item = Cut>,
) -> talkback_topics::client::Subscribe {
    let mut server = ScriptedServer::new();
    let connector = server.connector();
    let topics = topics.clone();
    let mut cuts: VecDeque<Cut> = cuts.into_iter().collect();
    tokio::spawn(async move {
        loop {
            let stream = server.next_try().await.connect();
            let mut room = usize::MAX;
            match cuts.pop_front() {
                Some(Cut::ToClient(bytes)) => room = bytes,
                Some(Cut::FromClient(bytes)) => stream.cut_after(bytes),
                None => {}
            }
            let mut session = Session::new(&topics);
            tokio::spawn(async move {
                let accepting = talkback::accept(Ending { stream, room })
                    .origin_policy(OriginPolicy::Any)
                    .compression(None)
                    .subprotocols([SUBPROTOCOL]);
                if let Ok(mut socket) = accepting.await {
                    let _ = session.serve(&mut socket).await;
                }
            });
        }
    });
    subscribe("ws://hub.example/", "prices").connect(|connect| connect.connector(connector))
}

fn prices(keep: Keep) -> (Topics, Topic) {
    let topics = Topics::keeping(keep);
    let prices = topics.topic("prices").unwrap();
    (topics, prices)
}

async fn publish(topic: &Topic, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        topic.publish(number.to_string()).await.unwrap();
        sleep(Duration::from_millis(300)).await;
    }
}

async fn next(client: &mut TopicChannel) -> Event {
    client.recv().await.unwrap().expect("it goes on")
}

/// What comes until this publication, of which each number is its offset.
async fn until(client: &mut TopicChannel, last: u64) -> Vec<u64> {
    let mut got = Vec::new();
    loop {
        match next(client).await {
            Event::Delivery(delivery) => {
                let number: u64 = delivery.json().unwrap();
                assert_eq!(delivery.position().offset(), number);
                got.push(number);
                if number >= last {
                    return got;
                }
            }
            Event::Subscribed(begun) => {
                assert_eq!(got, [0; 0], "it begins once");
                let offset = begun.position().unwrap().offset();
                assert!(offset <= last);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Not one is missing, and not one comes twice, wherever the connection is cut, and cut again.
async fn each_publication_comes_once(cuts: &[Cut]) {
    let (topics, prices) = prices(Keep::default());
    prices.publish("1").await.unwrap();
    let mut client = served(&topics, cuts.iter().copied())
        .start(Start::Last(1))
        .channel();
    let publishing = tokio::spawn(async move { publish(&prices, 2..=12).await });
    let got = until(&mut client, 12).await;
    publishing.await.unwrap();
    // Which of them was the last at first depends on when it came through.
    let first = *got.first().unwrap();
    assert_eq!(got, (first..=12).collect::<Vec<_>>());
    assert_eq!(client.position("prices").unwrap().offset(), 12);
}

#[tokio::test(start_paused = true)]
async fn rv_cut_at_every_byte_to_the_client_each_publication_comes_once() {
    for bytes in 0..1500 {
        each_publication_comes_once(&[Cut::ToClient(bytes)]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rv_cut_at_every_byte_from_the_client_each_publication_comes_once() {
    for bytes in 0..500 {
        each_publication_comes_once(&[Cut::FromClient(bytes)]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rv_cut_again_and_again_each_publication_comes_once() {
    for bytes in (150..700).step_by(7) {
        let cuts = [bytes, bytes + 13, 3, bytes / 2, 400].map(Cut::ToClient);
        each_publication_comes_once(&cuts).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_published_stands_once_wherever_the_connection_is_cut() {
    for bytes in (0..900).step_by(3) {
        for cut in [Cut::FromClient(bytes), Cut::ToClient(bytes)] {
            let (topics, prices) = prices(Keep::default());
            let mut client = served(&topics, [cut, cut]).channel();
            for number in 1..=5_u64 {
                assert_eq!(
                    client.publish("prices", number.to_string()).unwrap(),
                    number
                );
            }
            let mut published = Vec::new();
            while published.len() < 5 {
                if let Event::Published(it) = next(&mut client).await {
                    assert_eq!(it.topic(), "prices");
                    assert_eq!(it.position().offset(), it.number(), "in their order");
                    published.push(it.number());
                }
            }
            assert_eq!(published, [1, 2, 3, 4, 5]);
            let last = prices.publish("6").await.unwrap();
            assert_eq!(last.position().offset(), 6, "none stands twice");
        }
    }
}

/// It waits as `recv` does, sends what is asked for meanwhile, goes on behind what is refused, and ends.
#[tokio::test(start_paused = true)]
async fn as_a_stream_it_gives_the_same() {
    let (topics, prices) = prices(Keep::default());
    let long = "x".repeat(256);
    let mut client = served(&topics, [Cut::ToClient(500)]).topic(long).channel();
    client.publish("prices", "1").unwrap();
    let (mut got, mut refused) = (Vec::new(), 0);
    let mut publishing = None;
    while got.len() < 12 {
        match client.next().await.expect("it goes on") {
            Ok(Event::Delivery(delivery)) => got.push(delivery.position().offset()),
            Ok(Event::Published(_)) => {
                let prices = prices.clone();
                publishing = Some(tokio::spawn(async move { publish(&prices, 2..=12).await }));
            }
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotSubscribed);
                refused += 1;
            }
        }
    }
    publishing.expect("it was published").await.unwrap();
    assert_eq!(got, (1..=12).collect::<Vec<_>>());
    assert!(refused > 0);
    client.channel().close();
    assert!(client.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn rv4_what_the_server_does_not_have_any_more_is_a_reset() {
    let (topics, prices) = prices(Keep::default().messages(2));
    let mut client = served(&topics, [Cut::ToClient(330)]).channel();
    assert!(matches!(next(&mut client).await, Event::Subscribed(_)));
    prices.publish("1").await.unwrap();
    let Event::Delivery(first) = next(&mut client).await else {
        panic!("it is the first");
    };
    assert_eq!(first.message().as_text(), Some("1"));
    for number in 2..=9 {
        prices.publish(number.to_string()).await.unwrap();
    }
    let mut numbers = Vec::new();
    let reset = loop {
        match next(&mut client).await {
            Event::Delivery(delivery) => numbers.push(delivery.position().offset()),
            Event::Reset(reset) => break reset,
            other => panic!("{other:?}"),
        }
    };
    assert!(numbers.len() < 8, "{numbers:?}");
    assert_eq!(reset.topic(), "prices");
    assert_eq!(reset.position().unwrap().offset(), 9);
    prices.publish("10").await.unwrap();
    assert_eq!(until(&mut client, 10).await, [10]);
}

#[tokio::test(start_paused = true)]
async fn a_position_of_another_time_is_gone_on_from_or_reset() {
    let (topics, prices) = prices(Keep::default());
    let first = prices.publish("1").await.unwrap().position();
    prices.publish("2").await.unwrap();
    let mut client = served(&topics, []).start(Start::After(first)).channel();
    assert_eq!(client.position("prices"), Some(first));
    assert!(matches!(next(&mut client).await, Event::Subscribed(_)));
    assert_eq!(until(&mut client, 2).await, [2]);
    let other: Position = "1q8zk7c2m4v0p-1".parse().unwrap();
    let mut client = served(&topics, []).start(Start::After(other)).channel();
    let Event::Reset(reset) = next(&mut client).await else {
        panic!("it is of another epoch");
    };
    assert_eq!(reset.position(), client.position("prices"));
}

#[tokio::test(start_paused = true)]
async fn several_topics_over_one_connection_come_and_go() {
    let (topics, prices) = prices(Keep::default());
    let news = topics.topic("news").unwrap();
    news.publish("old").await.unwrap();
    let mut client = served(&topics, [])
        .topic("news")
        .start(Start::Last(1))
        .channel();
    let mut begun = 0;
    loop {
        match next(&mut client).await {
            Event::Subscribed(_) => begun += 1,
            Event::Delivery(delivery) => {
                assert_eq!(delivery.topic(), "news");
                assert_eq!(delivery.message().as_text(), Some("old"));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    while begun < 2 {
        assert!(matches!(next(&mut client).await, Event::Subscribed(_)));
        begun += 1;
    }
    assert!(!client.subscribe("news", Start::Now));
    assert!(client.unsubscribe("news"));
    assert!(!client.unsubscribe("news"));
    assert!(client.subscribe("news", Start::Now));
    assert!(client.subscribe("chat", Start::Now));
    assert!(matches!(next(&mut client).await, Event::Subscribed(_)));
    assert!(matches!(next(&mut client).await, Event::Subscribed(_)));
    assert!(client.unsubscribe("chat"));
    prices.publish("1").await.unwrap();
    assert_eq!(until(&mut client, 1).await, [1]);
    assert_eq!(topics.topic("chat").unwrap().subscribers(), 0);
    client.channel().close();
    assert!(client.recv().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_an_error_and_the_rest_goes_on() {
    let (topics, prices) = prices(Keep::default());
    let long = "x".repeat(256);
    let mut client = served(&topics, []).topic(long.as_str()).channel();
    assert_eq!(client.publish(&long, "1").unwrap(), 1);
    let mut refused = Vec::new();
    let mut begun = 0;
    while refused.len() < 2 || begun == 0 {
        match client.recv().await {
            Err(error) => refused.push((error.kind(), error)),
            Ok(Some(Event::Subscribed(_))) => begun += 1,
            other => panic!("{other:?}"),
        }
    }
    let of = |kind| &refused.iter().find(|it| it.0 == kind).unwrap().1;
    assert_eq!(of(ErrorKind::NotSubscribed).topic(), Some(long.as_str()));
    assert_eq!(of(ErrorKind::NotPublished).number(), Some(1));
    assert!(
        of(ErrorKind::NotPublished)
            .to_string()
            .contains("256 bytes")
    );
    prices.publish("1").await.unwrap();
    assert_eq!(until(&mut client, 1).await, [1]);
}

#[tokio::test(start_paused = true)]
async fn too_many_publications_without_an_answer_are_refused() {
    let (topics, _) = prices(Keep::default());
    let mut client = served(&topics, []).channel();
    let full = |error: Error| error.kind() == ErrorKind::Full;
    for _ in 0..1024 {
        client.publish("prices", "1").unwrap();
    }
    assert!(client.publish("prices", "1").is_err_and(full));
    let mut published = 0;
    while published < 1024 {
        if let Event::Published(_) = next(&mut client).await {
            published += 1;
        }
    }
    client.publish("prices", vec![0; 2 << 20]).unwrap();
    assert!(client.publish("prices", "1").is_err_and(full));
}
