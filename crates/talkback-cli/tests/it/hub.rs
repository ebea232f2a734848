//! `talkback hub` over WebSockets that carry messages of one topic.

use talkback::{ConnectError, HandshakeError, Message, WebSocket};

use crate::support::hub::{authority, http, hub, post};

pub(crate) type Socket = WebSocket<talkback::Transport>;

/// A socket that gets what is published from now on.
pub(crate) async fn open(url: &str, path: &str) -> Socket {
    let before = subscriptions(url);
    let socket = talkback::connect(format!("{url}{path}")).await.unwrap();
    // It is subscribed behind the handshake. A hub that is full does not tell, nor does one that refuses the position.
    let is_counted = !path.contains("after=");
    while is_counted && subscriptions(url).is_some_and(|it| Some(it) == before) {
        tokio::task::yield_now().await;
    }
    socket
}

fn subscriptions(url: &str) -> Option<u64> {
    let answer = http(url, "GET /metrics", &[], b"");
    let mut lines = answer.body.lines();
    let count = lines.find_map(|line| line.strip_prefix("talkback_topics_subscribers "));
    // Before the first there is no such line.
    (answer.status == 200).then(|| count.map_or(0, |it| it.parse().unwrap()))
}

/// The status that a client is refused with, and what it is told.
pub(crate) async fn refused(connecting: talkback::Connect) -> (u16, String) {
    match connecting.await.map(drop).unwrap_err() {
        ConnectError::Handshake {
            error: HandshakeError::Status(refused),
            ..
        } => {
            let body = String::from_utf8_lossy(&refused.body).into_owned();
            (refused.status.as_u16(), body)
        }
        error => panic!("{error}"),
    }
}

pub(crate) async fn next(socket: &mut Socket) -> Message {
    socket.recv().await.unwrap().unwrap()
}

/// The code and the reason that it is closed with, behind all that comes.
pub(crate) async fn closed(socket: &mut Socket) -> (u16, String) {
    while let Ok(Some(_)) = socket.recv().await {}
    let info = socket.close_info().unwrap();
    (info.code.number(), info.reason.to_string())
}

#[tokio::test]
async fn hu1_what_one_sends_the_others_get_as_it_is() {
    let (_server, url) = hub(&[]);
    let mut one = open(&url, "t/a").await;
    let mut other = open(&url, "t/a").await;
    let mut elsewhere = open(&url, "t/b").await;
    let mut echoing = open(&url, "t/a?echo=1").await;
    let messages: [Message; 4] = [
        "Hello!".into(),
        "안녕하세요 👋🏽".into(),
        "".into(),
        vec![0, 159, 146, 150].into(),
    ];
    for message in &messages {
        one.send(message.clone()).await.unwrap();
        assert_eq!(&next(&mut other).await, message);
        assert_eq!(&next(&mut echoing).await, message);
    }
    echoing.send("back").await.unwrap();
    for socket in [&mut one, &mut other, &mut echoing] {
        assert_eq!(next(socket).await, "back".into());
    }
    elsewhere.send("nobody").await.unwrap();
    other.send("on").await.unwrap();
    assert_eq!(next(&mut one).await, "on".into());
}

#[tokio::test]
async fn hu1_a_query_says_where_to_begin() {
    let (_server, url) = hub(&["--keep", "4"]);
    let places: Vec<String> = (1..=5).map(|it| post(&url, "a", &it.to_string())).collect();
    let mut last = open(&url, "t/a?last=2").await;
    let mut after = open(&url, &format!("t/a?after={}", places[2])).await;
    let mut head = open(&url, &format!("t/a?after={}", places[4])).await;
    post(&url, "a", "6");
    for socket in [&mut last, &mut after] {
        for text in ["4", "5", "6"] {
            assert_eq!(next(socket).await, text.into());
        }
    }
    assert_eq!(next(&mut head).await, "6".into());
    // What followed the first is not all kept; and the last two are of no life of this topic.
    let foreign = post(&url, "b", "1");
    let ahead = places[4].replace("-5", "-50");
    for place in [&places[0], &foreign, &ahead] {
        let mut socket = open(&url, &format!("t/a?after={place}")).await;
        assert_eq!(closed(&mut socket).await.0, 4410, "{place}");
    }
    for query in [
        "after=garbage",
        "after=",
        "last=-1",
        "last=1&last=1",
        "key=secret",
    ] {
        let connecting = talkback::connect(format!("{url}t/a?{query}"));
        let (status, why) = refused(connecting).await;
        assert_eq!(status, 400, "{query}");
        assert!(!why.contains("secret"), "{why}");
    }
}

