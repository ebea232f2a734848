//! How many clients `talkback listen` takes, what it hands on among them, and how it lets go of them.

use talkback::Message;
use tokio::time::timeout;

use crate::listen::{PATIENCE, client, listen, next, status};

#[tokio::test]
async fn broadcast_sends_what_one_client_says_to_the_others() {
    let (mut server, url) = listen(&["--broadcast", "--escape"]);
    let mut first = client(&server, &url, 1).await;
    let mut second = client(&server, &url, 2).await;
    let mut third = client(&server, &url, 3).await;
    let messages: [Message; 2] = ["안녕".into(), vec![0xca, 0xfe].into()];
    for message in &messages {
        second.send(message.clone()).await.unwrap();
        for socket in [&mut first, &mut third] {
            assert_eq!(next(socket).await.as_ref(), Some(message));
        }
    }
    // Nothing came back to who had said it.
    server.type_in("all\n");
    for socket in [&mut first, &mut second, &mut third] {
        assert_eq!(next(socket).await, Some("all".into()));
    }
    assert!(
        server.stdout().starts_with("#2 안녕\n"),
        "{}",
        server.stdout()
    );
}

#[tokio::test]
async fn who_does_not_read_what_the_others_say_holds_up_nobody_and_is_closed() {
    let (server, url) = listen(&["--broadcast", "--json"]);
    // Compressed, it would be next to nothing.
    let connect = || talkback::connect(&*url).compression(None);
    let _silent = connect().await.unwrap();
    let mut first = connect().await.unwrap();
    let mut second = connect().await.unwrap();
    let text = "x".repeat(1 << 20);
    // More than waits with the operating system and in its queue.
    for _ in 0..40 {
        let sent = timeout(PATIENCE, first.send(&text)).await;
        sent.expect("the server reads").unwrap();
        assert_eq!(next(&mut second).await.unwrap().len(), text.len());
    }
    // The close frame is behind what it does not read.
    server.until("it is closed", |server| {
        let closed = "\"connection\":1,\"event\":\"close\"";
        server.stdout().contains(closed)
    });
    // Before a keepalive would have given up any of them.
    first.send("on").await.unwrap();
    assert_eq!(next(&mut second).await, Some("on".into()));
}

#[tokio::test]
async fn who_is_one_too_many_is_refused_and_told_of() {
    let (server, url) = listen(&["--max-connections", "1"]);
    let first = client(&server, &url, 1).await;
    let refused = talkback::connect(&*url).await.unwrap_err();
    assert_eq!(status(&refused), 503);
    let told = "503 Service Unavailable: the server has as many connections as it takes";
    server.until("it is told", |server| server.stderr().contains(told));
    drop(first);
    let one = ["--max-per-address", "1", "--trusted-proxy", "127.0.0.1"];
    let (_server, url) = listen(&one);
    let from = |client: &str| talkback::connect(&*url).header("Forwarded", client);
    let _first = from("for=192.0.2.1").await.unwrap();
    assert_eq!(status(&from("for=192.0.2.1").await.unwrap_err()), 429);
    assert!(from("for=192.0.2.2").await.is_ok());
}

#[tokio::test]
async fn who_says_nothing_for_the_idle_timeout_is_closed_with_3008() {
    let (_server, url) = listen(&["--idle-timeout", "0.3"]);
    let mut socket = talkback::connect(url).await.unwrap();
    socket.send("one").await.unwrap();
    assert!(socket.recv().await.is_err());
    assert_eq!(socket.close_info().unwrap().code, 3008);
}

#[cfg(unix)]
#[tokio::test]
async fn dr2_many_are_closed_over_the_spread_and_the_deadline_cuts_who_does_not_answer() {
    // More than are closed at once.
    for (spread, deadline) in [("0", "25"), ("0.5", "0.5")] {
        let options = ["--drain-spread", spread, "--drain-deadline", deadline];
        let (server, url) = listen(&options);
        let mut sockets = Vec::new();
        for number in 1..=20 {
            sockets.push(client(&server, &url, number).await);
        }
        server.signal("TERM");
        let told = format!("stopping: closing 20 connections, within {deadline} s\n");
        server.until("it says goodbye", |server| server.stderr().contains(&told));
        if spread == "0" {
            for socket in &mut sockets {
                assert!(socket.recv().await.is_err());
                assert_eq!(socket.close_info().unwrap().code, 1012);
            }
        }
        // Nobody reads the others: they are cut.
        assert_eq!(server.finish().code, Some(0));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn dr14_a_second_signal_ends_it_at_once_and_the_exit_code_is_its() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (server, url) = listen(&["--drain-deadline", "3600"]);
        // It never answers the close frame.
        let _silent = client(&server, &url, 1).await;
        server.signal("INT");
        server.until("it says goodbye", |server| {
            server.stderr().contains("stopping: closing 1 connection,")
        });
        server.signal(signal);
        assert_eq!(server.finish().code, Some(code), "{signal}");
    }
}

#[cfg(unix)]
#[test]
fn a_signal_before_the_messages_that_were_asked_for_is_no_success() {
    let (server, _) = listen(&["-1"]);
    server.signal("TERM");
    let finished = server.finish();
    assert_eq!(finished.code, Some(10), "{finished:?}");
}

#[tokio::test]
async fn a_client_behind_a_trusted_proxy_is_told_by_its_own_address() {
    let (server, url) = listen(&["--trusted-proxy", "127.0.0.1", "--json"]);
    let from = |client: &str| talkback::connect(&*url).header("X-Forwarded-For", client);
    let _first = from("192.0.2.1").await.unwrap();
    let _second = client(&server, &url, 2).await;
    let told = "#1 connected from 192.0.2.1 by the proxy 127.0.0.1:";
    server.until("both are printed", |server| {
        server.stderr().contains(told) && server.stdout().lines().count() == 3
    });
    assert!(server.stderr().contains("#2 connected from 127.0.0.1:"));
    let stdout = server.stdout();
    let clients = stdout.lines().skip(1).map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["client"].as_str().map(str::to_owned)
    });
    let clients: Vec<_> = clients.collect();
    assert_eq!(clients, [Some("192.0.2.1".to_owned()), None]);
}

#[tokio::test]
async fn what_is_told_of_proxies_names_the_option() {
    let (server, url) = listen(&["--max-per-address", "1", "--trusted-proxy", "::/0"]);
    let told = "warning: --trusted-proxy ::/0 is every address: any client is believed";
    assert!(server.stderr().contains(told), "{}", server.stderr());
    drop((server, url));
    let (server, url) = listen(&["--max-per-address", "1"]);
    let _first = client(&server, &url, 1).await;
    server.until("it is told", |server| {
        server
            .stderr()
            .contains("if it is, list it by --trusted-proxy\n")
    });
}
