//! Tries, waits, verdicts and limits.

use super::*;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use talkback::{
    Backoff, CloseCause, CloseCode, ConnectError, Error, Initiator, Limits, LostCause, Verdict,
};

#[tokio::test(start_paused = true)]
async fn re1_a_first_try_that_is_refused_is_made_again() {
    let mut server = ScriptedServer::new();
    let mut channel = reconnecting(&server).channel();
    assert_eq!(channel.state(), ChannelState::Connecting);
    server
        .next_try()
        .await
        .fail(io::ErrorKind::ConnectionRefused);
    in_state(&channel, ChannelState::Retrying).await;
    let link = channel.link();
    assert_eq!((link.tries(), link.connection()), (1, 0));
    assert!(matches!(
        link.lost().unwrap().cause(),
        LostCause::Connect(ConnectError::Tcp { .. })
    ));
    let next = server.next_try().await;
    assert_eq!(channel.state(), ChannelState::Connecting);
    let mut peer = next.accept().await.unwrap();
    channel.ready().await.unwrap();
    assert_eq!(channel.state(), ChannelState::Open);
    assert_eq!(channel.link().next_try_in(), None);
    peer.send("Hello!").await.unwrap();
    assert_eq!(channel.recv().await.unwrap(), Some("Hello!".into()));
}

#[tokio::test(start_paused = true)]
async fn x11_re2_the_next_try_comes_when_the_link_says() {
    let (mut server, channel) = retrying().await;
    for window in [5, 10, 20, 30, 30, 30] {
        in_state(&channel, ChannelState::Retrying).await;
        let wait = channel.link().next_try_in().unwrap();
        assert!(
            wait <= Duration::from_secs(window),
            "{wait:?} of {window} s"
        );
        let began = Instant::now();
        let next = server.next_try().await;
        let late = began.elapsed().saturating_sub(wait);
        // The timers count in milliseconds.
        assert!(
            began.elapsed() >= wait && late <= Duration::from_millis(2),
            "{late:?}"
        );
        assert_eq!(channel.link().next_try_in(), None);
        next.fail(io::ErrorKind::ConnectionRefused);
        settle().await;
    }
    assert_eq!(channel.link().tries(), 6);
}

#[tokio::test(start_paused = true)]
async fn re4_a_backoff_that_makes_no_sense_is_an_error_of_ready() {
    let server = ScriptedServer::new();
    for factor in [0.5, f64::NAN, f64::INFINITY] {
        let backoff = Backoff::default().factor(factor);
        let channel = reconnecting(&server).backoff(backoff).channel();
        let error = channel.ready().await.unwrap_err();
        assert!(error.to_string().contains("factor"), "{error}");
    }
    // Nobody is asked, who might want another.
    let none = Duration::ZERO;
    let backoff = Backoff::default().first(none).shortest(none);
    let channel = reconnecting(&server)
        .backoff(backoff)
        .decide(|_, _| Verdict::Retry)
        .channel();
    assert!(channel.ready().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn re30_a_wait_may_be_for_ever() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server)
        .decide(|_, _| Verdict::RetryAfter(Duration::MAX))
        .channel();
    server
        .next_try()
        .await
        .fail(io::ErrorKind::ConnectionRefused);
    in_state(&channel, ChannelState::Retrying).await;
    assert!(no_try(&mut server, Duration::from_secs(86_400)).await);
    assert!(channel.reconnect_now());
    let _peer = accepted(&mut server).await;
    channel.ready().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn re10_a_server_that_accepts_and_closes_is_left_alone_for_longer() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).channel();
    let began = Instant::now();
    let mut tries = 0;
    while began.elapsed() < Duration::from_secs(3600) {
        let mut peer = accepted(&mut server).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let _ = peer.close_with(CloseCode::INTERNAL_ERROR, "overload").await;
        tries += 1;
    }
    // In the mean a try each 16 s; with a wait that began anew it were one in 3.5 s.
    assert!((150..330).contains(&tries), "{tries} tries in an hour");
    drop(channel);
}

