//! The library against servers, clients and proxies that others wrote: real programs, each started on a
//! free port of this machine.
//!
//! `cargo xtask test interop` installs them. What a test needs and does not find fails it.

mod program;
mod proxies;
