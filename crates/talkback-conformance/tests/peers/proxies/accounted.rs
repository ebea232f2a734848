//! A thousand clients that stay connected, behind a proxy with two servers: what each was told of its messages is held
//! against what has come.
//!
//! *Written* is what the client's operating system took, and all that can be known without an answer. How much of it
//! comes depends on how a connection ends:
//!
//! - one that the client closes, or a server, or that nobody ends, brings all of it to a handler: also what comes behind the
//!   server's close frame, which the client had not read by then;
//! - of one that the proxy ends, the end may be missing: what was on its way through the proxy, and nothing before it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use talkback::server::Drain;
use talkback::{Backoff, ChannelEvent, Connect, Fate, Lost, Receipt, SendErrorKind};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::ledger::{Account, Ledger, Server};
use super::site::{Change, Kind, Process, Site};

const CLIENTS: usize = 1_000;

/// Between two messages of a client.
const PAUSE: Duration = Duration::from_millis(100);

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why the server closes a connection: no other end has this reason.
const REASON: &str = "the server moves";

/// What a client was told.
struct Told {
    fates: Vec<Fate>,
    losses: Vec<Lost>,
}

/// Sends numbers until it is told to stop, and holds that `flush` says of each what its receipt says.
async fn client(
    number: usize,
    connect: Connect,
    echoes: Arc<Vec<AtomicUsize>>,
    is_over: watch::Receiver<bool>,
) -> Told {
    let backoff = Backoff::default()
        .first(Duration::from_millis(50))
        .longest(Duration::from_millis(500));
    let mut channel = connect.reconnect().backoff(backoff).channel();
    let (mut receipts, mut losses, mut told) = (Vec::new(), Vec::new(), 0);
    while !*is_over.borrow() {
        let message = format!("{number} {}", receipts.len());
        receipts.push(channel.send_tracked(message).unwrap());
        let flushed = channel.flush().await;
        let fates: Vec<_> = receipts[told..].iter().map_while(Receipt::fate).collect();
        let is_written = |fate: &Fate| matches!(fate, Fate::Written { .. });
        match flushed {
            Ok(()) => {
                assert!(fates.iter().all(is_written), "{number}: {fates:?}");
                assert_eq!(told + fates.len(), receipts.len(), "{number}: all of them");
            }
            Err(error) => {
                assert_eq!(error.kind(), SendErrorKind::InFlight, "{number}: {error}");
                assert!(!fates.iter().all(is_written), "{number}: {fates:?}");
            }
        }
        told += fates.len();
        while let Some(event) = channel.try_recv_event().unwrap() {
            match event {
                ChannelEvent::Message(_) => _ = echoes[number].fetch_add(1, Ordering::SeqCst),
                ChannelEvent::Lost(lost) => losses.push(lost),
                _ => {}
            }
        }
        sleep(PAUSE).await;
    }
    // What is behind this was told by no `flush`.
    let info = channel.close().await.unwrap();
    assert!(info.clean, "{number}: {info}");
    let mut fates = Vec::new();
    for receipt in receipts {
        fates.push(receipt.await);
    }
    Told { fates, losses }
}

