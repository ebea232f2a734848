//! What a recorder of `metrics` is told.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use ::metrics::set_default_local_recorder;
#[cfg(feature = "tls")]
use talkback::server::Identity;
use talkback::server::{Drain, Server};
use talkback::{AcceptError, Approval, Refusal, accept, connect};
use talkback_testing::metrics::Told;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::*;
#[cfg(feature = "tls")]
use crate::support::certificates;

fn map<const N: usize>(series: [(&str, f64); N]) -> BTreeMap<String, f64> {
    series.map(|(name, value)| (name.to_owned(), value)).into()
}

#[tokio::test(start_paused = true)]
async fn mt1_a_connection_is_counted_when_it_opens_and_when_it_ends() {
    let told = Told::default();
    let _guard = set_default_local_recorder(&told);
    let connections = Connections::new();
    let (first, mut first_peer) = open(&connections);
    let (second, second_peer) = open(&connections);
    let (mut third, third_peer) = open(&connections);
    let (fourth, _fourth_peer) = open(&connections);
    assert_eq!(
        told.of("talkback_server_connections"),
        map([("", 4.0), ("_total{outcome=open}", 4.0)])
    );
    let second_id = second.id();
    connections.run(first, echo);
    connections.run(second, echo);
    sleep(Duration::from_secs(10)).await;
    // An application's own code has no series of its own.
    first_peer.close_with(4000, "hunter2").await.unwrap();
    settle().await;
    assert_eq!(
        told.of("talkback_server_connections"),
        map([("", 3.0), ("_total{outcome=open}", 4.0)])
    );
    let second_peer = tokio::spawn(end(second_peer));
    let is_second = |connection: &talkback::server::ConnectionHandle| connection.id() == second_id;
    connections.close_where(is_second, 1008, "hunter2").unwrap();
    assert_eq!(second_peer.await.unwrap().code, 1008);
    settle().await;
    drop(third_peer);
    assert!(third.recv().await.is_err());
    // It has ended, and is still there.
    drop(fourth);
    let closes = [
        ("_total{code=1006,by=cut}", 1.0),
        ("_total{code=1006,by=peer}", 1.0),
        ("_total{code=1008,by=us}", 1.0),
        ("_total{code=other,by=peer}", 1.0),
    ];
    assert_eq!(told.of("talkback_server_closes"), map(closes));
    assert_eq!(
        told.of("talkback_server_connection_seconds"),
        map([(" count", 4.0), (" sum", 40.0)])
    );
    assert_eq!(told.of("talkback_server_connections")[""], 1.0);
    drop(third);
    assert_eq!(told.of("talkback_server_connections")[""], 0.0);
    assert_eq!(told.of("talkback_server_closes"), map(closes));
    assert_eq!(
        told.of("talkback_server_handshake_seconds"),
        map([(" count", 4.0), (" sum", 0.0)])
    );
    assert!(!told.of("").keys().any(|key| key.contains("hunter2")));
}

#[tokio::test(start_paused = true)]
async fn mt2_who_is_not_let_in_fails_or_is_late_is_counted_once() {
    let told = Told::default();
    let _guard = set_default_local_recorder(&told);
    let connections = Connections::new().max(1);
    let place = connections.admit(None).unwrap();
    assert!(connections.admit(None).is_err());
    drop(place);
    let peer: SocketAddr = "192.0.2.1:1".parse().unwrap();
    let addresses = Connections::new().max_per_address(1);
    let place = addresses.admit(peer).unwrap();
    assert!(addresses.admit(peer).is_err());
    assert!(addresses.admit(None).is_err());
    drop(place);
    // One that says nothing, and one that is checked for too long.
    for request in [&b""[..], REQUEST] {
        let (near, mut far) = duplex(4096);
        far.write_all(request).await.unwrap();
        let accepting = accept(near).check(|_| pending::<Result<Approval, Refusal>>());
        assert!(accepting.admit(&connections).await.is_err());
    }
    // One that is not for these connections is not counted.
    let (near, _far) = duplex(4096);
    assert!(accept(near).await.is_err());
    connections.drain(Drain::now()).await;
    assert!(connections.admit(None).is_err());
    let came_to = [
        ("_total{outcome=failed}", 2.0),
        ("_total{outcome=refused}", 4.0),
        ("_total{outcome=timeout}", 2.0),
    ];
    assert_eq!(told.of("talkback_server_connections"), map(came_to));
    let reasons = [
        ("_total{reason=address}", 1.0),
        ("_total{reason=draining}", 1.0),
        ("_total{reason=full}", 1.0),
        ("_total{reason=no_peer}", 1.0),
    ];
    assert_eq!(told.of("talkback_server_refused"), map(reasons));
}

