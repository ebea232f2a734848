//! The demo in a pipe, its state without a view, and the window without a screen.

mod pipe;
mod state;

#[cfg(feature = "window-tests")]
mod pictures;
#[cfg(feature = "window-tests")]
mod window;
