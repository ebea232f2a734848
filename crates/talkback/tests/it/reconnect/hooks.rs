//! What a program does before each try, and on each new connection.

use super::*;

use std::sync::{Arc, Mutex};

use talkback::{ChannelEvent, Error, HookError, LostCause};

#[tokio::test(start_paused = true)]
async fn re40_the_hook_comes_before_what_is_queued() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server)
        .on_connected(|mut connected| async move {
            connected.send("login").await?;
            Ok(())
        })
        .channel();
    channel.try_send("a").unwrap();
    channel.try_send("b").unwrap();
    let mut peer = accepted(&mut server).await;
    for text in ["login", "a", "b"] {
        assert_eq!(peer.recv().await.unwrap(), Some(text.into()));
    }
    peer.cut();
    in_state(&channel, ChannelState::Retrying).await;
    channel.try_send("c").unwrap();
    let mut peer = accepted(&mut server).await;
    for text in ["login", "c"] {
        assert_eq!(peer.recv().await.unwrap(), Some(text.into()));
    }
}

#[tokio::test(start_paused = true)]
async fn re41_re42_the_hook_takes_its_answer_and_leaves_the_rest() {
    let mut server = ScriptedServer::new();
    let mut channel = reconnecting(&server)
        .on_connected(|mut connected| async move {
            connected.send("login").await?;
            assert_eq!(connected.recv().await?, Some("x".into()));
            Ok(())
        })
        .channel();
    channel.try_send("a").unwrap();
    let mut peer = accepted(&mut server).await;
    assert_eq!(peer.recv().await.unwrap(), Some("login".into()));
    let early = timeout(Duration::from_secs(1), peer.recv()).await;
    assert!(early.is_err(), "{early:?}");
    assert_eq!(channel.state(), ChannelState::Connecting);
    for text in ["x", "y", "z"] {
        peer.feed(text).await.unwrap();
    }
    peer.flush().await.unwrap();
    assert_eq!(peer.recv().await.unwrap(), Some("a".into()));
    let opened = channel.recv_event().await.unwrap();
    assert!(
        matches!(opened, Some(ChannelEvent::Opened(_))),
        "{opened:?}"
    );
    for text in ["y", "z"] {
        let event = channel.recv_event().await.unwrap();
        assert!(
            matches!(&event, Some(ChannelEvent::Message(message)) if message.as_text() == Some(text)),
            "{event:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn re43_what_a_hook_sends_by_the_channel_is_queued() {
    let mut server = ScriptedServer::new();
    let own = Arc::new(Mutex::new(None::<talkback::Sender>));
    let used = Arc::clone(&own);
    let channel = reconnecting(&server)
        .on_connected(move |mut connected| {
            let sender = used.lock().unwrap().clone();
            async move {
                if let Some(sender) = sender {
                    sender.send("c").await?;
                }
                connected.send("login").await?;
                Ok(())
            }
        })
        .channel();
    *own.lock().unwrap() = Some(channel.sender());
    channel.try_send("a").unwrap();
    channel.try_send("b").unwrap();
    let mut peer = accepted(&mut server).await;
    for text in ["login", "a", "b", "c"] {
        assert_eq!(peer.recv().await.unwrap(), Some(text.into()));
    }
    own.lock().unwrap().take();
}

#[tokio::test(start_paused = true)]
async fn re44_a_hook_that_fails_closes_and_waits_and_one_that_stops_ends() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server)
        .on_connected(|mut connected| async move {
            match connected.recv().await? {
                Some(message) if message.as_text() == Some("wait") => Err("not now".into()),
                _ => Err(HookError::stop("logged out")),
            }
        })
        .channel();
    for tries in 1..=3 {
        let mut peer = accepted(&mut server).await;
        peer.send("wait").await.unwrap();
        assert_eq!(peer.recv().await.unwrap(), None);
        assert_eq!(peer.close_info().unwrap().code.number(), 1005);
        in_state(&channel, ChannelState::Retrying).await;
        assert_eq!(channel.link().tries(), tries);
        let lost = channel.link().lost().cloned().unwrap();
        assert!(matches!(lost.cause(), LostCause::OnConnected(_)));
        assert!(lost.to_string().contains("not now"), "{lost}");
    }
    let mut peer = accepted(&mut server).await;
    peer.send("stop").await.unwrap();
    let error = channel.ready().await.unwrap_err();
    assert!(matches!(error, Error::Lost(_)), "{error:?}");
    assert!(error.to_string().contains("logged out"), "{error}");
    assert!(no_try(&mut server, LONG).await);
}

