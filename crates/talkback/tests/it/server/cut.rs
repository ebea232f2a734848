//! What peers see of the end of a handler that does not close: of one that is cut, panics, or just returns.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use talkback::server::Drain;
use talkback::{CloseCause, WebSocketChannel};
use tokio::io::ReadBuf;
use tokio::task::consume_budget;

use super::*;

/// What a handler is, and who runs it.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Run,
    Spawned,
    Channel,
}

const KINDS: [Kind; 3] = [Kind::Run, Kind::Spawned, Kind::Channel];

/// Echoes until the peer says "panic".
fn start(kind: Kind, connections: &Connections, connection: Connection) {
    async fn polled(mut connection: Connection) {
        while let Ok(Some(message)) = connection.recv().await {
            assert_ne!(message.to_string(), "panic");
            let _ = connection.send(message).await;
        }
    }
    match kind {
        Kind::Run => connections.run(connection, polled),
        Kind::Spawned => drop(tokio::spawn(polled(connection))),
        Kind::Channel => connections.run(connection, |connection| async move {
            let mut channel = WebSocketChannel::from(connection);
            while let Ok(Some(message)) = channel.recv().await {
                assert_ne!(message.to_string(), "panic");
                let _ = channel.send(message).await;
            }
        }),
    }
}

/// Says something and waits for the echo.
async fn talk(peer: &mut Peer) {
    peer.send("first").await.unwrap();
    assert_eq!(peer.recv().await.unwrap(), Some("first".into()));
}

#[tokio::test(start_paused = true)]
async fn dr5_who_is_cut_is_told_of_the_restart_whatever_its_handler_is() {
    let later = Drain::default().spread(Duration::from_secs(60));
    let later = later.deadline(Duration::from_secs(1));
    for (drain, closed) in [(Drain::now(), 0), (later, 1)] {
        for kind in KINDS {
            let connections = Connections::new();
            let mut peers = Vec::new();
            for number in 0..20 {
                let (connection, mut peer) = open(&connections);
                start(kind, &connections, connection);
                // A channel's connection is polled by its driver until something has come, and then by its handler.
                if number % 2 > 0 {
                    talk(&mut peer).await;
                }
                peers.push(tokio::spawn(end(peer)));
            }
            settle().await;
            let report = connections.drain(drain.clone()).await;
            assert_eq!((report.closed, report.cut), (closed, 20 - closed));
            for peer in peers {
                let info = peer.await.unwrap();
                let told = (info.code.number(), &*info.reason);
                assert_eq!(told, (1012, "the server restarts"), "{kind:?}");
            }
            settle().await;
            assert!(connections.is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dr18_a_handler_that_ends_without_a_close_after_it_was_ordered_is_closed_in_order() {
    let connections = Connections::new();
    let (connection, peer) = open(&connections);
    connections.run(connection, |connection| async move {
        connection.draining().await;
    });
    settle().await;
    let peer = tokio::spawn(end(peer));
    let report = connections.drain(Drain::default()).await;
    assert_eq!((report.closed, report.cut), (1, 0));
    let info = peer.await.unwrap();
    assert_eq!((info.code.number(), info.clean), (1012, true));
}

#[tokio::test(start_paused = true)]
async fn dr5_a_peer_that_takes_nothing_is_cut_without_waiting() {
    let connections = Connections::new();
    let (mut connection, _peer) = open(&connections);
    // More than its transport holds.
    connection.feed(vec![0; 4096]).await.unwrap();
    connections.run(connection, |connection| async move {
        std::future::pending::<()>().await;
        drop(connection);
    });
    settle().await;
    let report = connections.drain(Drain::now()).await;
    assert_eq!((report.cut, report.took), (1, Duration::ZERO));
    settle().await;
    assert!(connections.is_empty());
}

#[tokio::test(start_paused = true)]
async fn co2_a_handler_that_panics_ends_with_1011_and_what_it_had_sent_comes_before() {
    for kind in KINDS {
        let connections = Connections::new();
        let (connection, mut peer) = open(&connections);
        start(kind, &connections, connection);
        let (other, other_peer) = open(&connections);
        start(kind, &connections, other);
        talk(&mut peer).await;
        peer.send("panic").await.unwrap();
        assert!(peer.recv().await.is_err());
        let info = peer.close_info().unwrap();
        assert_eq!((info.code.number(), &*info.reason), (1011, ""), "{kind:?}");
        settle().await;
        assert_eq!(connections.len(), 1);
        drop(other_peer);
    }
}

/// A transport that panics when it is to write.
struct Broken(DuplexStream);

impl tokio::io::AsyncRead for Broken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl tokio::io::AsyncWrite for Broken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        panic!("the transport is broken");
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn co2_a_transport_that_panics_harms_no_other_connection() {
    let connections = Connections::new();
    let (near, far) = duplex(1024);
    let place = connections.admit(None).unwrap();
    let connection = place.open(WebSocket::from_upgraded(Broken(near), Role::Server));
    connections.run(connection, |mut connection| async move {
        let _ = connection.send("to nobody").await;
    });
    let (other, mut other_peer) = open(&connections);
    connections.run(other, echo);
    assert_eq!(
        end(WebSocket::from_upgraded(far, Role::Client)).await.code,
        1006
    );
    assert_eq!(connections.len(), 1);
    talk(&mut other_peer).await;
}

#[tokio::test(start_paused = true)]
async fn co2_what_a_handler_has_fed_leaves_when_it_returns_and_the_end_is_1006() {
    for uses_up in [false, true] {
        let connections = Connections::new();
        let (connection, mut peer) = open(&connections);
        connections.run(connection, move |mut connection| async move {
            connection.feed("half").await.unwrap();
            if uses_up {
                // All that tokio lets a task do in one go.
                let mut cx = Context::from_waker(Waker::noop());
                while pin!(consume_budget()).poll(&mut cx).is_ready() {}
            }
        });
        assert_eq!(peer.recv().await.unwrap(), Some("half".into()));
        assert!(peer.recv().await.is_err());
        let info = peer.close_info().unwrap();
        assert_eq!(info.code, 1006);
        assert!(matches!(info.cause, CloseCause::Transport(_)), "{info:?}");
    }
}

#[test]
fn co2_a_connection_may_be_dropped_outside_of_a_runtime() {
    let connections = Connections::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (connection, mut peer) = runtime.block_on(async {
        let (mut connection, peer) = open(&connections);
        connection.feed("half").await.unwrap();
        (connection, peer)
    });
    drop(connection);
    assert!(connections.is_empty());
    let got = runtime.block_on(peer.recv());
    assert_eq!(got.unwrap(), Some("half".into()));
}
