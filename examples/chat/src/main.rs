//! A chat room with its page: README.md says how to use it.

mod room;

use std::env;
use std::error::Error;
use std::process::ExitCode;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Html;
use axum::routing::get;
use talkback::http::Response;
use talkback::server::{Connections, Drain};
use talkback::{Limits, UpgradeBody};
use tokio::net::TcpListener;
use tokio::signal;

use self::room::Room;

/// Everybody is told of everybody, so that a room has an end.
const GUESTS_MAX: usize = 500;
/// In bytes.
const LINE_SIZE_MAX: u64 = 4_000;

#[tokio::main]
async fn main() -> ExitCode {
    let address = env::args().nth(1);
    match serve(address.as_deref().unwrap_or("127.0.0.1:9002")).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: &str) -> Result<(), Box<dyn Error>> {
    let bound = TcpListener::bind(address).await;
    let listener = bound.map_err(|error| {
        format!("could not listen at {address}: {error}. Give an address with a port, such as 127.0.0.1:9002, or none")
    })?;
    let connections = Connections::new().max(GUESTS_MAX);
    let router = Router::new()
        .route("/", get(Html(include_str!("page.html"))))
        .route("/room", get(open))
        .with_state((connections.clone(), Room::default()));
    println!("open http://{}/", listener.local_addr()?);
    axum::serve(listener, router)
        .with_graceful_shutdown(drain(connections))
        .await?;
    Ok(())
}

async fn open(
    State((connections, room)): State<(Connections, Room)>,
    mut request: Request,
) -> Response<UpgradeBody> {
    talkback::upgrade(&mut request)
        .limits(Limits::default().message_size_max(LINE_SIZE_MAX))
        .serve(&connections, |connection| room::talk(room, connection))
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
