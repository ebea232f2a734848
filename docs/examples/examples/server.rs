//! A server of one's own on axum 0.8: an ordinary page at `/`, the WebSocket at `/echo`, what it counts at `/metrics`. It
//! closes its connections before it ends.

use std::error::Error;

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusBuilder;
use talkback::server::{Connections, Drain, ServerConnection};
use talkback::{UpgradeBody, Upgraded};
use tokio::net::TcpListener;
use tokio::signal;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let metrics = PrometheusBuilder::new()
        .set_buckets(&[0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0])? // seconds
        .install_recorder()?; // before there are `Connections`
    let connections = Connections::new().max(10_000);
    let router = Router::new()
        .route("/", get("The WebSocket is at /echo.\n"))
        .route("/echo", get(open))
        .route("/metrics", get(async move || metrics.render()))
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
        // `recv` writes before it waits, and tells of the end if this cannot be sent any more.
        let _ = connection.feed(message).await;
    }
    Ok(())
}

/// Waits until it is told to stop, then until all connections are closed; told once more, it cuts what is left.
async fn drain(connections: Connections) {
    told_to_stop().await;
    let report = tokio::select! {
        report = connections.drain(Drain::default()) => report,
        () = told_to_stop() => connections.drain(Drain::now()).await,
    };
    println!("{report}");
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
