//! `talkback hub` over HTTP: what is posted, and streams of events.

use std::thread;

use crate::hub::{next, open};
use crate::support::hub::{Event, Events, authority, http, hub, post};

#[test]
fn hu2_events_go_on_behind_the_last_one_that_came() {
    let (_server, url) = hub(&["--keep", "4"]);
    let mut events = Events::open(&url, "a", &[]);
    let begun = events.begun();
    let places: Vec<String> = (1..=3).map(|it| post(&url, "a", &it.to_string())).collect();
    for (place, text) in places.iter().zip(["1", "2", "3"]) {
        let expected = Event {
            id: place.clone(),
            data: text.to_owned(),
            ..Event::default()
        };
        assert_eq!(events.next(), Some(expected));
    }
    drop(events);
    post(&url, "a", "4");
    // Also who has got nothing until then.
    let last = format!("Last-Event-ID: {begun}");
    let mut events = Events::open(&url, "a", &[&last]);
    assert_eq!(events.data(4), ["1", "2", "3", "4"]);
    let last = format!("Last-Event-ID: {}", places[1]);
    let mut events = Events::open(&url, "a", &[&last]);
    assert_eq!(events.data(2), ["3", "4"]);
    // What is asked for in the query is where it began; the browser comes back with what it got.
    let mut events = Events::open(&url, "a?last=4", &[&last]);
    assert_eq!(events.data(2), ["3", "4"]);
    let mut events = Events::open(&url, "a?last=1", &[]);
    assert_eq!(events.data(1), ["4"]);
}

#[test]
fn hu2_whoever_has_missed_more_than_is_kept_gets_one_reset() {
    let (_server, url) = hub(&["--keep", "2"]);
    let first = post(&url, "a", "1");
    let mut head = first.clone();
    for text in ["2", "3", "4"] {
        head = post(&url, "a", text);
    }
    let foreign = post(&url, "b", "1");
    for last in [&first, &foreign] {
        let last = format!("Last-Event-ID: {last}");
        let mut events = Events::open(&url, "a", &[&last]);
        let reset = events.next().unwrap();
        assert_eq!((&*reset.kind, reset.id), ("reset", head));
        head = post(&url, "a", "live");
        let live = events.next().unwrap();
        assert_eq!((&*live.kind, &live.id, &*live.data), ("", &head, "live"));
    }
    let good = format!("Last-Event-ID: {head}");
    for garbage in [
        &["Last-Event-ID: garbage"][..],
        &["Last-Event-ID: 가"],
        &[&*good, &*good],
    ] {
        let lines = [&["Accept: text/event-stream"], garbage].concat();
        let answer = http(&url, "GET /t/a", &lines, b"");
        assert_eq!(answer.status, 400, "{garbage:?}");
    }
}

#[test]
fn events_have_lines_and_what_is_no_text_in_base64() {
    let (_server, url) = hub(&[]);
    let mut events = Events::open(&url, "a", &[]);
    post(&url, "a", "한 줄\r\n다음\rlast\n");
    assert_eq!(events.data(1), ["한 줄\n다음\nlast\n"]);
    http(&url, "POST /t/a", &[], &[0, 255, 1]);
    let event = events.next().unwrap();
    assert_eq!((&*event.kind, &*event.data), ("base64", "AP8B"));
    post(&url, "a", "");
    assert_eq!(events.data(1), [""]);
}

#[tokio::test]
async fn hu3_the_same_idempotency_key_publishes_once() {
    let (_server, url) = hub(&[]);
    let mut socket = open(&url, "t/a").await;
    let post = |key: &str, text: &str| {
        let key = format!("Idempotency-Key: {key}");
        let lines = ["Content-Type: text/plain", &key];
        http(&url, "POST /t/a", &lines, text.as_bytes())
    };
    let first = post("order-17", "1").json();
    let again = post("order-17", "1").json();
    assert_eq!(first["at"], again["at"]);
    assert_eq!(
        (&first["duplicate"], &again["duplicate"]),
        (&serde_json::Value::Null, &true.into())
    );
    assert_eq!(first["subscribers"], 1);
    assert_ne!(post("order-18", "2").json()["at"], first["at"]);
    for text in ["1", "2"] {
        assert_eq!(next(&mut socket).await, text.into());
    }
    for key in ["", &"k".repeat(256)] {
        assert_eq!(post(key, "x").status, 400, "{key:?}");
    }
    let two = ["Idempotency-Key: a", "Idempotency-Key: b"];
    assert_eq!(http(&url, "POST /t/a", &two, b"x").status, 400);
}

