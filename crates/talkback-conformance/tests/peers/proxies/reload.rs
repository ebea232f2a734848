//! Proxies that are reloaded while a connection is open.

use std::time::Duration;

use talkback::CloseCode;

use super::backend::{self, Backend};
use super::site::{Change, Kind, Process, Site, Socket};

/// Pages at `/new/` come from the server once this is changed.
pub(super) const CHANGE: Change<'_> = ("/ws/", "/new/");

/// And not before: HAProxy has its own pages from the same server.
fn before(kind: Kind) -> Vec<Change<'static>> {
    match kind {
        Kind::Haproxy => vec![("    default_backend pages\n", "")],
        _ => Vec::new(),
    }
}

/// A proxy that was reloaded, and a connection that was opened before.
async fn opened(backend: &Backend, kind: Kind, process: Process, name: &str) -> (Site, Socket) {
    let mut changes = before(kind);
    let mut site = Site::with_process(kind, process, name, backend.port, &changes);
    let socket = site.open("/ws/", |connect| connect).await.unwrap();
    changes.push(CHANGE);
    site.reload(process, &changes);
    until_new(&site).await;
    (site, socket)
}

/// Waits until the change has come into force.
pub(super) async fn until_new(site: &Site) {
    let is_new = async {
        while !matches!(site.get("/new/").await, Ok((200, page)) if page == backend::PAGE) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let reloaded = tokio::time::timeout(Duration::from_secs(30), is_new).await;
    reloaded.expect("it is reloaded");
}

async fn stays(kind: Kind) {
    let backend = Backend::start().await;
    let (_site, mut socket) = opened(&backend, kind, Process::Reloaded, "reload").await;
    socket.send("still there").await.unwrap();
    let answer = socket.recv().await.unwrap();
    assert_eq!(answer, Some("still there".into()));
}

/// How the connection ended, and what `recv` said.
async fn end(kind: Kind, process: Process) -> (CloseCode, bool) {
    let backend = Backend::start().await;
    let (_site, mut socket) = opened(&backend, kind, process, "reload-and-end").await;
    let end = tokio::time::timeout(Duration::from_secs(30), socket.recv()).await;
    let end = end.expect("it ends");
    (socket.close_info().unwrap().code, end.is_ok())
}

#[tokio::test]
async fn nginx_goes_on_with_what_is_open() {
    stays(Kind::Nginx).await;
}

#[tokio::test]
async fn haproxy_goes_on_with_what_is_open() {
    stays(Kind::Haproxy).await;
}

#[tokio::test]
async fn nginx_ends_it_at_the_shutdown_timeout() {
    let end = end(Kind::Nginx, Process::ReloadedAndEnded).await;
    assert_eq!(end, (CloseCode::ABNORMAL, false));
}

#[tokio::test]
async fn haproxy_ends_it_at_the_hard_stop() {
    let end = end(Kind::Haproxy, Process::ReloadedAndEnded).await;
    assert_eq!(end, (CloseCode::ABNORMAL, false));
}

#[tokio::test]
async fn caddy_closes_it_at_once() {
    let end = end(Kind::Caddy, Process::Reloaded).await;
    assert_eq!(end, (CloseCode::GOING_AWAY, true));
}
