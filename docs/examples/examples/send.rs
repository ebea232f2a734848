//! Sending: at once, with waiting, from elsewhere, and as a sink.

use std::error::Error;

use futures_util::{SinkExt as _, StreamExt as _, stream};
use talkback::{Message, WebSocketChannel};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut channel = WebSocketChannel::connect("ws://127.0.0.1:9001/");

    match channel.try_send("at once") {
        Ok(()) => {}
        Err(error) if error.is_full() => println!("too much is waiting"),
        Err(error) => return Err(error.into()),
    }

    channel.send("text").await?; // waits while the queue is full
    channel.send(vec![0x62, 0x69, 0x6e]).await?; // binary

    let sender = channel.sender(); // cheap to clone, works from any thread
    std::thread::spawn(move || sender.try_send("from another thread"));

    let mut messages = stream::iter(["a", "b"]).map(|text| Ok(Message::from(text)));
    channel.send_all(&mut messages).await?;

    channel.flush().await?; // everything so far is written
    channel.close().await?;
    Ok(())
}
