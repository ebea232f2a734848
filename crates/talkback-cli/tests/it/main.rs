//! The command as a program: `talkback connect`, `listen`, `echo`, `hub` and `bench` run, and are held to what they print,
//! what goes over the wire, what they hold and how they end.

mod attacks;
mod bench;
mod bench_ways;
mod blocked_pipes;
#[cfg(target_os = "linux")]
mod bounds;
mod connect;
mod connect_ends;
mod connect_exit_codes;
mod connect_forms;
mod connect_paths;
mod connect_proxy;
mod connect_sight;
mod connect_ways;
mod echo;
mod echo_clients;
mod echo_metrics;
mod echo_web;
mod handshake;
mod hub;
mod hub_ends;
mod hub_http;
mod hub_json;
mod hub_keys;
mod install;
mod listen;
mod listen_clients;
mod options;
#[cfg(target_os = "linux")]
mod prompt;
#[cfg(target_os = "linux")]
mod prompt_commands;
#[cfg(target_os = "linux")]
mod readme_tasks;
#[cfg(target_os = "linux")]
mod readme_transcripts;
mod security_table;
mod support;
mod tls;
