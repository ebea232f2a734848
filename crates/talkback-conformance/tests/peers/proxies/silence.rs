//! Connections on which nothing is sent for longer than the proxy allows, which the page says is 60 s.

use std::time::Duration;

use talkback::{CloseCode, Connect, Keepalive, WebSocketChannel};

use super::backend::Backend;
use super::page::symptom;
use super::site::{Change, Kind, Site};

/// A ping well below the proxy's time of 3 s, and all the time that a busy machine takes to answer it.
const KEEPALIVE: Keepalive = Keepalive::OFF
    .interval(Duration::from_millis(250))
    .timeout(Duration::from_secs(60));

async fn is_open(channel: &mut WebSocketChannel) {
    channel.send("still there").await.unwrap();
    let answer = channel.recv().await.unwrap();
    assert_eq!(answer, Some("still there".into()));
}

/// A connection without keepalive ends; those that were opened before it, with a keepalive of either end,
/// do not.
async fn ends_without_keepalive(kind: Kind, name: &str, changes: &[Change<'_>]) {
    let (backend, other) = (
        Backend::start().await,
        Backend::with_keepalive(KEEPALIVE).await,
    );
    let site = Site::start(kind, name, backend.port, changes);
    let name = format!("{name}-server");
    let other_site = Site::start(kind, &name, other.port, changes);
    let client = site
        .open("/ws/", |connect| connect.keepalive(KEEPALIVE))
        .await;
    let mut by_client = WebSocketChannel::from(client.unwrap());
    let server = other_site.open("/ws/", |connect| connect).await;
    let mut by_server = WebSocketChannel::from(server.unwrap());

    let silent = site
        .open("/ws/", |connect| connect.keepalive(Keepalive::OFF))
        .await;
    let mut silent = silent.unwrap();
    // More than the proxy's time, and less than the times that are not to hold.
    let end = tokio::time::timeout(Duration::from_secs(25), silent.recv()).await;
    assert!(end.expect("it ends").is_err());
    let info = silent.close_info().unwrap();
    assert_eq!(info.code, CloseCode::ABNORMAL);
    for text in ["connection lost without a close frame", "1006"] {
        assert!(info.to_string().contains(text), "{info}");
        assert!(symptom("`keepalive`").contains(text), "{text}");
    }
    is_open(&mut by_client).await;
    is_open(&mut by_server).await;
}

/// A client that does not take what is sent holds the proxy up, which gives it up.
async fn ends_if_nothing_is_read(kind: Kind, name: &str, changes: &[Change<'_>]) {
    let mut backend = Backend::start().await;
    let site = Site::start(kind, name, backend.port, changes);
    let options = |connect: Connect| connect.compression(None);
    let mut socket = site.open("/ws/", options).await.unwrap();
    socket.send("flood").await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(25), backend.end()).await;
    assert_eq!(end.expect("it ends").code, CloseCode::ABNORMAL);
    // The rest of what was on the way, and no close frame.
    assert!(socket.recv().await.is_err());
    assert_eq!(socket.close_info().unwrap().code, CloseCode::ABNORMAL);
}

#[tokio::test]
async fn nginx_send_timeout() {
    let changes = [(
        "    location /ws/ {\n",
        "    location /ws/ {\n        send_timeout 2s;\n",
    )];
    ends_if_nothing_is_read(Kind::Nginx, "unread", &changes).await;
}

#[tokio::test]
async fn haproxy_timeout_tunnel_of_a_client_that_does_not_read() {
    let changes = [("timeout tunnel 60s", "timeout tunnel 2s")];
    ends_if_nothing_is_read(Kind::Haproxy, "unread", &changes).await;
}

#[tokio::test]
async fn nginx_read_timeout() {
    let changes = [("proxy_read_timeout 60s", "proxy_read_timeout 3s")];
    ends_without_keepalive(Kind::Nginx, "silence", &changes).await;
}

#[tokio::test]
async fn haproxy_timeout_tunnel() {
    let changes = [("timeout tunnel 60s", "timeout tunnel 3s")];
    ends_without_keepalive(Kind::Haproxy, "silence", &changes).await;
}

#[tokio::test]
async fn haproxy_without_timeout_tunnel() {
    let changes = [
        ("    timeout tunnel 60s\n", ""),
        ("timeout client 30s", "timeout client 3s"),
        ("timeout server 30s", "timeout server 3s"),
    ];
    ends_without_keepalive(Kind::Haproxy, "silence-no-tunnel", &changes).await;
}
