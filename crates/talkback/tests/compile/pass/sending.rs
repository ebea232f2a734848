#![deny(warnings)]

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::{Sink, SinkExt, StreamExt};
use talkback::bytes::Bytes;
use talkback::{Compression, Error, Message, Sender, Text, WebSocket, WebSocketChannel};
use tokio::net::TcpStream;

async fn socket(socket: &mut WebSocket<TcpStream>, text: &String, message: &Message) -> Result<(), Error> {
    socket.send("a").await?;
    socket.send(text).await?;
    socket.send(message).await?;
    socket.feed(format!("{text}!")).await?;
    socket.feed(Cow::Borrowed("a")).await?;
    socket.feed_with(b"bytes", Compression::Skip).await?;
    socket.send_with(Box::<[u8]>::from([1]), Compression::Auto).await?;
    socket.flush().await?;
    socket.ping("ping").await?;
    Ok(())
}

async fn sender(sender: &Sender, bytes: &Bytes, text: &Text) -> Result<(), Error> {
    sender.send(Arc::<str>::from("a")).await?;
    sender.send(Box::<str>::from("a")).await?;
    sender.send(bytes).await?;
    sender.send(text).await?;
    sender.feed(vec![1, 2, 3]).await?;
    sender.feed_with(&[1, 2, 3][..], Compression::Skip).await?;
    sender.try_send(String::from("a"))?;
    sender.blocking_send(Cow::<'_, [u8]>::Owned(vec![1]))?;
    sender.flush().await?;
    sender.ping("ping").await?;
    Ok(())
}

/// A program that sends to whatever takes messages.
async fn sink(mut sink: impl Sink<Message, Error = Error> + Unpin) -> Result<(), Error> {
    sink.send("a".into()).await?;
    sink.send(vec![1].into()).await
}

async fn forward(channel: WebSocketChannel, socket: WebSocket<TcpStream>) -> Result<(), Error> {
    sink(channel.sender()).await?;
    let (sender, receiver) = channel.split();
    receiver.forward(sender).await?;
    let (write, read) = socket.split();
    read.forward(write).await
}

fn is_send<F: Future + Send>(_: fn(&'static mut WebSocket<TcpStream>, &'static String, &'static Message) -> F) {}

fn main() {
    let _ = (sender, forward);
    is_send(socket);
}
