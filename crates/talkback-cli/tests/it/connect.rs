//! `talkback connect`: what goes in and what comes out.

use std::io::Write as _;
use std::time::Duration;

use crate::support::server::{open, server};
use crate::support::{Running, connect, echo};

#[test]
fn lines_go_and_answers_come() {
    let (_server, url) = echo(&["--subprotocol", "chat"]);
    let finished = connect(
        &[&url, "--subprotocol", "chat"],
        "Hello!\n\n안녕하세요\r\nlast",
    );
    assert_eq!(finished.code, Some(0));
    assert_eq!(finished.stdout, "Hello!\n\n안녕하세요\nlast\n");
    let status: Vec<&str> = finished.stderr.lines().collect();
    assert_eq!(
        status,
        [
            &*format!("connected to {url}, subprotocol chat"),
            "closed by this end, without a code",
        ]
    );
}

#[test]
fn more_than_every_buffer_holds_goes_through() {
    let (_server, url) = echo(&[]);
    let line = format!("{}\n", "가나다라".repeat(1000));
    let input = line.repeat(2000);
    let mut client = Running::start(&["connect", &url]);
    client.type_in(&input);
    // Not before: a machine that is busy may bring nothing for the second that ends it.
    client.until("all has come back", |client| {
        client.stdout_size() >= input.len()
    });
    client.stdin = None;
    let finished = client.finish();
    assert_eq!(finished.code, Some(0));
    assert!(finished.stdout == input, "{} bytes", finished.stdout.len());
}

#[test]
fn escaped_a_message_is_one_line_whatever_is_in_it() {
    let url = server(|stream| async {
        let mut socket = open(stream).await;
        socket.feed("two\nlines \u{1b}[2J\\\u{202e}").await.unwrap();
        socket.send(vec![0xca, 0xfe]).await.unwrap();
        socket.close().await;
    });
    let mut client = Running::start(&["connect", &url, "--escape"]);
    client.until("both came", |client| client.stdout().lines().count() == 2);
    client.stdin = None;
    let finished = client.finish();
    assert_eq!(
        finished.stdout,
        "two\\nlines \\u{1b}[2J\\\\\\u{202e}\n[binary, 2 bytes] ca fe\n"
    );
    assert_eq!(finished.code, Some(0));
}

#[test]
fn after_the_input_a_slow_answer_is_waited_for_while_some_come() {
    let url = server(|stream| async {
        let mut socket = open(stream).await;
        for number in 0..3 {
            tokio::time::sleep(Duration::from_millis(600)).await;
            let _ = socket.send(number.to_string()).await;
        }
        while let Ok(Some(_)) = socket.recv().await {}
    });
    let finished = connect(&[&url], "go\n");
    assert_eq!((finished.code, &*finished.stdout), (Some(0), "0\n1\n2\n"));
}

#[test]
fn the_request_carries_what_was_asked_for() {
    let url = server(|stream| async {
        let accepting = talkback::accept(stream)
            .origin_policy(talkback::OriginPolicy::Any)
            .check(async |request| {
                let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
                let seen = [header("x-token"), header("origin"), header("authorization")];
                assert_eq!(seen, ["a: b", "http://page.example", "Basic dXNlcjpwdw=="]);
                Ok(())
            });
        let mut socket = accepting.await.unwrap();
        socket.close().await;
    });
    let url = url.replace("ws://", "ws://user:pw@");
    let headers = ["--header", "X-Token: a: b", "-o", "http://page.example"];
    let finished = connect(&[&[&*url], &headers[..]].concat(), "");
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(!finished.stderr.contains("user"), "{finished:?}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_closes_with_1001_and_exits_with_130() {
    let (server, url) = echo(&[]);
    let client = Running::start(&["connect", &url]);
    client.until("it is open", |client| client.stderr().contains("connected"));
    client.signal("INT");
    assert_eq!(client.finish().code, Some(130));
    server.until("the server saw it", |server| {
        server.stderr().contains("code=1001")
    });
}

#[test]
fn input_that_is_not_utf8_is_named_by_its_line_once_those_before_are_answered() {
    let url = server(|stream| async {
        let mut socket = open(stream).await;
        while let Ok(Some(message)) = socket.recv().await {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let _ = socket.send(message).await;
        }
    });
    let mut client = Running::start(&["connect", &url]);
    let stdin = client.stdin.as_mut().unwrap();
    stdin.write_all(b"good\nbetter\n\xff\xfe\nmore\n").unwrap();
    let finished = client.finish();
    assert_eq!(finished.code, Some(1));
    assert_eq!(finished.stdout, "good\nbetter\n");
    let what = "\nerror: could not read standard input: line 3 ";
    assert!(finished.stderr.contains(what), "{finished:?}");
}
