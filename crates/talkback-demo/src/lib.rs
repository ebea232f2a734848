//! The demo of talkback: send a message, and see what the server sends back.
//!
//! [`state`] is what is shown, and knows no screen. With the feature `window`, the module `window`
//! shows it in a window, and `egui_snapshots` is what other apps on egui can take from here. The
//! terminal is part of the program.

#[cfg(feature = "window")]
pub mod egui_snapshots;
pub mod state;
#[cfg(feature = "window")]
pub mod window;
