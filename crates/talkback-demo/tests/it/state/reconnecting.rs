//! A page whose connection is lost, in virtual time, against a scripted server.

use std::io::ErrorKind::ConnectionRefused;

use talkback::Verdict;
use talkback::test_util::{Peer, ScriptedServer};
use tokio::time::sleep;

use super::*;

/// A page that tries again after a good ten seconds each time.
fn reconnecting(server: &ScriptedServer) -> Page {
    let connect = talkback::connect("ws://server.example/").connector(server.connector());
    let reconnect = connect.reconnect();
    let ten_seconds = |_: &_, _| Verdict::RetryAfter(Duration::from_secs(10));
    page(reconnect.decide(ten_seconds).channel())
}

async fn accepted(server: &mut ScriptedServer) -> Peer {
    server.next_try().await.accept().await.unwrap()
}

/// A page that had an answer, and then lost its connection.
async fn lost() -> (ScriptedServer, Page) {
    let mut server = ScriptedServer::new();
    let mut page = reconnecting(&server);
    assert_eq!(page.status(), ("connecting", Role::Busy));
    let mut peer = accepted(&mut server).await;
    peer.send("a").await.unwrap();
    shows(&mut page, |page| page.answer() == "a").await;
    assert_eq!((page.reconnecting(), page.next_tick_in()), (None, None));
    peer.cut();
    shows(&mut page, |page| page.next_tick_in().is_some()).await;
    (server, page)
}

/// The seconds that a page counts down.
fn counted(page: &Page) -> u64 {
    let reconnecting = page.reconnecting().unwrap();
    let rest = reconnecting.strip_prefix("reconnecting in ").unwrap();
    rest.split_once(" s (").unwrap().0.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn seconds_are_counted_down_beside_the_last_answer() {
    let (mut server, mut page) = lost().await;
    assert_eq!(page.status(), ("reconnecting", Role::Busy));
    let begun = counted(&page);
    assert!((10..=11).contains(&begun), "{begun}");
    for left in (1..begun).rev() {
        sleep(page.next_tick_in().unwrap()).await;
        assert_eq!(counted(&page), left);
    }
    assert_eq!(page.next_tick_in(), None, "what comes next wakes");
    assert_eq!((page.answer(), page.problem()), ("a", None));
    let _peer = accepted(&mut server).await;
    shows(&mut page, |page| page.status() == ("open", Role::Good)).await;
    assert_eq!(page.reconnecting(), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_meanwhile_waits_and_leaves() {
    let (mut server, mut page) = lost().await;
    assert!(!page.reconnecting().unwrap().contains("waits"));
    page.field = "안녕".to_owned();
    assert_eq!(page.send(NOW), Sending::Sent);
    let told = page.reconnecting().unwrap();
    assert!(told.ends_with("; your message waits"), "{told}");
    let mut peer = accepted(&mut server).await;
    let message = peer.recv().await.unwrap().unwrap();
    peer.send(message).await.unwrap();
    shows(&mut page, |page| page.answer() == "안녕").await;
    assert_eq!((page.reconnecting(), page.unwritten()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_there_is_tried_again() {
    let mut server = ScriptedServer::new();
    let mut page = reconnecting(&server);
    server.next_try().await.fail(ConnectionRefused);
    shows(&mut page, |page| page.next_tick_in().is_some()).await;
    let told = page.reconnecting().unwrap();
    assert!(told.ends_with(" s (connection refused)"), "{told}");
    let second = server.next_try().await;
    shows(&mut page, |page| page.next_tick_in().is_none()).await;
    let told = page.reconnecting().unwrap();
    assert_eq!(told, "reconnecting (connection refused)");
    assert_eq!(page.status(), ("reconnecting", Role::Busy));
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_full_meanwhile_is_told() {
    let (_server, mut page) = lost().await;
    page.field = "a".to_owned();
    while page.send(NOW) == Sending::Sent {
        assert!(page.log().count() < 100_000);
    }
    assert!(page.problem().unwrap().contains("too much is waiting"));
    assert!(page.reconnecting().unwrap().contains("waits"));
}

#[tokio::test(start_paused = true)]
async fn disconnecting_meanwhile_is_the_end() {
    let (_server, mut page) = lost().await;
    assert!(page.can_disconnect() && !page.can_connect());
    page.disconnect();
    shows(&mut page, |page| page.ending().is_some()).await;
    assert_eq!(page.reconnecting(), None);
    assert_eq!(page.status(), ("closed", Role::Neutral));
    assert_eq!(page.problem(), None, "it was asked for");
    assert_eq!((page.answer(), page.can_connect()), ("a", true));
}
