//! Behind nginx, HAProxy and Caddy: the configurations of docs/behind-a-proxy.md as they stand there,
//! with a server of this library behind and a client of it in front. And out through tinyproxy, squid and
//! microsocks.

mod accounted;
mod backend;
mod drained;
mod http2;
mod hub;
mod ledger;
mod limits;
mod mistakes;
mod outward;
mod page;
mod reconnecting;
mod reload;
mod silence;
mod site;
mod traffic;
mod works;