#[tokio::test(start_paused = true)]
async fn re45_each_try_has_its_own_token() {
    let mut server = ScriptedServer::new();
    let _channel = reconnecting(&server)
        .before_try(|connect, tried| async move {
            Ok(connect.set_header("Authorization", format!("Bearer {}", tried.number())))
        })
        .channel();
    for number in 1..=3 {
        let attempt = server.next_try().await;
        let request = attempt
            .refuse(StatusCode::SERVICE_UNAVAILABLE)
            .await
            .unwrap();
        let sent = &request.headers()["authorization"];
        assert_eq!(sent, &format!("Bearer {number}"));
    }
}

/// A channel with a `before_try`, whose server answers with these.
async fn answered(statuses: &[u16]) -> (ScriptedServer, WebSocketChannel) {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server)
        .before_try(|connect, _| async { Ok(connect) })
        .channel();
    for status in statuses {
        let attempt = server.next_try().await;
        let status = StatusCode::from_u16(*status).unwrap();
        attempt.refuse(status).await.unwrap();
    }
    (server, channel)
}

#[tokio::test(start_paused = true)]
async fn re46_re47_a_token_gets_one_more_try() {
    let (mut server, channel) = answered(&[401]).await;
    let _peer = accepted(&mut server).await;
    channel.ready().await.unwrap();
    let (mut server, channel) = answered(&[401, 401]).await;
    let error = channel.ready().await.unwrap_err();
    assert!(error.to_string().contains("401"), "{error}");
    assert!(no_try(&mut server, LONG).await);
}

#[tokio::test(start_paused = true)]
async fn re48_without_a_token_of_its_own_it_ends_at_once() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).channel();
    let attempt = server.next_try().await;
    attempt.refuse(StatusCode::UNAUTHORIZED).await.unwrap();
    assert!(
        channel
            .ready()
            .await
            .unwrap_err()
            .to_string()
            .contains("401")
    );
}

