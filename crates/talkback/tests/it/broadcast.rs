//! A server that hands each message on to all of its clients, by `try_send`, so that a slow one holds up
//! nobody.

use std::sync::Arc;

use talkback::{Sender, WebSocketChannel, pair};
use tokio::runtime::Builder;

/// More than the queue of received messages holds, many times.
const MESSAGES: usize = 500;

/// Hands what one client sends on to all; how often one was too slow.
async fn relay(mut channel: WebSocketChannel, all: Arc<[Sender]>) -> usize {
    let mut too_slow = 0;
    while let Ok(Some(message)) = channel.recv().await {
        for sender in &*all {
            match sender.try_send(&message) {
                Ok(()) => {}
                Err(error) => too_slow += usize::from(error.is_full()),
            }
        }
    }
    too_slow
}

/// Three clients, of which one sends as fast as it can: what each received, and how often one was too
/// slow.
async fn chat() -> (Vec<Vec<String>>, usize) {
    let (mut clients, servers): (Vec<_>, Vec<_>) = (0..3).map(|_| pair()).unzip();
    let all: Arc<[Sender]> = servers.iter().map(WebSocketChannel::sender).collect();
    let relaying = servers
        .into_iter()
        .map(|server| tokio::spawn(relay(server, Arc::clone(&all))))
        .collect::<Vec<_>>();
    for number in 0..MESSAGES {
        clients[0].send(number.to_string()).await.unwrap();
    }
    let receiving = clients.drain(..).map(|mut client| {
        tokio::spawn(async move {
            let mut received = Vec::new();
            while received.len() < MESSAGES
                && let Ok(Some(message)) = client.recv().await
            {
                received.push(message.to_string());
            }
            client.close().await.unwrap();
            received
        })
    });
    let mut received = Vec::new();
    for receiving in receiving.collect::<Vec<_>>() {
        received.push(receiving.await.unwrap());
    }
    let mut too_slow = 0;
    for relaying in relaying {
        too_slow += relaying.await.unwrap();
    }
    (received, too_slow)
}

#[test]
fn l34_a_burst_that_is_handed_on_makes_nobody_too_slow() {
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        let runtime = builder.enable_all().build().unwrap();
        let deadline = std::time::Duration::from_secs(60);
        let chat = runtime.block_on(async { tokio::time::timeout(deadline, chat()).await });
        let (received, too_slow) = chat.expect("a client waits for what was not sent");
        assert_eq!(too_slow, 0);
        let sent: Vec<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
        assert!(received.iter().all(|received| *received == sent));
    }
}
