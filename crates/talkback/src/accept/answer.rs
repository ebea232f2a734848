//! The 101, and what it agrees on.

use http::{Response, StatusCode};
use talkback_proto::DeflateParameters;
use talkback_proto::handshake::{DeflatePolicy, Refusal, ServerHandshake};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::accept::approval::Approval;
use crate::websocket::WebSocket;

/// What an opening handshake agreed on.
#[derive(Debug)]
pub(super) struct Agreed {
    subprotocol: Option<String>,
    deflate: Option<DeflateParameters>,
}

impl Agreed {
    /// The socket that keeps to it.
    pub(super) fn apply<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: WebSocket<T>,
    ) -> WebSocket<T> {
        socket
            .with_subprotocol(self.subprotocol.as_deref())
            .with_deflate(self.deflate.as_ref())
    }
}

/// The 101: with the subprotocol that was approved, else the first of the client's that the server
/// speaks, and compression.
///
/// # Errors
/// 500 if the approval cannot be kept to.
pub(super) fn answer(
    handshake: &ServerHandshake,
    subprotocols: &[String],
    compression: Option<DeflatePolicy>,
    mut approval: Approval,
) -> Result<(Response<()>, Agreed), Refusal> {
    let deflate = compression.and_then(|policy| policy.answer(handshake));
    let extensions = deflate.as_ref().map(|answer| answer.value.clone());
    let mut offered = handshake.subprotocols().iter();
    let subprotocol = approval
        .subprotocol
        .take()
        .or_else(|| offered.find(|name| subprotocols.contains(name)).cloned());
    let response = handshake.accept(subprotocol.as_deref(), extensions);
    let mut response = response
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    approval.complete(&mut response)?;
    let agreed = Agreed {
        subprotocol,
        deflate: deflate.map(|answer| answer.parameters),
    };
    Ok((response, agreed))
}
