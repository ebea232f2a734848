//! What the driver does while the program is busy, in virtual time.

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use talkback::{
    ChannelState, CloseCause, CloseCode, Error, Initiator, Keepalive, Message, QueueLimits, Role,
    SendErrorKind, TrySendErrorKind, WebSocket, WebSocketChannel,
};
use tokio::io::{AsyncReadExt, BufStream, DuplexStream, duplex};
use tokio::time::{Instant, sleep, timeout};

const MIB: usize = 1024 * 1024;

fn sockets(buffer: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (client, server) = duplex(buffer);
    let end = |io, role| WebSocket::from_upgraded(io, role);
    (end(client, Role::Client), end(server, Role::Server))
}

/// A client's channel, and the server's end as a socket that is polled by hand.
fn channel(buffer: usize) -> (WebSocketChannel, WebSocket<DuplexStream>) {
    let (client, server) = sockets(buffer);
    (client.into(), server)
}

/// Lets every task run until all of them wait.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_while_the_program_does_not_read() {
    let (channel, mut server) = channel(64 * 1024);
    server.set_keepalive(Duration::from_secs(1));
    // 10 s, ten pings: an unanswered one would end the connection.
    let silence = timeout(Duration::from_secs(10), server.recv()).await;
    assert!(silence.is_err(), "{silence:?}");
    assert!(server.latency().is_some());
    drop(channel);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_transport_cannot_take_at_once_is_counted_until_it_is_written() {
    let (mut channel, mut server) = channel(1024);
    wait_for_one(&mut channel, &mut server).await;
    channel
        .send(vec![7; 10_000])
        .now_or_never()
        .unwrap()
        .unwrap();
    assert!(channel.buffered_amount() > 8_000);
    assert!(channel.flush().now_or_never().is_none());
    channel.try_send("behind it").unwrap();
    let (flushed, received) = tokio::join!(channel.flush(), async {
        [server.recv().await, server.recv().await].map(|message| message.unwrap().unwrap())
    });
    flushed.unwrap();
    assert_eq!(received, [vec![7; 10_000].into(), "behind it".into()]);
    assert_eq!(channel.buffered_amount(), 0);
}

