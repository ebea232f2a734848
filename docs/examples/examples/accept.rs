//! A server of one's own without an HTTP library: who may come in, and how it ends. `/health` and `/ready` are there by
//! themselves.

use std::error::Error;
use std::time::Duration;

use talkback::server::{Connections, Drain, Server, ServerConnection};
use talkback::{CloseCode, CloseFrameError, Transport};
use tokio::signal::ctrl_c;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let connections = Connections::new()
        .max(10_000)
        .max_per_address(64)
        .trusted_proxies(["10.0.0.0/8".parse()?]);
    let draining = tokio::spawn(drain(connections.clone()));
    let server = Server::bind("127.0.0.1:9002").await?;
    server.serve(&connections, echo).await?;
    draining.await??;
    Ok(())
}

async fn echo(mut connection: ServerConnection<Transport>) {
    while let Ok(Some(message)) = connection.recv().await {
        // What cannot be sent is told by `recv`.
        let _ = connection.feed(message).await;
    }
}

/// Waits for Ctrl-C, then until all connections are closed.
async fn drain(connections: Connections) -> Result<(), CloseFrameError> {
    let _ = ctrl_c().await;
    let drain = Drain::default()
        .spread(Duration::from_secs(20))
        .deadline(Duration::from_secs(60))
        .close_with(CloseCode::GOING_AWAY, "the server stops")?;
    println!("{}", connections.drain(drain).await);
    Ok(())
}