#[tokio::test(start_paused = true)]
async fn re14_it_gives_up_after_so_many_tries() {
    let mut server = ScriptedServer::new();
    let mut channel = reconnecting(&server).tries_max(3).channel();
    for _ in 0..3 {
        server
            .next_try()
            .await
            .fail(io::ErrorKind::ConnectionRefused);
    }
    let error = channel.ready().await.unwrap_err();
    assert!(matches!(error, Error::GaveUp { tries: 3, .. }), "{error:?}");
    assert!(
        error.to_string().starts_with("gave up after 3 tries"),
        "{error}"
    );
    assert!(matches!(channel.recv().await, Err(Error::GaveUp { .. })));
    assert_eq!(channel.recv().await.unwrap(), None);
    assert!(no_try(&mut server, LONG).await);
    assert_eq!(channel.state(), ChannelState::Closed);
}

#[tokio::test(start_paused = true)]
async fn re15_a_try_under_way_ends_with_the_time() {
    let mut server = ScriptedServer::new();
    let began = Instant::now();
    let limit = Duration::from_secs(60);
    let patient = connect(&server).timeout(Duration::from_secs(3600));
    let channel = patient.reconnect().time_max(limit).channel();
    server
        .next_try()
        .await
        .fail(io::ErrorKind::ConnectionRefused);
    // It is neither taken nor refused.
    let mut hanging = server.next_try().await;
    let given_up = tokio::spawn(async move {
        hanging.given_up().await;
        began.elapsed()
    });
    let error = channel.ready().await.unwrap_err();
    assert!(
        matches!(error, Error::GaveUp { after, .. } if after >= limit),
        "{error:?}"
    );
    assert!(
        began.elapsed() - limit < Duration::from_millis(5),
        "{:?}",
        began.elapsed()
    );
    assert!(given_up.await.unwrap() - limit < Duration::from_millis(5));
}

#[tokio::test(start_paused = true)]
async fn re16_retry_after_is_heeded() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).channel();
    let busy = http::Response::builder()
        .status(503)
        .header("Retry-After", "50");
    let attempt = server.next_try().await;
    attempt.answer(busy.body("").unwrap()).await.unwrap();
    in_state(&channel, ChannelState::Retrying).await;
    let wait = channel.link().next_try_in().unwrap();
    assert!((49..=55).contains(&wait.as_secs()), "{wait:?}");
    drop(channel);
}

#[tokio::test(start_paused = true)]
async fn re19_reconnect_now_does_not_wait_for_it() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).channel();
    let busy = http::Response::builder()
        .status(503)
        .header("Retry-After", "600");
    let attempt = server.next_try().await;
    attempt.answer(busy.body("").unwrap()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(channel.reconnect_now());
    assert!(!no_try(&mut server, Duration::from_millis(5)).await);
}

#[tokio::test(start_paused = true)]
async fn re21_what_cannot_mend_is_said_at_once() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).channel();
    let missing = http::Response::builder().status(404).body("no such feed");
    let attempt = server.next_try().await;
    attempt.answer(missing.unwrap()).await.unwrap();
    let error = channel.ready().await.unwrap_err();
    let Error::Connect(error) = error else {
        panic!("{error:?}")
    };
    assert_eq!(error.refused().unwrap().status, StatusCode::NOT_FOUND);
    assert!(error.to_string().contains("no such feed"), "{error}");
    assert!(no_try(&mut server, LONG).await);
}

