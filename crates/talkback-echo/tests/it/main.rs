//! The echo server as a program embeds it.

mod memory;
