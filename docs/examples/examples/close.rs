//! Closing: without a code, with one, and by dropping.

use std::error::Error;

use talkback::{CloseCode, WebSocketChannel};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let channel = WebSocketChannel::connect("ws://127.0.0.1:9001/");
    channel.ready().await?;
    let info = channel.close().await?;
    println!("{info}"); // closed by this end, without a code

    let channel = WebSocketChannel::connect("ws://127.0.0.1:9001/");
    channel.ready().await?;
    let info = channel.close_with(CloseCode::NORMAL, "bye")?.await?;
    println!("{info}"); // closed by this end, code 1000 (normal), reason "bye"

    let channel = WebSocketChannel::connect("ws://127.0.0.1:9001/");
    channel.ready().await?;
    let closed = channel.closed();
    drop(channel);
    println!("{}", closed.await?); // closed by this end, without a code
    Ok(())
}
