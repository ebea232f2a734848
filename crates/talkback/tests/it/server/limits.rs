//! How many connections there may be.

use std::future::pending;
use std::net::SocketAddr;

use http::StatusCode;
use http::header::RETRY_AFTER;
use talkback::server::{ConnectionHandle, Connections, Refused};
use talkback::{AcceptError, ConnectError, accept, connect};
use tokio::io::duplex;

use super::echo;

/// Connects to a server that has these connections; the error, and after how many seconds to try again.
async fn refused(connections: &Connections, peer: Option<SocketAddr>) -> (StatusCode, u64) {
    let (near, far) = duplex(4096);
    let mut accepting = accept(far);
    if let Some(peer) = peer {
        accepting = accepting.peer(peer);
    }
    let connecting = connect("ws://a.example/").over(near);
    let (client, server) = tokio::join!(connecting, accepting.admit(connections));
    let AcceptError::Refused(refusal) = server.map(drop).unwrap_err() else {
        panic!("the server has not refused");
    };
    let error: ConnectError = client.map(drop).unwrap_err();
    let told = error.refused().unwrap();
    assert_eq!(told.status, refusal.status());
    assert_eq!(
        told.headers.get(RETRY_AFTER),
        refusal.headers().get(RETRY_AFTER)
    );
    let after = told
        .headers
        .get(RETRY_AFTER)
        .map(|it| it.to_str().unwrap().parse());
    (told.status, after.transpose().unwrap().unwrap_or_default())
}

#[tokio::test]
async fn li1_the_third_of_two_is_refused_before_the_upgrade_and_one_that_leaves_makes_room() {
    let connections = Connections::new().max(2);
    let mut clients = Vec::new();
    for _ in 0..2 {
        let (near, far) = duplex(4096);
        let connecting = connect("ws://a.example/").over(near);
        let (client, server) = tokio::join!(connecting, accept(far).admit(&connections));
        connections.run(server.unwrap(), echo);
        clients.push(client.unwrap());
    }
    let mut waits = Vec::new();
    for _ in 0..40 {
        let (status, after) = refused(&connections, None).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!((5..=15).contains(&after), "{after}");
        waits.push(after);
    }
    // 40 equal draws of eleven come once in 10^40 runs.
    assert!(waits.iter().any(|wait| *wait != waits[0]));
    clients.pop().unwrap().close().await;
    while connections.len() == 2 {
        tokio::task::yield_now().await;
    }
    let (near, far) = duplex(4096);
    let connecting = connect("ws://a.example/").over(near);
    let (client, server) = tokio::join!(connecting, accept(far).admit(&connections));
    connections.run(server.unwrap(), echo);
    client.unwrap().send("in").await.unwrap();
}

#[tokio::test]
async fn li1_a_limit_holds_for_all_clones_and_counts_handshakes() {
    let connections = Connections::new();
    let places: Vec<_> = (0..3).map(|_| connections.admit(None).unwrap()).collect();
    let _ = connections.clone().max(2);
    assert_eq!(connections.admit(None).unwrap_err(), Refused::Full);
    drop(places);
    assert_eq!(
        connections.clone().max(0).admit(None).unwrap_err(),
        Refused::Full
    );
}

#[test]
fn li2_of_a_hundred_at_once_on_ten_places_ten_are_let_in() {
    for _ in 0..20 {
        let connections = Connections::new().max(10);
        let barrier = std::sync::Barrier::new(100);
        let places: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..100)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        connections.admit(None)
                    })
                })
                .collect();
            threads.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert_eq!(places.iter().filter(|place| place.is_ok()).count(), 10);
        assert_eq!(connections.len(), 10);
        drop(places);
        assert!(connections.is_empty());
    }
}

