//! A close order reaches a socket however it is polled.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use talkback::server::Connections;
use talkback::{CloseInfo, Message, MessageKind, Role, SendErrorKind, WebSocket, WebSocketChannel};
use tokio::io::{AsyncReadExt as _, duplex};
use tokio::time::sleep;

use super::{Connection, Peer, end, open, settle};

const HUGE: usize = 300 * 1024;

/// A handler that waits for the socket in one way or another until the connection has ended, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Recv,
    Incoming,
    Next,
    Reader,
    Piece,
    Halves,
    TwoTasks,
    Channel,
    FullChannel,
    BlockedSend,
    BlockedFlush,
    Sends,
    Feeds,
    Writer,
}

impl Way {
    const ALL: [Self; 14] = [
        Self::Recv,
        Self::Incoming,
        Self::Next,
        Self::Reader,
        Self::Piece,
        Self::Halves,
        Self::TwoTasks,
        Self::Channel,
        Self::FullChannel,
        Self::BlockedSend,
        Self::BlockedFlush,
        Self::Sends,
        Self::Feeds,
        Self::Writer,
    ];

    async fn handle(self, mut connection: Connection) {
        match self {
            Self::Recv => assert_eq!(connection.recv().await.unwrap(), None),
            Self::Incoming => assert!(connection.recv_incoming().await.unwrap().is_none()),
            Self::Next => assert!(connection.next().await.is_none()),
            Self::Reader => assert!(connection.recv_stream().await.unwrap().is_none()),
            Self::Piece => {
                let mut reader = connection.recv_stream().await.unwrap().unwrap();
                // It has begun, and nothing else of it comes.
                let mut text = String::new();
                assert!(reader.read_to_string(&mut text).await.is_err());
            }
            Self::Halves => {
                let (mut sink, mut stream) = connection.split();
                sink.send("hello".into()).await.unwrap();
                assert!(stream.next().await.is_none());
                assert!(sink.send("late".into()).await.is_err());
            }
            Self::TwoTasks => {
                let (mut sink, mut stream) = connection.split();
                let receiving = tokio::spawn(async move { stream.next().await.is_none() });
                while sink.send(vec![0; HUGE].into()).await.is_ok() {}
                assert!(receiving.await.unwrap());
            }
            Self::Channel => {
                let mut channel = WebSocketChannel::from(connection);
                assert_eq!(channel.recv().await.unwrap(), None);
                assert_eq!(channel.closed().await.unwrap().code, 4001);
            }
            Self::FullChannel => {
                let mut channel = WebSocketChannel::from(connection);
                // Its queue is full, and nobody receives.
                channel.closed().await.unwrap();
                while let Ok(Some(_)) = channel.recv().await {}
            }
            Self::BlockedSend => {
                connection.send(vec![0; HUGE]).await.unwrap();
                assert_eq!(connection.recv().await.unwrap(), None);
            }
            Self::BlockedFlush => {
                for _ in 0..3 {
                    connection.feed(vec![0; HUGE]).await.unwrap_or_default();
                }
                let _ = connection.flush().await;
                assert_eq!(connection.recv().await.unwrap(), None);
            }
            Self::Sends => {
                let mut sent = connection.send("tick").await;
                while sent.is_ok() {
                    sleep(Duration::from_secs(1)).await;
                    sent = connection.send("tick").await;
                }
                assert_eq!(sent.unwrap_err().kind(), SendErrorKind::Closed);
            }
            Self::Feeds => {
                while connection.feed("tick").await.is_ok() {
                    sleep(Duration::from_secs(1)).await;
                    if connection.flush().await.is_err() {
                        break;
                    }
                }
            }
            Self::Writer => {
                let mut writer = connection.send_stream(MessageKind::Binary).unwrap();
                while writer.write(vec![0; HUGE]).await.is_ok() {
                    sleep(Duration::from_secs(1)).await;
                }
                drop(writer);
                assert_eq!(connection.recv().await.unwrap(), None);
            }
        }
    }