#[tokio::test]
async fn hu1_a_topic_has_any_name_of_up_to_255_bytes() {
    let (_server, url) = hub(&[]);
    let long = "a".repeat(255);
    let names = [
        "a/b",
        ".",
        "..",
        "*",
        "%3E",
        "%7B0%7D",
        "a%20b",
        "a+b",
        "%EA%B0%80",
        "a%2Fb%3Fc",
        "%25",
        "%22%27",
        &long,
    ];
    let mut sockets = Vec::new();
    for name in names {
        sockets.push(open(&url, &format!("t/{name}")).await);
    }
    for name in names {
        post(&url, name, name);
    }
    for (socket, name) in sockets.iter_mut().zip(names) {
        assert_eq!(next(socket).await, name.into());
    }
    let too_long = "a".repeat(256);
    for name in ["", "%00", "%0A", "a%C2%85", "%ff", &*too_long] {
        let path = format!("{url}t/{name}");
        assert_eq!(refused(talkback::connect(path)).await.0, 400, "{name}");
        let answer = crate::support::hub::http(&url, &format!("POST /t/{name}"), &[], b"x");
        assert_eq!(answer.status, 400, "{name} {answer:?}");
    }
    for path in ["", "t", "else"] {
        assert_eq!(
            refused(talkback::connect(format!("{url}{path}"))).await.0,
            404
        );
    }
}

#[tokio::test]
async fn a_message_that_is_too_large_closes_with_1009() {
    let (_server, url) = hub(&["--max-message", "1KiB"]);
    let mut reader = open(&url, "t/a").await;
    let mut socket = open(&url, "t/a").await;
    socket.send("x".repeat(1024)).await.unwrap();
    assert_eq!(next(&mut reader).await.len(), 1024);
    socket.send("x".repeat(1025)).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 1009);
}

#[tokio::test]
async fn who_reads_too_slowly_misses_nothing_in_silence() {
    // Each is larger than what the system takes for a socket that nobody reads.
    let text = "x".repeat(1 << 20);
    for (slow, expected) in [("close", 1013), ("skip", 1013), ("latest", 1005)] {
        let (_server, url) = hub(&["--slow", slow, "--keep", "8", "--no-compression"]);
        let mut reader = open(&url, "t/a").await;
        let mut writer = open(&url, "t/a").await;
        for _ in 0..40 {
            writer.send(&text).await.unwrap();
        }
        // Once it is closed, all of them are published.
        assert!(writer.close().await.clean);
        post(&url, "a", "last");
        if expected == 1005 {
            while next(&mut reader).await != "last".into() {}
            reader.close().await;
        } else {
            assert_eq!(closed(&mut reader).await.0, expected, "{slow}");
        }
    }
}

#[tokio::test]
async fn it_is_reached_by_the_names_that_it_has() {
    let (_server, url) = hub(&["--host", "hub.example", "--origin", "http://app.example"]);
    let connect = || talkback::connect(format!("{url}t/a"));
    for host in ["localhost", "hub.example", "192.0.2.7:80"] {
        drop(connect().host(host).await.unwrap());
    }
    let (status, why) = refused(connect().host("evil.example")).await;
    assert_eq!(status, 403);
    assert!(why.contains("--host"), "{why}");
    let own = format!("http://{}", authority(&url));
    for origin in [&*own, "http://app.example"] {
        drop(connect().origin(origin).await.unwrap());
    }
    for origin in ["http://evil.example", "null"] {
        assert_eq!(refused(connect().origin(origin)).await.0, 403, "{origin}");
    }
}
