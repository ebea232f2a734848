//! A session, and a client that says and hears the subprotocol's own words.

use talkback::{CloseCode, CloseInfo, Error, Role, WebSocket};
use talkback_topics::{Session, Topic, Topics};
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;

/// A client, and the task that serves it.
struct Peer {
    socket: WebSocket<DuplexStream>,
    serving: JoinHandle<Result<CloseInfo, Error>>,
}

impl Peer {
    fn of(session: Session) -> Self {
        Self::over(session, 1 << 20)
    }

    fn over(mut session: Session, capacity: usize) -> Self {
        let (near, far) = duplex(capacity);
        let mut socket = WebSocket::from_upgraded(near, Role::Server);
        Self {
            socket: WebSocket::from_upgraded(far, Role::Client),
            serving: tokio::spawn(async move { session.serve(&mut socket).await }),
        }
    }

    async fn says(&mut self, text: &str) {
        self.socket.send(text).await.unwrap();
    }

    async fn hears(&mut self) -> String {
        let message = self.socket.recv().await.unwrap().expect("it is open");
        message.as_text().expect("it is text").to_owned()
    }

    /// Says something; what is answered first.
    async fn asks(&mut self, text: &str) -> String {
        self.says(text).await;
        self.hears().await
    }

    /// How the connection ends, and what comes before.
    async fn ends(mut self) -> (CloseInfo, Vec<String>) {
        let mut heard = Vec::new();
        while let Ok(Some(message)) = self.socket.recv().await {
            heard.push(message.as_text().unwrap().to_owned());
        }
        let served = self.serving.await.unwrap().unwrap();
        let info = self.socket.close_info().unwrap().clone();
        assert_eq!(served.code, info.code);
        (info, heard)
    }
}

fn prices() -> (Topics, Topic) {
    let topics = Topics::new();
    let prices = topics.topic("prices").unwrap();
    (topics, prices)
}

