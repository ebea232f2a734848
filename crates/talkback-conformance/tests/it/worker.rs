//! The channel in a worker, which has no window and no document.

use talkback::{ConnectError, Error, WebSocketChannel};
use talkback_conformance::{Backend, Behaviour, Options, check_exceptions, run_named};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::browser::Page;
use crate::page::heartbeat::asks;
use crate::page::reconnecting::hastens;

#[wasm_bindgen_test]
async fn messages_come_and_go() {
    let mut channel = opened().await;
    for size in [0, 1, 300_000] {
        channel.send(vec![7; size]).await.unwrap();
        let answer = channel.recv().await.unwrap().unwrap();
        assert_eq!(answer.len(), size);
    }
    channel.flush().await.unwrap();
    assert!(channel.close().await.unwrap().clean);
}

#[wasm_bindgen_test]
async fn what_is_queued_leaves_after_the_drop() {
    let channel = opened_at(&Behaviour::Observe { id: 301 }).await;
    for _ in 0..4 {
        channel.try_send(vec![0; 200_000]).unwrap();
    }
    drop(channel);
    let mut report = Page::connect(&Behaviour::Report { id: 301 }).channel();
    for _ in 0..4 {
        assert_eq!(report.recv().await.unwrap().unwrap().len(), 200_000);
    }
    assert_eq!(report.recv().await.unwrap(), Some("close 1005".into()));
}

#[wasm_bindgen_test]
async fn a_server_that_refuses_is_an_error() {
    let body = String::new();
    let refusal = Behaviour::Status { code: 401, body };
    let refused = Page.open(&refusal, Options::default()).ready().await;
    assert!(
        matches!(refused, Err(Error::Connect(ConnectError::Browser { .. }))),
        "{refused:?}"
    );
    check_exceptions(&Page).unwrap();
}

#[wasm_bindgen_test]
async fn re128_a_channel_stays_connected() {
    for name in [
        "reconnecting::re1_a_first_try_that_fails_is_made_again",
        "reconnecting::re24_the_loss_tells_of_the_peers_close_frame",
        "reconnecting::re40_a_greeting_goes_before_what_is_queued",
        "reconnecting_queue::re55_re56_a_full_queue_hands_back_and_send_waits",
    ] {
        run_named(&Page, name).await.unwrap();
    }
    // It has a network, and no document.
    hastens("globalThis", "online").await;
    asks("globalThis", "offline").await;
}

async fn opened() -> WebSocketChannel {
    opened_at(&Behaviour::ECHO).await
}

async fn opened_at(behaviour: &Behaviour) -> WebSocketChannel {
    let channel = Page::connect(behaviour).channel();
    channel.ready().await.unwrap();
    channel
}
