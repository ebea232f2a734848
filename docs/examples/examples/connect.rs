//! Connecting: at once, awaited, and with options.

use std::error::Error;
use std::time::Duration;

use talkback::WebSocketChannel;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    awaited().await?;
    println!("{:?}", with_options().await?);
    Ok(())
}

async fn awaited() -> Result<(), Box<dyn Error>> {
    let channel = WebSocketChannel::connect("ws://127.0.0.1:9001/");
    println!("{:?}", channel.state()); // Connecting
    channel.ready().await?;
    println!("{:?}", channel.state()); // Open
    Ok(())
}

async fn with_options() -> Result<Option<String>, Box<dyn Error>> {
    let channel = talkback::connect("ws://127.0.0.1:9001/")
        .subprotocol("chat")
        .timeout(Duration::from_secs(5))
        .native(|connect| {
            connect
                .header("Authorization", "Bearer …")
                .keepalive(Duration::from_secs(30))
        })
        .channel();
    channel.ready().await?;
    Ok(channel.subprotocol())
}
