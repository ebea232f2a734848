//! Serving many connections: who is there, how many there may be, and how they are let go.
//!
//! [`Connections`] is the heart of it, and works with whatever accepts: [`accept`](crate::accept()) over any stream, or
//! `upgrade` of a request of hyper or axum.

mod address;
mod admission;
pub(crate) mod connection;
pub(crate) mod connections;
mod drain;
mod draining;
mod handle;
mod network;
pub(crate) mod orders;
mod per_address;
pub(crate) mod place;
mod refused;
pub(crate) mod registry;
mod schedule;

pub use self::connection::ServerConnection;
pub use self::connections::Connections;
pub use self::drain::{Drain, DrainReport};
pub use self::handle::ConnectionHandle;
pub use self::network::{Network, NetworkError};
pub use self::place::Place;
pub use self::refused::Refused;
