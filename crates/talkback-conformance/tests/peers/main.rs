//! The library against servers, clients and proxies that others wrote: real programs, each started on a
//! free port of this machine.
//!
//! `cargo xtask test interop` installs them, and says by `TALKBACK_PYTHON` and `NODE_PATH` where the packages of
//! their small programs are. What a test needs and does not find fails it.

mod as_client;
mod as_server;
mod clients;
mod command;
mod engine_io;
mod program;
mod programs;
mod proxies;
mod redis;
mod servers;
mod timing;
mod tmux;
mod tungstenite;
