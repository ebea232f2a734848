//! Serving many connections: who is there, how many there may be, and how they are let go.
//!
//! [`Connections`] is the heart of it, and works with whatever accepts: [`accept`](crate::accept()) over any stream, or
//! `upgrade` of a request of hyper or axum. [`Server`] is a listener on it, with TLS and answers to `/health` and `/ready`.

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
mod listener;
mod network;
pub(crate) mod orders;
mod per_address;
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
pub use self::network::{Network, NetworkError};
pub use self::place::Place;
pub use self::refused::Refused;
pub use self::serve::Server;
