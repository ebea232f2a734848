//! What becomes of messages.

use super::*;

use futures_util::SinkExt;
use talkback::{Fate, Message, QueueLimits, SendErrorKind, TrySendErrorKind};

/// A message that does not fit into what the scripted transport holds.
fn large() -> Message {
    vec![0; 1024 * 1024].into()
}

#[tokio::test(start_paused = true)]
async fn re55_a_queue_that_is_full_hands_the_message_back() {
    let mut server = ScriptedServer::new();
    let limits = QueueLimits::default().messages_max(64);
    let channel = connect(&server).send_queue(limits).reconnect().channel();
    accepted(&mut server).await.cut();
    in_state(&channel, ChannelState::Retrying).await;
    for number in 0..64 {
        channel.try_send(number.to_string()).unwrap();
    }
    let error = channel.try_send("64").unwrap_err();
    assert_eq!(error.kind(), TrySendErrorKind::Full);
    assert_eq!(error.into_message(), "64".into());
    // One that waits goes on when the channel is open again, behind the others.
    let sender = channel.sender();
    let waiting = tokio::spawn(async move { sender.send("65").await });
    let mut peer = accepted(&mut server).await;
    for number in (0..64).chain([65]) {
        let expected = number.to_string();
        assert_eq!(peer.recv().await.unwrap(), Some(expected.into()));
    }
    waiting.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn re57_a_send_that_waits_learns_of_the_end() {
    let mut server = ScriptedServer::new();
    let limits = QueueLimits::default().messages_max(1);
    let channel = connect(&server)
        .send_queue(limits)
        .reconnect()
        .tries_max(1)
        .channel();
    channel.try_send("a").unwrap();
    let sender = channel.sender();
    let waiting = tokio::spawn(async move { sender.send("b").await });
    settle().await;
    server
        .next_try()
        .await
        .fail(std::io::ErrorKind::ConnectionRefused);
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Closed);
    assert_eq!(error.into_message(), Some("b".into()));
}

#[tokio::test(start_paused = true)]
async fn re58_the_oldest_go_for_the_new_ones() {
    let mut server = ScriptedServer::new();
    let limits = QueueLimits::default().messages_max(64);
    let channel = connect(&server)
        .send_queue(limits)
        .reconnect()
        .drop_oldest()
        .channel();
    accepted(&mut server).await.cut();
    in_state(&channel, ChannelState::Retrying).await;
    let mut receipts = Vec::new();
    for number in 1..=70 {
        receipts.push(channel.send_tracked(number.to_string()).unwrap());
    }
    assert_eq!(channel.link().dropped(), 6);
    let mut peer = accepted(&mut server).await;
    for number in 7..=70 {
        assert_eq!(peer.recv().await.unwrap(), Some(number.to_string().into()));
    }
    for (index, receipt) in receipts.into_iter().enumerate() {
        let fate = match index {
            0..6 => Fate::Dropped,
            _ => Fate::Written { connection: 2 },
        };
        assert_eq!(receipt.await, fate, "{index}");
    }
}

#[tokio::test(start_paused = true)]
async fn re59_a_slow_connection_loses_nothing() {
    let mut server = ScriptedServer::new();
    let limits = QueueLimits::default().messages_max(4);
    let channel = connect(&server)
        .send_queue(limits)
        .reconnect()
        .drop_oldest()
        .channel();
    let mut peer = accepted(&mut server).await;
    channel.ready().await.unwrap();
    let mut sent = 0;
    let error = loop {
        match channel.try_send(large()) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        settle().await;
    };
    assert!(error.is_full() && channel.link().dropped() == 0);
    for _ in 0..sent {
        assert_eq!(peer.recv().await.unwrap().unwrap().len(), large().len());
    }
}

