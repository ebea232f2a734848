//! Each direction of an endpoint has its type: what a client sends is what the server receives.

use talkback::{Endpoint, Typed, WebSocketChannel};

const NUMBERS: Endpoint<u32, String> = Endpoint::new("/numbers");

async fn client(channel: WebSocketChannel) -> Result<(), Box<dyn std::error::Error>> {
    let mut channel = NUMBERS.client(channel);
    channel.send("seven").await?;
    let _number: Option<u32> = channel.recv().await?;
    Ok(())
}

fn serve(_channel: Typed<WebSocketChannel, String, u32>) {}

fn server(channel: WebSocketChannel) {
    serve(NUMBERS.client(channel));
}

fn main() {
    let _ = (client, server);
}
