//! The URL of a server, which may be written short.

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

/// The URL that a short text means: a port of this machine.
fn whole(text: &str) -> String {
    match is_short(text) {
        true => format!("ws://localhost:{}", text.strip_prefix(':').unwrap_or(text)),
        false => text.to_owned(),
    }
}

/// Whether it is short for a URL: a port, perhaps with a colon before it, and a path behind it.
pub(crate) fn is_short(text: &str) -> bool {
    let port = text.strip_prefix(':').unwrap_or(text);
    leading(port).parse::<u16>().is_ok()
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
    if name.is_ascii() {
        return text.to_owned();
    }
    match idna::domain_to_ascii_strict(name) {
        Ok(name) => format!("{scheme}://{user}{name}{port}{target}"),
        Err(_) => text.to_owned(),
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
        ] {
            assert!(is_short(short), "{short}");
            assert_eq!(read(short), url);
        }
        for text in [
            "echo",
            // Whether with TLS or without is for whoever asks to say.
            "a.example:9001",
            "a.example/",
            "99999",
            "::1",
            "ws://a:1/",
        ] {
            assert!(!is_short(text), "{text}");
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
