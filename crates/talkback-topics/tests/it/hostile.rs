//! A client, and a server that says what a session never would.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use talkback::OriginPolicy;
use talkback::test_util::{Peer, ScriptedServer};
use talkback_topics::client::{Error, ErrorKind, Event, TopicChannel};
use talkback_topics::{SUBPROTOCOL, Session, Start, Topics, key, subscribe};
use tokio::time::timeout;

const AT: &str = "1q8zk7c2m4v0p-";

/// A server that is scripted, and its client, which is subscribed to `prices`.
struct Scripted {
    server: ScriptedServer,
    peer: Peer,
    client: TopicChannel,
}

impl Scripted {
    async fn new() -> Self {
        let mut server = ScriptedServer::new();
        let connector = server.connector();
        let subscribing = subscribe("ws://hub.example/", "prices");
        let client = subscribing.connect(|it| it.connector(connector)).channel();
        let peer = accept(&mut server).await;
        Self {
            server,
            peer,
            client,
        }
    }

    /// One whose subscription stands behind the publication of a number.
    async fn begun(offset: u64) -> Self {
        let mut scripted = Self::new().await;
        scripted.says(&subscribed(offset, false)).await;
        let Event::Subscribed(begun) = scripted.next().await else {
            panic!("it has begun");
        };
        assert_eq!(begun.position().unwrap().offset(), offset);
        scripted
    }

    async fn says(&mut self, text: &str) {
        self.peer.send(text).await.unwrap();
    }

    /// What the client asks for, while it waits.
    async fn hears(&mut self) -> String {
        let (client, peer) = (&mut self.client, &mut self.peer);
        tokio::select! {
            told = client.recv() => panic!("{told:?}"),
            heard = peer.recv() => heard.unwrap().unwrap().to_string(),
        }
    }

    async fn next(&mut self) -> Event {
        self.client.recv().await.unwrap().expect("it goes on")
    }

    /// The connection is lost, and another one made.
    async fn is_lost(&mut self) {
        self.peer.cut();
        let (client, server) = (&mut self.client, &mut self.server);
        self.peer = tokio::select! {
            told = client.recv() => panic!("{told:?}"),
            peer = accept(server) => peer,
        };
    }

    /// The client finds the server at fault, says so, and ends.
    async fn ends(mut self) -> Error {
        let error = self.client.recv().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(self.client.recv().await.unwrap().is_none());
        while let Ok(Some(_)) = self.peer.recv().await {}
        assert!(self.peer.close_info().is_some());
        error
    }
}

async fn accept(server: &mut ScriptedServer) -> Peer {
    let accepting = server.next_try().await;
    accepting
        .accept_with(|accept| accept.subprotocols([SUBPROTOCOL]))
        .await
        .unwrap()
}

fn subscribed(offset: u64, is_recovered: bool) -> String {
    format!(
        r#"{{"topic":"prices","at":"{AT}{offset}","subscribed":true,"recovered":{is_recovered}}}"#
    )
}