#[tokio::test(start_paused = true)]
async fn mt2_what_is_refused_for_what_it_asks_has_failed_and_is_counted_once() {
    let told = Told::default();
    let _guard = set_default_local_recorder(&told);
    let connections = Connections::new();
    let head = String::from_utf8(REQUEST.to_vec()).unwrap();
    let foreign = head.replace("\r\n\r\n", "\r\nOrigin: http://evil.example\r\n\r\n");
    let requests = [
        "garbage\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n",
        &head.replace("Host: a.example\r\n", ""),
        &foreign,
        // That of a check, which comes behind a place.
        &head,
    ];
    for (number, request) in requests.iter().enumerate() {
        let (near, mut far) = duplex(4096);
        far.write_all(request.as_bytes()).await.unwrap();
        let accepting = accept(near).check(async |_| Err::<(), _>(Refusal::not_found()));
        let error = accepting.admit(&connections).await.unwrap_err();
        assert!(matches!(error, AcceptError::Refused(_)), "{error}");
        let failed = [("_total{outcome=failed}", number as f64 + 1.0)];
        assert_eq!(
            told.of("talkback_server_connections"),
            map(failed),
            "{request}"
        );
    }
    // One that is answered with a page of the program's has failed at nothing.
    let (near, mut far) = duplex(4096);
    far.write_all(requests[1].as_bytes()).await.unwrap();
    let accepting = accept(near).otherwise(|_| http::Response::default());
    assert!(accepting.admit(&connections).await.is_err());
    assert_eq!(
        told.of("talkback_server_connections")["_total{outcome=failed}"],
        5.0
    );
    assert_eq!(told.of("talkback_server_refused"), map([]));
    #[cfg(feature = "upgrade")]
    {
        let response = talkback::upgrade(&mut http::Request::new(())).serve(&connections, echo);
        assert_eq!(response.status(), 400);
        assert_eq!(
            told.of("talkback_server_connections")["_total{outcome=failed}"],
            6.0
        );
    }
}

#[tokio::test(start_paused = true)]
async fn co2_a_handler_that_panics_is_counted_as_closed_by_us_with_1011() {
    let told = Told::default();
    let _guard = set_default_local_recorder(&told);
    let connections = Connections::new();
    let (polled, mut polled_peer) = open(&connections);
    let (channel, mut channel_peer) = open(&connections);
    connections.run(polled, |mut connection| async move {
        let _ = connection.recv().await;
        panic!("the handler's own");
    });
    connections.run(channel, |connection| async move {
        let mut channel = talkback::WebSocketChannel::from(connection);
        let _ = channel.recv().await;
        panic!("the handler's own");
    });
    for peer in [&mut polled_peer, &mut channel_peer] {
        peer.send("now").await.unwrap();
        assert!(peer.recv().await.is_err());
    }
    settle().await;
    assert!(connections.is_empty());
    let closes = [("_total{code=1011,by=us}", 2.0)];
    assert_eq!(told.of("talkback_server_closes"), map(closes));
}

#[tokio::test(start_paused = true)]
async fn mt3_a_drain_is_seen_while_it_is_under_way() {
    let told = Told::default();
    let _guard = set_default_local_recorder(&told);
    let connections = Connections::new();
    let (first, first_peer) = open(&connections);
    let (second, _silent) = open(&connections);
    connections.run(first, echo);
    // Its handler never looks at the socket again.
    connections.run(second, |connection| async move {
        pending::<()>().await;
        drop(connection);
    });
    let first_peer = tokio::spawn(end(first_peer));
    let draining = tokio::spawn({
        let connections = connections.clone();
        async move { connections.drain(Drain::default()).await }
    });
    settle().await;
    assert_eq!(told.of("talkback_server_draining"), map([("", 1.0)]));
    let report = draining.await.unwrap();
    assert_eq!((report.closed, report.cut), (1, 1));
    first_peer.await.unwrap();
    settle().await;
    assert_eq!(told.of("talkback_server_draining"), map([("", 0.0)]));
    let closes = [
        ("_total{code=1006,by=cut}", 1.0),
        ("_total{code=1012,by=us}", 1.0),
    ];
    assert_eq!(told.of("talkback_server_closes"), map(closes));
    assert_eq!(told.of("talkback_server_connections")[""], 0.0);
}

#[tokio::test(start_paused = true)]
async fn mt4_what_is_told_has_a_description_and_a_closed_set_of_names() {
    let told = Told::default();
    let _guard = set_default_local_recorder(&told);
    let connections = Connections::new();
    let described: Vec<_> = told.of("").into_keys().collect();
    let names = [
        "# talkback_server_client_unknown_total",
        "# talkback_server_closes_total",
        "# talkback_server_connection_seconds",
        "# talkback_server_connections",
        "# talkback_server_connections_total",
        "# talkback_server_draining",
        "# talkback_server_handshake_seconds",
        "# talkback_server_refused_total",
    ];
    assert_eq!(described, names);
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
    ]
    .into_iter()
    .chain(3000..3020)
    {
        let (connection, mut peer) = open(&connections);
        connections.run(connection, echo);
        peer.close_with(code, "").await.unwrap();
        settle().await;
    }
    let closes = told.of("talkback_server_closes");
    assert_eq!(closes.len(), 13, "{closes:?}");
    assert_eq!(closes["_total{code=other,by=peer}"], 20.0);
    assert_eq!(closes["_total{code=1011,by=peer}"], 1.0);
}

