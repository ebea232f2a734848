//! Compression, by the defaults and otherwise: a client and a server of its own.

use std::error::Error;

use talkback::{Compression, CompressionLevel, DeflateOffer, DeflatePolicy, DeflateTuning};
use talkback::{WebSocket, WebSocketChannel};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                if let Err(error) = echo(stream).await {
                    eprintln!("{error}");
                }
            });
        }
    });
    for mut channel in [sparing(&url), without(&url)] {
        say(&channel).await?;
        println!("{} bytes", channel.recv().await?.map_or(0, |got| got.len()));
        println!("{} bytes", channel.recv().await?.map_or(0, |got| got.len()));
        channel.close().await?;
    }
    Ok(())
}

fn without(url: &str) -> WebSocketChannel {
    talkback::connect(url).compression(None).channel()
}

/// Keeps no context, and tries hard with what is large.
fn sparing(url: &str) -> WebSocketChannel {
    let tuning = DeflateTuning::default()
        .level(CompressionLevel::MAX)
        .threshold(4096);
    let offer = DeflateOffer::default()
        .server_no_context_takeover(true)
        .client_no_context_takeover(true)
        .tuning(tuning);
    talkback::connect(url).compression(offer).channel()
}

async fn say(channel: &WebSocketChannel) -> Result<(), talkback::SendError> {
    let (text, picture) = ["a line of a log\n".repeat(1000), "already small".to_owned()].into();
    channel.send(text).await?;
    channel.send_with(picture, Compression::Skip).await
}

async fn open(stream: TcpStream) -> Result<WebSocket<TcpStream>, talkback::AcceptError> {
    let level = CompressionLevel::new(2).expect("from 0 to 9");
    let policy = DeflatePolicy::default()
        .server_no_context_takeover(false)
        .client_no_context_takeover(false)
        .tuning(DeflateTuning::default().level(level));
    talkback::accept(stream).compression(policy).await
}

async fn echo(stream: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut socket = open(stream).await?;
    println!("compressed: {}", socket.has_deflate());
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?; // `recv` writes before it waits
    }
    Ok(())
}
