//! What the programs on talkback have in common.

use talkback::{AcceptError, CompressionLevel, DeflatePolicy, DeflateTuning, WebSocket, accept};

use crate::{Options, Stream};

/// Accepts as the README shows it.
///
/// # Errors
/// The client is not one, or has gone.
pub async fn accepted<S: Stream>(stream: S, options: Options) -> Result<WebSocket<S>, AcceptError> {
    let policy = options.has_deflate.then(|| {
        let level = options.level.and_then(CompressionLevel::new);
        let tuning = DeflateTuning::default();
        DeflatePolicy::default()
            .server_no_context_takeover(!options.has_takeover)
            .client_no_context_takeover(!options.has_takeover)
            .tuning(level.map_or(tuning, |level| tuning.level(level)))
    });
    let mut socket = accept(stream).compression(policy).await?;
    socket.forget_request();
    Ok(socket)
}
