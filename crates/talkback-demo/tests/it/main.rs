//! The demo in a pipe and in a terminal, its state without a view, and the window without a screen.

#[cfg(target_os = "linux")]
mod person;
mod pipe;
mod state;

#[cfg(feature = "window-tests")]
mod pictures;
#[cfg(feature = "window-tests")]
mod window;
