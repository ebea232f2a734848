//! Who is there, and how places are given back.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use talkback::server::Connections;
use talkback::{AcceptError, Approval, CloseFrameError, Refusal, accept};
use tokio::io::{AsyncWriteExt as _, duplex};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::{REQUEST, echo, end, open, open_from, settle};
use crate::memory::socket_bytes;

#[tokio::test]
async fn co1_of_three_that_are_open_and_one_that_goes_two_are_left() {
    let connections = Connections::new();
    let mut open: Vec<_> = (0..3).map(|_| open(&connections)).collect();
    assert_eq!(connections.len(), 3);
    let gone = open.remove(1).0.id();
    assert_eq!(connections.len(), 2);
    let mut visited = Vec::new();
    connections.each(|connection| visited.push(connection.id()));
    visited.sort_unstable();
    let left: Vec<_> = open.iter().map(|(connection, _)| connection.id()).collect();
    assert_eq!(visited, left);
    assert!(!left.contains(&gone));
    drop(open);
    assert!(connections.is_empty());
}

#[tokio::test]
async fn co2_a_handler_that_panics_gives_its_place_back() {
    let connections = Connections::new();
    let (other, mut other_peer) = open(&connections);
    connections.run(other, echo);
    let (connection, mut peer) = open(&connections);
    let (go, gone) = oneshot::channel::<()>();
    connections.run(connection, |connection| async move {
        gone.await.unwrap();
        panic!("the handler of {} has a mistake", connection.id());
    });
    assert_eq!(connections.len(), 2);
    go.send(()).unwrap();
    assert!(peer.recv().await.is_err(), "the transport is cut");
    assert_eq!(connections.len(), 1);
    other_peer.send("still there").await.unwrap();
    let answer = other_peer.recv().await.unwrap();
    assert_eq!(answer, Some("still there".into()));
    assert!(other_peer.close().await.clean);
    settle().await;
    assert!(connections.is_empty());
}

