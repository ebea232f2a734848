//! The echo server as a program embeds it.

mod background;
mod liars;
mod memory;
