//! The channel and its driver under random schedules: `--cfg shuttle`.
//!
//! Each schedule runs the shipped channel and its driver over a pair in memory; every lock is a point
//! at which another task may run. A lost wake-up is a deadlock, which the checker reports.

#[cfg(feature = "test-util")]
mod reconnecting;
#[cfg(feature = "server")]
mod server;

use std::sync::Arc;

use shuttle::future::{block_on, spawn};
use shuttle::scheduler::RandomScheduler;
use shuttle::{Config, Runner};
use talkback::{
    DeflateParameters, Message, Prepared, Role, SendErrorKind, WebSocket, WebSocketChannel, pair,
};
use tokio::io::duplex;
use tokio::runtime::Runtime;

/// How many schedules each test has, unless the environment says otherwise.
const SCHEDULES: usize = 10_000;

/// The variable of the environment that says it.
const SCHEDULES_VARIABLE: &str = "TALKBACK_SCHEDULES";

fn schedules() -> usize {
    let Ok(number) = std::env::var(SCHEDULES_VARIABLE) else {
        return SCHEDULES;
    };
    number
        .parse()
        .unwrap_or_else(|error| panic!("{SCHEDULES_VARIABLE}={number}: {error}"))
}

/// Runs a test under random schedules, with tokio's clock at hand, which stands still unless the test moves it.
fn check(test: impl Fn(&Arc<Runtime>) + Send + Sync + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = Arc::new(runtime.unwrap());
    // All tasks of a schedule run on this thread.
    let _guard = runtime.enter();
    let scheduler = RandomScheduler::new(schedules());
    let runtime = Arc::clone(&runtime);
    Runner::new(scheduler, Config::new()).run(move || test(&runtime));
}

async fn drain(mut channel: WebSocketChannel) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Ok(Some(message)) = channel.recv().await {
        messages.push(message);
    }
    messages
}

#[test]
fn close_against_send() {
    check(|_| {
        let (client, server) = pair();
        let sender = client.sender();
        let sending = spawn(async move {
            let mut sent = Vec::new();
            for number in 0..3 {
                match sender.send(number.to_string()).await {
                    Ok(()) => sent.push(Message::from(number.to_string())),
                    Err(error) => {
                        assert_eq!(error.kind(), SendErrorKind::Closed);
                        break;
                    }
                }
            }
            sent
        });
        let receiving = spawn(drain(server));
        let closing = spawn(async move { client.close().await });
        block_on(async {
            let sent = sending.await.unwrap();
            assert!(closing.await.unwrap().unwrap().clean);
            // What was taken before the close has arrived, and nothing else.
            assert_eq!(receiving.await.unwrap(), sent);
        });
    });
}

#[test]
fn pr11_one_message_to_two_channels_at_once() {
    check(|_| {
        let prepared = Prepared::new("to both ".repeat(1_000));
        let ends = [(); 2].map(|()| {
            // Servers that compress: it is for both that the frame is made.
            let (near, far) = duplex(1 << 16);
            let deflate = DeflateParameters::default();
            let end = |io, role| WebSocket::from_upgraded(io, role).with_deflate(&deflate);
            let near = WebSocketChannel::from(end(near, Role::Server));
            let far = WebSocketChannel::from(end(far, Role::Client));
            let prepared = prepared.clone();
            let sending = spawn(async move {
                near.send(&prepared).await.unwrap();
                near.send("own").await.unwrap();
                near.close().await
            });
            (sending, spawn(drain(far)))
        });
        block_on(async {
            for (sending, receiving) in ends {
                assert!(sending.await.unwrap().unwrap().clean);
                let expected = [prepared.message().clone(), "own".into()];
                assert_eq!(receiving.await.unwrap(), expected);
            }
        });
    });
}

#[test]
fn drop_against_recv() {
    check(|_| {
        let (client, server) = pair();
        let receiving = spawn(drain(server));
        let dropping = spawn(async move {
            client.try_send("last").unwrap();
            drop(client);
        });
        block_on(async {
            dropping.await.unwrap();
            assert_eq!(receiving.await.unwrap(), [Message::from("last")]);
        });
    });
}

#[test]
fn split_halves() {
    check(|_| {
        let (client, server) = pair();
        let (sender, mut receiver) = client.split();
        let echoing = spawn(async move {
            let mut server = server;
            while let Ok(Some(message)) = server.recv().await {
                if server.send(message).await.is_err() {
                    break;
                }
            }
        });
        let receiving = spawn(async move { receiver.recv().await.unwrap() });
        let sending = spawn(async move {
            sender.send("there and back").await.unwrap();
            sender
        });
        block_on(async {
            let message = receiving.await.unwrap().unwrap();
            assert_eq!(message.as_text(), Some("there and back"));
            // The last half goes: the channel closes, and the echo ends.
            drop(sending.await.unwrap());
            echoing.await.unwrap();
        });
    });
}
