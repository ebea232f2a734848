//! A server on axum 0.8 that is stopped with Ctrl-C: it closes its WebSockets with 1001, and waits for them.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::get;
use talkback::{CloseCode, Upgrading};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (stopping, stopped) = watch::channel(());
    let router = Router::new().route("/echo", get(open)).with_state(stopped);
    let listener = TcpListener::bind("127.0.0.1:9002").await?;
    let stop = {
        let stopping = stopping.clone();
        async move {
            let _ = tokio::signal::ctrl_c().await;
            stopping.send_replace(()); // the sockets' tasks see it
        }
    };
    axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await?;
    // axum waits for its requests, and not for what they became: those are gone when nobody
    // listens to `stopping` any more.
    let _ = timeout(Duration::from_secs(10), stopping.closed()).await;
    Ok(())
}

async fn open(
    State(stopped): State<watch::Receiver<()>>,
    mut request: Request,
) -> http::Response<talkback::UpgradeBody> {
    let (response, upgrading) = talkback::upgrade(&mut request).answer();
    tokio::spawn(async move {
        if let Err(error) = echo(upgrading, stopped).await {
            eprintln!("{error}");
        }
    });
    response
}

async fn echo(
    upgrading: Upgrading,
    mut stopped: watch::Receiver<()>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut socket = upgrading.await?;
    loop {
        tokio::select! {
            message = socket.recv() => match message? {
                Some(message) => socket.feed(message).await?,
                None => return Ok(()),
            },
            _ = stopped.changed() => {
                socket.close_with(CloseCode::GOING_AWAY, "the server stops").await?;
                return Ok(());
            }
        }
    }
}