#[tokio::test(start_paused = true)]
async fn co3_a_handshake_that_fails_or_takes_too_long_gives_its_place_back() {
    let connections = Connections::new();
    let place = connections.admit(None).unwrap();
    assert_eq!(connections.len(), 1);
    drop(place);
    assert!(connections.is_empty());

    let (mut near, far) = duplex(1024);
    near.write_all(REQUEST).await.unwrap();
    let (asked, is_asked) = oneshot::channel();
    let stalled = accept(far).check(|_| async {
        asked.send(()).unwrap();
        pending::<Result<Approval, Refusal>>().await
    });
    let stalled = tokio::spawn(stalled.admit(&connections));
    is_asked.await.unwrap();
    assert_eq!(connections.len(), 1);
    let error = stalled.await.unwrap().unwrap_err();
    assert!(matches!(error, AcceptError::Timeout(_)), "{error}");
    assert!(connections.is_empty());

    for request in [REQUEST, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET"] {
        let (mut near, far) = duplex(1024);
        near.write_all(request).await.unwrap();
        near.shutdown().await.unwrap();
        let refused = accept(far).check(async |_| Err::<(), _>(Refusal::not_found()));
        assert!(refused.admit(&connections).await.is_err());
        assert!(connections.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn co4_those_of_an_address_are_closed_and_no_others() {
    let connections = Connections::new();
    let address = |port| Some(SocketAddr::from(([1, 2, 3, 4], port)));
    let (mut connection, peer) = open_from(&connections, address(1));
    let (other, other_peer) = open_from(&connections, address(2));
    tokio::spawn(echo(other));
    let handler = tokio::spawn(async move {
        let received = connection.recv().await;
        (received, connection.close_info().cloned())
    });
    settle().await;
    let close = |code, reason| connections.close_where(|it| it.peer() == address(1), code, reason);
    assert_eq!(close(1005, "no code"), Err(CloseFrameError::Code(1005)));
    assert_eq!(close(4001, "go away"), Ok(1));
    assert_eq!(close(4002, "again"), Ok(0), "it was told before");
    let told = end(peer).await;
    assert_eq!((told.code.number(), &*told.reason), (4001, "go away"));
    let (received, info) = handler.await.unwrap();
    assert_eq!(received.unwrap(), None);
    let info = info.unwrap();
    assert_eq!((info.code.number(), info.clean), (4001, true));
    assert_eq!(connections.len(), 1);
    drop(other_peer);
}

#[tokio::test(start_paused = true)]
async fn co5_a_handler_that_computes_has_its_connection_closed_when_it_next_waits() {
    let connections = Connections::new();
    let (mut connection, peer) = open(&connections);
    let start = Instant::now();
    let handler = tokio::spawn(async move {
        sleep(Duration::from_secs(3)).await;
        connection.recv().await
    });
    settle().await;
    assert_eq!(connections.close_where(|_| true, 4001, ""), Ok(1));
    assert_eq!(end(peer).await.code, 4001);
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    assert_eq!(handler.await.unwrap().unwrap(), None);
}

#[tokio::test]
async fn co6_whoever_visits_may_do_anything() {
    let connections = Connections::new();
    let mut open: Vec<_> = (0..40).map(|_| open(&connections)).collect();
    let mut visited = 0;
    connections.each(|it| {
        visited += 1;
        it.close(4001, "").unwrap();
        drop(open.pop());
        // One that was told to close does so, and has its place until then.
        assert!(connections.len() >= open.len());
        connections.each(|other| assert!(format!("{other:?}").contains("id")));
        assert!(connections.close_where(|_| false, 4002, "").is_ok());
        drop(connections.admit(None).unwrap());
    });
    assert_eq!(visited, 40);
    settle().await;
    assert!(connections.is_empty());
}

#[tokio::test]
async fn co3_what_outlives_a_connection_keeps_no_place_and_waits_no_longer() {
    let connections = Connections::new().max_per_address(1);
    let address = Some(SocketAddr::from(([8, 8, 8, 8], 1)));
    let (connection, _peer) = open_from(&connections, address);
    let (notice, _kept) = (connection.draining(), connection.draining());
    let notice = tokio::spawn(notice);
    settle().await;
    assert!(!notice.is_finished());
    assert!(connections.admit(address).is_err());
    drop(connection);
    notice.await.unwrap();
    drop(connections.admit(address).unwrap());
}

/// What a connection costs beside its socket.
#[tokio::test]
async fn co8_a_place_costs_little() {
    use talkback::{Role, WebSocket};
    use talkback_testing::heap;

    // A test beside it, in the same process, may listen to what everybody tells.
    #[cfg(feature = "tracing")]
    let _unheard = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
    let connections = Connections::new();
    let count = 1_000;
    let mut open = Vec::with_capacity(count);
    let sockets: Vec<_> = (0..count)
        .map(|_| WebSocket::from_upgraded(duplex(1).0, Role::Server))
        .collect();
    let peer = SocketAddr::from(([1, 2, 3, 4], 5));
    let ((), heap) = heap::measure(|| {
        for socket in sockets {
            open.push(connections.admit(peer).unwrap().open(socket));
        }
    });
    let each = heap.left / count as isize;
    // The list of the sockets is freed meanwhile.
    let each = each + size_of::<WebSocket<tokio::io::DuplexStream>>() as isize;
    println!("a place costs {each} bytes of heap beside the socket");
    // Who asks for its traces has room for a span.
    let room = if cfg!(feature = "tracing") { 136 } else { 128 };
    assert!(each <= room);
    let ((), heap) = heap::measure(|| open.clear());
    assert!(heap.left < 0);
    assert!(connections.is_empty());
}

#[tokio::test]
async fn a_place_takes_little_memory() {
    // As above.
    #[cfg(feature = "tracing")]
    let _unheard = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
    let connections = Connections::new();
    let peer = SocketAddr::from(([192, 0, 2, 1], 1));
    let (without, size) = socket_bytes(async |stream| {
        let mut socket = accept(stream).await.unwrap();
        socket.forget_request();
        socket
    })
    .await;
    let (with, with_size) = socket_bytes(async |stream| {
        let accept = accept(stream).peer(peer).admit(&connections);
        let mut connection = accept.await.unwrap();
        connection.forget_request();
        connection
    })
    .await;
    let (heap, larger) = (with - without, with_size - size);
    println!(
        "a place among `Connections` takes {heap} bytes of heap, and {larger} of its connection"
    );
    // What is told of each is kept where somebody may be told.
    let told = if cfg!(feature = "metrics") { 8 } else { 0 };
    assert!(heap <= 128 + told && larger <= 8);
}