    /// The peer, until it knows how the connection ends.
    async fn peer(self, mut peer: Peer) -> CloseInfo {
        if self == Self::Piece {
            let mut writer = peer.send_stream(MessageKind::Text).unwrap();
            writer.write("beg").await.unwrap();
            writer.flush().await.unwrap();
            // Half a message, whose writer is not dropped before the end.
            while let Ok(Some(_)) = writer.recv().await {}
            drop(writer);
            return peer.close_info().unwrap().clone();
        }
        if self == Self::FullChannel {
            loop {
                let sent = pin!(peer.send(vec![0; 20_000]));
                match tokio::time::timeout(Duration::from_secs(1), sent).await {
                    Ok(sent) => sent.unwrap(),
                    // It takes no more.
                    Err(_) => break,
                }
            }
        }
        if matches!(
            self,
            Self::BlockedSend | Self::BlockedFlush | Self::TwoTasks
        ) {
            sleep(Duration::from_secs(5)).await;
        }
        end(peer).await
    }
}

#[tokio::test(start_paused = true)]
async fn co4_a_close_order_reaches_a_socket_however_it_is_polled() {
    for way in Way::ALL {
        let connections = Connections::new();
        let (connection, peer) = open(&connections);
        let handler = tokio::spawn(way.handle(connection));
        let peer = tokio::spawn(way.peer(peer));
        sleep(Duration::from_secs(3)).await;
        assert!(!handler.is_finished(), "{way:?}");
        assert_eq!(connections.close_where(|_| true, 4001, "out"), Ok(1));
        let info = peer.await.unwrap();
        assert_eq!(
            (info.code.number(), &*info.reason),
            (4001, "out"),
            "{way:?}"
        );
        handler
            .await
            .unwrap_or_else(|error| panic!("{way:?}: {error}"));
        settle().await;
        assert!(connections.is_empty(), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn co4_what_a_channel_has_queued_leaves_before_it_is_closed() {
    let connections = Connections::new();
    let (connection, mut peer) = open(&connections);
    let channel = WebSocketChannel::from(connection);
    settle().await;
    for number in 0..100 {
        channel.try_send(vec![number; 2_000]).unwrap();
    }
    assert_eq!(connections.close_where(|_| true, 4001, ""), Ok(1));
    for number in 0..100 {
        let message = peer.recv().await.unwrap().unwrap();
        assert_eq!(message.as_bytes(), vec![number; 2_000]);
    }
    assert!(peer.recv().await.is_err());
    assert_eq!(peer.close_info().unwrap().code, 4001);
    drop(channel);
    settle().await;
    assert!(connections.is_empty());
}

#[tokio::test(start_paused = true)]
async fn co4_an_order_wakes_the_task_that_polls_now() {
    let connections = Connections::new();
    let (mut connection, peer) = open(&connections);
    let handler = tokio::spawn(async move {
        let once = poll_fn(|cx| Poll::Ready(pin!(connection.recv()).poll(cx).is_pending()));
        assert!(once.await);
        connection
    });
    let mut connection = handler.await.unwrap();
    let handler = tokio::spawn(async move { connection.recv().await });
    settle().await;
    assert_eq!(connections.close_where(|_| true, 4001, ""), Ok(1));
    assert_eq!(end(peer).await.code, 4001);
    assert_eq!(handler.await.unwrap().unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn co5_an_order_before_the_socket_is_first_polled_is_obeyed() {
    let connections = Connections::new();
    let (mut connection, peer) = open(&connections);
    assert_eq!(connections.close_where(|_| true, 4001, ""), Ok(1));
    let handler = tokio::spawn(async move { connection.recv().await });
    assert_eq!(end(peer).await.code, 4001);
    assert_eq!(handler.await.unwrap().unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn co4_a_socket_that_was_polled_before_it_had_a_place_is_woken() {
    let connections = Connections::new();
    let (near, far) = duplex(1024);
    let (placed, is_placed) = tokio::sync::oneshot::channel();
    let server = connections.clone();
    let handler = tokio::spawn(async move {
        let mut socket = WebSocket::from_upgraded(near, Role::Server);
        socket.send("hello").await.unwrap();
        let once = poll_fn(|cx| Poll::Ready(pin!(socket.recv()).poll(cx).is_pending()));
        assert!(once.await);
        let mut connection = server.admit(None).unwrap().open(socket);
        placed.send(()).unwrap();
        connection.recv().await
    });
    is_placed.await.unwrap();
    settle().await;
    assert_eq!(connections.close_where(|_| true, 4001, ""), Ok(1));
    let mut peer = WebSocket::from_upgraded(far, Role::Client);
    assert_eq!(peer.recv().await.unwrap(), Some(Message::from("hello")));
    assert_eq!(end(peer).await.code, 4001);
    assert_eq!(handler.await.unwrap().unwrap(), None);
}
