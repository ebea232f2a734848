//! The opening handshake: an HTTP request to switch protocols, and its answer (RFC 6455 §4).
//!
//! ```text
//!        client                                              server
//! WsUrl ─┐                                       HeadReader ── bytes
//!        ├─ ClientHandshake                          │ request()
//! nonce ─┘      │ request() ── encode_request ─►     ▼
//!               │                              ServerHandshake::read ── Refusal
//!               │                                    │ OriginPolicy::check
//!               │                                    │ DeflatePolicy::answer
//!               │                                    ▼ accept()
//!   bytes ── HeadReader      ◄── encode_response ── 101, or encode_refusal
//!               │ response()
//!               ▼
//!           validate() ── Negotiated, or HandshakeError
//! ```
//!
//! The middle layer speaks [`http`] types, so that an HTTP library can carry the handshake; the
//! outer layer, [`HeadReader`] and the `encode_*` functions, turns them into bytes and back for
//! HTTP/1.1. Nothing here reads a clock, a socket or a random number: the caller hands in the
//! bytes and the nonce.
//!
//! Bytes that follow a head are never consumed: [`HeadReader::handle`] says where the head ends,
//! and what stands behind it is the beginning of the frames. After a refusal it is nothing, and
//! must not be read as frames.

mod client;
mod deflate;
mod error;
mod grammar;
mod http1;
mod origin;
mod refusal;
mod refused_body;
mod server;
mod url;

#[cfg(test)]
mod tests;

pub use client::{ClientHandshake, ClientOptions, Negotiated, check_subprotocols};
pub use deflate::{DeflateAnswer, DeflateError, DeflateOffer, DeflatePolicy};
pub use error::{HandshakeError, HeadError, Refused, UrlError};
pub use grammar::ExtensionOffer;
pub use http1::{HeadLimits, HeadReader, encode_refusal, encode_request, encode_response};
pub use origin::OriginPolicy;
pub use refusal::Refusal;
pub use refused_body::RefusedBody;
pub use server::ServerHandshake;
pub use url::WsUrl;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// The string that a server appends to the client's key (RFC 6455 §1.3).
const KEY_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Computes the `Sec-WebSocket-Accept` value for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
///
/// `key` is the header's value without white space around it: 24 bytes of base64. The result is
/// the base64 of SHA-1 over the key and the protocol's fixed GUID: 28 bytes.
///
/// ```
/// use talkback_proto::handshake::accept_key;
///
/// assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[must_use]
pub fn accept_key(key: &str) -> String {
    let digest = Sha1::new()
        .chain_update(key.as_bytes())
        .chain_update(KEY_GUID)
        .finalize();
    STANDARD.encode(digest)
}
