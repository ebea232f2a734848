//! The attacks of SECURITY.md on the running programs.

mod client;
mod client_frames;
mod compressed;
mod ends;
mod frames;
mod handshake;
mod pages;
mod secrets;
// What it holds is measured.
#[cfg(target_os = "linux")]
mod unread;
mod waits;
