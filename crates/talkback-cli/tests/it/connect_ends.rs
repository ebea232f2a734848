//! `talkback connect`: for what it waits, and when it ends.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use talkback::http::StatusCode;

use crate::support::server::{echo_all, open, server};
use crate::support::{Running, connect, echo};

/// Longer than is waited for without an option.
const LATE: Duration = Duration::from_millis(1300);

/// Answers each message late.
fn answers_late() -> String {
    server(|stream| async {
        let mut socket = open(stream).await;
        while let Ok(Some(message)) = socket.recv().await {
            tokio::time::sleep(LATE).await;
            let _ = socket.send(message).await;
        }
    })
}

#[test]
fn the_wait_after_the_input_is_one_second_or_what_is_asked_for() {
    for (arguments, expected) in [
        (&[][..], ""),
        (&["--wait", "0"], ""),
        (&["--wait", "10"], "Hello!\n"),
        (&["-w", "forever", "-1"], "Hello!\n"),
    ] {
        let finished = connect(&[&[&*answers_late()], arguments].concat(), "Hello!\n");
        assert_eq!(
            (finished.code, &*finished.stdout),
            (Some(0), expected),
            "{arguments:?}"
        );
    }
}

#[test]
fn so_many_messages_are_waited_for_and_no_more() {
    let (_server, url) = echo(&[]);
    let finished = connect(&[&url, "-1"], "a\nb\nc\n");
    assert_eq!((finished.code, &*finished.stdout), (Some(0), "a\n"));
    let finished = connect(&[&answers_late(), "--messages", "2"], "a\nb\n");
    assert_eq!((finished.code, &*finished.stdout), (Some(0), "a\nb\n"));
}

#[test]
fn exit_code_10_is_for_fewer_messages_than_asked_for() {
    let url = server(|stream| async {
        let mut socket = open(stream).await;
        socket.send("one").await.unwrap();
        socket.close().await;
    });
    let finished = connect(&[&url, "--messages", "3"], "");
    assert_eq!(
        (finished.code, &*finished.stdout),
        (Some(10), "one\n"),
        "{finished:?}"
    );
    let last = finished.stderr.lines().last().unwrap();
    assert!(last.starts_with("error: 2 of the messages"), "{last}");
    let finished = connect(&[&answers_late(), "-1", "--wait", "0.1"], "a\n");
    assert_eq!(finished.code, Some(10), "{finished:?}");
}

#[test]
fn what_listens_only_reads_nothing_and_stays() {
    let url = server(|stream| async {
        let mut socket = open(stream).await;
        for number in 0..2 {
            tokio::time::sleep(LATE).await;
            socket.send(number.to_string()).await.unwrap();
        }
        let next = tokio::time::timeout(Duration::from_millis(100), socket.recv()).await;
        assert!(next.is_err(), "{next:?}");
        socket.close_with(4000, "done").await.unwrap();
    });
    let finished = connect(&[&url, "--listen-only"], "not to be sent\n");
    assert_eq!(
        (finished.code, &*finished.stdout),
        (Some(9), "0\n1\n"),
        "{finished:?}"
    );
}

#[test]
fn what_is_given_is_sent_first_and_the_input_after_it() {
    let (_server, url) = echo(&[]);
    let given = ["--send", "a", "--send", "-b"];
    let finished = connect(&[&[&*url], &given[..]].concat(), "c\n");
    assert_eq!(finished.stdout, "a\n-b\nc\n", "{finished:?}");
    // Where messages are counted, the input is not read.
    let mut counting = vec![&*url, "--messages", "2"];
    counting.extend(given);
    let mut client = Running::start(&[&["connect"], &counting[..]].concat());
    let stdin = client.stdin.take();
    let finished = client.finish();
    drop(stdin);
    assert_eq!(
        (finished.code, &*finished.stdout),
        (Some(0), "a\n-b\n"),
        "{finished:?}"
    );
}

#[test]
fn input_that_is_wrong_is_told_and_ends_what_waits() {
    let (_server, url) = echo(&[]);
    for (arguments, input, output) in [
        (&["-1"][..], "zz\n", ""),
        (&["--messages", "2"], "00\nzz\n", "00\n"),
        (&["--wait", "forever"], "00\nzz\n", "00\n"),
        (&["-1", "--max-message", "1"], "000000\n", ""),
    ] {
        let finished = connect(&[&[&*url, "--hex"], arguments].concat(), input);
        assert_eq!(
            (finished.code, &*finished.stdout),
            (Some(1), output),
            "{finished:?}"
        );
        let what = "error: could not read standard input: line ";
        assert_eq!(finished.stderr.matches(what).count(), 1, "{finished:?}");
    }
    // A person that does not wait has seen it.
    let mut client = Running::start(&["connect", &url, "--hex", "--wait", "60"]);
    client.type_in("zz\n");
    client.until("it is told", |client| client.stderr().contains("error: "));
    #[cfg(unix)]
    {
        client.signal("TERM");
        assert_eq!(client.finish().code, Some(143));
    }
}

#[test]
fn exit_code_11_is_for_input_that_was_not_all_sent() {
    let url = server(|stream| async {
        let mut socket = open(stream).await;
        let _ = socket.recv().await;
        socket.close().await;
    });
    let input = "a line of the input\n".repeat(200_000);
    let finished = connect(&[&url], &input);
    assert_eq!(finished.code, Some(11), "{finished:?}");
    let last = finished.stderr.lines().last().unwrap();
    assert!(
        last.contains("closed before all of the input was sent"),
        "{last}"
    );
}

