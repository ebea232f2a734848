//! How many clients `talkback hub` takes, what it counts, and how it ends.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use crate::hub::{closed, next, open, refused};
use crate::support::hub::{Events, http, hub, post, url_of_hub};
use crate::support::{Running, run};

#[cfg(unix)]
#[tokio::test]
async fn hu11_a_signal_lets_go_of_all_of_them() {
    let (server, url) = hub(&[]);
    let mut socket = open(&url, "t/a").await;
    let mut events = Events::open(&url, "a", &[]);
    let mut json = talkback::connect(&*url)
        .subprotocol(talkback_topics::SUBPROTOCOL)
        .await
        .unwrap();
    let at = post(&url, "a", "last");
    server.signal("TERM");
    assert_eq!(next(&mut socket).await, "last".into());
    assert_eq!(closed(&mut socket).await.0, 1012);
    assert_eq!(closed(&mut json).await.0, 1012);
    assert_eq!(events.next().unwrap().id, at);
    assert_eq!(events.next(), None);
    let finished = server.finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(
        finished.stderr.contains("stopping: closing 3 connections"),
        "{finished:?}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn hu11_it_drains_slowly_and_at_the_second_signal_not_at_all() {
    let slow = ["--drain-spread", "3600", "--drain-deadline", "7200"];
    let (server, url) = hub(&[&slow[..], &["--lame-duck", "3600"]].concat());
    let _open = open(&url, "t/a").await;
    server.signal("INT");
    // Whoever comes meanwhile is let in, and told at /ready that it had better not.
    server.until("it drains", |_| {
        http(&url, "GET /ready", &[], b"").status == 503
    });
    let mut late = open(&url, "t/a").await;
    post(&url, "a", "on");
    assert_eq!(next(&mut late).await, "on".into());
    server.signal("INT");
    let finished = server.finish();
    assert_eq!(finished.code, Some(130), "{finished:?}");
    let finished = run(
        &[
            "hub",
            "127.0.0.1:0",
            "--drain-spread",
            "9",
            "--drain-deadline",
            "8",
        ],
        "",
    );
    assert_eq!(finished.code, Some(2), "{finished:?}");
}

#[tokio::test]
async fn streams_of_events_count_among_the_connections() {
    let (_server, url) = hub(&["--max-connections", "2"]);
    // Nothing before it is asked by HTTP, whose place is given back a little later.
    let _socket = talkback::connect(format!("{url}t/a")).await.unwrap();
    let events = Events::open(&url, "a", &[]);
    let post = || http(&url, "POST /t/a", &[], b"x");
    let answer = post();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    assert_eq!(refused(talkback::connect(format!("{url}t/a"))).await.0, 503);
    assert_eq!(http(&url, "GET /health", &[], b"").status, 200);
    drop(events);
    // The end is seen a little later.
    while post().status == 503 {}
}

#[tokio::test]
async fn an_address_has_so_many_behind_a_proxy() {
    let proxy = ["--trusted-proxy", "127.0.0.0/8", "--max-per-address", "1"];
    let (_server, url) = hub(&proxy);
    let from = |address: &str| format!("X-Forwarded-For: {address}");
    let _events = Events::open(&url, "a", &[&from("192.0.2.1")]);
    assert_eq!(
        http(&url, "POST /t/a", &[&from("192.0.2.1")], b"x").status,
        429
    );
    assert_eq!(
        http(&url, "POST /t/a", &[&from("192.0.2.2")], b"x").status,
        200
    );
}

#[tokio::test]
async fn it_logs_who_comes_and_is_refused_and_probes_if_asked_to() {
    let (server, url) = hub(&["-v"]);
    drop(open(&url, "t/very-secret-topic").await);
    refused(talkback::connect(format!("{url}t/{}", "secret".repeat(50)))).await;
    http(&url, "GET /health", &[], b"");
    for line in [
        "open: raw",
        "closed",
        "status=400",
        "DEBUG hub: told how it is",
    ] {
        server.until("it is logged", |server| server.stderr().contains(line));
    }
    assert!(!server.stderr().contains("secret"), "{}", server.stderr());
    let (server, url) = hub(&[]);
    http(&url, "GET /health", &[], b"");
    post(&url, "a", "x");
    server.until("it is logged", |server| {
        server.stderr().contains("status=200")
    });
    assert!(!server.stderr().contains("DEBUG"), "{}", server.stderr());
}

#[tokio::test]
async fn hu12_what_it_counts_has_no_topic_in_it() {
    let (_server, url) = hub(&[]);
    let mut socket = open(&url, "t/very-secret-topic").await;
    let _events = Events::open(&url, "very-secret-topic", &[]);
    for _ in 0..100 {
        post(&url, "very-secret-topic", "x");
        next(&mut socket).await;
    }
    let answer = http(&url, "GET /metrics", &[], b"");
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .contains("version=0.0.4")
    );
    let text = answer.body;
    for line in [
        "talkback_topics 1",
        "talkback_topics_subscribers 2",
        "talkback_topics_published_total 100",
        // The one that asks is the third.
        "talkback_server_connections 3",
        "talkback_server_connections_total{outcome=\"open\"} 1",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
    assert!(
        !text.contains("secret") && !text.contains("127.0.0.1"),
        "{text}"
    );
    // Of the closes alone there are 45.
    assert!(text.lines().count() < 200, "{}", text.lines().count());
}

#[tokio::test]
async fn it_is_killed_where_that_is_allowed_and_by_its_own_page() {
    let (server, url) = hub(&["--allow-kill", "--publish-key", "k"]);
    let key = "Authorization: Bearer k";
    assert_eq!(http(&url, "POST /kill", &[], b"").status, 401);
    assert_eq!(http(&url, "GET /kill", &[key], b"").status, 405);
    let foreign = http(
        &url,
        "POST /kill",
        &[key, "Origin: http://evil.example"],
        b"",
    );
    assert_eq!(foreign.status, 403);
    let mut socket = open(&url, "t/a").await;
    let host = crate::support::hub::authority(&url);
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let request = format!("POST /kill HTTP/1.1\r\nHost: {host}\r\n{key}\r\n\r\n");
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    assert_eq!(server.finish().code, Some(137));
    assert_eq!(closed(&mut socket).await.0, 1006);
}

#[tokio::test]
async fn topics_are_forgotten_after_a_while() {
    let (server, url) = hub(&["--keep-idle", "0.05", "--keep-bytes", "1KiB"]);
    post(&url, "a", &"x".repeat(800));
    let one = post(&url, "a", &"x".repeat(800));
    server.until("it is forgotten", |_| {
        std::thread::sleep(Duration::from_millis(20));
        let answer = http(&url, "GET /metrics", &[], b"");
        answer.body.contains("talkback_topics 0\n")
    });
    let epoch = |position: &str| position.split('-').next().unwrap().to_owned();
    assert_ne!(epoch(&post(&url, "a", "x")), epoch(&one));
}

#[tokio::test]
async fn it_speaks_tls() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("hub.pem");
    let server = Running::start(&[
        "hub",
        "127.0.0.1:0",
        &format!("--tls-self-signed={}", file.display()),
    ]);
    let url = url_of_hub(&server);
    assert!(url.starts_with("wss://127.0.0.1:"), "{url}");
    let roots = std::fs::read(&file).unwrap();
    let connect = || talkback::connect(format!("{url}t/a?echo=1")).tls_roots(roots.clone());
    let mut socket = connect().await.unwrap();
    socket.send("안녕").await.unwrap();
    assert_eq!(next(&mut socket).await, "안녕".into());
    assert!(server.stdout().contains("SHA-256"), "{}", server.stdout());
    let finished = run(
        &[
            "hub",
            "127.0.0.1:0",
            "--tls-cert",
            "/none",
            "--tls-key",
            "/none",
        ],
        "",
    );
    assert_eq!(finished.code, Some(2), "{finished:?}");
}