#[tokio::test(start_paused = true)]
async fn re23_a_channel_that_was_open_makes_a_few_such_tries() {
    let (mut server, channel, peer) = open().await;
    tokio::time::sleep(Duration::from_secs(35)).await;
    peer.cut();
    for _ in 0..2 {
        let attempt = server.next_try().await;
        attempt.refuse(StatusCode::NOT_FOUND).await.unwrap();
    }
    let peer = accepted(&mut server).await;
    channel.ready().await.unwrap();
    tokio::time::sleep(Duration::from_secs(35)).await;
    peer.cut();
    for _ in 0..4 {
        let attempt = server.next_try().await;
        attempt.refuse(StatusCode::NOT_FOUND).await.unwrap();
    }
    let error = channel.closed().await.unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error:?}");
    assert!(no_try(&mut server, LONG).await);
}

#[tokio::test(start_paused = true)]
async fn re24_re25_a_server_that_goes_away_is_come_back_to() {
    for (code, reason) in [(CloseCode::GOING_AWAY, "restart"), (CloseCode::NO_CODE, "")] {
        let (mut server, channel, mut peer) = open().await;
        let closing = tokio::spawn(async move {
            match code {
                CloseCode::NO_CODE => drop(peer.close().await),
                code => drop(peer.close_with(code, reason).await.unwrap()),
            }
        });
        // In the turn in which the frame comes.
        settle().await;
        assert_eq!(channel.state(), ChannelState::Retrying);
        let lost = channel.link().lost().cloned().unwrap();
        let info = lost.close_info().unwrap();
        assert_eq!((info.code, &*info.reason), (code, reason));
        assert_eq!((info.clean, info.initiator), (true, Initiator::Remote));
        assert_eq!((lost.connection(), lost.unknown()), (1, 0));
        assert!(channel.close_info().is_none());
        closing.await.unwrap();
        accepted(&mut server).await;
    }
}

#[tokio::test(start_paused = true)]
async fn re26_a_server_that_is_done_ends_the_channel() {
    let (mut server, mut channel, mut peer) = open().await;
    tokio::spawn(async move { peer.close_with(CloseCode::NORMAL, "").await });
    assert_eq!(channel.recv().await.unwrap(), None);
    let info = channel.close_info().unwrap();
    assert_eq!(
        (info.code, info.clean, info.initiator),
        (CloseCode::NORMAL, true, Initiator::Remote)
    );
    assert!(channel.close().await.is_ok());
    assert!(no_try(&mut server, LONG).await);
}