/// A message comes while the program waits for one, as it then polls the connection by itself.
async fn wait_for_one(channel: &mut WebSocketChannel, server: &mut WebSocket<DuplexStream>) {
    for _ in 0..2 {
        let sending = async {
            settle().await;
            server.send("Hello!").await
        };
        let (received, sent) = tokio::join!(channel.recv(), sending);
        sent.unwrap();
        assert!(received.unwrap().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_while_a_call_that_waits_is_not_polled() {
    let (mut channel, mut server) = channel(64 * 1024);
    wait_for_one(&mut channel, &mut server).await;
    server.set_keepalive(Duration::from_secs(1));
    let mut receiving = std::pin::pin!(channel.recv());
    assert!(futures_util::poll!(receiving.as_mut()).is_pending());
    // Its task is woken, and awaits something else.
    let (first, all) = (Duration::from_millis(1100), Duration::from_secs(10));
    assert!(timeout(first, server.recv()).await.is_err());
    let late = server.latency().expect("the first was answered");
    assert!(late <= Duration::from_millis(60), "{late:?}");
    assert!(timeout(all, server.recv()).await.is_err());
    // Once it was late, it is not waited for any more.
    assert_eq!(server.latency(), Some(Duration::ZERO));
    server.send("still there").await.unwrap();
    assert!(receiving.await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_ping_takes_no_longer_while_a_call_that_waits_is_not_polled() {
    let (mut channel, mut server) = channel(64 * 1024);
    wait_for_one(&mut channel, &mut server).await;
    let sender = channel.sender();
    let mut receiving = std::pin::pin!(channel.recv());
    assert!(futures_util::poll!(receiving.as_mut()).is_pending());
    let answering = timeout(Duration::from_secs(1), server.recv());
    let (latency, silence) = tokio::join!(sender.ping("there?"), answering);
    assert!(silence.is_err());
    assert_eq!(latency.unwrap(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_after_a_wait_is_written_at_once_and_what_follows_by_the_driver() {
    let (mut channel, mut server) = channel(64 * 1024);
    wait_for_one(&mut channel, &mut server).await;
    channel.send("answer").now_or_never().unwrap().unwrap();
    let written = server.recv().now_or_never().expect("it is written");
    assert_eq!(written.unwrap().unwrap().as_text(), Some("answer"));
    channel.flush().now_or_never().unwrap().unwrap();
    assert_eq!(channel.buffered_amount(), 0);
    for text in ["more", "and more"] {
        channel.send(text).now_or_never().unwrap().unwrap();
        assert!(server.recv().now_or_never().is_none());
    }
    for text in ["more", "and more"] {
        let message = server.recv().await.unwrap().unwrap();
        assert_eq!(message.as_text(), Some(text));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_after_a_wait_waits_for_more_if_more_followed_the_last_time() {
    let (mut channel, mut server) = channel(64 * 1024);
    wait_for_one(&mut channel, &mut server).await;
    let rounds = [
        (["first", "more"].as_slice(), true),
        (&["burst", "of two"], false),
        (&["alone"], false),
        (&["alone again"], true),
    ];
    for (texts, is_written) in rounds {
        for text in texts {
            channel.send(*text).now_or_never().unwrap().unwrap();
        }
        let mut received = Vec::new();
        while let Some(message) = server.recv().now_or_never() {
            received.push(message.unwrap().unwrap());
        }
        assert_eq!(received.len(), usize::from(is_written), "{texts:?}");
        // The wait writes what was queued, before any other task runs.
        assert!(channel.recv().now_or_never().is_none());
        while let Some(message) = server.recv().now_or_never() {
            received.push(message.unwrap().unwrap());
        }
        assert_eq!(
            received,
            texts.iter().copied().map(Message::from).collect::<Vec<_>>()
        );
        wait_for_one(&mut channel, &mut server).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_is_answered_while_the_program_does_not_read() {
    let (mut channel, mut server) = channel(64 * 1024);
    server.send("unread").await.unwrap();
    let start = Instant::now();
    let info = server
        .close_with(CloseCode::GOING_AWAY, "restart")
        .await
        .unwrap();
    assert!(info.clean);
    assert!(start.elapsed() < Duration::from_secs(10), "of virtual time");
    // What came before is still there, then the end.
    assert_eq!(
        channel.recv().await.unwrap().unwrap().as_text(),
        Some("unread")
    );
    assert!(channel.recv().await.unwrap().is_none());
    let info = channel.close_info().unwrap();
    assert_eq!(
        (info.code, info.reason.as_str()),
        (CloseCode::GOING_AWAY, "restart")
    );
    assert_eq!(info.initiator, Initiator::Remote);
}

#[tokio::test(start_paused = true)]
async fn a_full_receive_queue_makes_the_peer_wait_and_suspends_the_keepalive() {
    let (client, mut server) = sockets(1024);
    let mut client = client;
    client.set_keepalive(Keepalive::default());
    let mut channel = WebSocketChannel::from(client);
    let mut sent = 0;
    let flooding = async {
        loop {
            server.send(vec![0; 1000]).await.unwrap();
            sent += 1;
        }
    };
    // Ten minutes in which nobody reads: the keepalive would have given up after 40 s.
    assert!(timeout(Duration::from_secs(600), flooding).await.is_err());
    assert!(
        (124..130).contains(&sent),
        "64 fit the queue, 61 or 62 the 64 KiB ahead of it, a few the transport: {sent}"
    );
    assert_eq!(channel.state(), ChannelState::Open);
    for _ in 0..sent {
        assert_eq!(channel.recv().await.unwrap().unwrap().len(), 1000);
    }
    // With capacity in the queue it pings again, and now nobody answers.
    let error = channel.recv().await.unwrap_err();
    assert!(matches!(&error, Error::Closed(info) if info.cause == CloseCause::KeepaliveTimeout));
}

#[tokio::test(start_paused = true)]
async fn v55_a_peer_that_freezes_is_found_dead_after_40_s() {
    let (mut channel, _frozen) = channel(64 * 1024);
    let start = Instant::now();
    let error = channel.recv().await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 40, "of virtual time");
    let Error::Closed(info) = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (info.code, info.cause),
        (CloseCode::ABNORMAL, CloseCause::KeepaliveTimeout)
    );
    assert_eq!(info.initiator, Initiator::Local);
}

#[tokio::test(start_paused = true)]
async fn latency_is_that_of_the_last_ping() {
    let (channel, mut server) = channel(64 * 1024);
    let serving = tokio::spawn(async move { server.recv().await });
    assert_eq!(channel.latency(), None);
    sleep(Duration::from_secs(21)).await;
    assert!(channel.latency().is_some());
    channel.close().await.unwrap();
    assert!(serving.await.unwrap().unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_full_send_queue_says_so_hands_back_and_waits() {
    let (channel, _silent) = channel(16);
    settle().await;
    let mut queued = 0;
    let full = loop {
        match channel.try_send(vec![7; 10_000]) {
            Ok(()) => queued += 1,
            Err(error) => break error,
        }
        settle().await;
    };
    assert!(full.is_full());
    assert_eq!(full.into_message().len(), 10_000);
    // The queue's mebibyte, and what the socket holds of 64 KiB.
    assert!((104..115).contains(&queued), "{queued}");
    assert!(channel.buffered_amount() < 2 * MIB);
    // Shorter than the keepalive.
    let waiting = timeout(Duration::from_secs(15), channel.send("x")).await;
    assert!(waiting.is_err());
    // Closing with a full queue ends within the close timeout.
    let start = Instant::now();
    let Err(Error::Send(lost)) = channel.close().await else {
        panic!("what was queued cannot have left");
    };
    assert_eq!(lost.kind(), SendErrorKind::Closed);
    let info = lost.close_info().unwrap();
    assert_eq!(info.cause, CloseCause::CloseTimeout);
    // The queue's, and those that the transport never took.
    let text = lost.to_string();
    assert!(text.starts_with(&format!("{queued} messages")), "{text}");
    assert!(
        start.elapsed() <= Duration::from_secs(11),
        "{:?}",
        start.elapsed()
    );
    let refused = channel.send("late").await.unwrap_err();
    assert_eq!(refused.into_message().unwrap().as_text(), Some("late"));
}

#[tokio::test(start_paused = true)]
async fn queues_are_as_long_as_they_are_told() {
    let (client, server) = sockets(16);
    let one = QueueLimits::default().messages_max(1);
    let three = QueueLimits::default().messages_max(3);
    let client = WebSocketChannel::with_queues(client, three, one);
    // Before its driver has run.
    let queued = (0..9).take_while(|_| client.try_send("x").is_ok());
    assert_eq!(queued.count(), 3);

    let mut server = server;
    let mut sent = 0;
    let flooding = async {
        loop {
            server.send(vec![0; 1000]).await.unwrap();
            sent += 1;
        }
    };
    assert!(timeout(Duration::from_secs(60), flooding).await.is_err());
    assert!(
        (61..67).contains(&sent),
        "the queue's one, 61 or 62 ahead of it, and what is on its way: {sent}"
    );
}

#[tokio::test(start_paused = true)]
async fn dropping_the_channel_delivers_what_is_queued_and_closes() {
    let (channel, mut server) = channel(1024);
    let sender = channel.sender();
    for number in 0..50 {
        channel.try_send(format!("{number}")).unwrap();
    }
    drop(channel);
    let refused = sender.try_send("late").unwrap_err();
    assert_eq!(refused.kind(), TrySendErrorKind::Closed);
    // Whoever dropped the channel did not call `close`.
    let text = refused.to_string();
    assert!(
        text.ends_with("before you close or drop the channel"),
        "{text}"
    );
    let mut count = 0;
    while let Some(message) = server.recv().await.unwrap() {
        assert_eq!(message.as_text(), Some(count.to_string().as_str()));
        count += 1;
    }
    assert_eq!(count, 50);
    let info = server.close_info().unwrap();
    assert_eq!((info.code, info.clean), (CloseCode::NO_CODE, true));
    assert!(sender.closed().await.unwrap().clean);
}

#[tokio::test(start_paused = true)]
async fn dropping_only_the_receiver_discards_and_dropping_the_last_half_closes() {
    let (channel, mut server) = channel(1024);
    let (sender, receiver) = channel.split();
    drop(receiver);
    for _ in 0..1_000 {
        server.send(vec![0; 100]).await.unwrap();
    }
    sender.send("still open").await.unwrap();
    assert_eq!(
        server.recv().await.unwrap().unwrap().as_text(),
        Some("still open")
    );
    let other = sender.clone();
    drop(sender);
    settle().await;
    assert_eq!(other.state(), ChannelState::Open);
    drop(other);
    assert!(server.recv().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn watches_are_no_handles() {
    let (channel, mut server) = channel(1024);
    let mut watch = channel.snapshots();
    drop(channel);
    assert!(server.recv().await.unwrap().is_none());
    // The version at the beginning, perhaps one of closing, the end; then nothing.
    let last = watch.by_ref().collect::<Vec<_>>().await.pop().unwrap();
    assert!(last.close.unwrap().clean);
}

#[tokio::test(start_paused = true)]
async fn close_from_two_senders_and_twice_gives_all_the_same() {
    let (channel, mut server) = channel(1024);
    let senders = [channel.sender(), channel.sender()];
    let first = senders[0].close_with(4000, "one").unwrap();
    let second = senders[1].close_with(4001, "two").unwrap();
    let third = channel.close();
    let serving = tokio::spawn(async move { server.recv().await });
    let (first, second, third) = tokio::join!(first, second, third);
    assert_eq!(first.as_ref().unwrap().code, 4000);
    assert_eq!(first.clone().unwrap(), second.unwrap());
    assert_eq!(first.unwrap(), third.unwrap());
    assert!(serving.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_close_frame_that_may_not_be_sent_closes_nothing() {
    let (channel, _server) = channel(1024);
    for (code, reason) in [
        (1005, ""),
        (2999, ""),
        (5000, ""),
        (1000, &*"x".repeat(124)),
    ] {
        assert!(channel.close_with(code, reason).is_err(), "{code}");
    }
    settle().await;
    assert_eq!(channel.state(), ChannelState::Open);
}

#[tokio::test(start_paused = true)]
async fn closing_while_connecting_with_messages_queued_ends_within_the_close_timeout() {
    // Nobody answers the handshake; tokio's clock is paused, so the socket is real and silent.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let channel = talkback::connect(url)
        .timeout(Duration::from_secs(3600))
        .channel();
    channel.try_send("queued").unwrap();
    let start = Instant::now();
    let Err(Error::Send(lost)) = channel.close().await else {
        panic!("what was queued cannot have left");
    };
    let info = lost.close_info().unwrap();
    assert!(matches!(info.cause, CloseCause::NotOpened(_)), "{info:?}");
    let text = info.to_string();
    assert_eq!(
        text,
        "not open: this end closed or dropped it before it was open"
    );
    assert!(
        start.elapsed() <= Duration::from_secs(11),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_a_stream_and_a_sink() {
    let (mut channel, mut server) = channel(64);
    let serving = tokio::spawn(async move {
        while let Ok(Some(message)) = server.recv().await {
            server.send(message).await.unwrap();
        }
    });
    let mut messages =
        futures_util::stream::iter((0..200).map(|number| Ok(Message::from(number.to_string()))));
    let (mut sink, stream) = (&mut channel).split();
    let sending = async {
        sink.send_all(&mut messages).await.unwrap();
        sink.flush().await.unwrap();
    };
    let receiving = stream.take(200).collect::<Vec<_>>();
    let ((), received) = tokio::join!(sending, receiving);
    let last = received.last().unwrap().as_ref().unwrap();
    assert_eq!(last.as_text(), Some("199"));
    drop(sink);
    drop(received);
    SinkExt::close(&mut channel).await.unwrap();
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn flush_waits_until_everything_is_written() {
    let (channel, mut server) = channel(16);
    channel.try_send(vec![1; 100_000]).unwrap();
    settle().await;
    assert!(
        channel.flush().now_or_never().is_none(),
        "the peer has not read"
    );
    let (flushed, received) = tokio::join!(channel.flush(), server.recv());
    flushed.unwrap();
    assert_eq!(received.unwrap().unwrap().len(), 100_000);
}

/// As TLS does, which leaves the rest to a flush.
#[tokio::test(start_paused = true)]
async fn flush_waits_for_what_the_transport_keeps_in_a_buffer_of_its_own() {
    let (near, mut far) = duplex(64);
    let near = BufStream::with_capacity(1024, 64 * 1024, near);
    let channel = WebSocketChannel::from(WebSocket::from_upgraded(near, Role::Client));
    channel.try_send(vec![1; 10_000]).unwrap();
    settle().await;
    assert!(channel.flush().now_or_never().is_none());
    far.read_exact(&mut [0; 9_900]).await.unwrap();
    settle().await;
    assert!(channel.flush().now_or_never().is_none());
    far.read_exact(&mut [0; 100]).await.unwrap();
    settle().await;
    channel.flush().now_or_never().unwrap().unwrap();

    // What never left is not said to be written.
    channel.try_send(vec![1; 10_000]).unwrap();
    settle().await;
    drop(far);
    let lost = channel.closed().await.unwrap_err().to_string();
    assert!(
        lost.starts_with("a message that was queued was not written"),
        "{lost}"
    );
}

#[tokio::test(start_paused = true)]
async fn flush_does_not_wait_for_a_ping_behind_the_message() {
    let (near, mut far) = duplex(16);
    let mut client = WebSocket::from_upgraded(near, Role::Client);
    client.set_keepalive(Keepalive::default());
    let channel = WebSocketChannel::from(client);
    // The driver takes the message when the first ping is due.
    sleep(Keepalive::default().ping_after()).await;
    channel.try_send(vec![1; 100]).unwrap();
    settle().await;
    // Of a frame of 6 + 100 bytes the last 16 are on their way, and nothing behind it.
    far.read_exact(&mut [0; 90]).await.unwrap();
    settle().await;
    channel.flush().now_or_never().unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_reported_is_not_reported_again() {
    let (mut client, server) = sockets(1024);
    drop(server);
    client.recv().await.unwrap_err();
    let mut channel = WebSocketChannel::from(client);
    assert!(channel.recv().await.unwrap().is_none());
    assert_eq!(channel.close_info().unwrap().code, CloseCode::ABNORMAL);
    assert!(channel.snapshots().latest().error.is_none());
    assert!(channel.send("late").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_messages_each_way_from_100_tasks_keep_their_order() {
    let (mut channel, mut server) = channel(64 * 1024);
    let serving = tokio::spawn(async move {
        while let Ok(Some(message)) = server.recv().await {
            server.feed(message).await.unwrap();
        }
    });
    for task in 0..100 {
        let sender = channel.sender();
        tokio::spawn(async move {
            for number in 0..100 {
                sender.send(format!("{task} {number}")).await.unwrap();
            }
        });
    }
    let mut next = [0; 100];
    for _ in 0..10_000 {
        let message = channel.recv().await.unwrap().unwrap();
        let (task, number) = message.as_text().unwrap().split_once(' ').unwrap();
        let next = &mut next[task.parse::<usize>().unwrap()];
        assert_eq!(number.parse::<usize>().unwrap(), *next);
        *next += 1;
    }
    assert_eq!(next, [100; 100]);
    channel.close().await.unwrap();
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_driver_whose_runtime_is_gone_ends_the_channel() {
    let channel = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (channel, server) = channel(1024);
            drop(server);
            channel
        })
    });
    let channel = channel.join().unwrap();
    let info = channel.close().await.unwrap();
    assert_eq!(info.code, CloseCode::ABNORMAL);
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_becomes_a_channel_opens_once() {
    let (channel, _server) = channel(1024);
    let snapshots = channel.snapshots();
    snapshots.latest();
    snapshots.on_change(|| panic!("it was open from the beginning"));
    settle().await;
    assert!(!snapshots.has_changed());
    drop(snapshots);
}
