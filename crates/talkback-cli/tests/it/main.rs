//! The command as a program: `talkback echo`, `talkback connect` and `talkback bench` run, and are held to what they print,
//! what goes over the wire, what they hold and how they end.

mod attacks;
mod bench;
mod blocked_pipes;
mod connect;
mod connect_ends;
mod connect_exit_codes;
mod connect_forms;
mod connect_proxy;
mod connect_sight;
mod connect_ways;
mod echo;
mod echo_web;
mod handshake;
mod security_table;
mod support;
mod tls;
