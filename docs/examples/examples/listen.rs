//! Listening: one answer, many messages, and the newest only.

use std::error::Error;

use futures_util::StreamExt as _;
use talkback::WebSocketChannel;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    one().await?;
    many().await?;
    newest().await
}

async fn one() -> Result<(), Box<dyn Error>> {
    let mut channel = WebSocketChannel::connect("ws://127.0.0.1:9001/");
    channel.send("Hello!").await?;
    if let Some(message) = channel.recv().await? {
        println!("{message}");
    }
    Ok(())
}

async fn many() -> Result<(), Box<dyn Error>> {
    let mut channel = WebSocketChannel::connect("ws://127.0.0.1:9001/");
    for number in 1..=3 {
        channel.send(format!("message {number}")).await?;
    }
    let mut left = 3;
    while let Some(message) = channel.next().await {
        println!("{}", message?);
        left -= 1;
        if left == 0 {
            channel.close(); // the stream ends when the channel has
        }
    }
    Ok(())
}

async fn newest() -> Result<(), Box<dyn Error>> {
    let channel = WebSocketChannel::connect("ws://127.0.0.1:9001/");
    let sender = channel.sender();
    let mut snapshots = channel.into_snapshots();
    sender.send("안녕하세요").await?;
    while let Some(snapshot) = snapshots.next().await {
        println!("{:?}: {}", snapshot.state, snapshot.text());
        if snapshot.data.is_some() {
            sender.close(); // one more snapshot says how it ended
        }
    }
    Ok(())
}
