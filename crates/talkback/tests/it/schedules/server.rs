//! The connections of a server under random schedules.

use shuttle::future::{block_on, spawn};
use shuttle::thread;
use talkback::server::{Connections, ServerConnection};
use talkback::{Role, WebSocket, WebSocketChannel};
use tokio::io::{DuplexStream, duplex};

use super::check;

/// A connection that is open, and its peer.
fn open(connections: &Connections) -> (ServerConnection<DuplexStream>, WebSocket<DuplexStream>) {
    let (near, far) = duplex(1024);
    let place = connections.admit(None).unwrap();
    let connection = place.open(WebSocket::from_upgraded(near, Role::Server));
    (connection, WebSocket::from_upgraded(far, Role::Client))
}

#[test]
fn li2_of_several_at_once_no_more_are_let_in_than_there_are_places() {
    check(|_| {
        let connections = Connections::new().max(2);
        let threads: Vec<_> = (0..5)
            .map(|_| {
                let connections = connections.clone();
                thread::spawn(move || connections.admit(None))
            })
            .collect();
        let places: Vec<_> = threads.into_iter().map(|it| it.join().unwrap()).collect();
        assert_eq!(places.iter().filter(|place| place.is_ok()).count(), 2);
        drop(places);
        assert!(connections.is_empty());
    });
}

#[test]
fn co6_a_close_by_a_visitor_against_the_first_poll_and_the_next() {
    check(|_| {
        let connections = Connections::new();
        let (mut connection, mut peer) = open(&connections);
        let handling = spawn(async move {
            let mut received = Vec::new();
            while let Some(message) = connection.recv().await.unwrap() {
                received.push(message);
            }
            received.len()
        });
        let peer = spawn(async move {
            // Unless the close came first.
            let _ = peer.send("hello").await;
            while let Ok(Some(_)) = peer.recv().await {}
            peer.close_info().unwrap().code
        });
        let visiting = connections.clone();
        let visiting = thread::spawn(move || {
            visiting.each(|it| {
                it.close(4001, "").unwrap();
                visiting.each(|_| {});
            });
        });
        block_on(async {
            assert!(handling.await.unwrap() <= 1);
            assert_eq!(peer.await.unwrap(), 4001);
        });
        visiting.join().unwrap();
        assert!(connections.is_empty());
    });
}

#[test]
fn co6_a_close_against_what_a_channel_sends() {
    check(|_| {
        let connections = Connections::new();
        let (connection, mut peer) = open(&connections);
        let channel = WebSocketChannel::from(connection);
        let sending = spawn(async move {
            let mut sent = 0;
            while sent < 3 && channel.send("counted").await.is_ok() {
                sent += 1;
            }
            channel.closed().await.unwrap();
            sent
        });
        let receiving = spawn(async move {
            let mut received = 0;
            while let Ok(Some(_)) = peer.recv().await {
                received += 1;
            }
            (received, peer.close_info().unwrap().code)
        });
        let closing = connections.clone();
        let closing = thread::spawn(move || closing.close_where(|_| true, 4001, ""));
        block_on(async {
            let (received, code) = receiving.await.unwrap();
            assert_eq!(code, 4001);
            // What was taken has left before the close frame.
            assert_eq!(sending.await.unwrap(), received);
        });
        assert_eq!(closing.join().unwrap(), Ok(1));
    });
}

#[test]
fn co6_the_notice_against_whoever_stops_to_listen() {
    check(|_| {
        let connections = Connections::new();
        let (mut connection, mut peer) = open(&connections);
        let mut draining = connection.draining();
        let notice = spawn(async move { (&mut draining).await });
        let handling = spawn(async move { connection.recv().await });
        let peer = spawn(async move {
            let _ = peer.recv().await;
            peer.close_info().unwrap().code
        });
        let telling = connections.clone();
        let telling = spawn(async move { telling.rebalance(1, std::time::Duration::ZERO).await });
        block_on(async {
            assert_eq!(telling.await.unwrap(), 1);
            notice.await.unwrap();
            assert_eq!(handling.await.unwrap().unwrap(), None);
            assert_eq!(peer.await.unwrap(), 1012);
        });
    });
}

#[test]
fn co8_connections_that_come_and_go_are_forgotten() {
    check(|_| {
        let connections = Connections::new();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let connections = connections.clone();
                thread::spawn(move || {
                    let first = open(&connections);
                    let second = open(&connections);
                    assert_ne!(first.0.id(), second.0.id());
                    connections.each(|it| drop(it.close(4001, "")));
                    drop(first);
                    drop(second);
                })
            })
            .collect();
        threads.into_iter().for_each(|it| it.join().unwrap());
        assert!(connections.is_empty());
        connections.each(|_| panic!("none is left"));
    });
}
