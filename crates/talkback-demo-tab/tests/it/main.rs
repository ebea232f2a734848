//! What of the page can be held outside of a browser.

#[cfg(not(target_family = "wasm"))]
mod page;
