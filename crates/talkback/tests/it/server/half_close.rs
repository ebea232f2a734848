//! What a client sends until it has read the server's close frame, and what becomes of a handler that cannot answer it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use talkback::server::Drain;
use talkback::{CloseCause, DeflateParameters, Error, Incoming, Limits, Message, WebSocketChannel};
use talkback::{MessageKind, SendErrorKind, Sender};
use tokio::time::{Instant, sleep, timeout};

use super::*;

/// A handler that receives in one way or another until the end, and sends back what comes.
#[derive(Clone, Copy, Debug)]
enum Way {
    Recv,
    Incoming,
    Next,
    Reader,
    Halves,
    Writer,
    Notice,
    Channel,
    ChannelHalves,
}

impl Way {
    const ALL: [Self; 9] = [
        Self::Recv,
        Self::Incoming,
        Self::Next,
        Self::Reader,
        Self::Halves,
        Self::Writer,
        Self::Notice,
        Self::Channel,
        Self::ChannelHalves,
    ];

    /// All that came.
    async fn handle(self, mut connection: Connection) -> Vec<Bytes> {
        let mut received = Vec::new();
        match self {
            Self::Recv => {
                while let Some(message) = connection.recv().await.unwrap() {
                    received.push(message.into_bytes());
                    let _ = connection.send("answer").await;
                }
            }
            Self::Incoming => {
                while let Some(incoming) = connection.recv_incoming().await.unwrap() {
                    if let Incoming::Message(message) = incoming {
                        received.push(message.into_bytes());
                    }
                }
            }
            Self::Next => {
                while let Some(message) = connection.next().await {
                    received.push(message.unwrap().into_bytes());
                }
            }
            Self::Reader => {
                while let Some(mut reader) = connection.recv_stream().await.unwrap() {
                    let mut whole = Vec::new();
                    while let Some(piece) = reader.read().await.unwrap() {
                        whole.extend_from_slice(&piece);
                    }
                    received.push(whole.into());
                }
            }
            Self::Halves => return by_halves(connection).await,
            Self::Writer => return by_writer(connection).await,
            Self::Notice => return by_notice(connection).await,
            Self::Channel => {
                let mut channel = WebSocketChannel::from(connection);
                while let Some(message) = channel.recv().await.unwrap() {
                    received.push(message.into_bytes());
                    let _ = channel.send("answer").await;
                }
                assert!(channel.close_info().unwrap().clean);
            }
            Self::ChannelHalves => {
                let channel = WebSocketChannel::from(connection);
                let (sender, mut receiver): (Sender, _) = channel.split();
                while let Some(message) = receiver.recv().await.unwrap() {
                    received.push(message.into_bytes());
                }
                let error = sender.send("late").await.unwrap_err();
                assert_eq!(error.kind(), SendErrorKind::Closed);
            }
        }
        received
    }
}