#[tokio::test(start_paused = true)]
async fn re62_what_is_too_old_is_not_sent() {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server)
        .age_max(Duration::from_secs(30))
        .channel();
    let attempt = server.next_try().await;
    let began = Instant::now();
    let old = channel.send_tracked("a").unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    attempt.fail(std::io::ErrorKind::ConnectionRefused);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let young = channel.send_tracked("b").unwrap();
    tokio::time::sleep_until(began + Duration::from_secs(40)).await;
    channel.reconnect_now();
    // Those that came meanwhile are given up.
    let mut peer = loop {
        let attempt = server.next_try().await;
        match timeout(Duration::from_secs(1), attempt.accept()).await {
            Ok(Ok(peer)) => break peer,
            _ => continue,
        }
    };
    assert_eq!(peer.recv().await.unwrap(), Some("b".into()));
    assert_eq!(old.await, Fate::Dropped);
    assert_eq!(young.await, Fate::Written { connection: 1 });
    assert_eq!(channel.link().dropped(), 1);
}

#[tokio::test(start_paused = true)]
async fn re65_one_message_of_any_size_fits() {
    let (_server, channel) = retrying().await;
    channel.try_send(vec![0; 3 * 1024 * 1024]).unwrap();
    assert!(channel.try_send("b").unwrap_err().is_full());
}

#[tokio::test(start_paused = true)]
async fn re66_several_senders_have_one_order() {
    let (mut server, channel) = retrying().await;
    let other = channel.sender();
    for number in 0..10 {
        match number % 2 {
            0 => channel.try_send(number.to_string()).unwrap(),
            _ => other.try_send(number.to_string()).unwrap(),
        }
    }
    let mut peer = accepted(&mut server).await;
    for number in 0..10 {
        assert_eq!(peer.recv().await.unwrap(), Some(number.to_string().into()));
    }
}

#[tokio::test(start_paused = true)]
async fn re67_what_is_cut_in_its_midst_is_not_sent_again() {
    let (mut server, channel, mut peer) = open().await;
    peer.cut_after(512 * 1024);
    let receipt = channel.send_tracked(large()).unwrap();
    let reading = tokio::spawn(async move { while let Ok(Some(_)) = peer.recv().await {} });
    in_state(&channel, ChannelState::Retrying).await;
    reading.await.unwrap();
    assert_eq!(receipt.await, Fate::Unknown { connection: 1 });
    assert_eq!(channel.link().lost().unwrap().unknown(), 1);
    channel.try_send("next").unwrap();
    let mut peer = accepted(&mut server).await;
    assert_eq!(peer.recv().await.unwrap(), Some("next".into()));
}

#[tokio::test(start_paused = true)]
async fn re68_what_was_written_stays_written() {
    let (_server, channel, peer) = open().await;
    let mut receipts = Vec::new();
    for _ in 0..4 {
        receipts.push(channel.send_tracked("small").unwrap());
    }
    channel.flush().await.unwrap();
    // Of this one a part does not fit between, and the others are handed over behind it.
    receipts.push(channel.send_tracked(vec![0; 70_000]).unwrap());
    for _ in 0..5 {
        receipts.push(channel.send_tracked("small").unwrap());
    }
    settle().await;
    peer.cut();
    in_state(&channel, ChannelState::Retrying).await;
    assert_eq!(channel.link().lost().unwrap().unknown(), 6);
    let fates: Vec<_> = receipts.iter().map(talkback::Receipt::fate).collect();
    assert_eq!(fates[..4], [Some(Fate::Written { connection: 1 }); 4]);
    assert_eq!(fates[4..], [Some(Fate::Unknown { connection: 1 }); 6]);
}

#[tokio::test(start_paused = true)]
async fn re33_what_was_never_handed_over_is_unsent() {
    let (_server, channel) = retrying().await;
    let receipt = channel.send_tracked("a").unwrap();
    drop(channel);
    // Nobody takes the try that is made for it.
    assert_eq!(receipt.await, Fate::Unsent);
}

#[tokio::test(start_paused = true)]
async fn re71_flush_tells_of_what_was_in_flight_once() {
    let (mut server, channel, peer) = open().await;
    channel.send(large()).await.unwrap();
    let flushing = channel.flush();
    let cutting = async {
        settle().await;
        peer.cut();
    };
    let began = Instant::now();
    let (flushed, ()) = tokio::join!(flushing, cutting);
    let error = flushed.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::InFlight);
    assert!(began.elapsed() < Duration::from_millis(5));
    assert!(
        error
            .to_string()
            .starts_with("a message may not have arrived"),
        "{error}"
    );
    let mut peer = accepted(&mut server).await;
    channel.send("next").await.unwrap();
    channel.flush().await.unwrap();
    assert_eq!(peer.recv().await.unwrap(), Some("next".into()));
}

