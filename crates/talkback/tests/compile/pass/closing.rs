#![deny(warnings)]

use talkback::{CloseCode, CloseFrame, CloseFrameError, Error, WebSocket, WebSocketChannel};
use tokio::net::TcpStream;

fn statements(channel: WebSocketChannel) {
    channel.close();
    let (sender, receiver) = channel.split();
    sender.close();
    receiver.close();
    if sender.try_send("late").is_err() {
        sender.close();
    }
}

fn codes(channel: &WebSocketChannel) -> Result<CloseFrame, CloseFrameError> {
    channel.close_with(1000, "bye")?;
    channel.close_with(4000, "")?;
    channel.close_with(CloseCode::GOING_AWAY, "restart")?;
    CloseFrame::new(1008, "log in first")
}

async fn awaited(channel: WebSocketChannel, mut socket: WebSocket<TcpStream>) -> Result<(), Error> {
    channel.close().await?;
    channel.close_with(4001, "enough")?.await?;
    channel.closed().await?;
    socket.close_with(1000, "bye").await?;
    socket.close().await;
    channel.close().wait()?;
    Ok(())
}

fn main() {
    let _ = (statements, codes, awaited);
}
