//! The echo server as a program embeds it.

mod background;
mod behaviours;
mod liars;
mod memory;
