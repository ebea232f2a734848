//! The library over transports in memory and on loopback, with and without TLS and hyper.
//!
//! Under `--cfg shuttle` it is the channel under random schedules, and nothing else.

#[cfg(not(shuttle))]
mod accept_check;
#[cfg(not(shuttle))]
mod accept_io;
#[cfg(not(shuttle))]
mod address;
#[cfg(not(shuttle))]
mod advice;
#[cfg(not(shuttle))]
mod broadcast;
#[cfg(not(shuttle))]
mod cancel;
#[cfg(not(shuttle))]
mod channel;
#[cfg(not(shuttle))]
mod channel_cancel;
#[cfg(not(shuttle))]
mod channel_driver;
#[cfg(not(shuttle))]
mod channel_end;
#[cfg(not(shuttle))]
mod channel_keepalive;
#[cfg(not(shuttle))]
mod channel_ping;
#[cfg(not(shuttle))]
mod closing;
#[cfg(not(shuttle))]
mod compile;
#[cfg(not(shuttle))]
mod compression;
#[cfg(not(shuttle))]
mod connect;
#[cfg(not(shuttle))]
mod connect_options;
#[cfg(not(shuttle))]
mod connector;
#[cfg(not(shuttle))]
mod cookies;
#[cfg(not(shuttle))]
mod fault_cuts;
#[cfg(not(shuttle))]
mod fault_fragments;
#[cfg(not(shuttle))]
mod fault_pace;
#[cfg(all(feature = "tls", not(shuttle)))]
mod fault_tls;
#[cfg(not(shuttle))]
mod hostile_peers;
#[cfg(not(shuttle))]
mod memory;
#[cfg(not(shuttle))]
mod opening;
#[cfg(not(shuttle))]
mod over;
#[cfg(not(shuttle))]
mod prepared;
#[cfg(not(shuttle))]
mod progress;
#[cfg(not(shuttle))]
mod proxy;
#[cfg(not(shuttle))]
mod proxy_choice;
#[cfg(not(shuttle))]
mod proxy_socks;
#[cfg(not(shuttle))]
mod proxy_stalls;
#[cfg(all(feature = "tls", not(shuttle)))]
mod proxy_tls;
#[cfg(not(shuttle))]
mod receive_path;
#[cfg(all(not(shuttle), feature = "test-util"))]
mod reconnect;
#[cfg(not(shuttle))]
mod redirects;
#[cfg(not(shuttle))]
mod relay;
#[cfg(not(shuttle))]
mod resolver;
#[cfg(not(shuttle))]
mod runtimes;
#[cfg(all(unix, not(shuttle)))]
mod runtimes_child;
#[cfg(not(shuttle))]
mod runtimes_ended;
#[cfg(shuttle)]
mod schedules;
#[cfg(all(
    feature = "json",
    feature = "tls",
    feature = "upgrade",
    feature = "server",
    feature = "test-util",
    not(shuttle)
))]
mod secrets;
#[cfg(not(shuttle))]
mod send_errors;
#[cfg(not(shuttle))]
mod sends;
#[cfg(all(feature = "server", not(shuttle)))]
mod server;
#[cfg(not(shuttle))]
mod streams;
#[cfg(not(shuttle))]
mod streams_cancel;
#[cfg(not(shuttle))]
mod streams_memory;
#[cfg(not(shuttle))]
mod support;
#[cfg(all(feature = "test-util", not(shuttle)))]
mod test_util;
#[cfg(all(feature = "tls", not(shuttle)))]
mod tls;
#[cfg(all(feature = "tls", not(shuttle)))]
mod tls_certificates;
#[cfg(all(feature = "tls", not(shuttle)))]
mod tls_own_certificate;
#[cfg(all(feature = "json", not(shuttle)))]
mod typed;
#[cfg(all(unix, not(shuttle)))]
mod unix_socket;
#[cfg(not(shuttle))]
mod unread;
#[cfg(not(shuttle))]
mod unread_tcp;
#[cfg(all(feature = "upgrade", not(shuttle)))]
mod upgrade;
#[cfg(all(feature = "upgrade", not(shuttle)))]
mod upgrade_unsent;
#[cfg(not(shuttle))]
mod wakers;