fn delivery(offset: u64) -> String {
    format!(r#"{{"topic":"prices","at":"{AT}{offset}","data":{offset}}}"#)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_begins_what_nobody_asked_for_does_not_fill_the_client() {
    let mut scripted = Scripted::begun(1).await;
    let Scripted { client, peer, .. } = &mut scripted;
    // It hears nothing of what is asked of it.
    let says = async {
        for count in 0..4096 {
            let topic = format!(r#""topic":"{count:0100}""#);
            let text = format!(r#"{{{topic},"at":"{AT}1","subscribed":true,"recovered":false}}"#);
            if peer.send(text).await.is_err() {
                break;
            }
        }
    };
    let told = timeout(Duration::from_secs(60), client.recv());
    let ((), told) = tokio::join!(says, told);
    let error = told.expect("it has had enough").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("nobody"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_breaks_the_subprotocol_is_told_of_and_closed() {
    let wrong = [
        "",
        "garbage",
        "[]",
        r#"{"topic":"prices""#,
        r#"{"topic":5}"#,
        r#"{"topic":"prices","data":1}"#,
        r#"{"topic":"prices","at":"garbage","data":1}"#,
        r#"{"topic":"prices","at":"1q8zk7c2m4v0p-6","data":1,"text":"1"}"#,
        r#"{"topic":"prices","at":"1q8zk7c2m4v0p-6","base64":"?"}"#,
        r#"{"topic":"prices","at":"0000000000000-6","data":1}"#,
        r#"{"topic":"other","at":"1q8zk7c2m4v0p-6","data":1}"#,
        r#"{"topic":"other","reset":true}"#,
        r#"{"topic":"prices","subscribed":true}"#,
        r#"{"topic":"prices","subscribed":false}"#,
        r#"{"topic":"prices","gap":{}}"#,
        r#"{"topic":"prices","gap":{"after":"1q8zk7c2m4v0p-5","before":"1q8zk7c2m4v0p-5"}}"#,
        r#"{"topic":"prices","gap":{"after":"1q8zk7c2m4v0p-5","before":"0000000000000-9"}}"#,
        r#"{"topic":"prices","gap":{"after":"0000000000000-5","before":"0000000000000-9"}}"#,
        r#"{"published":"1"}"#,
        r#"{"error":"what?"}"#,
    ];
    for text in wrong {
        let mut scripted = Scripted::begun(5).await;
        scripted.says(text).await;
        let error = scripted.ends().await.to_string();
        let begin = "the server broke the subprotocol talkback.topics.v1: ";
        assert!(error.starts_with(begin), "{text}: {error}");
    }
    let mut scripted = Scripted::begun(5).await;
    scripted.peer.send(b"{}").await.unwrap();
    scripted.ends().await;
    // Before the subscription stands.
    let mut scripted = Scripted::new().await;
    scripted.says(&delivery(1)).await;
    scripted.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_speak_it_is_told_of() {
    let mut server = ScriptedServer::new();
    let connector = server.connector();
    let subscribing = subscribe("ws://hub.example/", "prices");
    let mut client = subscribing.connect(|it| it.connector(connector)).channel();
    let mut peer = server.next_try().await.accept().await.unwrap();
    let error = client.recv().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server broke the subprotocol talkback.topics.v1: it does not speak it"
    );
    assert!(client.recv().await.unwrap().is_none());
    assert_eq!(peer.recv().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_or_comes_again_is_passed_over() {
    let mut scripted = Scripted::begun(5).await;
    for text in [
        r#"{}"#,
        r#"{"news":[[[1]]]}"#,
        r#"{"topic":"prices","news":1}"#,
        r#"{"published":"another's","at":"1q8zk7c2m4v0p-6"}"#,
        r#"{"error":"no","id":"another's"}"#,
        r#"{"error":"this subscriber is subscribed to the topic","topic":"prices"}"#,
        &delivery(4),
        &delivery(5),
        r#"{"topic":"prices","gap":{"after":"1q8zk7c2m4v0p-3","before":"1q8zk7c2m4v0p-5"}}"#,
        r#"{"topic":"other","subscribed":false}"#,
        r#"{"stale":true}"#,
        r#"{"live":true}"#,
        &delivery(6),
    ] {
        scripted.says(text).await;
    }
    assert!(matches!(scripted.next().await, Event::Stale));
    assert!(matches!(scripted.next().await, Event::Live));
    let Event::Delivery(delivery) = scripted.next().await else {
        panic!("it is the first that it does not have");
    };
    assert_eq!(delivery.json::<u64>().unwrap(), 6);
    assert!(delivery.json::<String>().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_told_once_and_what_it_left_out_does_not_come_after_all() {
    let mut scripted = Scripted::begun(5).await;
    let gap = format!(r#"{{"topic":"prices","gap":{{"after":"{AT}5","before":"{AT}9"}}}}"#);
    scripted.says(&gap).await;
    let Event::Gap(gap) = scripted.next().await else {
        panic!("it is a gap");
    };
    assert_eq!((gap.topic(), gap.missed()), ("prices", 3));
    assert_eq!((gap.after().offset(), gap.before().offset()), (5, 9));
    // The server's own position is what it is asked for.
    scripted.is_lost().await;
    let heard = scripted.hears().await;
    assert_eq!(
        heard,
        format!(r#"{{"do":"subscribe","topic":"prices","after":"{AT}5"}}"#)
    );
    scripted.says(&subscribed(5, true)).await;
    for offset in 6..=9 {
        scripted.says(&delivery(offset)).await;
    }
    let Event::Delivery(delivery) = scripted.next().await else {
        panic!("it is the first behind the gap");
    };
    assert_eq!(delivery.position().offset(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_recovery_that_is_none_is_a_reset() {
    for (at, is_recovered) in [(5, false), (4, false), (7, false), (7, true)] {
        let mut scripted = Scripted::begun(5).await;
        scripted.is_lost().await;
        scripted.hears().await;
        scripted.says(&subscribed(at, is_recovered)).await;
        let Event::Reset(reset) = scripted.next().await else {
            panic!("{at} {is_recovered}");
        };
        assert_eq!(reset.position().unwrap().offset(), at);
    }
}

#[tokio::test(start_paused = true)]
async fn behind_a_reset_without_a_position_another_connection_is_a_reset_too() {
    let mut scripted = Scripted::begun(5).await;
    scripted.says(r#"{"topic":"prices","reset":true}"#).await;
    assert!(matches!(scripted.next().await, Event::Reset(_)));
    assert_eq!(scripted.client.position("prices"), None);
    scripted.is_lost().await;
    let heard = scripted.hears().await;
    assert_eq!(heard, r#"{"do":"subscribe","topic":"prices"}"#);
    scripted.says(&subscribed(2, false)).await;
    assert!(matches!(scripted.next().await, Event::Reset(_)));
}

/// What was asked for on a connection that was lost then may be heard on the next one.
#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_not_wanted_any_more_is_ended() {
    let mut scripted = Scripted::begun(5).await;
    scripted
        .says(r#"{"topic":"other","at":"1q8zk7c2m4v0p-1","subscribed":true}"#)
        .await;
    assert_eq!(
        scripted.hears().await,
        r#"{"do":"subscribe","topic":"prices"}"#
    );
    assert_eq!(
        scripted.hears().await,
        r#"{"do":"unsubscribe","topic":"other"}"#
    );
    for text in [
        r#"{"topic":"other","at":"1q8zk7c2m4v0p-2","data":1}"#,
        r#"{"topic":"other","subscribed":false}"#,
    ] {
        scripted.says(text).await;
    }
    scripted.says(&delivery(6)).await;
    assert!(matches!(scripted.next().await, Event::Delivery(_)));
}

#[tokio::test(start_paused = true)]
async fn an_error_shows_no_control_characters_of_the_servers() {
    let mut scripted = Scripted::new().await;
    scripted
        .says(r#"{"error":"\u001b[31mno\n","topic":"prices"}"#)
        .await;
    let error = scripted.client.recv().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSubscribed);
    assert_eq!(
        error.to_string(),
        r#"the server refused the subscription to "prices": [31mno"#
    );
}

#[tokio::test(start_paused = true)]
async fn hu6_a_key_is_shown_and_one_that_is_wrong_ends_it() {
    let mut server = ScriptedServer::new();
    let connector = server.connector();
    let subscribing = subscribe("ws://hub.example/", "prices").key("hunter2");
    assert!(!format!("{subscribing:?}").contains("hunter2"));
    let mut client = subscribing.connect(|it| it.connector(connector)).channel();
    let refusing = server
        .next_try()
        .await
        .refuse(talkback::http::StatusCode::FORBIDDEN);
    assert_eq!(key(refusing.await.unwrap().headers()), Some("hunter2"));
    let error = client.recv().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    let refused = match error.connection().unwrap() {
        talkback::Error::Connect(error) => error.refused().unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused.status, talkback::http::StatusCode::FORBIDDEN);
    assert!(client.recv().await.unwrap().is_none());
}

/// Each call is polled once, and dropped: on both sides nothing is lost, and nothing comes twice.
#[tokio::test(start_paused = true)]
async fn to23_calls_that_are_dropped_at_every_poll_lose_and_double_nothing() {
    let topics = Topics::new();
    let prices = topics.topic("prices").unwrap();
    let mut server = ScriptedServer::new();
    let connector = server.connector();
    let serving = topics.clone();
    tokio::spawn(async move {
        let accepting = talkback::accept(server.next_try().await.connect())
            .origin_policy(OriginPolicy::Any)
            .subprotocols([SUBPROTOCOL]);
        let mut socket = accepting.await.unwrap();
        let mut session = Session::new(&serving);
        while once(session.serve(&mut socket)).await.is_none() {
            tokio::task::yield_now().await;
        }
    });
    let subscribing = subscribe("ws://hub.example/", "prices").start(Start::Last(1));
    let mut client = subscribing.connect(|it| it.connector(connector)).channel();
    let mut got = Vec::new();
    let mut published = Vec::new();
    let mut sent = 0;
    while got.len() < 200 || published.len() < 100 {
        if sent < 100 && got.len() >= sent {
            sent += 1;
            prices.publish("theirs").await.unwrap();
            client.publish("prices", "ours").unwrap();
        }
        match once(client.recv()).await {
            None => tokio::task::yield_now().await,
            Some(told) => match told.unwrap().unwrap() {
                Event::Delivery(delivery) => got.push(delivery.position().offset()),
                Event::Published(it) => published.push(it.number()),
                Event::Subscribed(_) => {}
                other => panic!("{other:?}"),
            },
        }
    }
    assert_eq!(got, (1..=200).collect::<Vec<_>>());
    assert_eq!(published, (1..=100).collect::<Vec<_>>());
}

/// Polls a future once.
async fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}
