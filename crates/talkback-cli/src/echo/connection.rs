//! One connection of the echo server.

use std::net::SocketAddr;
use std::sync::Arc;

use talkback::{AcceptError, CloseCode, CloseInfo, WebSocket};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{debug, info};

use super::Settings;
use super::http;

const DRAIN_REASON: &str = "the server stops";

/// Serves a client until it goes or the server stops.
///
/// There is one such future for each open connection, so it stays small: what is only needed at
/// its beginning and its end is boxed.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    settings: Arc<Settings>,
    mut stopped: watch::Receiver<()>,
) {
    let opened = tokio::select! {
        opened = Box::pin(open(stream, &settings)) => opened,
        _ = stopped.changed() => return,
    };
    let mut socket = match opened {
        Ok(socket) => socket,
        Err(error) => return log_unopened(peer, &error),
    };
    info!(%peer, subprotocol = socket.protocol(), "open");
    tokio::select! {
        () = echo(&mut socket) => {}
        _ = stopped.changed() => Box::pin(drain(&mut socket, &settings)).await,
    }
    log_end(peer, socket.close_info());
}

async fn open(
    stream: TcpStream,
    settings: &Settings,
) -> Result<Box<WebSocket<TcpStream>>, AcceptError> {
    // An answer must not wait for the acknowledgement of the one before. A socket that cannot be
    // told so is slow, not broken.
    let _ = stream.set_nodelay(true);
    let accepting = talkback::accept(stream)
        .subprotocols(settings.subprotocols.iter().cloned())
        .origin_policy(settings.origin_policy.clone())
        .limits(settings.limits.clone())
        .otherwise(http::answer);
    accepting.await.map(Box::new)
}

/// Sends back what comes. `recv` writes what was fed before it waits, so that the answers to one
/// read leave in one write.
async fn echo(socket: &mut WebSocket<TcpStream>) {
    while let Ok(Some(message)) = socket.recv().await {
        // What cannot be sent shows at the next `recv` as the end of the connection.
        let _ = socket.feed(message).await;
    }
}

async fn drain(socket: &mut WebSocket<TcpStream>, settings: &Settings) {
    let closing = socket.close_with(CloseCode::GOING_AWAY, DRAIN_REASON);
    // One that does not close in time is cut.
    let _ = timeout(settings.drain_timeout, closing).await;
}

fn log_unopened(peer: SocketAddr, error: &AcceptError) {
    match error {
        AcceptError::Answered(status) => debug!(%peer, status = status.as_u16(), "page served"),
        AcceptError::Refused(refusal) => {
            let (status, why) = (refusal.status().as_u16(), refusal.reason());
            info!(%peer, status, why, "refused");
        }
        error => info!(%peer, %error, "not opened"),
    }
}

fn log_end(peer: SocketAddr, end: Option<&CloseInfo>) {
    match end {
        Some(info) => info!(%peer, code = info.code.number(), "{info}"),
        None => info!(%peer, "cut"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::echo::EchoOptions;

    #[tokio::test]
    async fn an_open_connection_holds_a_small_future() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let peer = stream.peer_addr().unwrap();
        let settings = Arc::new(EchoOptions::default().into());
        let (_stopping, stopped) = watch::channel(());
        let future = serve(stream, peer, settings, stopped);
        let size = size_of_val(&future) + size_of::<WebSocket<TcpStream>>();
        assert!(size <= 2048, "{size} bytes");
    }
}
