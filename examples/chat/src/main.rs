//! A chat room with its page: `cargo run -p talkback-chat`, then open http://127.0.0.1:9002/ in two tabs. Another address
//! to listen at is the first argument. Ctrl-C tells the pages, which come back once it is started again.

mod room;

use std::env;
use std::error::Error;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Html;
use axum::routing::get;
use talkback::http::Response;
use talkback::server::{Connections, Drain};
use talkback::{Limits, UpgradeBody};
use tokio::net::TcpListener;
use tokio::signal::ctrl_c;

use self::room::Room;

/// Everybody is told of everybody, so that a room has an end.
const GUESTS_MAX: usize = 500;
/// In bytes.
const LINE_SIZE_MAX: u64 = 4_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:9002")).await?;
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

/// Waits for Ctrl-C, then until all connections are closed; another Ctrl-C cuts what is left.
async fn drain(connections: Connections) {
    let _ = ctrl_c().await;
    let report = tokio::select! {
        report = connections.drain(Drain::default()) => report,
        _ = ctrl_c() => connections.drain(Drain::now()).await,
    };
    println!("{report}");
}