#[tokio::test(start_paused = true)]
async fn re71_each_handle_is_told_whoever_flushes_first() {
    let mut server = ScriptedServer::new();
    let limits = QueueLimits::default().bytes_max(8 << 20);
    let channel = connect(&server).send_queue(limits).reconnect().channel();
    let peer = accepted(&mut server).await;
    let mut others = [(); 3].map(|()| channel.sender());
    for other in &others {
        other.send(large()).await.unwrap();
    }
    let is_told = |flushed: Result<(), talkback::SendError>| match flushed {
        Ok(()) => false,
        Err(error) => error.kind() == SendErrorKind::InFlight,
    };
    // Two calls wait at the loss, and others are made after they were told.
    let cutting = async {
        settle().await;
        peer.cut();
    };
    let (first, second, ()) = tokio::join!(others[0].flush(), others[0].flush(), cutting);
    assert!(is_told(first) && is_told(second));
    assert!(is_told(others[1].flush().await));
    let as_sink: &mut talkback::Sender = &mut others[2];
    let error = SinkExt::flush(as_sink).await.unwrap_err();
    assert!(error.to_string().contains("may not have arrived"));
    // One that is made now has lost nothing.
    let late = channel.sender();
    let mut peer = accepted(&mut server).await;
    tokio::spawn(async move { while let Ok(Some(_)) = peer.recv().await {} });
    for other in others.iter().chain([&late]) {
        other.send("next").await.unwrap();
        other.flush().await.unwrap();
    }
    assert!(is_told(channel.flush().await));
    channel.flush().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn re72_flush_waits_for_what_is_queued() {
    let (mut server, channel) = retrying().await;
    channel.try_send("a").unwrap();
    let began = Instant::now();
    let mut flushing = Box::pin(channel.flush());
    let failing = timeout(Duration::from_secs(40), &mut flushing);
    let refusing = async {
        loop {
            let attempt = server.next_try().await;
            attempt.fail(std::io::ErrorKind::ConnectionRefused);
            if began.elapsed() > Duration::from_secs(40) {
                break;
            }
        }
    };
    let (waited, ()) = tokio::join!(failing, refusing);
    assert!(waited.is_err());
    let _peer = accepted(&mut server).await;
    flushing.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn re73_a_sink_goes_on_after_its_error() {
    let (mut server, mut channel, peer) = open().await;
    let sink = &mut channel;
    SinkExt::feed(sink, large()).await.unwrap();
    let flushing = SinkExt::flush(&mut channel);
    let cutting = async {
        settle().await;
        peer.cut();
    };
    let (flushed, ()) = tokio::join!(flushing, cutting);
    assert!(
        flushed
            .unwrap_err()
            .to_string()
            .contains("may not have arrived")
    );
    let mut peer = accepted(&mut server).await;
    let reading = tokio::spawn(async move { while let Ok(Some(_)) = peer.recv().await {} });
    let sink = &mut channel;
    SinkExt::send(sink, "next".into()).await.unwrap();
    channel.close().await.unwrap();
    reading.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn re109_what_the_socket_held_does_not_count_any_more() {
    let (_server, channel, peer) = open().await;
    channel.try_send(large()).unwrap();
    settle().await;
    assert!(channel.buffered_amount() > 0);
    peer.cut();
    in_state(&channel, ChannelState::Retrying).await;
    for _ in 0..100 {
        channel.try_send("x").unwrap();
    }
    assert_eq!(channel.buffered_amount(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_of_a_channel_that_does_not_reconnect() {
    let mut server = ScriptedServer::new();
    let channel = connect(&server).channel();
    let receipt = channel.send_tracked("a").unwrap();
    assert_eq!(receipt.fate(), None);
    let peer = accepted(&mut server).await;
    assert_eq!(receipt.await, Fate::Written { connection: 1 });
    let held = channel.send_tracked(large()).unwrap();
    settle().await;
    let queued = channel.send_tracked("b").unwrap();
    peer.cut();
    let _ = channel.closed().await;
    assert_eq!(held.await, Fate::Unknown { connection: 1 });
    assert!(matches!(queued.await, Fate::Unsent | Fate::Unknown { .. }));
}
