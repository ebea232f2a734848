//! Serving many connections: who is there, how many there may be, and how they are let go.
//!
//! [`Connections`] is the heart of it, and works with whatever accepts: [`accept`](crate::accept()) over any stream, or
//! `upgrade` of a request of hyper or axum. [`Server`] is a listener on it, with TLS and answers to `/health` and `/ready`.
//!
//! With the feature `metrics` it tells the program's recorder, which the program installs before it makes its
//! [`Connections`]. No label has an address, a path or a message in it; codes are those from 1000 to 1014, else `other`.
//!
//! | name | |
//! | --- | --- |
//! | `talkback_server_connections` | how many are open, those of HTTP included that [`Server::http`] hands over, which count for nothing else |
//! | `talkback_server_connections_total{outcome}` | what clients came to: `open`; `refused`, as there was no place; `timeout`; `failed`: they asked for nothing that opens (400, 426), came from a foreign origin (403), were refused by a check, or were gone |
//! | `talkback_server_refused_total{reason}` | `full`, `address`, `no_peer`, `draining` |
//! | `talkback_server_client_unknown_total{header}` | clients whose address a trusted proxy did not tell, as its header is `missing` or `invalid` |
//! | `talkback_server_handshake_seconds` | from a client's place to its open connection |
//! | `talkback_server_connection_seconds` | from a connection's opening to its end |
//! | `talkback_server_closes_total{code, by}` | connections that ended, by close code, and by `us`, the `peer`, or `cut` off |
//! | `talkback_server_draining` | how many drains are under way |
//!
//! With the feature `tracing` each connection has a span `connection` with its number and its peer's address, and behind a
//! trusted proxy its client's, in which the traces of a handler that [`Connections::run`] runs stand. Its events are `open`
//! at debug and `closed` at info, at error where this end closed with 1011, as after a handler's panic, with code, by whom, and
//! how many seconds; `draining` is at info, `refused` at debug.

mod address;
mod admission;
mod backoff;
pub(crate) mod connection;
pub(crate) mod connections;
mod descriptors;
mod drain;
mod draining;
mod error;
mod handle;
pub(crate) mod health;
mod http_connection;
mod listener;
pub(crate) mod metrics;
mod network;
pub(crate) mod orders;
mod peer;
pub(crate) mod per_address;
pub(crate) mod place;
mod refused;
pub(crate) mod registry;
mod schedule;
mod serve;
#[cfg(feature = "tls")]
mod tls;
mod trace;

pub use self::connection::ServerConnection;
pub use self::connections::Connections;
pub use self::drain::{Drain, DrainReport};
pub use self::error::ServeError;
pub use self::handle::ConnectionHandle;
pub use self::http_connection::HttpConnection;
pub use self::network::{Network, NetworkError};
pub use self::place::Place;
pub use self::refused::Refused;
pub use self::serve::Server;
#[cfg(feature = "tls")]
pub use self::tls::{Identity, IdentityError};