async fn by_halves(connection: Connection) -> Vec<Bytes> {
    let mut received = Vec::new();
    let (mut sink, mut stream) = connection.split();
    let sending = async {
        while sink.send("tick".into()).await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    let receiving = async {
        while let Some(message) = stream.next().await {
            received.push(message.unwrap().into_bytes());
        }
    };
    tokio::join!(sending, receiving);
    received
}

async fn by_writer(mut connection: Connection) -> Vec<Bytes> {
    let mut received = Vec::new();
    let mut writer = connection.send_stream(MessageKind::Text).unwrap();
    while received.len() < 5
        && let Some(message) = writer.recv().await.unwrap()
    {
        received.push(message.into_bytes());
        // It is cut off by the close frame.
        let _ = writer.write("more").await;
    }
    drop(writer);
    while let Some(message) = connection.recv().await.unwrap() {
        received.push(message.into_bytes());
    }
    received
}

async fn by_notice(mut connection: Connection) -> Vec<Bytes> {
    let mut received = Vec::new();
    let mut draining = connection.draining();
    let mut is_told = false;
    loop {
        tokio::select! {
            message = connection.recv() => match message.unwrap() {
                Some(message) => received.push(message.into_bytes()),
                None => break,
            },
            () = &mut draining, if !is_told => {
                connection.send("soon").await.unwrap();
                is_told = true;
            }
        }
    }
    received
}

/// Whole, in fragments with a ping between, and larger than what the transport holds.
async fn say(peer: &mut Peer, number: u8) -> Bytes {
    let whole = Bytes::from(vec![number; 1 + 700 * usize::from(number % 4)]);
    if number.is_multiple_of(2) {
        peer.send(Message::from(whole.clone())).await.unwrap();
        return whole;
    }
    let mut writer = peer.send_stream(MessageKind::Binary).unwrap();
    let (front, back) = whole.split_at(whole.len() / 2);
    writer.write(front.to_vec()).await.unwrap();
    writer.flush().await.unwrap();
    writer.ping("?").await.unwrap();
    writer.write(back.to_vec()).await.unwrap();
    writer.finish().await.unwrap();
    whole
}

#[tokio::test(start_paused = true)]
async fn dr17_what_a_client_sends_until_it_has_read_the_close_frame_is_received() {
    for is_compressed in [false, true] {
        for way in Way::ALL {
            let connections = Connections::new();
            let (near, far) = duplex(1024);
            let compress = |socket: WebSocket<DuplexStream>| match is_compressed {
                true => socket.with_deflate(&DeflateParameters::default()),
                false => socket,
            };
            let server = compress(WebSocket::from_upgraded(near, Role::Server));
            let mut peer = compress(WebSocket::from_upgraded(far, Role::Client));
            let connection = connections.admit(None).unwrap().open(server);
            let handler = tokio::spawn(way.handle(connection));
            settle().await;
            let mut sent = Vec::new();
            for number in 0..3 {
                sent.push(say(&mut peer, number).await);
            }
            settle().await;
            let told = connections.clone();
            let drain = async move { told.drain(Drain::default()).await };
            // One has begun, and its end comes behind the close frame.
            let mut writer = peer.send_stream(MessageKind::Text).unwrap();
            writer.write("half and ").await.unwrap();
            writer.flush().await.unwrap();
            settle().await;
            let draining = tokio::spawn(drain);
            settle().await;
            writer.write("half").await.unwrap();
            writer.finish().await.unwrap();
            drop(writer);
            sent.push("half and half".into());
            for number in 3..7 {
                sent.push(say(&mut peer, number).await);
            }
            let info = end(peer).await;
            let told = (info.code.number(), info.clean);
            assert_eq!(told, (1012, true), "{way:?}: {info}");
            assert_eq!(handler.await.unwrap(), sent, "{way:?}");
            let report = draining.await.unwrap();
            assert_eq!((report.closed, report.cut), (1, 0), "{way:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dr17_whoever_closes_by_itself_after_it_was_ordered_discards_the_rest() {
    let connections = Connections::new();
    let (mut connection, mut peer) = open(&connections);
    let handler = tokio::spawn(async move {
        let first = connection.recv().await.unwrap();
        (first, connection.close().await)
    });
    settle().await;
    assert_eq!(connections.close_where(|_| true, 4001, "out"), Ok(1));
    settle().await;
    for _ in 0..10 {
        peer.send(vec![7; 500]).await.unwrap();
        settle().await;
    }
    assert_eq!(end(peer).await.code, 4001);
    let (first, info) = handler.await.unwrap();
    assert_eq!((first, info.clean), (Some(vec![7; 500].into()), true));
}

#[tokio::test(start_paused = true)]
async fn dr17_a_channel_whose_queue_is_full_has_all_that_came_once_it_is_read() {
    let connections = Connections::new();
    let (connection, mut peer) = open(&connections);
    let mut channel = WebSocketChannel::from(connection);
    settle().await;
    let sending = tokio::spawn(async move {
        for number in 0..400u32 {
            peer.send(vec![number as u8; 1_000]).await.unwrap();
        }
        peer
    });
    sleep(Duration::from_secs(1)).await;
    assert!(!sending.is_finished(), "it waits");
    assert_eq!(connections.close_where(|_| true, 4001, ""), Ok(1));
    sleep(Duration::from_secs(5)).await;
    for number in 0..400u32 {
        let message = channel.recv().await.unwrap().unwrap();
        assert_eq!(message.as_bytes(), vec![number as u8; 1_000]);
    }
    let peer = tokio::spawn(end(sending.await.unwrap()));
    assert_eq!(channel.recv().await.unwrap(), None);
    assert!(channel.close_info().unwrap().clean);
    assert_eq!(peer.await.unwrap().code, 4001);
}

#[tokio::test(start_paused = true)]
async fn dr17_a_channel_that_is_closed_or_dropped_after_it_was_ordered_waits_for_no_reader() {
    for is_dropped in [false, true] {
        let connections = Connections::new();
        let (connection, mut peer) = open(&connections);
        let channel = WebSocketChannel::from(connection);
        settle().await;
        let peer = tokio::spawn(async move {
            for _ in 0..400 {
                peer.send(vec![0; 1_000]).await.unwrap();
            }
            end(peer).await
        });
        sleep(Duration::from_secs(1)).await;
        assert_eq!(connections.close_where(|_| true, 4001, ""), Ok(1));
        sleep(Duration::from_secs(1)).await;
        assert!(!peer.is_finished());
        let start = Instant::now();
        match is_dropped {
            true => drop(channel),
            false => assert!(channel.close().await.unwrap().clean),
        }
        let info = peer.await.unwrap();
        assert!(info.clean && info.code == 4001, "{info}");
        // The peer waits for the end of TCP for a second at most.
        assert!(start.elapsed() <= Duration::from_secs(1));
    }
}

/// What most handlers are.
async fn answer(mut connection: Connection) -> Result<(), Error> {
    while let Some(message) = connection.recv().await? {
        connection.send(message).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn dr18_a_handler_that_ends_as_it_cannot_answer_leaves_a_closing_handshake_behind() {
    let connections = Connections::new();
    let (connection, mut peer) = open(&connections);
    let handler = tokio::spawn(answer(connection));
    peer.send("first").await.unwrap();
    assert_eq!(peer.recv().await.unwrap(), Some("first".into()));
    let told = connections.clone();
    let draining = tokio::spawn(async move { told.drain(Drain::default()).await });
    settle().await;
    // More than its transport holds, which somebody has to read.
    for _ in 0..20 {
        peer.send(vec![7; 500]).await.unwrap();
    }
    let error = handler.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Send(_)), "{error}");
    assert_eq!(connections.len(), 1, "it has its place until it has ended");
    let info = end(peer).await;
    assert_eq!((info.code.number(), info.clean), (1012, true), "{info}");
    let report = draining.await.unwrap();
    assert_eq!((report.closed, report.cut), (1, 0));
    assert!(connections.is_empty());
}

#[tokio::test(start_paused = true)]
async fn dr18_one_whose_peer_does_not_answer_is_over_with_the_close_timeout_or_the_drain() {
    for (deadline, took) in [(25, 10), (4, 4)] {
        let connections = Connections::new();
        let (connection, mut peer) = open(&connections);
        connections.run(connection, |connection| async move {
            let _ = answer(connection).await;
        });
        settle().await;
        let drain = Drain::default().deadline(Duration::from_secs(deadline));
        let told = connections.clone();
        let draining = tokio::spawn(async move { told.drain(drain).await });
        settle().await;
        let mut count = 0;
        // It never reads.
        while peer.send(vec![7; 500]).await.is_ok() {
            count += 1;
            sleep(Duration::from_millis(10)).await;
        }
        assert!(count > 100);
        let report = draining.await.unwrap();
        assert_eq!((report.closed, report.cut), (0, 1));
        assert_eq!(report.took.as_secs(), took);
        assert!(connections.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn dr17_a_flood_behind_the_close_frame_ends_with_the_close_timeout_and_keeps_to_the_limits() {
    let limits = Limits::default().message_size_max(600);
    for size in [500, 700] {
        let connections = Connections::new();
        let (near, far) = duplex(1024);
        let server = WebSocket::from_upgraded(near, Role::Server).with_limits(limits.clone());
        let mut peer = WebSocket::from_upgraded(far, Role::Client);
        let mut connection = connections.admit(None).unwrap().open(server);
        let handler = tokio::spawn(async move {
            let mut count = 0;
            while let Ok(Some(_)) = connection.recv().await {
                count += 1;
            }
            (count, connection.close_info().unwrap().cause.clone())
        });
        settle().await;
        assert_eq!(connections.close_where(|_| true, 4001, ""), Ok(1));
        let start = Instant::now();
        while let Ok(Ok(())) = timeout(Duration::from_secs(60), peer.send(vec![7; size])).await {
            sleep(Duration::from_millis(1)).await;
        }
        let (count, cause) = handler.await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 10);
        match size {
            500 => assert!(
                count > 1_000 && cause == CloseCause::CloseTimeout,
                "{cause:?}"
            ),
            _ => assert!(
                count == 0 && matches!(cause, CloseCause::Protocol(_)),
                "{cause:?}"
            ),
        }
        assert!(connections.is_empty());
    }
}
