//! A channel that reconnects, with a secret wherever it is handed one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use talkback::test_util::ScriptedServer;
use talkback::{ChannelEvent, Connected, Error, Heartbeat, HookError, LostCause};
use talkback_testing::secrets::{SECRET, Shown};
use talkback_testing::shown_variant;

use super::with_secrets;

pub(super) async fn reconnecting(shown: &mut Shown) {
    let mut server = ScriptedServer::new();
    let connecting = with_secrets("ws", "a.example").connector(server.connector());
    let kept = Arc::new(Mutex::new((None, None::<Connected>)));
    let (tries, opened) = (Arc::clone(&kept), Arc::clone(&kept));
    let heartbeat = Heartbeat::new(|| SECRET.into(), |_| false);
    shown.debug(&heartbeat);
    let reconnecting = connecting
        .reconnect()
        .heartbeat(heartbeat)
        .before_try(move |connect, tried| {
            tries.lock().unwrap().0 = Some(tried);
            async { Ok(connect) }
        })
        .on_connected(move |connected| {
            opened.lock().unwrap().1 = Some(connected);
            async { Ok(()) }
        });
    shown.debug(&reconnecting);
    let mut channel = reconnecting.channel();
    let receipt = channel.send_tracked(SECRET).unwrap();
    shown.debug(&receipt);
    let chosen = |accept: talkback::Accept<_>| accept.subprotocols([SECRET]);
    let attempt = server.next_try().await;
    let mut peer = attempt.accept_with(chosen).await.unwrap();
    channel.ready().await.unwrap();
    shown.debug(kept.lock().unwrap().1.as_ref().unwrap());
    peer.send(SECRET).await.unwrap();
    peer.close_with(1012, SECRET).await.unwrap();
    for _ in 0..3 {
        let event = channel.recv_event().await.unwrap().unwrap();
        shown.debug(&event);
        match &event {
            ChannelEvent::Opened(opened) => shown.debug(opened),
            ChannelEvent::Lost(lost) => {
                shown.debug(lost);
                shown.debug(lost.cause());
                // What the peer says in closing is what a person needs to read.
                shown.content(lost);
                shown.content(lost.cause());
            }
            _ => {}
        }
    }
    shown.debug(&channel.link());
    shown.debug(&channel);
    channel.reconnect_now();
    // A second has passed since the last try, or will.
    let _next = tokio::time::timeout(Duration::from_secs(3), server.next_try()).await;
    shown.debug(kept.lock().unwrap().0.as_ref().unwrap());
    shown.debug(&LostCause::Heartbeat);
    shown.display(&LostCause::Subprotocol {
        was: Some(SECRET.into()),
        is: None,
    });
    // What a hook says is the program's own.
    let error = HookError::from("no network");
    shown.debug(&error);
    shown.display(&error);
}

/// The end of a channel that has tried often enough, or whose hook wants none.
pub(super) async fn given_up(shown: &mut Shown) {
    let connecting = with_secrets("ws", "127.0.0.1:1").reconnect();
    let channel = connecting.tries_max(1).channel();
    let error = channel.ready().await.unwrap_err();
    shown_variant!(shown, error => Error: GaveUp);
    shown.error(&error);
    let connecting = with_secrets("ws", "127.0.0.1:1").reconnect();
    let channel = connecting
        .before_try(|_, _| async { Err(HookError::stop("logged out")) })
        .channel();
    let error = channel.ready().await.unwrap_err();
    shown_variant!(shown, error => Error: Lost);
    shown.error(&error);
}