#[tokio::test]
async fn what_is_posted_is_a_text_if_its_kind_says_so() {
    let (_server, url) = hub(&[]);
    let mut socket = open(&url, "t/a").await;
    for (kind, is_text) in [
        ("Content-Type: text/plain", true),
        ("Content-Type: application/json; charset=utf-8", true),
        ("Content-Type: application/octet-stream", false),
        ("X-None: 1", false),
    ] {
        let answer = http(&url, "POST /t/a", &[kind], "{\"가\":1}".as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        let message = next(&mut socket).await;
        assert_eq!(message.is_text(), is_text, "{kind}");
        assert_eq!(message.as_bytes(), "{\"가\":1}".as_bytes());
    }
    let answer = http(&url, "POST /t/a", &["Content-Type: text/plain"], &[0xff]);
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[test]
fn what_is_posted_is_bounded() {
    let (_server, url) = hub(&["--max-message", "1KiB"]);
    assert_eq!(http(&url, "POST /t/a", &[], &[7; 1024]).status, 200);
    let answer = http(&url, "POST /t/a", &[], &[7; 1025]);
    assert_eq!(answer.status, 413, "{answer:?}");
    // Said to come, it is refused before it has.
    let claimed = http(&url, "POST /t/a", &["Content-Length: 99999999999"], b"");
    assert_eq!(claimed.status, 413, "{claimed:?}");
    assert_eq!(http(&url, "POST /t/a", &[], b"").status, 200);
    // Whoever sends it all before it reads is told, too.
    for (request, status) in [("POST /t/a", 413), ("PUT /t/a", 405), ("POST /else", 404)] {
        let answer = http(&url, request, &[], &[7; 16 << 20]);
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

#[test]
fn each_path_and_method_has_its_status() {
    let (_server, url) = hub(&[]);
    for (request, lines, status) in [
        ("GET /", &[][..], 200),
        ("HEAD /", &[], 200),
        ("POST /", &[], 405),
        ("GET /page/page.js", &[], 200),
        ("GET /page/page.css", &[], 200),
        ("GET /page/else", &[], 404),
        ("GET /health", &[], 200),
        ("GET /ready", &[], 200),
        ("GET /metrics", &[], 200),
        ("POST /metrics", &[], 405),
        ("GET /t", &[], 404),
        ("GET /t/a", &[], 406),
        ("GET /t/a", &["Accept: text/html"], 406),
        ("DELETE /t/a", &[], 405),
        ("POST /kill", &[], 404),
        ("GET /t/a?after=1", &["Accept: text/event-stream"], 400),
    ] {
        let answer = http(&url, request, lines, b"");
        assert_eq!(answer.status, status, "{request} {answer:?}");
        if request.starts_with("HEAD") {
            assert!(answer.body.is_empty() && answer.header("content-length") != Some("0"));
        }
    }
}

#[tokio::test]
async fn no_page_of_another_site_posts_or_reads() {
    let (_server, url) = hub(&["--origin", "http://app.example"]);
    let mut socket = open(&url, "t/a").await;
    let events = "Accept: text/event-stream";
    for line in [
        "Origin: http://evil.example",
        "Origin: null",
        "Host: evil.example",
    ] {
        for (request, body) in [
            ("POST /t/a", &b"x"[..]),
            ("GET /t/a", b""),
            ("GET /metrics", b""),
        ] {
            let answer = http(&url, request, &[line, events], body);
            assert_eq!(answer.status, 403, "{line} {request} {answer:?}");
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
        let asked = http(&url, "OPTIONS /t/a", &[line], b"");
        assert_eq!(asked.status, 403, "{line}");
    }
    // The host in the target is the one that is asked for.
    let own = format!("Host: {}", authority(&url));
    let answer = http(&url, "POST http://evil.example/t/a", &[&own], b"x");
    assert_eq!(answer.status, 403, "{answer:?}");
    let own = format!("Origin: http://{}", authority(&url));
    for (line, origin) in [
        (&*own, own.trim_start_matches("Origin: ")),
        ("Origin: http://app.example", "http://app.example"),
    ] {
        let answer = http(&url, "POST /t/a", &[line], b"x");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        let asked = http(&url, "OPTIONS /t/a", &[line], b"");
        let headers = asked.header("access-control-allow-headers").unwrap();
        assert!(asked.status == 204 && headers.contains("authorization"));
        assert_eq!(next(&mut socket).await.as_bytes(), b"x");
    }
}

#[test]
fn many_post_and_read_at_once() {
    let (_server, url) = hub(&[]);
    let mut readers: Vec<Events> = (0..8).map(|_| Events::open(&url, "a", &[])).collect();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let url = url.clone();
            thread::spawn(move || {
                for number in 0..50 {
                    post(&url, "a", &format!("{writer} {number}"));
                }
            })
        })
        .collect();
    let orders: Vec<Vec<String>> = readers.iter_mut().map(|it| it.data(400)).collect();
    for writer in writers {
        writer.join().unwrap();
    }
    assert!(orders.iter().all(|order| *order == orders[0]));
}