#[tokio::test(start_paused = true)]
async fn re49_a_hook_that_fails_is_a_failed_try() {
    let mut server = ScriptedServer::new();
    let waits = Arc::new(Mutex::new(Vec::new()));
    let calls = Arc::clone(&waits);
    let channel = reconnecting(&server)
        .before_try(move |connect, tried| {
            calls.lock().unwrap().push(Instant::now());
            async move {
                match tried.number() {
                    1 | 2 => Err(HookError::from("no network")),
                    _ => Ok(connect),
                }
            }
        })
        .channel();
    for tries in 1..=2 {
        while channel.link().tries() != tries || channel.link().next_try_in().is_none() {
            settle().await;
        }
        let link = channel.link();
        assert!(link.lost().unwrap().to_string().contains("no network"));
    }
    let _peer = accepted(&mut server).await;
    channel.ready().await.unwrap();
    let calls = waits.lock().unwrap();
    // The first wait may be none.
    assert!(calls[2] - calls[1] >= Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn re50_a_hook_that_never_ends_is_given_up() {
    let server = ScriptedServer::new();
    let began = Instant::now();
    let held = Arc::new(());
    let function = Arc::clone(&held);
    let channel = reconnecting(&server)
        .before_try(move |connect, _| {
            let held = Arc::clone(&function);
            async move {
                std::future::pending::<()>().await;
                drop(held);
                Ok(connect)
            }
        })
        .channel();
    settle().await;
    assert_eq!(Arc::strong_count(&held), 3);
    in_state(&channel, ChannelState::Retrying).await;
    assert_eq!(began.elapsed().as_secs(), 30);
    assert_eq!(Arc::strong_count(&held), 2, "its future is dropped");
    assert_eq!(channel.link().tries(), 1);
    let lost = channel.link().lost().cloned().unwrap();
    assert!(lost.to_string().contains("took longer than 30s"), "{lost}");
}

#[tokio::test(start_paused = true)]
async fn re51_an_address_that_is_none_ends_it() {
    let server = ScriptedServer::new();
    let channel = reconnecting(&server)
        .before_try(|_, _| async { Ok(talkback::connect("http:/nowhere")) })
        .channel();
    let error = channel.ready().await.unwrap_err();
    assert!(
        matches!(error, Error::Connect(talkback::ConnectError::Url(_))),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn re52_a_hook_knows_what_was_before() {
    let mut server = ScriptedServer::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let _channel = reconnecting(&server)
        .before_try(move |connect, tried| {
            let lost = tried.lost().is_some();
            let what = (tried.number(), lost, tried.is_unauthorized());
            noted.lock().unwrap().push(what);
            async { Ok(connect) }
        })
        .channel();
    server
        .next_try()
        .await
        .fail(std::io::ErrorKind::ConnectionRefused);
    let attempt = server.next_try().await;
    attempt.refuse(StatusCode::UNAUTHORIZED).await.unwrap();
    let _peer = accepted(&mut server).await;
    let expected = [(1, false, false), (2, true, false), (3, true, true)];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn re112_a_hook_that_hangs_closes_the_connection() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server)
        .on_connected(|connected| async move {
            let _kept = connected;
            std::future::pending().await
        })
        .channel();
    let mut peer = accepted(&mut server).await;
    let began = Instant::now();
    assert_eq!(peer.recv().await.unwrap(), None);
    assert_eq!(began.elapsed().as_secs(), 10);
    in_state(&channel, ChannelState::Retrying).await;
}

#[tokio::test(start_paused = true)]
async fn re113_the_end_of_the_connection_is_the_cause() {
    for is_error in [true, false] {
        let mut server = ScriptedServer::new();
        let channel = reconnecting(&server)
            .on_connected(move |mut connected| async move {
                assert!(connected.recv().await.is_err());
                assert!(connected.send("late").await.is_err());
                match is_error {
                    true => Err("of no account".into()),
                    false => Ok(()),
                }
            })
            .channel();
        let mut peer = accepted(&mut server).await;
        tokio::spawn(async move { peer.close_with(1012, "restart").await });
        in_state(&channel, ChannelState::Retrying).await;
        let lost = channel.link().lost().cloned().unwrap();
        assert_eq!(lost.close_info().unwrap().code.number(), 1012);
        assert_eq!(channel.link().connection(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn re114_a_hook_that_panics_ends_its_channel_alone() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server)
        .on_connected(|_| async { panic!("no such table") })
        .channel();
    let _peer = accepted(&mut server).await;
    let error = channel.ready().await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`on_connected` panicked: no such table"),
        "{error}"
    );
    let other = reconnecting(&server).channel();
    let _peer = accepted(&mut server).await;
    other.ready().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn re115_a_connection_that_a_hook_has_kept_is_of_no_use() {
    let mut server = ScriptedServer::new();
    let kept = Arc::new(Mutex::new(None));
    let keeping = Arc::clone(&kept);
    let channel = reconnecting(&server)
        .on_connected(move |connected| {
            *keeping.lock().unwrap() = Some(connected);
            async { Ok(()) }
        })
        .channel();
    let mut peer = accepted(&mut server).await;
    channel.ready().await.unwrap();
    let mut connected = kept.lock().unwrap().take().unwrap();
    let error = connected.send("late").await.unwrap_err();
    assert!(error.to_string().contains("has returned"), "{error}");
    assert_eq!(error.into_message(), Some("late".into()));
    assert!(connected.recv().await.is_err());
    channel.send("a").await.unwrap();
    assert_eq!(peer.recv().await.unwrap(), Some("a".into()));
}

#[tokio::test(start_paused = true)]
async fn re119_an_address_of_the_hooks_own_has_the_keepalive_too() {
    let mut server = ScriptedServer::new();
    let other = connect(&server);
    let channel = talkback::connect("ws://nowhere.example/")
        .reconnect()
        .before_try(move |_, _| {
            let other = other.clone();
            async { Ok(other) }
        })
        .channel();
    let _silent = accepted(&mut server).await;
    channel.ready().await.unwrap();
    let began = Instant::now();
    in_state(&channel, ChannelState::Retrying).await;
    assert!(began.elapsed() < Duration::from_secs(45));
}
