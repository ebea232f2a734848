//! Serving many connections: who is there, how many there may be, and how they are let go.
//!
//! [`Connections`] is the heart of it, and works with whatever accepts: [`accept`](crate::accept()) over any stream, or
//! `upgrade` of a request of hyper or axum.

pub(crate) mod connection;
pub(crate) mod connections;
mod drain;
mod draining;
mod handle;
pub(crate) mod orders;
pub(crate) mod place;
pub(crate) mod refused;
pub(crate) mod registry;
mod schedule;

pub use connection::ServerConnection;
pub use connections::Connections;
pub use drain::{Drain, DrainReport};
pub use handle::ConnectionHandle;
pub use place::Place;
pub use refused::Refused;