#[test]
fn an_address_that_is_taken_is_told_in_one_line() {
    let (_server, url) = hub(&[]);
    let taken = crate::support::hub::authority(&url);
    let finished = run(&["hub", taken], "");
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("after `hub`"), "{finished:?}");
}

#[test]
fn hu4_a_redis_that_is_not_there_is_waited_for() {
    // Nobody listens at the port any more.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let redis = format!("redis://:not-to-be-seen@127.0.0.1:{port}");
    let (server, url) = hub(&["--redis", &redis, "--ready-needs-backplane"]);
    let ready = http(&url, "GET /ready", &[], b"");
    assert_eq!(ready.status, 503, "{ready:?}");
    assert_eq!(ready.json()["backplane"], "down");
    assert_eq!(http(&url, "GET /health", &[], b"").status, 200);
    let posted = http(&url, "POST /t/a", &[], b"x");
    assert_eq!(posted.status, 503, "{posted:?}");
    assert!(posted.body.contains("backplane"), "{posted:?}");
    let events = ["Accept: text/event-stream"];
    assert_eq!(http(&url, "GET /t/a", &events, b"").status, 503);
    server.until("its log says so, and why", |server| {
        let log = server.stderr();
        log.contains("the backplane is not reached") && log.contains("refused")
    });
    assert!(!server.stderr().contains("not-to-be-seen"));
    assert!(!posted.body.contains("not-to-be-seen"));
}

