//! C1 to C8 of the connections of a server.

use talkback::server::Connections;
use tokio::sync::oneshot;

use super::open;

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
    let (other, _peer) = open(&connections);
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
    drop(other);
    assert!(connections.is_empty());
}
