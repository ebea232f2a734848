//! `talkback bench`: the way to the server, and what it names itself by, are those of `talkback connect`.

use std::future::ready;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use talkback::{OriginPolicy, Refusal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::mutual::Mutual;
use crate::support::proxy::{address, proxy};
use crate::support::server::{echo_all, echo_at_socket, echo_of_the_library, open, server};
use crate::support::{Finished, echo, run};

/// A short run, and how it ended.
fn bench(arguments: &[&str]) -> (Value, Finished) {
    let short = ["bench", "-q", "-d", "0.1", "-c", "1", "--json"];
    let finished = run(&[&short, arguments].concat(), "");
    let report = serde_json::from_str(&finished.stdout);
    let report = report.unwrap_or_else(|error| panic!("{error}: {finished:?}"));
    (report, finished)
}

/// Holds that every message was answered.
#[track_caller]
fn is_answered(arguments: &[&str]) {
    let (report, finished) = bench(arguments);
    assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
    assert!(report["answered"].as_u64() > Some(0), "{report}");
    assert_eq!(finished.stderr, "");
}

/// Holds that the run failed by this.
#[track_caller]
fn fails(arguments: &[&str], code: i32, word: &str) {
    let (_, finished) = bench(arguments);
    assert_eq!(finished.code, Some(code), "{arguments:?}: {finished:?}");
    assert!(finished.stderr.contains(word), "{word}: {finished:?}");
}

fn port(url: &str) -> &str {
    let (_, port) = url.rsplit_once(':').unwrap();
    port.trim_end_matches('/')
}

#[test]
fn the_request_carries_what_was_asked_for() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let url = server(move |stream| {
        let seen = Arc::clone(&seen);
        async move {
            let accepting = talkback::accept(stream)
                .subprotocols(["chat"])
                .origin_policy(OriginPolicy::Any)
                .check(move |request| {
                    let header = |name| request.headers()[name].to_str().unwrap().to_owned();
                    let names = ["host", "origin", "x-token", "sec-websocket-protocol"];
                    seen.lock().unwrap().push(names.map(header));
                    ready(Ok::<_, Refusal>(()))
                });
            echo_all(accepting.await.unwrap()).await;
        }
    });
    let named = ["--host", "a.example", "-o", "http://page.example"];
    let asked = ["-H", "X-Token: a: b", "-s", "other", "-s", "chat"];
    is_answered(&[&[&*url], &named[..], &asked].concat());
    let expected = ["a.example", "http://page.example", "a: b", "other, chat"];
    assert_eq!(*requests.lock().unwrap(), [expected.map(str::to_owned)]);
}

#[test]
fn each_way_leads_to_the_server() {
    let url = echo_of_the_library();
    let elsewhere = format!("ws://nowhere.invalid:{}/", port(&url));
    let known = format!("nowhere.invalid:{}:127.0.0.1", port(&url));
    is_answered(&[&elsewhere, "--resolve", &known, "-r", "200"]);
    let proxy = format!("http://user:hunter2@{}", proxy(&url));
    is_answered(&[&elsewhere, "--proxy", &proxy]);
    fails(
        &[&elsewhere, "--proxy", &address(&url)],
        4,
        "does not lead there",
    );
}

#[test]
#[cfg(unix)]
fn a_unix_socket_leads_there() {
    let name = format!("talkback-bench-{}.sock", std::process::id());
    let path = std::env::temp_dir().join(name);
    echo_at_socket(&path);
    is_answered(&["ws://localhost/", "--unix-socket", path.to_str().unwrap()]);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn redirects_are_followed_if_asked_for() {
    let head = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
        echo_of_the_library()
    );
    let url = server(move |mut stream| {
        let head = head.clone();
        async move {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(head.as_bytes()).await;
        }
    });
    is_answered(&[&url, "--location"]);
    fails(&[&url], 6, "307");
}

#[test]
fn time_and_size_have_their_limits() {
    let silent = server(|stream| async {
        std::future::pending::<()>().await;
        drop(stream);
    });
    fails(&[&silent, "--timeout", "0.2"], 5, "within 200ms");
    let larger = server(|stream| async {
        let mut socket = open(stream).await;
        while let Ok(Some(_)) = socket.recv().await {
            let _ = socket.send("x".repeat(2000)).await;
        }
    });
    is_answered(&[&larger, "--expect-any"]);
    fails(
        &[&larger, "--expect-any", "--max-message", "1KB"],
        7,
        "1000 bytes",
    );
}

#[test]
fn tls_is_spoken_as_asked() {
    let mutual = Mutual::start("bench");
    let Mutual {
        url, ca, cert, key, ..
    } = &mutual;
    is_answered(&[url, "--ca", ca, "--cert", cert, "--key", key]);
    is_answered(&[url, "-k", "--cert", cert, "--key", key]);
    let (key, passphrase) = (&mutual.encrypted_key, &mutual.passphrase);
    let shown = ["--cert", cert, "--key", key, "--key-passphrase", passphrase];
    is_answered(&[&[&**url, "--ca", ca], &shown[..]].concat());
    fails(&[url, "--ca", ca], 6, "`--cert FILE`");

    let (_server, url) = echo(&["--tls-self-signed", "--no-compression"]);
    let elsewhere = format!("wss://a.example:{}/", port(&url));
    let there = [&*elsewhere, "--address", "127.0.0.1", "--ca", ca];
    fails(
        &[&there[..], &["--server-name", "localhost"]].concat(),
        6,
        "certificate",
    );
    is_answered(&[&url, "--insecure", "-v"]);
}
