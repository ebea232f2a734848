//! A server of one's own on axum 0.8: an ordinary page at `/`, the WebSocket at `/echo`.

use std::error::Error;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use talkback::Upgrading;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let router = Router::new()
        .route("/", get("The WebSocket is at /echo.\n"))
        .route("/echo", get(open));
    let listener = TcpListener::bind("127.0.0.1:9002").await?;
    axum::serve(listener, router).await?;
    Ok(())
}

async fn open(mut request: Request) -> http::Response<talkback::UpgradeBody> {
    let (response, upgrading) = talkback::upgrade(&mut request)
        .subprotocols(["echo"])
        .answer();
    tokio::spawn(async move {
        if let Err(error) = echo(upgrading).await {
            eprintln!("{error}");
        }
    });
    response
}

async fn echo(upgrading: Upgrading) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut socket = upgrading.await?;
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?; // `recv` writes before it waits
    }
    Ok(())
}