/// The names of the events that were printed, without the messages.
fn events(stdout: &str) -> Vec<String> {
    let events = stdout.lines().map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["event"].as_str().unwrap().to_owned()
    });
    events.filter(|name| name != "message").collect()
}

#[test]
fn what_stays_connected_is_there_again_and_tells_of_it() {
    let count = Arc::new(AtomicUsize::new(0));
    let url = server(move |stream| {
        let count = Arc::clone(&count);
        async move {
            let mut socket = open(stream).await;
            let number = count.fetch_add(1, Ordering::Relaxed);
            socket.send(format!("connection {number}")).await.unwrap();
            if number > 0 {
                echo_all(socket).await;
            }
            // Else it is lost.
        }
    });
    // Nothing is read: what goes to the first connection may be lost with it.
    let arguments = [
        &url,
        "--reconnect",
        "--messages",
        "2",
        "--listen-only",
        "--json",
    ];
    let finished = connect(&arguments, "");
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(events(&finished.stdout), ["open", "lost", "open", "close"]);
    assert!(finished.stderr.contains("Reconnecting."), "{finished:?}");
    assert!(finished.stderr.contains("connected again"), "{finished:?}");
}

#[test]
fn what_no_try_follows_is_no_loss_to_connect_again_after() {
    for (code, exit_code, close) in [(1000, 0, "code 1000"), (4000, 9, "code 4000")] {
        let url = server(move |stream| async move {
            let mut socket = open(stream).await;
            socket.close_with(code, "done").await.unwrap();
        });
        let finished = connect(&[&url, "--reconnect", "--listen-only", "--json"], "");
        assert_eq!(finished.code, Some(exit_code), "{finished:?}");
        assert_eq!(events(&finished.stdout), ["open", "close"]);
        assert!(
            finished.stdout.contains(&format!("\"code\":{code}")),
            "{finished:?}"
        );
        let last = finished.stderr.lines().last().unwrap();
        assert!(
            last.starts_with("closed by the peer, ") && last.contains(close),
            "{last}"
        );
        assert!(!finished.stderr.contains("Reconnecting"), "{finished:?}");
    }
}

#[test]
fn a_refusal_that_ends_a_channel_is_its_last_event() {
    let is_first = std::sync::atomic::AtomicBool::new(true);
    let url = server(move |stream| {
        let is_first = is_first.swap(false, Ordering::Relaxed);
        async move {
            if is_first {
                open(stream).await;
                return;
            }
            let refusal = || talkback::Refusal::new(StatusCode::UNAUTHORIZED, "");
            let accepting = talkback::accept(stream);
            let refusing = accepting.check(async move |_| Err::<(), _>(refusal()));
            assert!(refusing.await.is_err());
        }
    });
    let finished = connect(&[&url, "--reconnect", "--listen-only", "--json"], "");
    assert_eq!(finished.code, Some(6), "{finished:?}");
    assert_eq!(events(&finished.stdout), ["open", "lost", "close"]);
    let last = finished.stdout.lines().last().unwrap();
    assert!(last.contains("1006") && last.contains("401"), "{last}");
}

#[cfg(unix)]
#[test]
fn an_end_between_two_connections_says_so() {
    let is_first = std::sync::atomic::AtomicBool::new(true);
    let url = server(move |stream| {
        let is_first = is_first.swap(false, Ordering::Relaxed);
        async move {
            // Lost at once, and never open again.
            if is_first {
                open(stream).await;
            }
        }
    });
    let client = Running::start(&["connect", &url, "--reconnect", "--listen-only"]);
    client.until("it is lost", |client| {
        client.stderr().contains("Reconnecting.")
    });
    client.signal("TERM");
    let finished = client.finish();
    assert_eq!(finished.code, Some(143));
    let last = finished.stderr.lines().last().unwrap();
    assert!(
        last.starts_with("not open: closed while waiting to connect again: "),
        "{last}"
    );
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    // Nobody else takes it meanwhile.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let url = format!("ws://{address}/");
    let client = Running::start(&["connect", &url, "--retry", "--send", "Hello!", "-1"]);
    client.until("it tries again", |client| {
        client.stderr().contains("trying again")
    });
    let _server = Running::start(&["echo", "--listen", &address]);
    let finished = client.finish();
    assert_eq!(
        (finished.code, &*finished.stdout),
        (Some(0), "Hello!\n"),
        "{finished:?}"
    );
    // No server will be there.
    let client = Running::start(&["connect", "ws://127.0.0.1:1/", "--reconnect", "-v"]);
    client.until("it tries again", |client| {
        let stderr = client.stderr();
        stderr.contains("* DNS: 127.0.0.1:1") && stderr.contains("refused")
    });
    assert!(client.stderr().contains("Trying again."));
    let finished = connect(&["ws://127.0.0.1:1/", "--retry=0.3"], "");
    assert_eq!(finished.code, Some(4), "{finished:?}");
    let last = finished.stderr.lines().last().unwrap();
    assert!(last.contains("refused"), "{finished:?}");
    // What will not pass is not tried again.
    let finished = connect(&["ws://127.0.0.1:1/", "--retry", "-H", "Host: x"], "");
    assert_eq!(finished.code, Some(2), "{finished:?}");
}
