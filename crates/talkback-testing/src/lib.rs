//! What the tests of several crates and the fuzz targets share.
//!
//! It depends on none of them, so that what is tested is not checked with itself. It is not
//! published: a crate that is leaves its integration tests out of its archive, and its unit tests do
//! without this one.

pub mod heap;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod old_certificates;
pub mod reference;
pub mod secrets;
#[cfg(feature = "tracing")]
pub mod traces;
pub mod wire;
