//! Who may do what with `talkback hub`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use talkback_topics::SUBPROTOCOL;

use crate::hub::{closed, next, refused};
use crate::support::hub::{Events, http, hub, url_of_hub};
use crate::support::{Running, run};

const KEYS: [&str; 4] = ["--publish-key", "write-1", "--subscribe-key", "read-1"];
const EVENTS: &str = "Accept: text/event-stream";

/// The status and the bearer's challenge of a request with this key.
fn asked(url: &str, request: &str, key: Option<&str>, body: &[u8]) -> (u16, bool) {
    let key = key.map(|key| format!("Authorization: Bearer {key}"));
    let mut lines = vec![EVENTS];
    lines.extend(key.as_deref());
    let answer = http(url, request, &lines, body);
    (
        answer.status,
        answer.header("www-authenticate") == Some("bearer"),
    )
}

#[test]
fn hu5_without_keys_it_is_reached_from_this_machine_alone() {
    for arguments in [
        &["hub", "0.0.0.0:0"][..],
        &["hub", "[::]:0", "--publish-key", "k"],
        &["hub", "0.0.0.0:0", "--subscribe-key", "k"],
    ] {
        let finished = run(arguments, "");
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
        for word in ["--publish-key", "--subscribe-key", "localhost"] {
            assert!(finished.stderr.contains(word), "{finished:?}");
        }
    }
    let keys = [
        "hub",
        "0.0.0.0:0",
        "--publish-key",
        "k",
        "--subscribe-key",
        "k",
    ];
    let finished = run(&[&keys[..], &["--allow-kill"]].concat(), "");
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.stderr.contains("--allow-kill"), "{finished:?}");
    let open = Running::start(&keys);
    assert!(url_of_hub(&open).starts_with("ws://127.0.0.1:"));
}

#[tokio::test]
async fn hu6_who_publishes_shows_the_key_for_it() {
    let (server, url) = hub(&KEYS);
    assert_eq!(asked(&url, "POST /t/a", None, b"x"), (401, true));
    for wrong in ["read-1", "write-", "write-11", "Write-1"] {
        assert_eq!(
            asked(&url, "POST /t/a", Some(wrong), b"x").0,
            403,
            "{wrong}"
        );
    }
    assert_eq!(asked(&url, "POST /t/a", Some("write-1"), b"x").0, 200);
    // A URL is logged, and holds no key.
    let answer = http(&url, "POST /t/a?key=write-1", &[], b"x");
    assert_eq!(answer.status, 401);
    let connect = || talkback::connect(format!("{url}t/a"));
    let mut reader = connect().subprotocol("talkback.key.read-1").await.unwrap();
    reader.send("not mine to say").await.unwrap();
    let (code, reason) = closed(&mut reader).await;
    assert_eq!(code, 1008);
    assert!(reason.contains("key for publishing"), "{reason}");
    // Neither the log nor the answers have any of it.
    server.until("it is logged", |server| server.stderr().contains("closed"));
    for secret in ["read-1", "write-1", "not mine"] {
        assert!(!server.stderr().contains(secret), "{}", server.stderr());
    }
}

#[tokio::test]
async fn hu6_who_subscribes_shows_the_key_for_it() {
    let (_server, url) = hub(&KEYS);
    let connect = || talkback::connect(format!("{url}t/a"));
    assert_eq!(refused(connect()).await.0, 401);
    assert_eq!(
        refused(connect().subprotocol("talkback.key.write-1"))
            .await
            .0,
        403
    );
    assert_eq!(
        refused(connect().header("Authorization", "Bearer read-2"))
            .await
            .0,
        403
    );
    assert_eq!(asked(&url, "GET /t/a", None, b""), (401, true));
    assert_eq!(asked(&url, "GET /t/a", Some("write-1"), b"").0, 403);
    let mut by_header = connect()
        .header("Authorization", "Bearer read-1")
        .await
        .unwrap();
    let mut by_name = connect().subprotocol("talkback.key.read-1").await.unwrap();
    assert_eq!(by_name.subprotocol(), Some("talkback.key.read-1"));
    assert_eq!(asked(&url, "POST /t/a", Some("write-1"), b"x").0, 200);
    for socket in [&mut by_header, &mut by_name] {
        assert_eq!(next(socket).await.as_bytes(), b"x");
    }
}

#[tokio::test]
async fn hu6_a_json_client_is_told_what_it_may_not() {
    let (_server, url) = hub(&KEYS);
    let connect = |key: &str| {
        let socket = talkback::connect(&*url).subprotocol(SUBPROTOCOL);
        socket.subprotocol(format!("talkback.key.{key}"))
    };
    assert_eq!(
        refused(talkback::connect(&*url).subprotocol(SUBPROTOCOL))
            .await
            .0,
        401
    );
    assert_eq!(refused(connect("else")).await.0, 403);
    for (key, allowed, denied) in [
        (
            "read-1",
            "subscribe",
            r#"{"do":"publish","topic":"a","data":1,"id":"x"}"#,
        ),
        ("write-1", "publish", r#"{"do":"subscribe","topic":"a"}"#),
    ] {
        let mut socket = connect(key).await.unwrap();
        assert_eq!(socket.subprotocol(), Some(SUBPROTOCOL));
        socket.send(denied).await.unwrap();
        let told = next(&mut socket).await.to_string();
        assert!(told.starts_with("{\"error\":"), "{told}");
        let may = format!(r#"{{"do":"{allowed}","topic":"a","data":1,"id":"x"}}"#);
        socket.send(may).await.unwrap();
        let told = next(&mut socket).await.to_string();
        assert!(!told.contains("error"), "{told}");
    }
}

#[test]
fn one_key_alone_guards_one_act_alone() {
    let (_server, url) = hub(&["--publish-key", "k"]);
    assert_eq!(asked(&url, "POST /t/a", None, b"x").0, 401);
    Events::open(&url, "a", &[]);
}

#[test]
fn a_key_comes_from_a_file_or_the_environment_too() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("publish.key");
    fs::write(&path, "from-file\nnot this\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_talkback"));
    let file = format!("@{}", path.display());
    command.args(["hub", "127.0.0.1:0", "--publish-key", &file]);
    command.env("TALKBACK_SUBSCRIBE_KEY", "from-env");
    let server = Running::spawn(&mut command);
    let url = url_of_hub(&server);
    assert_eq!(asked(&url, "POST /t/a", Some("not this"), b"x").0, 403);
    assert_eq!(asked(&url, "POST /t/a", Some("from-file"), b"x").0, 200);
    assert_eq!(asked(&url, "GET /t/a", Some("from-file"), b"").0, 403);
    drop(server);
    for key in ["@/no/such/file", "zwei wörter", "@"] {
        let finished = run(&["hub", "127.0.0.1:0", "--publish-key", key], "");
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert!(finished.stderr.contains("--publish-key"), "{finished:?}");
        assert!(!finished.stderr.contains("wörter"), "{finished:?}");
    }
}
