//! The URL of a server, which may be written short.

use std::net::SocketAddr;

use talkback::{ConnectError, WsUrl};
use talkback_terminal::explain;

use crate::exit::{self, Failure};

/// A server: as it was meant, and read.
#[derive(Debug)]
pub(crate) struct Target {
    /// It may hold secrets.
    pub(crate) text: String,
    pub(crate) url: WsUrl,
}

impl Target {
    /// Reads a URL, or what is short for one.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        if let Some(port) = short_port(text)
            && port.parse::<u16>().is_err()
        {
            let message =
                format!("could not connect: the port {port} is too large: it is at most 65535");
            return Err(Failure::new(exit::BAD_URL, message));
        }
        let text = with_ascii_host(&whole(text));
        match WsUrl::parse(&text) {
            Ok(url) => Ok(Self { text, url }),
            Err(error) => {
                let error = ConnectError::Url(error);
                let code = exit::of_connect_error(&error);
                Err(Failure::new(code, explain::connect_error(&error)))
            }
        }
    }
}

/// The URL that a short text means: a port of this machine, perhaps behind a name or an address of its own.
fn whole(text: &str) -> String {
    if short_port(text).is_some() {
        return format!("ws://localhost:{}", text.strip_prefix(':').unwrap_or(text));
    }
    match is_own(leading(text)) {
        true => format!("ws://{text}"),
        false => text.to_owned(),
    }
}

/// Whether it is a port of this machine behind a name or an address of its own.
fn is_own(authority: &str) -> bool {
    let port = authority.strip_prefix("localhost:");
    port.is_some_and(is_number)
        || authority
            .parse::<SocketAddr>()
            .is_ok_and(|address| address.ip().is_loopback())
}

/// The port, which may be too large, of what is short for a URL: perhaps with a colon before it, and a path
/// behind it.
fn short_port(text: &str) -> Option<&str> {
    let port = leading(text.strip_prefix(':').unwrap_or(text));
    is_number(port).then_some(port)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a server is meant, rightly or wrongly: by a URL, what is short for one, or a host and a port.
pub(crate) fn is_meant(text: &str) -> bool {
    let is_host = |host: &str| !host.is_empty() && !host.contains(char::is_whitespace);
    let host_and_port = leading(text).rsplit_once(':');
    text.contains("://")
        || short_port(text).is_some()
        || host_and_port.is_some_and(|(host, port)| is_host(host) && is_number(port))
}

/// What stands before the path and the query.
fn leading(text: &str) -> &str {
    let end = text.find(['/', '?']).unwrap_or(text.len());
    &text[..end]
}

/// The URL with its host as DNS knows it (RFC 5891), if it has characters beyond ASCII; a host that is none
/// stays, and is refused with the URL.
fn with_ascii_host(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let (authority, target) = rest.split_at(leading(rest).len());
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (format!("{user}@"), host),
        None => (String::new(), authority),
    };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) => (name, format!(":{port}")),
        None => (host, String::new()),
    };
    match ascii_host(name) {
        Some(name) if !text.is_ascii() => format!("{scheme}://{user}{name}{port}{target}"),
        _ => text.to_owned(),
    }
}

/// A host as DNS knows it, if it can be one.
pub(crate) fn ascii_host(name: &str) -> Option<String> {
    match name.is_ascii() {
        true => Some(name.to_owned()),
        false => idna::domain_to_ascii_strict(name).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        Target::parse(text).unwrap().text
    }

    #[test]
    fn a_port_is_short_for_a_url_of_this_machine() {
        for (short, url) in [
            ("9001", "ws://localhost:9001"),
            (":9001", "ws://localhost:9001"),
            (":9001/a?b", "ws://localhost:9001/a?b"),
            ("localhost:9001/a?b", "ws://localhost:9001/a?b"),
            ("127.0.0.1:9001", "ws://127.0.0.1:9001"),
            ("[::1]:9001/", "ws://[::1]:9001/"),
        ] {
            assert_eq!(read(short), url);
        }
        for text in ["192.0.2.1:9001", "localhost:http", "a.localhost:9001"] {
            assert_eq!(
                Target::parse(text).unwrap_err().code,
                exit::BAD_URL,
                "{text}"
            );
        }
        for text in [
            "echo",
            // Whether with TLS or without is for whoever asks to say.
            "a.example:9001",
            "a.example/",
            "::1",
            "ws://a:1/",
        ] {
            assert_eq!(short_port(text), None, "{text}");
        }
    }

    #[test]
    fn a_port_that_is_too_large_is_said_to_be() {
        for text in ["65536", ":99999", "99999/path"] {
            let failure = Target::parse(text).unwrap_err();
            assert_eq!(failure.code, exit::BAD_URL, "{text}");
            assert!(failure.message.contains("at most 65535"), "{failure:?}");
        }
    }

    #[test]
    fn a_host_in_hangul_is_asked_for_as_dns_knows_it() {
        let url = "ws://user:pw@한글.example:9001/가?나";
        assert_eq!(read(url), "ws://user:pw@xn--bj0bj06e.example:9001/가?나");
        assert_eq!(
            read("wss://예시.테스트"),
            "wss://xn--vv4b11d.xn--9t4b11yi5a"
        );
        assert_eq!(
            Target::parse("ws://한\u{ad}/\u{1}").unwrap_err().code,
            exit::BAD_URL
        );
    }
}
