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

mod accept_key;
mod asker;
mod client;
mod deflate;
mod deflate_error;
mod deflate_offer;
mod deflate_policy;
mod error;
mod grammar;
mod header_case;
mod http1;
mod location;
mod origin;
mod origin_header;
mod proxy_settings;
mod refusal;
mod refused;
mod refused_body;
mod server;
mod unfollowed;
mod url;

#[cfg(test)]
mod tests;

pub use accept_key::accept_key;
pub use client::{ClientHandshake, ClientOptions, Negotiated, check_subprotocols};
pub use deflate_error::DeflateError;
pub use deflate_offer::DeflateOffer;
pub use deflate_policy::{DeflateAnswer, DeflatePolicy};
pub use error::{HandshakeError, HeadError, Refused, UrlError};
pub use grammar::ExtensionOffer;
pub use http1::{HeadLimits, HeadReader, encode_refusal, encode_request, encode_response};
pub use origin::OriginPolicy;
pub use refusal::Refusal;
pub use refused_body::RefusedBody;
pub use server::ServerHandshake;
pub use unfollowed::Unfollowed;
pub use url::WsUrl;
