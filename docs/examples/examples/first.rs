//! The whole program that the cookbook begins with.

use talkback::WebSocketChannel;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut channel = WebSocketChannel::connect("ws://127.0.0.1:9001/");
    channel.try_send("Hello!")?;
    if let Some(answer) = channel.blocking_recv()? {
        println!("{answer}");
    }
    let info = channel.close().wait()?;
    println!("{info}");
    Ok(())
}
