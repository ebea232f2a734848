//! An echo server on axum 0.8: `cargo run --example axum_server --features upgrade [ADDRESS]`.
//!
//! The address is 127.0.0.1:9001 unless another is given; port 0 takes any that is free. A web page
//! is at `/`, the WebSocket at `/echo`.

use std::error::Error;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use http::Response;
use talkback::{UpgradeBody, Upgrading};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:9001");
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}/echo", listener.local_addr()?);
    let router = Router::new()
        .route("/", get("The WebSocket is at /echo.\n"))
        .route("/echo", get(open));
    axum::serve(listener, router).await?;
    Ok(())
}

async fn open(mut request: Request) -> Response<UpgradeBody> {
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
        socket.feed(message).await?;
    }
    Ok(())
}
