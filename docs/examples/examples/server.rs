//! A server of one's own on axum 0.8: an ordinary page at `/`, the WebSocket at `/echo`. Ctrl-C closes its connections
//! before it ends.

use std::error::Error;

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::get;
use talkback::server::{Connections, Drain, ServerConnection};
use talkback::{UpgradeBody, Upgraded};
use tokio::net::TcpListener;
use tokio::signal::ctrl_c;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let connections = Connections::new().max(10_000);
    let router = Router::new()
        .route("/", get("The WebSocket is at /echo.\n"))
        .route("/echo", get(open))
        .with_state(connections.clone());
    let listener = TcpListener::bind("127.0.0.1:9002").await?;
    axum::serve(listener, router)
        .with_graceful_shutdown(drain(connections))
        .await?;
    Ok(())
}

async fn open(
    State(connections): State<Connections>,
    mut request: Request,
) -> http::Response<UpgradeBody> {
    talkback::upgrade(&mut request)
        .subprotocols(["echo"])
        .serve(&connections, |connection| async {
            if let Err(error) = echo(connection).await {
                eprintln!("{error}");
            }
        })
}

async fn echo(
    mut connection: ServerConnection<Upgraded>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    while let Some(message) = connection.recv().await? {
        connection.feed(message).await?; // `recv` writes before it waits
    }
    Ok(())
}

/// Waits for Ctrl-C, then until all connections are closed; another Ctrl-C cuts what is left.
async fn drain(connections: Connections) {
    let _ = ctrl_c().await;
    let report = tokio::select! {
        report = connections.drain(Drain::default()) => report,
        _ = ctrl_c() => connections.drain(Drain::now()).await,
    };
    println!("{report}");
}
