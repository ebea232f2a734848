//! The peer's half of an opening handshake.

use http::{Request, Response};

/// The peer's half of an opening handshake.
pub(super) enum Opening {
    /// What a server was asked.
    Request(Request<()>),
    /// What a client was answered.
    Response(Response<()>),
}
