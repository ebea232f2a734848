//! How many clients `talkback listen` takes, what it hands on among them, and how it lets go of them.

use talkback::Message;

use crate::listen::{client, listen, next, status};

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
        first.send(&text).await.unwrap();
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
async fn dr2_many_are_closed_over_the_spread_which_the_deadline_ends() {
    // More than are closed at once.
    for (spread, deadline) in [("0", "25"), ("3600", "0.5")] {
        let options = ["--drain-spread", spread, "--drain-deadline", deadline];
        let (server, url) = listen(&options);
        let mut sockets = Vec::new();
        for number in 1..=20 {
            sockets.push(client(&server, &url, number).await);
        }
        server.signal("TERM");
        for socket in &mut sockets {
            let _ = socket.recv().await;
            let code = socket.close_info().unwrap().code;
            assert!(spread != "0" || code == 1012, "{code}");
        }
        assert_eq!(server.finish().code, Some(143));
    }
}
