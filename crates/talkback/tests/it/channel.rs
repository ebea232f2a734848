//! The channel over TCP on loopback, from programs with and without a runtime.

use std::thread;
use std::time::Duration;

use futures_util::StreamExt;
use talkback::{
    ChannelState, CloseCause, CloseCode, ConnectError, Error, Initiator, SnapshotState,
    TrySendErrorKind, WebSocketChannel,
};
use tokio::net::TcpListener;

use crate::support::echo::{echo, echo_thread};

#[tokio::test]
async fn the_recipe() {
    let mut channel = WebSocketChannel::connect(echo().await);
    channel.ready().await.unwrap();
    channel.send("Hello!").await.unwrap();
    let answer = channel.recv().await.unwrap().unwrap();
    assert_eq!(answer.as_text(), Some("Hello!"));
    let info = channel.close().await.unwrap();
    assert_eq!((info.code, info.clean), (CloseCode::NO_CODE, true));
    assert!(channel.recv().await.unwrap().is_none());
}

#[test]
fn a_program_without_a_runtime_never_awaits() {
    let channel = WebSocketChannel::connect(echo_thread());
    let sender = channel.sender();
    sender.try_send("안녕하세요").unwrap();
    let snapshots = channel.into_snapshots();
    // As a window draws: again and again, bounded only against a hang of the test.
    let mut drawn = String::new();
    for _ in 0..2_000 {
        drawn = snapshots.latest().text().to_owned();
        if !drawn.is_empty() {
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(drawn, "안녕하세요");
    sender.close();
    for _ in 0..2_000 {
        if snapshots.latest().state == SnapshotState::Done {
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let last = snapshots.latest();
    assert_eq!(
        (last.state, last.text()),
        (SnapshotState::Done, "안녕하세요")
    );
    assert!(last.close.unwrap().clean);
}

#[tokio::test]
async fn add_before_ready_then_close_at_once_delivers_what_is_queued() {
    let mut channel = WebSocketChannel::connect(echo().await);
    channel.try_send("one").unwrap();
    channel.try_send("two").unwrap();
    let closing = channel.close();
    let refused = channel.try_send("three").unwrap_err();
    assert_eq!(refused.kind(), TrySendErrorKind::Closed);
    assert_eq!(refused.into_message().as_text(), Some("three"));
    assert!(closing.await.unwrap().clean);
    channel.ready().await.unwrap();
    assert!(channel.recv().await.unwrap().is_none());
}

#[tokio::test]
async fn a_failed_connect_is_told_to_everyone_and_on_the_stream_once() {
    let mut channel = WebSocketChannel::connect("ws://127.0.0.1:1/");
    for _ in 0..2 {
        let error = channel.ready().await.unwrap_err();
        assert!(
            matches!(error, Error::Connect(ConnectError::Tcp { .. })),
            "{error:?}"
        );
    }
    assert!(matches!(channel.recv().await, Err(Error::Connect(_))));
    assert!(channel.recv().await.unwrap().is_none());
    assert!(matches!(channel.close().await, Err(Error::Connect(_))));
    let info = channel.close_info().unwrap();
    assert_eq!((info.code, info.clean), (CloseCode::ABNORMAL, false));
    assert!(matches!(info.cause, CloseCause::NotOpened(_)));
    assert_eq!(channel.state(), ChannelState::Closed);
}

#[tokio::test]
async fn closing_before_it_is_open_is_immediate() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut channel = WebSocketChannel::connect(url);
    let info = channel.close().await.unwrap();
    assert_eq!(info.initiator, Initiator::Local);
    assert!(channel.ready().await.is_err());
    assert!(
        channel.recv().await.unwrap().is_none(),
        "what one closes oneself is no error"
    );
}

#[tokio::test]
async fn ten_thousand_echoes_with_snapshots_alone_do_not_stall() {
    let channel = WebSocketChannel::connect(echo().await);
    let sender = channel.sender();
    let mut snapshots = channel.into_snapshots();
    for number in 0..10_000 {
        sender.send(number.to_string()).await.unwrap();
    }
    // The stream ends if the channel does, so this cannot wait for ever.
    while snapshots.next().await.expect("the channel is open").text() != "9999" {}
    assert!(sender.close().await.unwrap().clean);
    assert_eq!(snapshots.latest().text(), "9999", "the last data stays");
}
