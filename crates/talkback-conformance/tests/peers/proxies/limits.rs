//! Limits for each address behind a proxy: by what it tells, and not by what its clients do.

use std::net::Ipv4Addr;

use http::StatusCode;
use talkback::server::{Connections, Network};

use super::hub::Hub;
use super::site::{CLIENT, Change, Kind, Site};

const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// One connection for each address, and this proxy is believed.
fn limited(proxy: Ipv4Addr) -> Connections {
    let proxy: Network = std::net::IpAddr::from(proxy).into();
    Connections::new()
        .max_per_address(1)
        .trusted_proxies([proxy])
}

/// The status that a client is refused with, which says that it is somebody else.
async fn refused(site: &Site, client: Ipv4Addr, forged: &str) -> StatusCode {
    let opened = site.open_from(client, "/ws/", |connect| {
        let connect = connect.header("X-Forwarded-For", forged);
        connect.header("Forwarded", format!("for={forged}"))
    });
    let error = opened
        .await
        .map(drop)
        .expect_err("it has as many as it may");
    error.refused().unwrap_or_else(|| panic!("{error}")).status
}

async fn each_client_counts_as_itself(kind: Kind, name: &str, changes: &[Change<'_>]) {
    let hub = Hub::start(limited(Ipv4Addr::LOCALHOST)).await;
    let site = Site::start(kind, name, hub.port, changes);
    let _first = site.open("/ws/", |connect| connect).await.unwrap();
    for forged in ["192.0.2.1", "127.0.0.3", "127.0.0.1", "evil"] {
        assert_eq!(refused(&site, CLIENT, forged).await, 429, "{forged}");
    }
    let forging = site.open_from(OTHER, "/ws/", |connect| {
        connect.header("X-Forwarded-For", CLIENT.to_string())
    });
    let _other = forging.await.unwrap();
    assert_eq!(hub.connections.len(), 2);
}

async fn a_proxy_that_is_not_listed_counts_as_all_of_them(kind: Kind) {
    let hub = Hub::start(limited(Ipv4Addr::new(192, 0, 2, 7))).await;
    let site = Site::start(kind, "not-listed", hub.port, &[]);
    let _first = site.open("/ws/", |connect| connect).await.unwrap();
    assert_eq!(refused(&site, OTHER, "192.0.2.1").await, 429);
}

#[tokio::test]
async fn li8_behind_nginx_each_client_counts_as_itself() {
    each_client_counts_as_itself(Kind::Nginx, "limits", &[]).await;
    // With what the client wrote before it.
    let line = "X-Forwarded-For $remote_addr";
    let changes = [(line, "X-Forwarded-For $proxy_add_x_forwarded_for")];
    each_client_counts_as_itself(Kind::Nginx, "limits-added", &changes).await;
}

#[tokio::test]
async fn li8_behind_haproxy_each_client_counts_as_itself() {
    each_client_counts_as_itself(Kind::Haproxy, "limits", &[]).await;
    // In a line of its own, behind that of the client.
    let line = "http-request set-header X-Forwarded-For %[src]";
    let changes = [(line, "option forwardfor")];
    each_client_counts_as_itself(Kind::Haproxy, "limits-added", &changes).await;
}

#[tokio::test]
async fn li8_behind_caddy_each_client_counts_as_itself() {
    each_client_counts_as_itself(Kind::Caddy, "limits", &[]).await;
}

#[tokio::test]
async fn li7_proxies_that_are_not_listed_are_not_believed() {
    for kind in [Kind::Nginx, Kind::Haproxy, Kind::Caddy] {
        a_proxy_that_is_not_listed_counts_as_all_of_them(kind).await;
    }
}
