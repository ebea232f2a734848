//! A server of one's own without an HTTP library: who may come in, and how it ends. `/health` and `/ready` are there by
//! themselves.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use talkback::server::{Connections, Drain, Server, ServerConnection};
use talkback::{CloseCode, CloseFrameError, Transport};
use tokio::signal;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let connections = Connections::new()
        .max(10_000)
        .max_per_address(64)
        .trusted_proxies(["10.0.0.0/8".parse()?]);
    let draining = tokio::spawn(drain(connections.clone()));
    let server = Server::bind("127.0.0.1:9002").await?;
    let count = Arc::new(AtomicU64::new(0));
    let handler = move |connection| answer(connection, Arc::clone(&count));
    server.serve(&connections, handler).await?;
    draining.await??;
    Ok(())
}

/// Sends each message back behind its number.
async fn answer(mut connection: ServerConnection<Transport>, count: Arc<AtomicU64>) {
    while let Ok(Some(message)) = connection.recv().await {
        let number = count.fetch_add(1, Ordering::Relaxed);
        // What cannot be sent is told by `recv`.
        let _ = connection.feed(format!("{number}: {message}")).await;
    }
}

/// Waits until it is told to stop, then until all connections are closed.
async fn drain(connections: Connections) -> Result<(), CloseFrameError> {
    told_to_stop().await;
    let drain = Drain::default()
        .spread(Duration::from_secs(20))
        .deadline(Duration::from_secs(60))
        .close_with(CloseCode::GOING_AWAY, "the server stops")?;
    println!("{}", connections.drain(drain).await);
    Ok(())
}

/// Ctrl-C; SIGTERM, by which Kubernetes, systemd and Docker stop a program; and what Windows has for that.
async fn told_to_stop() {
    #[cfg(unix)]
    let terminate = signal::unix::signal(signal::unix::SignalKind::terminate());
    #[cfg(windows)]
    let terminate = signal::windows::ctrl_shutdown();
    let mut terminate = terminate.expect("it can be waited for");
    tokio::select! {
        _ = signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
