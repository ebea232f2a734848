//! A client that stays connected, behind nginx, under traffic: each message is accounted for by its fate.

use std::net::{Ipv4Addr, SocketAddr};

use http::StatusCode;
use talkback::{CloseCode, Lost};

use super::backend::Backend;
use super::reload::{CHANGE, until_new};
use super::site::{Kind, Process, Site};
use super::traffic::Traffic;

/// Some more than are on the way.
const SOME: usize = 200;

async fn start(process: Process, name: &str) -> (Backend, Site, Traffic) {
    let backend = Backend::start().await;
    let name = format!("reconnecting-{name}");
    let site = Site::with_process(Kind::Nginx, process, &name, backend.port, &[]);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, site.port));
    let mut traffic = Traffic::start(site.connect("/ws/").address(address));
    traffic.echoes(1, SOME).await;
    (backend, site, traffic)
}

fn is_cut(lost: &Lost) -> bool {
    let code = lost.close_info().map(|info| info.code);
    code == Some(CloseCode::ABNORMAL)
}

#[tokio::test]
async fn re70_nginx_is_reloaded_and_its_old_worker_goes_on() {
    let (backend, mut site, mut traffic) = start(Process::Reloaded, "reload").await;
    site.reload(Process::Reloaded, &[CHANGE]);
    traffic.echoes(1, SOME).await;
    until_new(&site).await;
    traffic.echoes(1, SOME).await;
    let losses = traffic.account(|| backend.seen()).await;
    assert!(losses.is_empty(), "{losses:?}");
}

#[tokio::test]
async fn re70_nginx_is_reloaded_and_its_old_worker_ends() {
    let (backend, mut site, mut traffic) = start(Process::ReloadedAndEnded, "end").await;
    site.reload(Process::ReloadedAndEnded, &[]);
    traffic.echoes(2, SOME).await;
    let losses = traffic.account(|| backend.seen()).await;
    assert!(losses.len() == 1 && is_cut(&losses[0]), "{losses:?}");
}

#[tokio::test]
async fn re70_nginx_is_killed_and_started_again() {
    let (backend, mut site, mut traffic) = start(Process::Alone, "killed").await;
    for connection in 2..=4 {
        site.kill();
        site.start_again();
        traffic.echoes(connection, SOME).await;
    }
    let losses = traffic.account(|| backend.seen()).await;
    assert!(losses.len() == 3 && losses.iter().all(is_cut), "{losses:?}");
}

#[tokio::test]
async fn re70_the_server_behind_nginx_dies_and_is_back() {
    let (mut backend, _site, mut traffic) = start(Process::Alone, "server").await;
    for connection in 2..=4 {
        backend.stop().await;
        traffic.is_refused_with(StatusCode::BAD_GATEWAY).await;
        backend.start_again().await;
        traffic.echoes(connection, SOME).await;
    }
    let losses = traffic.account(|| backend.seen()).await;
    assert!(losses.len() == 3 && losses.iter().all(is_cut), "{losses:?}");
}
