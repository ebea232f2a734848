//! The scenarios on every backend: over TCP, over TLS, in memory, and in a browser, on a page and in a
//! worker; what only a browser does; and what holds for the sources of all crates.
//!
//! `cargo xtask test browser` starts the server and the browser. Whether that is a page or a worker, the
//! runner reads from its environment: `page::`, `resources::` and `worker::` run apart.

#[cfg(not(target_arch = "wasm32"))]
mod by_url;
#[cfg(not(target_arch = "wasm32"))]
mod crates;
#[cfg(not(target_arch = "wasm32"))]
mod imports;
#[cfg(not(target_arch = "wasm32"))]
mod pages;
#[cfg(not(target_arch = "wasm32"))]
mod pair;
#[cfg(not(target_arch = "wasm32"))]
mod rules;
#[cfg(not(target_arch = "wasm32"))]
mod tcp;
#[cfg(not(target_arch = "wasm32"))]
mod tls;

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
mod page;
#[cfg(target_arch = "wasm32")]
mod resources;
#[cfg(target_arch = "wasm32")]
mod worker;
