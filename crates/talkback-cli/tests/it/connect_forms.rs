//! `talkback connect` in a pipe: what is read and printed, in which form.

use serde_json::Value;
use talkback::Message;

use crate::support::pipe::pipe;
use crate::support::server::{open, server};
use crate::support::{connect, echo};

/// Sends these, and takes what comes until the client closes.
fn sends(messages: &'static [&'static str]) -> String {
    server(move |stream| async move {
        let mut socket = open(stream).await;
        for message in messages {
            socket.send(*message).await.unwrap();
        }
        while let Ok(Some(_)) = socket.recv().await {}
    })
}

/// Answers each message with its kind and size.
fn tells_sizes() -> String {
    server(|stream| async {
        let mut socket = open(stream).await;
        while let Ok(Some(message)) = socket.recv().await {
            let kind = match message {
                Message::Text(_) => "text",
                Message::Binary(_) => "binary",
            };
            let answer = format!("{kind} {}", message.len());
            socket.send(answer).await.unwrap();
        }
    })
}

#[test]
fn a_text_is_printed_as_it_came_and_a_line_end() {
    let text = "{\n  \"path\": \"C:\\\\new\"\n}";
    let url = sends(&["{\n  \"path\": \"C:\\\\new\"\n}"]);
    let finished = connect(&[&url, "-1"], "");
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(finished.stdout, format!("{text}\n"));
    let value: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(value["path"], "C:\\new");
}

#[test]
fn binary_sends_the_input_as_one_message_and_prints_bytes() {
    let (_server, url) = echo(&[]);
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let piped = pipe(&[&url, "--binary", "-1"], &bytes);
    assert_eq!(piped.code, Some(0), "{}", piped.stderr);
    assert!(piped.stdout == bytes, "{} bytes", piped.stdout.len());
    let piped = pipe(&[&tells_sizes(), "--binary", "-1"], &bytes);
    assert_eq!(piped.stdout, b"binary 100000");
}

#[test]
fn frame_cuts_the_input_after_so_many_bytes() {
    let arguments = [
        &tells_sizes(),
        "--binary",
        "--frame",
        "4KB",
        "--messages",
        "3",
    ];
    let piped = pipe(&arguments, &[0; 10_000]);
    let sizes = String::from_utf8(piped.stdout).unwrap();
    assert_eq!(
        sizes, "binary 4000binary 4000binary 2000",
        "{}",
        piped.stderr
    );
}

#[test]
fn hex_and_base64_stand_for_binary_messages_both_ways() {
    let (_server, url) = echo(&[]);
    for (form, input, output) in [
        ("--hex", "CA fe\n\n00\n", "cafe\n\n00\n"),
        ("--base64", "yv4=\n\nAA==\n", "yv4=\n\nAA==\n"),
    ] {
        let finished = connect(&[&url, form, "--messages", "3"], input);
        assert_eq!(finished.stdout, output, "{finished:?}");
        let wrong = connect(&[&url, form], "xyz\n");
        assert_eq!(wrong.code, Some(1), "{wrong:?}");
        let what = "error: could not read standard input: line 1 of the input is not ";
        assert_eq!(wrong.stderr.matches(what).count(), 1, "{wrong:?}");
        // It is known before there is a connection.
        let wrong = connect(&["ws://127.0.0.1:1/", form, "--send", "xyz"], "");
        assert_eq!(wrong.code, Some(2), "{wrong:?}");
    }
    let finished = connect(&[&tells_sizes(), "--hex", "-1", "--send", "cafe"], "");
    assert_eq!(finished.stdout, "binary 2\n");
}

#[test]
fn messages_may_end_with_something_else_than_a_line_end() {
    let (_server, url) = echo(&[]);
    let finished = connect(&[&url, "-0", "--messages", "2"], "a\nb\0c");
    assert_eq!(finished.stdout, "a\nb\0c\0", "{finished:?}");
    let arguments = [&url, "--separator", r"\x1e--", "--messages", "2"];
    let finished = connect(&arguments, "a\u{1e}b\u{1e}--c");
    assert_eq!(finished.stdout, "a\u{1e}b\u{1e}--c\u{1e}--", "{finished:?}");
}

#[test]
fn json_has_an_object_in_a_line_for_each_event() {
    let url = server(|stream| async {
        let mut socket = open(stream).await;
        let first = socket.recv().await.unwrap().unwrap();
        socket.ping("??").await.unwrap();
        socket.send(first).await.unwrap();
        socket.send(vec![0xca, 0xfe]).await.unwrap();
        let _ = socket.close_with(4000, "\"bye\"").await;
    });
    let finished = connect(&[&url, "--json", "--wait", "forever"], "\"a\"\n");
    assert_eq!(finished.code, Some(9), "{finished:?}");
    let lines = finished
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let mut events: Vec<Value> = lines.collect();
    for event in &mut events {
        let time = event.as_object_mut().unwrap().remove("time").unwrap();
        // As in 2026-11-30T02:13:00.123456Z.
        let time = time.as_str().unwrap();
        assert!(time.len() > 20 && time.ends_with('Z'), "{time}");
    }
    let expected = [
        format!(r#"{{"event":"open","url":"{url}","subprotocol":null}}"#),
        r#"{"event":"message","direction":"out","kind":"text","size":3,"payload":"\"a\""}"#.into(),
        r#"{"event":"ping","direction":"in","size":2}"#.into(),
        r#"{"event":"message","direction":"in","kind":"text","size":3,"payload":"\"a\""}"#.into(),
        r#"{"event":"message","direction":"in","kind":"binary","size":2,"encoding":"base64","payload":"yv4="}"#.into(),
        r#"{"event":"close","code":4000,"reason":"\"bye\"","by":"server","clean":true}"#.into(),
    ];
    let expected = expected
        .iter()
        .map(|line| serde_json::from_str(line).unwrap());
    assert_eq!(events, expected.collect::<Vec<Value>>());
}

#[test]
fn quiet_tells_nothing_but_errors() {
    let (_server, url) = echo(&[]);
    let finished = connect(&[&url, "-q", "-1"], "Hello!\n");
    assert_eq!((&*finished.stdout, &*finished.stderr), ("Hello!\n", ""));
    let finished = connect(&["ws://127.0.0.1:1/", "-q"], "");
    assert!(finished.stderr.starts_with("error: "), "{finished:?}");
}

/// Of input without an end, no more is held than the largest message.
#[test]
#[cfg(target_os = "linux")]
fn a_line_without_an_end_is_an_error_at_the_limit() {
    let (_server, url) = echo(&[]);
    // 400 MB of addresses: half of them are stacks and code.
    let lines = r#"ulimit -v 400000; exec "$0" connect "$1" $2 </dev/zero"#;
    for (arguments, limit) in [("", "16777216"), ("--binary --max-message 1MB", "1000000")] {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", lines, env!("CARGO_BIN_EXE_talkback"), &url, arguments]);
        let output = shell.env_remove("RUST_LOG").output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let what = format!("longer than the limit of {limit} bytes: raise --max-message");
        assert!(stderr.contains(&what), "{stderr}");
    }
}
