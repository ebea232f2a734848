//! A client that says hello and shows the answer: `cargo run --example client [URL]`.
//!
//! The URL is ws://127.0.0.1:9001/ unless another is given: start `plain_server` first.

use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1);
    let url = url.unwrap_or_else(|| "ws://127.0.0.1:9001/".to_owned());
    let mut socket = talkback::connect(url).await?;
    socket.send("Hello!").await?;
    if let Some(message) = socket.recv().await? {
        println!("{message}");
    }
    println!("{}", socket.close().await);
    Ok(())
}
