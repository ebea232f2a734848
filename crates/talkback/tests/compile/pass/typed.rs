//! Plain use of typed messages, which warns nobody: also where the traits of streams and sinks are in scope.

#![deny(warnings)]

use futures_util::{SinkExt, StreamExt};
use talkback::{Endpoint, RecvError, WebSocketChannel};

const NUMBERS: Endpoint<u32, String> = Endpoint::new("/numbers");

async fn client(channel: WebSocketChannel) -> Result<(), RecvError> {
    let mut channel = NUMBERS.client(channel);
    if channel.try_send(&7).is_err() {
        channel.close();
    }
    while let Some(text) = channel.recv().await? {
        println!("{text}");
    }
    Ok(())
}

async fn server(channel: WebSocketChannel) -> Result<(), Box<dyn std::error::Error>> {
    let (mut sender, mut receiver) = NUMBERS.server(channel).split();
    while let Some(number) = receiver.next().await {
        SinkExt::send(&mut sender, number?.to_string()).await?;
    }
    sender.close();
    Ok(())
}

fn main() {
    let _ = (client, server);
}
