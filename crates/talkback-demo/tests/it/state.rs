//! The state, without a screen: over a channel in memory, with a time of the test's own.

mod reconnecting;

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use talkback::{CloseCode, WebSocketChannel, pair};
use talkback_demo::state::{Direction, Page, Role, Sending, TITLE};

const NOW: Duration = Duration::from_secs(7);

fn page(channel: WebSocketChannel) -> Page {
    Page::new(TITLE, "ws://127.0.0.1:1/", channel)
}

/// Polls the page, as a view does when it is woken, until it shows what is `wanted`.
async fn shows(page: &mut Page, wanted: impl Fn(&Page) -> bool) {
    let shown = poll_fn(|cx| {
        page.poll(cx, NOW);
        match wanted(page) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    });
    let limit = Duration::from_secs(20);
    let shown = tokio::time::timeout(limit, shown).await;
    assert!(shown.is_ok(), "{page:?}");
}

#[tokio::test]
async fn what_was_sent_comes_back() {
    let (client, mut server) = pair();
    let mut page = page(client);
    assert_eq!((page.title(), page.answer()), ("WebSocket Demo", ""));
    page.field = "안녕하세요".to_owned();
    assert_eq!(page.send(NOW), Sending::Sent);
    assert_eq!(page.field, "안녕하세요", "the text stays");
    let message = server.recv().await.unwrap().unwrap();
    server.send(message).await.unwrap();
    shows(&mut page, |page| page.answer() == "안녕하세요").await;
    assert_eq!(page.status(), ("open", Role::Good));
    let log: Vec<_> = page.log().iter().map(|entry| entry.direction).collect();
    assert_eq!(log, [Direction::Sent, Direction::Received]);
    assert_eq!(page.log().iter().next().unwrap().size, 15);
}

#[tokio::test]
async fn only_the_empty_text_is_withheld() {
    let (client, mut server) = pair();
    let mut page = page(client);
    assert_eq!(page.send(NOW), Sending::Withheld);
    page.field = " ".to_owned();
    assert_eq!(page.send(NOW), Sending::Sent);
    assert_eq!(server.recv().await.unwrap(), Some(" ".into()));
    assert_eq!(page.problem(), None);
}

#[tokio::test]
async fn every_message_is_in_the_log_and_the_last_is_the_answer() {
    let (client, server) = pair();
    let mut page = page(client);
    for text in ["a", "b", "c"] {
        server.send(text).await.unwrap();
    }
    shows(&mut page, |page| {
        page.log().iter().len() == 3 && page.answer() == "c"
    })
    .await;
}

#[tokio::test]
async fn each_message_is_given_out_whole_and_in_order() {
    let (client, server) = pair();
    let mut page = page(client);
    let long = "가".repeat(100_000);
    let texts = ["a", "b", &long, "b"];
    let sending = async {
        for text in texts {
            server.send(text).await.unwrap();
        }
        let _ = server.close().await;
    };
    let taking = async {
        let mut taken = Vec::new();
        while let Some(message) = poll_fn(|cx| page.poll_message(cx, NOW)).await {
            taken.push(message);
        }
        taken
    };
    let (taken, ()) = tokio::join!(taking, sending);
    assert_eq!(taken, texts.map(Into::into));
    assert_eq!(page.log().count(), 4);
    assert_eq!(page.answer(), "b");
    let ending = page.ending().unwrap();
    assert!(ending.starts_with("Closed by the peer"), "{ending}");
}

#[tokio::test]
async fn there_is_room_until_the_end() {
    let (client, server) = pair();
    let mut page = page(client);
    poll_fn(|cx| page.poll_ready(cx)).await;
    let _ = server.close().await;
    shows(&mut page, |page| page.ending().is_some()).await;
    let ready = poll_fn(|cx| Poll::Ready(page.poll_ready(cx))).await;
    assert!(ready.is_pending());
}

#[tokio::test]
async fn disconnecting_tells_who_closed_and_sends_nothing_more() {
    let (client, mut server) = pair();
    let mut page = page(client);
    assert!(page.can_disconnect() && !page.can_connect());
    page.disconnect();
    assert_eq!(server.recv().await.unwrap(), None);
    shows(&mut page, |page| page.ending().is_some()).await;
    assert_eq!(
        page.ending().unwrap(),
        "Closed by this end, without a code."
    );
    assert_eq!(page.status(), ("closed", Role::Neutral));
    assert_eq!(page.problem(), None);
    page.field = "a".to_owned();
    assert_eq!(page.send(NOW), Sending::Refused);
    assert!(
        page.problem()
            .unwrap()
            .starts_with("Not sent: the connection is closed")
    );
    assert!(page.can_connect() && !page.can_disconnect());
}

#[tokio::test]
async fn the_last_answer_stays_beside_a_later_error() {
    let (client, server) = pair();
    let mut page = page(client);
    server.send("a").await.unwrap();
    shows(&mut page, |page| page.answer() == "a").await;
    server.close_with(4001, "enough").unwrap().await.unwrap();
    shows(&mut page, |page| page.ending().is_some()).await;
    assert_eq!(page.status(), ("closed", Role::Bad));
    let problem = page.problem().unwrap();
    assert_eq!(problem, "Closed by the peer, code 4001, reason \"enough\".");
    assert_eq!(page.answer(), "a");
    page.connect();
    assert_eq!((page.answer(), page.problem()), ("a", None));
    shows(&mut page, |page| page.reconnecting().is_some()).await;
    let reconnecting = page.reconnecting().unwrap();
    assert!(
        reconnecting.contains("refused)") && !reconnecting.contains("os error"),
        "{reconnecting}"
    );
    assert_eq!((page.answer(), page.problem()), ("a", None));
}

#[tokio::test]
async fn a_page_that_is_left_closes_its_channel() {
    let (client, mut server) = pair();
    drop(page(client));
    assert_eq!(server.recv().await.unwrap(), None);
    assert_eq!(server.close_info().unwrap().code, CloseCode::NO_CODE);
}

#[tokio::test]
async fn a_url_that_is_none_is_told() {
    for (url, told) in [
        ("nonsense", "ws://"),
        ("http://127.0.0.1/", "ws://"),
        ("ws://한국.example/", "xn--"),
    ] {
        let (client, _server) = pair();
        let mut page = page(client);
        page.url = url.to_owned();
        page.connect();
        shows(&mut page, |page| page.problem().is_some()).await;
        assert_eq!(page.status(), ("closed", Role::Bad));
        let problem = page.problem().unwrap();
        assert!(problem.contains(told), "{problem}");
    }
}
