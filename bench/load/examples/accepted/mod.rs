//! How the servers of these examples accept a connection.

use std::env::args;

use talkback::{AcceptError, DeflatePolicy, WebSocket, accept};
use tokio::net::TcpStream;

/// Whether the program has this argument.
pub(crate) fn has(flag: &str) -> bool {
    args().any(|argument| argument == flag)
}

/// A socket that compresses with `--deflate`, and with `--takeover` keeps its context.
pub(crate) async fn accepted(stream: TcpStream) -> Result<WebSocket<TcpStream>, AcceptError> {
    let takes_no_context = !has("--takeover");
    let policy = has("--deflate").then(|| {
        DeflatePolicy::default()
            .server_no_context_takeover(takes_no_context)
            .client_no_context_takeover(takes_no_context)
    });
    let mut socket = Box::pin(accept(stream).compression(policy).into_future()).await?;
    socket.forget_request();
    Ok(socket)
}