#[tokio::test(start_paused = true)]
async fn re27_the_code_decides() {
    for (code, goes_on) in [
        (1002, true),
        (1007, true),
        (1011, true),
        (1012, true),
        (1013, true),
        (1014, true),
        (3008, true),
        (1003, false),
        (1008, false),
        (1009, false),
        (1010, false),
        (3000, false),
        (3999, false),
        (4000, false),
        (4999, false),
    ] {
        let (mut server, mut channel, mut peer) = open().await;
        tokio::spawn(async move { peer.close_with(code, "why").await });
        if goes_on {
            in_state(&channel, ChannelState::Retrying).await;
            accepted(&mut server).await;
            continue;
        }
        let error = channel.recv().await.unwrap_err();
        assert!(matches!(error, Error::Closed(info) if info.code.number() == code));
        assert_eq!(channel.recv().await.unwrap(), None, "{code}");
        assert!(no_try(&mut server, LONG).await, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn re28_what_is_lost_in_the_midst_of_a_message_is_not_given_out() {
    let (mut server, mut channel, mut peer) = open().await;
    peer.send("whole").await.unwrap();
    // Text of 5 bytes, of which 2 come.
    peer.send_raw(b"\x81\x05Ha");
    settle().await;
    peer.cut();
    in_state(&channel, ChannelState::Retrying).await;
    let lost = channel.link().lost().cloned().unwrap();
    let info = lost.close_info().unwrap();
    assert_eq!(info.code, CloseCode::ABNORMAL);
    assert!(
        matches!(info.cause, CloseCause::Transport(_)),
        "{:?}",
        info.cause
    );
    let mut peer = accepted(&mut server).await;
    peer.send("again").await.unwrap();
    assert_eq!(channel.recv().await.unwrap(), Some("whole".into()));
    assert_eq!(channel.recv().await.unwrap(), Some("again".into()));
}

#[tokio::test(start_paused = true)]
async fn re29_the_wait_begins_with_the_close_frame() {
    let (mut server, channel, peer) = open().await;
    peer.send_close(1012, "restart").unwrap();
    settle().await;
    assert_eq!(channel.state(), ChannelState::Retrying);
    // The old connection is given up meanwhile, within the close timeout.
    let began = Instant::now();
    let gone = tokio::spawn(async move {
        peer.gone().await;
        began.elapsed()
    });
    let wait = channel.link().next_try_in().unwrap();
    assert!((4..=30).contains(&wait.as_secs()), "{wait:?}");
    let _second = accepted(&mut server).await;
    assert!(began.elapsed().saturating_sub(wait) <= Duration::from_millis(5));
    assert!(gone.await.unwrap() <= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn re30_the_program_decides_and_is_asked_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server)
        .decide(move |lost, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            match lost.close_info().map(|info| info.code.number()) {
                Some(1000) => Verdict::Retry,
                Some(4000) => Verdict::RetryAfter(Duration::from_secs(7)),
                _ => Verdict::Stop,
            }
        })
        .channel();
    let mut peer = accepted(&mut server).await;
    tokio::spawn(async move { peer.close_with(1000, "").await });
    let mut peer = accepted(&mut server).await;
    tokio::spawn(async move { peer.close_with(4000, "").await });
    in_state(&channel, ChannelState::Retrying).await;
    let wait = channel.link().next_try_in().unwrap();
    assert!(wait > Duration::from_millis(6900), "{wait:?}");
    accepted(&mut server).await.cut();
    let ended = channel.closed().await;
    assert_eq!(ended.unwrap().code, CloseCode::ABNORMAL);
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn re99_the_state_through_a_whole_life() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).channel();
    let mut states = vec![channel.state()];
    let peer = accepted(&mut server).await;
    channel.ready().await.unwrap();
    states.push(channel.state());
    peer.cut();
    in_state(&channel, ChannelState::Retrying).await;
    let link = channel.link();
    assert_eq!(link.state(), ChannelState::Retrying);
    let first = link.next_try_in().unwrap();
    if first > Duration::from_millis(200) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(channel.link().next_try_in().unwrap() < first);
    }
    let attempt = server.next_try().await;
    states.push(channel.state());
    assert_eq!(channel.link().tries(), 1);
    let mut peer = attempt.accept().await.unwrap();
    channel.ready().await.unwrap();
    states.push(channel.state());
    assert_eq!(
        (channel.link().tries(), channel.link().connection()),
        (0, 2)
    );
    let closing = channel.close();
    states.push(channel.state());
    let _ = peer.recv().await;
    closing.await.unwrap();
    states.push(channel.state());
    use ChannelState::{Closed, Closing, Connecting, Open};
    assert_eq!(
        states,
        [Connecting, Open, Connecting, Open, Closing, Closed]
    );
}

#[tokio::test(start_paused = true)]
async fn re100_ready_does_not_miss_a_short_connection() {
    let (mut server, channel) = retrying().await;
    let ready = channel.ready();
    let peer = accepted(&mut server).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let while_open = channel.ready();
    peer.cut();
    in_state(&channel, ChannelState::Retrying).await;
    ready.await.unwrap();
    while_open.await.unwrap();
    let waits = timeout(Duration::ZERO, channel.ready()).await;
    assert!(waits.is_err(), "one that is called now waits for the next");
}