#[tokio::test(start_paused = true)]
async fn the_words_are_those_of_the_specification() {
    let (topics, prices) = prices();
    let at = async |text: &str| prices.publish(text).await.unwrap().position().to_string();
    let first = at("one").await;
    let second = at(r#"{"x":1}"#).await;
    let mut peer = Peer::of(Session::new(&topics));
    let ask = format!(r#"{{"do":"subscribe","topic":"prices","after":"{first}"}}"#);
    assert_eq!(
        peer.asks(&ask).await,
        format!(r#"{{"topic":"prices","at":"{first}","subscribed":true,"recovered":true}}"#)
    );
    assert_eq!(
        peer.hears().await,
        format!(r#"{{"topic":"prices","at":"{second}","data":{{"x":1}}}}"#)
    );
    let third = at("안\"녕").await;
    assert_eq!(
        peer.hears().await,
        format!(r#"{{"topic":"prices","at":"{third}","text":"안\"녕"}}"#)
    );
    peer.says(r#"{"do":"publish","topic":"prices","data":{"x": 2},"id":"a1"}"#)
        .await;
    let (answer, own) = (peer.hears().await, peer.hears().await);
    let head = prices.publish("again").id("a1").await.unwrap();
    assert!(head.is_duplicate());
    let fourth = head.position();
    assert_eq!(answer, format!(r#"{{"published":"a1","at":"{fourth}"}}"#));
    assert_eq!(
        own,
        format!(r#"{{"topic":"prices","at":"{fourth}","data":{{"x": 2}}}}"#)
    );
    let ask = r#"{"do":"unsubscribe","topic":"prices"}"#;
    let left = r#"{"topic":"prices","subscribed":false}"#;
    assert_eq!(peer.asks(ask).await, left);
    assert_eq!(peer.asks(ask).await, left);
    at("nobody gets it").await;
    peer.socket.close().await;
    assert!(peer.serving.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn hu7_who_leaves_128_topics_for_128_others_has_those() {
    let (topics, _) = prices();
    let mut peer = Peer::of(Session::new(&topics));
    for (act, first) in [("subscribe", 0), ("unsubscribe", 0), ("subscribe", 128)] {
        for topic in first..first + 128 {
            let text = format!(r#"{{"do":"{act}","topic":"{topic}"}}"#);
            peer.socket.feed(text).await.unwrap();
        }
    }
    // All of it is there at once.
    peer.socket.flush().await.unwrap();
    for _ in 0..3 * 128 {
        let answer = peer.hears().await;
        assert!(!answer.contains("error"), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn hu7_the_129th_topic_is_an_error_and_the_others_go_on() {
    let (topics, _) = prices();
    let mut peer = Peer::of(Session::new(&topics));
    for number in 0..128 {
        let answer = peer
            .asks(&format!(r#"{{"do":"subscribe","topic":"{number}"}}"#))
            .await;
        assert!(answer.contains(r#""subscribed":true"#), "{answer}");
    }
    let one_more = r#"{"do":"subscribe","topic":"one more"}"#;
    assert_eq!(
        peer.asks(one_more).await,
        r#"{"error":"this connection has 128 topics, which are the most: unsubscribe from one","topic":"one more"}"#
    );
    assert_eq!(topics.len(), 1 + 128, "it is not made");
    let last = topics.topic("127").unwrap();
    last.publish("still").await.unwrap();
    assert!(peer.hears().await.contains("still"));
    assert!(
        peer.asks(r#"{"do":"unsubscribe","topic":"0"}"#)
            .await
            .contains("false")
    );
    assert!(peer.asks(one_more).await.contains("true"));
}

#[tokio::test(start_paused = true)]
async fn hu8_what_is_not_understood_is_an_error_and_what_is_no_json_closes() {
    let (topics, _) = prices();
    let mut peer = Peer::of(Session::new(&topics));
    let long = format!(r#"{{"do":"subscribe","topic":"{}"}}"#, "x".repeat(256));
    let wrong = [
        r#"{"do":"fly"}"#,
        r#"{"do":5}"#,
        r#"{}"#,
        r#"[]"#,
        r#"["subscribe","prices"]"#,
        r#""subscribe""#,
        r#"null"#,
        r#"{"do":"subscribe"}"#,
        r#"{"do":"subscribe","topic":""}"#,
        r#"{"do":"subscribe","topic":"\n"}"#,
        r#"{"do":"subscribe","topic":"\ud800"}"#,
        &long,
        r#"{"do":"subscribe","topic":"prices","last":-1}"#,
        r#"{"do":"subscribe","topic":"prices","last":1,"after":"1q8zk7c2m4v0p-1"}"#,
        r#"{"do":"publish","topic":"prices"}"#,
        r#"{"do":"publish","topic":"prices","text":"1","data":1}"#,
        r#"{"do":"publish","topic":"prices","base64":"AP8"}"#,
        r#"{"do":"publish","topic":"prices","base64":"안녕"}"#,
    ];
    for text in wrong {
        let answer = peer.asks(text).await;
        assert!(answer.starts_with(r#"{"error":""#), "{text}: {answer}");
    }
    let answer = peer
        .asks(r#"{"do":"publish","topic":"prices","id":"","text":"1"}"#)
        .await;
    assert!(
        answer.ends_with(r#""topic":"prices","id":""}"#),
        "it has topic and id: {answer}"
    );
    let answer = peer
        .asks(r#"{"do":"publish","topic":"prices","id":"a2"}"#)
        .await;
    assert!(
        answer.ends_with(r#""topic":"prices","id":"a2"}"#),
        "{answer}"
    );
    let unknown = r#"{"more":[[[]]],"do":"subscribe","topic":"prices"}"#;
    assert!(peer.asks(unknown).await.contains(r#""subscribed":true"#));

    for text in ["", "fly", r#"{"do":"fly""#, r#"{"do":"fly"} {}"#] {
        let mut peer = Peer::of(Session::new(&topics));
        peer.says(text).await;
        let (info, heard) = peer.ends().await;
        assert_eq!(info.code, CloseCode::INVALID_PAYLOAD, "{text}");
        assert_eq!(heard, [""; 0]);
    }
    let mut peer = Peer::of(Session::new(&topics));
    peer.socket.send(b"{}").await.unwrap();
    assert_eq!(peer.ends().await.0.code, CloseCode::UNSUPPORTED_DATA);
}

#[tokio::test(start_paused = true)]
async fn hu9_a_binary_publication_is_base64_and_null_is_a_value() {
    let (topics, prices) = prices();
    let mut peer = Peer::of(Session::new(&topics));
    peer.asks(r#"{"do":"subscribe","topic":"prices"}"#).await;
    prices.publish(&[0, 159, 255]).await.unwrap();
    assert!(peer.hears().await.ends_with(r#","base64":"AJ//"}"#));
    for payload in [r#""base64":"AJ//""#, r#""data":null"#, r#""text":"{""#] {
        let publish = format!(r#"{{"do":"publish","topic":"prices",{payload}}}"#);
        let got = peer.asks(&publish).await;
        assert!(got.ends_with(&format!(",{payload}}}")), "{got}");
    }
}

#[tokio::test(start_paused = true)]
async fn rv5_a_position_that_is_none_is_an_error_and_one_of_another_life_is_not_recovered() {
    let (topics, prices) = prices();
    prices.publish("1").await.unwrap();
    let mut peer = Peer::of(Session::new(&topics));
    let answer = peer
        .asks(r#"{"do":"subscribe","topic":"prices","after":"garbage"}"#)
        .await;
    assert!(answer.starts_with(r#"{"error":"`after`: this is no position"#));
    assert!(answer.ends_with(r#""topic":"prices"}"#));
    let answer = peer
        .asks(r#"{"do":"subscribe","topic":"prices","after":"1q8zk7c2m4v0p-1"}"#)
        .await;
    assert!(answer.ends_with(r#""subscribed":true,"recovered":false}"#));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_allowed_is_an_error_and_makes_no_topic() {
    let (topics, _) = prices();
    let session = Session::new(&topics)
        .may_subscribe(|topic| topic == "prices")
        .may_publish(|topic| topic == "chat");
    let mut peer = Peer::of(session);
    for text in [
        r#"{"do":"subscribe","topic":"chat"}"#,
        r#"{"do":"publish","topic":"prices","text":"1"}"#,
        r#"{"do":"publish","topic":"other","text":"1"}"#,
    ] {
        let answer = peer.asks(text).await;
        assert!(
            answer.starts_with(r#"{"error":"it is not allowed"#),
            "{answer}"
        );
    }
    assert_eq!(topics.len(), 1);
    let answer = peer
        .asks(r#"{"do":"publish","topic":"chat","text":"1","id":"1"}"#)
        .await;
    assert!(answer.starts_with(r#"{"published":"1""#), "{answer}");
}

/// What was published before still comes, then the answer, and then nothing.
#[tokio::test(start_paused = true)]
async fn to3_unsubscribed_is_said_behind_the_last_publication() {
    let (topics, prices) = prices();
    let mut peer = Peer::over(Session::new(&topics), 64);
    peer.asks(r#"{"do":"subscribe","topic":"prices"}"#).await;
    for number in 0..1000 {
        prices.publish(number.to_string()).await.unwrap();
    }
    peer.says(r#"{"do":"unsubscribe","topic":"prices"}"#).await;
    peer.says(r#"{"do":"subscribe","topic":"other"}"#).await;
    let mut heard = Vec::new();
    let mut other = Vec::new();
    while other.len() < 2 {
        let text = peer.hears().await;
        match text.contains(r#""topic":"prices""#) {
            _ if text.contains(r#""subscribed":false"#) => other.push(text),
            true if other.iter().any(|it: &String| it.contains("prices")) => panic!("{text}"),
            true => heard.push(text),
            false => other.push(text),
        }
    }
    assert_eq!(heard.len(), 1000);
    assert_eq!(prices.subscribers(), 0);
}
