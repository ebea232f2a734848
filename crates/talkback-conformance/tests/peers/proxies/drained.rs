//! A server behind a proxy that lets go of a thousand connections, and clients that come back.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use talkback::server::{Connections, Drain};
use tokio::task::JoinHandle;

use super::hub::Hub;
use super::site::{Change, Kind, Process, Site, Socket};
use super::traffic::Traffic;

const CLIENTS: usize = 1_000;

/// nginx has space for some 250 by itself.
fn changes(kind: Kind) -> Vec<Change<'static>> {
    match kind {
        Kind::Nginx => vec![("events {}", "events { worker_connections 4096; }")],
        _ => Vec::new(),
    }
}

/// The code that a connection is closed with, once it is; until then it answers pings.
fn code(mut socket: Socket) -> JoinHandle<u16> {
    tokio::spawn(async move {
        let end = socket.recv().await;
        assert!(!matches!(end, Ok(Some(_))), "nobody sends");
        socket.close_info().expect("it has ended").code.number()
    })
}

/// Opens a thousand connections, changes what there is to be changed, and drains.
async fn all_are_closed(kind: Kind, process: Process, name: &str) {
    let mut hub = Hub::start(Connections::new()).await;
    let changes = changes(kind);
    let mut site = Site::with_process(kind, process, name, hub.port, &changes);
    let opening = stream::iter(0..CLIENTS).map(|_| site.open("/ws/", |connect| connect));
    let opening = opening.buffer_unordered(16);
    let open: Vec<_> = opening.map(|opened| code(opened.unwrap())).collect().await;
    assert_eq!(hub.connections.len(), CLIENTS);
    if let Process::Reloaded = process {
        site.reload(process, &changes);
        // One that comes behind it.
        drop(site.open("/ws/", |connect| connect).await.unwrap());
        while hub.connections.len() > CLIENTS {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let drain = Drain::default().spread(Duration::from_secs(2));
    let report = hub.drain(drain).await;
    let counts = (report.closed, report.by_peer, report.cut);
    assert_eq!(counts, (CLIENTS, 0, 0), "{report}");
    for open in open {
        assert_eq!(open.await.unwrap(), 1012);
    }
}

#[tokio::test]
async fn dr2_behind_nginx_a_thousand_are_closed_and_none_is_cut() {
    all_are_closed(Kind::Nginx, Process::Alone, "drain").await;
}

#[tokio::test]
async fn dr2_behind_nginx_that_was_reloaded_a_thousand_are_closed_and_none_is_cut() {
    all_are_closed(Kind::Nginx, Process::Reloaded, "drain-reloaded").await;
}

#[tokio::test]
async fn dr2_behind_haproxy_a_thousand_are_closed_and_none_is_cut() {
    all_are_closed(Kind::Haproxy, Process::Alone, "drain").await;
}

#[tokio::test]
async fn dr2_behind_haproxy_that_was_reloaded_a_thousand_are_closed_and_none_is_cut() {
    all_are_closed(Kind::Haproxy, Process::Reloaded, "drain-reloaded").await;
}

/// Reloaded it would close them itself.
#[tokio::test]
async fn dr2_behind_caddy_a_thousand_are_closed_and_none_is_cut() {
    all_are_closed(Kind::Caddy, Process::Alone, "drain").await;
}

async fn nothing_is_lost(kind: Kind) {
    let mut hub = Hub::start(Connections::new()).await;
    let site = Site::start(kind, "drain-traffic", hub.port, &[]);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, site.port));
    let mut traffic = Traffic::start(site.connect("/ws/").address(address));
    traffic.echoes(1, 200).await;
    for connection in 2..=4 {
        let restarting = async {
            let report = hub.drain(Drain::default()).await;
            assert_eq!((report.closed, report.cut), (1, 0), "{report}");
            hub.start_again().await;
        };
        tokio::join!(restarting, traffic.echoes(connection, 200));
    }
    let losses = traffic.account(|| hub.seen()).await;
    let codes = losses
        .iter()
        .map(|lost| lost.close_info().map(|info| info.code.number()));
    assert_eq!(codes.collect::<Vec<_>>(), [Some(1012); 3]);
}

#[tokio::test]
async fn re70_a_server_behind_nginx_is_drained_and_started_again() {
    nothing_is_lost(Kind::Nginx).await;
}

#[tokio::test]
async fn re70_a_server_behind_haproxy_is_drained_and_started_again() {
    nothing_is_lost(Kind::Haproxy).await;
}

#[tokio::test]
async fn re70_a_server_behind_caddy_is_drained_and_started_again() {
    nothing_is_lost(Kind::Caddy).await;
}
