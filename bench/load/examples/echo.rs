//! The least echo servers on talkback, on one thread: `echo library` polls a socket in place, `echo channel` has a
//! driver beside it.

use std::error::Error;

use talkback::{AcceptError, WebSocket, WebSocketChannel, accept};
use tokio::net::{TcpListener, TcpStream};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// Accepts as a server with many connections does: none of them keeps what only the handshake needed.
async fn accepted(stream: TcpStream) -> Result<WebSocket<TcpStream>, AcceptError> {
    let mut socket = Box::pin(accept(stream).into_future()).await?;
    socket.forget_request();
    Ok(socket)
}

async fn library(stream: TcpStream) -> Outcome {
    let mut socket = accepted(stream).await?;
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}

async fn channel(stream: TcpStream) -> Outcome {
    let mut channel = WebSocketChannel::from(accepted(stream).await?);
    while let Some(message) = channel.recv().await? {
        channel.send(message).await?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let is_channel = std::env::args().nth(1).as_deref() == Some("channel");
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}/", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        if is_channel {
            tokio::spawn(channel(stream));
        } else {
            tokio::spawn(library(stream));
        }
    }
}
