//! Staying connected, in virtual time, against a scripted server.

mod at_most_once;
mod close;
mod connections;
mod events;
mod fates;
mod heartbeat;
mod hooks;
mod left_behind;
mod prepared;
#[cfg(feature = "tracing")]
mod traces;
mod tries;
#[cfg(feature = "json")]
mod typed;
mod wishes;

use std::time::Duration;

use http::StatusCode;
use talkback::test_util::{Peer, ScriptedServer};
use talkback::{ChannelState, Connect, Reconnecting, WebSocketChannel};
use tokio::time::{Instant, timeout};

/// Longer than any wait of the channel's own, and shorter than an hour.
const LONG: Duration = Duration::from_secs(600);

fn connect(server: &ScriptedServer) -> Connect {
    talkback::connect("ws://server.example/").connector(server.connector())
}

fn reconnecting(server: &ScriptedServer) -> Reconnecting {
    connect(server).reconnect()
}

/// The next try, accepted.
async fn accepted(server: &mut ScriptedServer) -> Peer {
    server.next_try().await.accept().await.unwrap()
}

/// A channel that is open.
async fn open() -> (ScriptedServer, WebSocketChannel, Peer) {
    let mut server = ScriptedServer::new();
    let channel = reconnecting(&server).channel();
    let peer = accepted(&mut server).await;
    channel.ready().await.unwrap();
    (server, channel, peer)
}

/// Lets all tasks do what they can now.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Waits until the channel is in this state.
async fn in_state(channel: &WebSocketChannel, state: ChannelState) {
    let reached = async {
        while channel.state() != state {
            settle().await;
        }
    };
    let reached = timeout(LONG, reached).await;
    assert!(reached.is_ok(), "still {:?}", channel.state());
}

/// A channel that was open, lost its connection and waits.
async fn retrying() -> (ScriptedServer, WebSocketChannel) {
    let (server, channel, peer) = open().await;
    peer.cut();
    in_state(&channel, ChannelState::Retrying).await;
    (server, channel)
}

/// Whether there is no try for so long.
async fn no_try(server: &mut ScriptedServer, time: Duration) -> bool {
    timeout(time, server.next_try()).await.is_err()
}
