//! The demo of talkback: send a message, and see what the server sends back.
//!
//! [`state`] is what is shown, and knows no screen. With the feature `window`, the module `window`
//! shows it in a window. The terminal is part of the program.

pub mod state;
#[cfg(feature = "window")]
pub mod window;
