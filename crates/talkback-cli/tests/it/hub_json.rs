//! `talkback hub` over WebSockets that speak the subprotocol `talkback.topics.v1`.

use serde_json::{Value, json};
use talkback_topics::SUBPROTOCOL;

use crate::hub::{Socket, closed, next, open};
use crate::support::hub::{http, hub, post};

async fn json_socket(url: &str) -> Socket {
    talkback::connect(url)
        .subprotocol(SUBPROTOCOL)
        .await
        .unwrap()
}

async fn say(socket: &mut Socket, what: Value) {
    socket.send(what.to_string()).await.unwrap();
}

async fn told(socket: &mut Socket) -> Value {
    serde_json::from_str(next(socket).await.as_text().unwrap()).unwrap()
}

#[tokio::test]
async fn hu1_json_and_raw_and_posts_meet_on_a_topic() {
    let (_server, url) = hub(&[]);
    let mut many = json_socket(&url).await;
    let mut raw = open(&url, "t/a").await;
    say(&mut many, json!({"do": "subscribe", "topic": "a"})).await;
    let begun = told(&mut many).await;
    assert_eq!(begun["subscribed"], true);
    raw.send(r#"{"x": 1}"#).await.unwrap();
    let first = told(&mut many).await;
    assert_eq!(
        (&first["topic"], &first["data"]),
        (&json!("a"), &json!({"x": 1}))
    );
    let at = post(&url, "a", "plain");
    let second = told(&mut many).await;
    assert_eq!(second, json!({"topic": "a", "at": at, "text": "plain"}));
    assert_eq!(next(&mut raw).await, "plain".into());
    say(
        &mut many,
        json!({"do": "publish", "topic": "a", "data": [2], "id": "i"}),
    )
    .await;
    assert_eq!(next(&mut raw).await, "[2]".into());
    let (one, other) = (told(&mut many).await, told(&mut many).await);
    assert!(
        [&one, &other].iter().any(|it| it["published"] == "i"),
        "{one} {other}"
    );
    // Another, which comes back with a position, gets what followed that.
    let path = format!("{url}t/a");
    let mut back = talkback::connect(path)
        .subprotocol(SUBPROTOCOL)
        .await
        .unwrap();
    say(
        &mut back,
        json!({"do": "subscribe", "topic": "a", "after": first["at"]}),
    )
    .await;
    assert_eq!(told(&mut back).await["recovered"], true);
    assert_eq!(told(&mut back).await["text"], "plain");
}

#[tokio::test]
async fn hu7_of_129_topics_the_last_is_refused_and_the_others_go_on() {
    let (_server, url) = hub(&[]);
    let mut socket = json_socket(&url).await;
    for number in 1..=129 {
        say(
            &mut socket,
            json!({"do": "subscribe", "topic": format!("{number}")}),
        )
        .await;
        let begun = told(&mut socket).await;
        assert_eq!(begun["subscribed"] == true, number <= 128, "{begun}");
        assert_eq!(begun["error"].is_string(), number > 128, "{begun}");
    }
    let at = post(&url, "128", "on");
    assert_eq!(
        told(&mut socket).await,
        json!({"topic": "128", "at": at, "text": "on"})
    );
}

#[tokio::test]
async fn hu8_what_is_asked_wrongly_is_told_and_what_is_no_json_closes() {
    let (_server, url) = hub(&["--max-message", "4KiB"]);
    let mut socket = json_socket(&url).await;
    let wrong = [
        json!({"do": "fly"}),
        json!({"do": "subscribe"}),
        json!({"do": "subscribe", "topic": ""}),
        json!({"do": "subscribe", "topic": "a".repeat(256)}),
        json!({"do": "subscribe", "topic": "a\u{0}"}),
        json!({"do": "subscribe", "topic": "a", "after": "garbage"}),
        json!({"do": "publish", "topic": "a"}),
        json!({"do": "publish", "topic": "a", "base64": "?"}),
        json!([]),
    ];
    for asked in wrong {
        say(&mut socket, asked.clone()).await;
        let told = told(&mut socket).await;
        assert!(told["error"].is_string(), "{asked} {told}");
    }
    say(&mut socket, json!({"do": "subscribe", "topic": "a"})).await;
    assert_eq!(told(&mut socket).await["subscribed"], true);
    socket.send("{no JSON").await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 1007);
    let mut socket = json_socket(&url).await;
    socket.send(vec![1, 2]).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 1003);
    let mut socket = json_socket(&url).await;
    socket.send("x".repeat(5000)).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 1009);
}

#[tokio::test]
async fn hu9_what_is_binary_comes_in_base64() {
    let (_server, url) = hub(&[]);
    let mut socket = json_socket(&url).await;
    say(&mut socket, json!({"do": "subscribe", "topic": "a"})).await;
    told(&mut socket).await;
    http(&url, "POST /t/a", &[], &[0, 255, 1]);
    assert_eq!(told(&mut socket).await["base64"], "AP8B");
}
