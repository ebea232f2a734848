//! From the command line to the connection that it asks for.

use std::net::SocketAddr;

use talkback::{Connect, Keepalive, Limits, WsUrl};

use crate::args::WayArgs;
use crate::exit::{self, Failure};
use crate::target::Target;
use crate::tls;
use crate::values::Resolve;

/// How many redirects `--location` follows.
const REDIRECTS_MAX: u8 = 10;

/// What the command calls itself, unless a header says otherwise.
const USER_AGENT: &str = concat!("talkback/", env!("CARGO_PKG_VERSION"));

/// The connection that the options ask for, to the server at `target`.
pub(crate) fn connection(args: &WayArgs, target: &Target) -> Result<Connect, Failure> {
    let url = &target.url;
    let mut connecting = talkback::connect(&*target.text)
        .header("User-Agent", USER_AGENT)
        .timeout(args.timeout)
        .limits(Limits::default().message_size_max(args.max_message))
        // A server that freezes is found out while the session waits for it.
        .keepalive(Keepalive::default());
    for header in &args.headers {
        let (name, value) = parse_header(header)?;
        connecting = match name.eq_ignore_ascii_case("User-Agent") {
            true => connecting.set_header(name, value),
            false => connecting.header(name, value),
        };
    }
    for name in &args.subprotocols {
        connecting = connecting.subprotocol(name);
    }
    if args.no_compression {
        connecting = connecting.compression(None);
    }
    if let Some(origin) = &args.origin {
        connecting = connecting.origin(origin);
    }
    if args.location {
        connecting = connecting.redirects(REDIRECTS_MAX);
    }
    tls::configure(reach(connecting, args, url), &args.tls)
}

/// The way, where it is not that of the URL's host.
fn reach(mut connecting: Connect, args: &WayArgs, url: &WsUrl) -> Connect {
    for address in &args.addresses {
        connecting = connecting.address(address.with_port(url.port()));
    }
    if !args.resolve.is_empty() {
        connecting = resolve(connecting, &args.resolve);
    }
    if let Some(host) = &args.host {
        connecting = connecting.host(host);
    }
    if let Some(name) = &args.server_name {
        connecting = connecting.server_name(name);
    }
    if let Some(path) = &args.unix_socket {
        connecting = connecting.unix_socket(path);
    }
    match args.proxy.as_deref() {
        None => connecting,
        Some("none") => connecting.proxy(None),
        Some(url) => connecting.proxy(url),
    }
}

/// Knows the addresses of these hosts, and asks the system for others.
fn resolve(connecting: Connect, known: &[Resolve]) -> Connect {
    let known = known.to_vec();
    connecting.resolver(move |host, port| {
        let is_meant = |known: &&Resolve| known.host == host && known.address.port() == port;
        let addresses = known.iter().filter(is_meant).map(|known| known.address);
        let addresses: Vec<SocketAddr> = addresses.collect();
        async move {
            match addresses.is_empty() {
                true => Ok(tokio::net::lookup_host((host, port)).await?.collect()),
                false => Ok(addresses),
            }
        }
    })
}

/// Reads `Name: value`. A complaint does not repeat the text, which may be a secret.
fn parse_header(text: &str) -> Result<(&str, &str), Failure> {
    let Some((name, value)) = text.split_once(':') else {
        let message = "a header given with -H has no colon: write it as -H 'Name: value'";
        return Err(Failure::new(exit::USAGE, message));
    };
    Ok((name, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_split_at_the_first_colon() {
        assert_eq!(parse_header("X-Time: 12:30 ").unwrap(), ("X-Time", "12:30"));
        assert_eq!(parse_header("X-Empty:").unwrap(), ("X-Empty", ""));
    }

    #[test]
    fn v12_a_header_without_a_colon_is_not_repeated() {
        let failure = parse_header("Authorization Bearer hunter2").unwrap_err();
        assert_eq!(failure.code, exit::USAGE);
        assert!(!failure.message.contains("hunter2"));
    }
}
