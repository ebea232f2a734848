//! A server of one's own without an HTTP library, over any transport, here TCP: who may come in, and how it ends.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use talkback::CloseCode;
use talkback::server::{Connections, Drain, ServerConnection};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::ctrl_c;
use tokio::time::sleep;

/// While descriptors are short, until one is closed.
const PAUSE: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let connections = Connections::new()
        .max(10_000)
        .max_per_address(64)
        .trusted_proxies(["10.0.0.0/8".parse()?]);
    let listener = TcpListener::bind("127.0.0.1:9002").await?;
    tokio::select! {
        () = accept(listener, &connections) => {}
        _ = ctrl_c() => {}
    }
    let drain = Drain::default()
        .spread(Duration::from_secs(20))
        .deadline(Duration::from_secs(60))
        .close_with(CloseCode::GOING_AWAY, "the server stops")?;
    println!("{}", connections.drain(drain).await);
    Ok(())
}

/// Accepts whoever comes.
async fn accept(listener: TcpListener, connections: &Connections) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => drop(tokio::spawn(open(stream, peer, connections.clone()))),
            Err(error) => {
                eprintln!("{error}");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn open(stream: TcpStream, peer: SocketAddr, connections: Connections) {
    let accepting = talkback::accept(stream).peer(peer).admit(&connections);
    match accepting.await {
        Ok(connection) => connections.run(connection, echo),
        Err(error) => eprintln!("{peer}: {error}"),
    }
}

async fn echo(mut connection: ServerConnection<TcpStream>) {
    while let Ok(Some(message)) = connection.recv().await {
        if connection.feed(message).await.is_err() {
            return;
        }
    }
}
