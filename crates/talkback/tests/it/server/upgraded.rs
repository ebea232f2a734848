//! The connections of an axum server.

use std::convert::Infallible;
use std::future::IntoFuture as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request as AxumRequest, State};
use axum::routing::get;
use bytes::Bytes;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use talkback::server::{Connections, Drain};
use talkback::{ConnectError, OriginPolicy, UpgradeBody, connect, upgrade};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::{REQUEST, echo, settle};
use crate::support::dropping::{Cut, Runner};
use crate::support::{Read, Script};

async fn open(
    State(connections): State<Connections>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: AxumRequest,
) -> http::Response<UpgradeBody> {
    upgrade(&mut request).peer(peer).serve(&connections, echo)
}

#[tokio::test]
async fn co7_what_axum_has_upgraded_is_known_and_a_drain_ends_the_process() {
    let connections = Connections::new();
    let router = Router::new().route("/", get(open));
    let router = router.with_state(connections.clone());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let (stop, asked) = oneshot::channel();
    let draining = connections.clone();
    let (tell, report) = oneshot::channel();
    let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
        asked.await.unwrap();
        tell.send(draining.drain(Drain::default()).await).unwrap();
    });
    let serving = tokio::spawn(serving.into_future());

    let mut idle = connect(&*url).await.unwrap();
    let mut busy = connect(&*url).await.unwrap();
    busy.send("Hello!").await.unwrap();
    assert_eq!(busy.recv().await.unwrap(), Some("Hello!".into()));
    idle.send("Hello!").await.unwrap();
    assert_eq!(idle.recv().await.unwrap(), Some("Hello!".into()));
    assert_eq!(connections.len(), 2);
    let mut peers = Vec::new();
    connections.each(|it| peers.push(it.peer().unwrap().ip()));
    assert!(peers.len() == 2 && peers.iter().all(IpAddr::is_loopback));
    stop.send(()).unwrap();
    for client in [&mut idle, &mut busy] {
        assert!(client.recv().await.is_err(), "1012 is no ordinary end");
        assert_eq!(client.close_info().unwrap().code, 1012);
    }
    let report = report.await.unwrap();
    assert_eq!((report.closed, report.cut), (2, 0));
    serving.await.unwrap().unwrap();
    assert!(connections.is_empty());
    let late = connect(&*url).await.map(drop).unwrap_err();
    assert!(matches!(late, ConnectError::Tcp { .. }), "{late}");
}

#[tokio::test]
async fn li1_a_request_without_a_place_is_answered_before_the_upgrade() {
    let connections = Connections::new().max(1);
    let router = Router::new().route("/", get(open));
    let router = router.with_state(connections.clone());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, service).into_future());
    let client = connect(&*url).await.unwrap();
    let error = connect(&*url).await.map(drop).unwrap_err();
    let refused = error.refused().unwrap();
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers.contains_key("retry-after"));
    drop(client);
    while connections.len() == 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    connect(&*url).await.unwrap();
}

#[tokio::test]
async fn co3_an_upgrade_that_does_not_happen_gives_its_place_back() {
    // The response is returned, and is not; the server hands nothing over; the request is refused.
    for (is_returned, hands_over, policy) in [
        (true, false, OriginPolicy::default()),
        (false, true, OriginPolicy::default()),
        (
            true,
            true,
            OriginPolicy::List(vec!["http://b.example".into()]),
        ),
    ] {
        let connections = Connections::new();
        let known = connections.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let upgrade = upgrade(&mut request).origin_policy(policy.clone());
            let response = upgrade.serve(&known, echo);
            async move {
                match is_returned {
                    true => Ok::<_, Infallible>(response.map(String::from)),
                    false => Ok(http::Response::new(String::new())),
                }
            }
        });
        let (mut client, far) = duplex(4096);
        let serving = http1::Builder::new().serve_connection(TokioIo::new(far), service);
        match hands_over {
            true => drop(tokio::spawn(serving.with_upgrades())),
            false => drop(tokio::spawn(serving)),
        }
        client.write_all(REQUEST).await.unwrap();
        client.read_u8().await.unwrap();
        client.shutdown().await.unwrap();
        drop(client);
        while !connections.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn co3_an_upgrade_dropped_at_any_poll_gives_its_place_back() {
    for poll in 1.. {
        let (connections, opened) = (Connections::new(), Arc::new(AtomicUsize::new(0)));
        let (known, counts) = (connections.clone(), Arc::clone(&opened));
        let service = service_fn(move |mut request: Request<Incoming>| {
            let opened = Arc::clone(&counts);
            let response = upgrade(&mut request).serve(&known, async move |connection| {
                opened.fetch_add(1, Ordering::SeqCst);
                drop(connection);
            });
            async move { Ok::<_, Infallible>(response) }
        });
        let pieces = REQUEST.chunks(10).map(Bytes::from_static);
        let reads = pieces.flat_map(|piece| [Read::Pending, Read::Bytes(piece)]);
        let script = Script::new(reads.chain([Read::Silence])).write_max(10);
        let serving = http1::Builder::new().serve_connection(TokioIo::new(script), service);
        let mut runner = Runner::new(Cut::At(poll));
        let served = runner.try_run(serving.with_upgrades());
        settle().await;
        assert!(connections.is_empty(), "dropped at {poll}");
        let opened = opened.load(Ordering::SeqCst);
        assert_eq!(opened, usize::from(served.is_some()), "dropped at {poll}");
        if let Some(served) = served {
            served.unwrap();
            assert!(poll > 20, "the script is meant to be slow: {poll} polls");
            break;
        }
    }
}