/// Waits until each client has had so many answers more.
async fn all_go_on(echoes: &[AtomicUsize], more: usize) {
    let read = |count: &AtomicUsize| count.load(Ordering::SeqCst);
    let before: Vec<usize> = echoes.iter().map(read).collect();
    let is_behind = |(count, before): (&AtomicUsize, &usize)| read(count) < before + more;
    let all = async {
        while echoes.iter().zip(&before).any(is_behind) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let all = timeout(PATIENCE, all).await;
    all.expect("each goes on");
}

/// What has become of all messages.
#[derive(Debug, Default)]
struct Totals {
    written: usize,
    /// Of these, so many did not come out of the proxy.
    lost_in_the_proxy: usize,
    unknown: usize,
    losses: usize,
    /// So many connections were closed by the server that leaves.
    closed: usize,
}

impl Totals {
    fn add(&mut self, number: usize, told: &Told, account: &Account) {
        let Account { given, arrived } = account;
        let unique: BTreeSet<_> = arrived.iter().collect();
        assert_eq!(unique.len(), arrived.len(), "{number}: one came twice");
        let is_in_order = given.is_sorted_by(|one, next| one < next);
        assert!(is_in_order, "{number}: twice, or out of order: {given:?}");
        assert!(given.iter().all(|it| arrived.contains(it)));
        // By a close frame of the server, or not.
        let losses = told.losses.iter().map(|lost| {
            let info = lost.close_info();
            let is_by_server = info.is_some_and(|info| info.reason == *REASON);
            (lost.connection(), is_by_server)
        });
        let losses: BTreeMap<u64, bool> = losses.collect();
        self.losses += losses.len();
        let mut ends = BTreeMap::new();
        for (message, fate) in told.fates.iter().enumerate() {
            let has_come = arrived.contains(&message);
            let is_given = given.binary_search(&message).is_ok();
            let connection = match *fate {
                Fate::Written { connection } => connection,
                Fate::Unknown { .. } => {
                    self.unknown += 1;
                    continue;
                }
                fate => panic!("{number}: {message} is {fate:?}"),
            };
            self.written += 1;
            let how = format!("{number}: {message}, written on {connection} of {losses:?}");
            let lacks = ends.entry(connection).or_insert(false);
            let by_server = losses.get(&connection).copied();
            if !has_come {
                assert_eq!(by_server, Some(false), "{how} has not come");
                self.lost_in_the_proxy += 1;
            }
            assert_eq!(is_given, has_come, "{how} was given to nobody");
            assert!(!(has_come && *lacks), "{how} follows one that is missing");
            *lacks |= !has_come;
        }
    }
}

/// The page's configuration, with room for all, and another server beside the first.
fn changes(kind: Kind, other: &str) -> Vec<(&'static str, String)> {
    match kind {
        Kind::Nginx => vec![
            (
                "events {}",
                "events { worker_connections 8192; }".to_owned(),
            ),
            (
                "http {\n",
                format!(
                    "http {{\nupstream chat {{ server 127.0.0.1:9001 max_fails=0; server {other} max_fails=0; }}\n"
                ),
            ),
            (
                "proxy_pass http://127.0.0.1:9001",
                "proxy_pass http://chat".to_owned(),
            ),
        ],
        Kind::Haproxy => vec![(
            "    server chat 127.0.0.1:9001\n",
            format!(
                "    option redispatch 1\n    server chat 127.0.0.1:9001\n    server other {other}\n"
            ),
        )],
        Kind::Caddy => vec![(
            "reverse_proxy 127.0.0.1:9001\n",
            format!(
                "reverse_proxy 127.0.0.1:9001 {other} {{\nlb_policy round_robin\nlb_try_duration 5s\n}}\n"
            ),
        )],
    }
}

async fn all_is_accounted_for(kind: Kind) -> Totals {
    let accounts = std::iter::repeat_with(Account::default).take(CLIENTS + 1);
    let ledger: Ledger = Arc::new(accounts.collect::<Vec<_>>().into());
    let [leaving, staying] = [Server::start(&ledger).await, Server::start(&ledger).await];
    let changes = changes(kind, &format!("127.0.0.1:{}", staying.port));
    let changes: Vec<Change<'_>> = changes.iter().map(|(old, new)| (*old, &**new)).collect();
    let process = Process::Reloaded;
    let mut site = Site::with_process(kind, process, "accounted", leaving.port, &changes);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, site.port));
    // What is compressed would have to be read with a context.
    let connect = site.connect("/ws/").address(address).compression(None);
    let (over, is_over) = watch::channel(false);
    let echoes: Vec<AtomicUsize> = (0..CLIENTS).map(|_| AtomicUsize::new(0)).collect();
    let echoes = Arc::new(echoes);
    let start = |number| {
        let client = client(
            number,
            connect.clone(),
            Arc::clone(&echoes),
            is_over.clone(),
        );
        tokio::spawn(client)
    };
    let clients: Vec<_> = (0..CLIENTS).map(start).collect();
    all_go_on(&echoes, 3).await;
    site.reload(process, &changes);
    // One that comes behind it.
    drop(site.open("/ws/", |connect| connect).await.unwrap());
    all_go_on(&echoes, 3).await;
    leaving.stop_listening();
    let drain = Drain::default().spread(Duration::from_secs(2));
    let drain = drain.close_with(1001, REASON).unwrap();
    let report = leaving.connections.drain(drain).await;
    assert!(report.closed > 0 && report.cut == 0, "{report}");
    all_go_on(&echoes, 3).await;
    over.send(true).unwrap();
    let mut told = Vec::new();
    for client in clients {
        told.push(client.await.unwrap());
    }
    while !staying.connections.is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    let mut totals = Totals {
        closed: report.closed,
        ..Totals::default()
    };
    for (number, (told, account)) in told.iter().zip(&*ledger.lock().unwrap()).enumerate() {
        totals.add(number, told, account);
    }
    println!("{kind:?}: {totals:?}");
    totals
}

#[tokio::test]
async fn re70_behind_nginx_all_that_was_written_comes_to_a_server() {
    let totals = all_is_accounted_for(Kind::Nginx).await;
    assert_eq!(
        (totals.lost_in_the_proxy, totals.losses),
        (0, totals.closed)
    );
}

#[tokio::test]
async fn re70_behind_haproxy_all_that_was_written_comes_to_a_server() {
    let totals = all_is_accounted_for(Kind::Haproxy).await;
    assert_eq!(
        (totals.lost_in_the_proxy, totals.losses),
        (0, totals.closed)
    );
}

/// Reloaded, it ends all connections itself.
#[tokio::test]
async fn re70_behind_caddy_all_comes_but_the_end_of_what_it_cuts_when_it_is_reloaded() {
    let totals = all_is_accounted_for(Kind::Caddy).await;
    assert!(totals.losses >= CLIENTS, "{totals:?}");
}
