//! Many connections of a server.

// Whoever admits connections calls them.
#[allow(dead_code)]
mod address;
mod network;
#[allow(dead_code)]
mod per_address;

pub use self::network::{Network, NetworkError};