#[test]
fn what_is_wrong_with_redis_is_told_without_its_password() {
    let secret = "redis://:not-to-be-seen@127.0.0.1:1";
    for (arguments, code, word) in [
        (&["--redis", "http://:not-to-be-seen@a/"][..], 2, "--redis"),
        (&["--redis", "@/no/such/file"], 2, "--redis"),
        (&["--redis", &format!("{secret}/x")], 2, "--redis"),
        (
            &["--redis", secret, "--redis-ca", "/no/such/file"],
            2,
            "--redis-ca",
        ),
        (&["--redis-ca", "/no/such/file"], 2, "--redis"),
    ] {
        let finished = run(&[&["hub", "127.0.0.1:0"], arguments].concat(), "");
        assert_eq!(finished.code, Some(code), "{finished:?}");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
        assert!(finished.stderr.contains(word), "{finished:?}");
        assert!(!finished.stderr.contains("not-to-be-seen"), "{finished:?}");
    }
}

/// A Redis that says the same to whatever it is asked, and its URL.
fn redis_that_says(answer: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        if let Ok((mut stream, _)) = listener.accept() {
            let mut asked = [0; 1024];
            // Until the hub has had enough of it.
            while let Ok(size @ 1..) = stream.read(&mut asked) {
                // Each command begins so.
                let commands = asked[..size].iter().filter(|byte| **byte == b'*').count();
                let _ = stream.write_all(answer.repeat(commands).as_bytes());
            }
        }
    });
    url
}

#[test]
fn a_redis_that_wants_a_password_is_told_with_where_it_stands_in_the_url() {
    for (answer, advice) in [
        (
            "-NOAUTH Authentication required.\r\n",
            "redis://:PASSWORD@HOST",
        ),
        ("-WRONGPASS invalid password\r\n", "redis://:PASSWORD@HOST"),
        ("-ERR unknown command\r\n", "ERR unknown command\n"),
    ] {
        let redis = redis_that_says(answer);
        let finished = run(&["hub", "127.0.0.1:0", "--redis", &redis], "");
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains(advice), "{finished:?}");
    }
}

#[test]
fn who_comes_to_no_topic_is_told_where_they_lie_in_whole_words() {
    let (server, url) = hub(&[]);
    let finished = run(&["connect", &url], "");
    let told = "they lie at /t/TOPIC, and / takes the subprotocol talkback.topics.v1";
    assert!(finished.stderr.contains(told), "{finished:?}");
    let finished = run(&["connect", "-o", "http://evil.example", &url], "");
    assert!(
        finished
            .stderr
            .contains("have its operator allow the origin"),
        "{finished:?}"
    );
    server.until("its operator is told of the option", |server| {
        server.stderr().contains("allow its origin with --origin")
    });
}