#[tokio::test]
async fn li3_an_address_has_its_own_limit_and_a_peer_that_is_not_told_is_a_mistake() {
    let connections = Connections::new().max_per_address(2);
    let peer = |last, port| Some(SocketAddr::from(([8, 8, 8, last], port)));
    let places = [connections.admit(peer(8, 1)), connections.admit(peer(8, 2))];
    assert!(places.iter().all(Result::is_ok));
    let (status, after) = refused(&connections, peer(8, 3)).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!((5..=15).contains(&after));
    assert_eq!(
        refused(&connections, None).await,
        (StatusCode::INTERNAL_SERVER_ERROR, 0)
    );
    assert_eq!(connections.len(), 2);
    let other = connections.admit(peer(4, 1)).unwrap();
    let (near, _far) = duplex(64);
    let [first, second] = places.map(Result::unwrap);
    let socket = talkback::WebSocket::from_upgraded(near, talkback::Role::Server);
    let connection = first.open(socket);
    assert_eq!(connections.admit(peer(8, 3)).unwrap_err(), Refused::Address);
    drop(connection);
    let third = connections.admit(peer(8, 3)).unwrap();
    assert_eq!(connections.admit(peer(8, 4)).unwrap_err(), Refused::Address);
    drop((second, third, other));
    assert!(connections.is_empty());
}

#[tokio::test(start_paused = true)]
async fn li1_who_is_not_let_in_is_not_asked_of_the_check() {
    let connections = Connections::new().max(0);
    let (near, far) = duplex(4096);
    let connecting = connect("ws://a.example/").over(near);
    let checked = accept(far).check(|_| pending::<Result<(), talkback::Refusal>>());
    let (client, server) = tokio::join!(connecting, checked.admit(&connections));
    assert!(matches!(
        server.map(drop).unwrap_err(),
        AcceptError::Refused(_)
    ));
    assert!(client.is_err());
}

#[test]
fn a_refusal_says_what_to_do() {
    for (refused, status, words) in [
        (Refused::Full, 503, "try again later"),
        (Refused::Address, 429, "close one"),
        (Refused::Draining, 503, "another may answer"),
        (Refused::NoPeer, 500, "`peer`"),
    ] {
        let response = refused.response();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().contains_key(RETRY_AFTER), status != 500);
        assert!(response.body().contains(words), "{}", response.body());
        assert!(refused.to_string().contains(words), "{refused}");
    }
}

/// The connection of a client that says so where its address is.
async fn told(connections: &Connections, peer: Option<&str>, header: &str) -> super::Connection {
    let (near, far) = duplex(4096);
    let mut accepting = accept(far);
    if let Some(peer) = peer {
        accepting = accepting.peer(peer.parse::<SocketAddr>().unwrap());
    }
    let connecting = connect("ws://a.example/").header("X-Forwarded-For", header);
    let (client, server) = tokio::join!(connecting.over(near), accepting.admit(connections));
    drop(client.unwrap());
    server.unwrap()
}

#[tokio::test]
async fn li7_li8_li9_a_connection_knows_its_clients_own_address() {
    for connections in [Connections::new(), Connections::new().max_per_address(9)] {
        let connections = connections.trusted_proxies(["10.0.0.0/8".parse().unwrap()]);
        let (mut open, mut expected) = (Vec::new(), Vec::new());
        for (peer, header, client) in [
            ("10.0.0.1:5", "9.9.9.9, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
            ("10.0.0.1:5", "2001:db8:1:2:3::4", "2001:db8:1:2:3::4"),
            ("10.0.0.1:5", "evil, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1:5", "evil", "10.0.0.1"),
            ("5.6.7.8:5", "9.9.9.9", "5.6.7.8"),
            ("[::ffff:5.6.7.8]:5", "9.9.9.9", "5.6.7.8"),
            ("[2001:db8::1]:5", "9.9.9.9", "2001:db8::1"),
        ] {
            let connection = told(&connections, Some(peer), header).await;
            let (peer, client) = (peer.parse().ok(), client.parse().ok());
            assert_eq!((connection.peer(), connection.client_ip()), (peer, client));
            expected.push((connection.id(), peer, client));
            open.push(connection);
        }
        let mut found = Vec::new();
        connections.each(|it| found.push((it.id(), it.peer(), it.client_ip())));
        found.sort_unstable();
        assert_eq!(found, expected);
        let is_it = |it: &ConnectionHandle| it.client_ip() == expected[0].2;
        assert_eq!(connections.close_where(is_it, 1008, ""), Ok(1));
    }
    let connections = Connections::new().trusted_proxies(["10.0.0.0/8".parse().unwrap()]);
    let connection = told(&connections, None, "9.9.9.9").await;
    assert_eq!((connection.peer(), connection.client_ip()), (None, None));
}
