//! A channel has one reader, so receiving borrows it mutably.

async fn example() -> Result<(), talkback::Error> {
    let channel = talkback::WebSocketChannel::connect("wss://echo.example/");
    channel.recv().await?;
    Ok(())
}

fn main() {
    let _ = example;
}