#[tokio::test(start_paused = true)]
async fn re101_several_wait_and_some_are_dropped() {
    let (mut server, channel) = retrying().await;
    let mut waiting: Vec<_> = (0..5).map(|_| tokio::spawn(channel.ready())).collect();
    settle().await;
    for dropped in [3, 0] {
        waiting.remove(dropped).abort();
    }
    settle().await;
    let _peer = accepted(&mut server).await;
    // Each is a task that has to be woken.
    for ready in waiting {
        let ready = timeout(Duration::from_secs(1), ready).await;
        ready.unwrap().unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn re106_another_subprotocol_is_another_protocol() {
    let mut server = ScriptedServer::new();
    let channel = connect(&server)
        .subprotocol("a")
        .subprotocol("b")
        .reconnect()
        .channel();
    let choose =
        |name: &'static str| move |accept: talkback::Accept<_>| accept.subprotocols([name]);
    let peer = server
        .next_try()
        .await
        .accept_with(choose("a"))
        .await
        .unwrap();
    channel.ready().await.unwrap();
    assert_eq!(channel.subprotocol().as_deref(), Some("a"));
    peer.cut();
    in_state(&channel, ChannelState::Retrying).await;
    assert_eq!(channel.subprotocol().as_deref(), Some("a"));
    let mut peer = server
        .next_try()
        .await
        .accept_with(choose("b"))
        .await
        .unwrap();
    // It is closed without a code, and nothing that is queued is sent.
    channel.try_send("for a").unwrap();
    assert_eq!(peer.recv().await.unwrap(), None);
    assert_eq!(peer.close_info().unwrap().code, CloseCode::NO_CODE);
    let lost = channel.link().lost().cloned().unwrap();
    assert!(matches!(lost.cause(), LostCause::Subprotocol { .. }));
    let mut peer = server
        .next_try()
        .await
        .accept_with(choose("a"))
        .await
        .unwrap();
    assert_eq!(peer.recv().await.unwrap(), Some("for a".into()));
}

#[tokio::test(start_paused = true)]
async fn re116_what_is_sent_behind_the_peers_close_frame_is_for_the_next_connection() {
    let (mut server, channel, peer) = open().await;
    peer.send_close(1001, "").unwrap();
    settle().await;
    channel.try_send("next").unwrap();
    let mut peer = accepted(&mut server).await;
    assert_eq!(peer.recv().await.unwrap(), Some("next".into()));
}

#[tokio::test(start_paused = true)]
async fn re117_a_message_that_is_too_big_each_time_is_the_end_at_the_fourth() {
    let mut server = ScriptedServer::new();
    let limits = Limits::default().message_size_max(10);
    let mut channel = connect(&server).limits(limits).reconnect().channel();
    for connection in 1..=4 {
        let mut peer = accepted(&mut server).await;
        channel.ready().await.unwrap();
        assert_eq!(channel.link().connection(), connection);
        peer.send(vec![0; 11]).await.unwrap();
        assert!(peer.recv().await.is_err());
        let told = peer.close_info().unwrap();
        assert_eq!(told.code, CloseCode::MESSAGE_TOO_BIG);
    }
    let ended = timeout(Duration::from_secs(1), channel.recv()).await;
    let error = ended.unwrap().unwrap_err();
    assert!(error.to_string().contains("11 bytes"), "{error}");
    assert!(no_try(&mut server, LONG).await);
}

#[tokio::test(start_paused = true)]
async fn re119_a_peer_that_vanished_is_a_loss() {
    let (mut server, channel, peer) = open().await;
    let began = Instant::now();
    in_state(&channel, ChannelState::Retrying).await;
    assert!((38..45).contains(&began.elapsed().as_secs()));
    let lost = channel.link().lost().cloned().unwrap();
    let info = lost.close_info().unwrap();
    assert_eq!(info.cause, CloseCause::KeepaliveTimeout);
    accepted(&mut server).await;
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn re130_one_try_and_no_wait() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).tries_max(1).channel();
    let began = Instant::now();
    server
        .next_try()
        .await
        .fail(io::ErrorKind::ConnectionRefused);
    let error = channel.ready().await.unwrap_err();
    assert!(matches!(error, Error::GaveUp { tries: 1, .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_millis(5));
}
