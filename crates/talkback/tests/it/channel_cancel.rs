//! V52 for the channel: every future dropped at every poll loses nothing and sends nothing twice.

use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt, poll};
use talkback::{CloseInfo, Message, Prepared, Role, SnapshotState, WebSocket, WebSocketChannel};
use tokio::io::duplex;
use tokio::time::sleep;

/// Polls a future once and drops it, again and again, until one is ready at its first poll or,
/// as told, goes on after a number of dropped ones.
macro_rules! dropped {
    ($times:expr, $future:expr) => {{
        let mut left = $times;
        loop {
            let mut future = pin!($future);
            let mut polled = poll!(&mut future);
            while polled.is_pending() && left == 0 {
                sleep(Duration::from_millis(1)).await;
                polled = poll!(&mut future);
            }
            match polled {
                std::task::Poll::Ready(output) => break output,
                std::task::Poll::Pending => left -= 1,
            }
            sleep(Duration::from_millis(1)).await;
        }
    }};
}

/// An echo over a transport of 16 bytes each way, so that everything takes many polls.
fn channel() -> WebSocketChannel {
    let (client, server) = duplex(16);
    let end = |io, role| WebSocket::from_upgraded(io, role);
    let mut server = end(server, Role::Server);
    tokio::spawn(async move {
        while let Ok(Some(message)) = server.recv().await {
            if server.send(message).await.is_err() {
                break;
            }
        }
        server.close().await
    });
    end(client, Role::Client).into()
}

async fn session(drops: usize) -> (Vec<Message>, CloseInfo, SnapshotState) {
    let mut channel = channel();
    let mut snapshots = channel.snapshots();
    dropped!(drops, channel.ready()).unwrap();
    let mut messages = Vec::new();
    for round in 0..3u8 {
        // More than the queue holds, so that `send` has to wait.
        for number in 0..70u8 {
            let message = Prepared::new(vec![round, number]);
            if number % 2 == 0 {
                dropped!(drops, channel.send(&message)).unwrap();
            } else {
                dropped!(drops, channel.send(message.message())).unwrap();
            }
        }
        dropped!(drops, channel.flush()).unwrap();
        for _ in 0..70 {
            messages.push(dropped!(drops, channel.recv()).unwrap().unwrap());
        }
    }
    dropped!(drops, snapshots.next()).unwrap();
    let info = dropped!(drops, channel.close()).unwrap();
    assert_eq!(dropped!(drops, channel.closed()).unwrap(), info);
    assert!(dropped!(drops, channel.recv()).unwrap().is_none());
    (messages, info, snapshots.latest().state)
}

#[tokio::test(start_paused = true)]
async fn v52_every_future_of_the_channel_dropped_at_every_poll() {
    let expected = session(0).await;
    assert_eq!(expected.0.len(), 210);
    assert!(expected.0.iter().enumerate().all(|(at, message)| {
        message.as_bytes()
            == [
                u8::try_from(at / 70).unwrap(),
                u8::try_from(at % 70).unwrap(),
            ]
    }));
    for drops in [1, 2, 3, 5, 8, 100, usize::MAX] {
        assert_eq!(
            session(drops).await,
            expected,
            "each future dropped {drops} times"
        );
    }
}