#[tokio::test]
async fn li9_clients_that_a_trusted_proxy_does_not_tell_are_counted() {
    let told = Told::default();
    let _guard = set_default_local_recorder(&told);
    let proxies = || ["10.0.0.0/8".parse().unwrap()];
    let limited = Connections::new().max_per_address(1);
    for connections in [Connections::new(), limited] {
        let connections = connections.trusted_proxies(proxies());
        for (peer, header) in [
            ("10.0.0.1:5", None),
            ("10.0.0.1:5", Some("10.0.0.2")),
            ("10.0.0.1:5", Some("evil")),
            // It is told, or nobody is trusted to.
            ("10.0.0.1:5", Some("1.2.3.4")),
            ("5.6.7.8:5", Some("evil")),
        ] {
            let peer: SocketAddr = peer.parse().unwrap();
            let (near, far) = duplex(4096);
            let mut connecting = connect("ws://a.example/");
            if let Some(header) = header {
                connecting = connecting.header("X-Forwarded-For", header);
            }
            let accepting = accept(far).peer(peer).admit(&connections);
            let (client, server) = tokio::join!(connecting.over(near), accepting);
            drop((client.unwrap(), server.unwrap()));
        }
        // No request was read.
        let proxy: SocketAddr = "10.0.0.1:5".parse().unwrap();
        drop(connections.admit(proxy).unwrap());
    }
    // Also where all of them are one too many, as they count as the proxy.
    let public = Connections::new().max_per_address(1);
    let public = public.trusted_proxies(["5.6.7.0/24".parse().unwrap()]);
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        let (near, far) = duplex(4096);
        let peer: SocketAddr = "5.6.7.8:5".parse().unwrap();
        let accepting = accept(far).peer(peer).admit(&public);
        let connecting = connect("ws://a.example/").over(near);
        outcomes.push(tokio::join!(connecting, accepting));
    }
    let let_in: Vec<_> = outcomes.iter().map(|(_, server)| server.is_ok()).collect();
    assert_eq!(let_in, [true, false]);
    let unknown = [("{header=invalid}", 2.0), ("{header=missing}", 6.0)];
    assert_eq!(
        told.of("talkback_server_client_unknown_total"),
        map(unknown)
    );
}

/// A server at a port, which serves until it is dropped.
async fn serve(connections: &Connections, options: impl FnOnce(Server) -> Server) -> TcpStream {
    let server = options(Server::bind("127.0.0.1:0").await.unwrap());
    let address = server.local_addr();
    let connections = connections.clone();
    tokio::spawn(async move { server.serve(&connections, echo).await });
    TcpStream::connect(address).await.unwrap()
}

#[cfg(feature = "tls")]
#[tokio::test(start_paused = true)]
async fn co9_a_client_that_says_nothing_of_tls_is_counted_as_late_and_its_place_is_free() {
    let told = Told::default();
    let _guard = set_default_local_recorder(&told);
    let connections = Connections::new();
    let own = certificates::Identity::self_signed("localhost");
    let identity = Identity::from_pem(own.chain_pem, own.key_pem).unwrap();
    let begin = Instant::now();
    let mut client = serve(&connections, |server| server.tls(identity)).await;
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(begin.elapsed().as_secs(), 10);
    settle().await;
    assert_eq!(
        told.of("talkback_server_connections"),
        map([("_total{outcome=timeout}", 1.0)])
    );
    assert!(connections.is_empty());
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn mt2_tls_that_fails_is_counted_once_and_who_says_nothing_is_not() {
    let told = Told::default();
    let _guard = set_default_local_recorder(&told);
    let connections = Connections::new();
    let own = certificates::Identity::self_signed("localhost");
    let identity = Identity::from_pem(own.chain_pem, own.key_pem).unwrap();
    let mut client = serve(&connections, |server| server.tls(identity)).await;
    drop(
        TcpStream::connect(client.peer_addr().unwrap())
            .await
            .unwrap(),
    );
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    // An alert, and the end, which may be a reset.
    let mut alert = Vec::new();
    let _ = client.read_to_end(&mut alert).await;
    settle().await;
    assert_eq!(
        told.of("talkback_server_connections"),
        map([("_total{outcome=failed}", 1.0)])
    );
}

#[tokio::test(start_paused = true)]
async fn co10_one_that_asks_for_the_servers_health_and_then_nothing_is_not_counted() {
    let told = Told::default();
    let _guard = set_default_local_recorder(&told);
    let begin = Instant::now();
    let mut client = serve(&Connections::new(), |server| server).await;
    let request = b"GET /health HTTP/1.1\r\nHost: a.example\r\n\r\n";
    client.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert!(answer.ends_with(b"\r\n\r\nok\n"));
    assert_eq!(begin.elapsed().as_secs(), 60);
    settle().await;
    assert_eq!(told.of("talkback_server_connections"), map([]));
}
