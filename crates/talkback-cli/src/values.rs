//! The values of options: what they have to look like.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use talkback::http::uri::Authority;

/// An address to listen on.
pub(crate) fn listen(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = text.strip_prefix("localhost:")
        && let Ok(port) = port.parse()
    {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| {
        "it is not an IP address with a port from 0 to 65535, such as 127.0.0.1:9001 or [::]:9001"
            .to_owned()
    })
}

/// A number of bytes, perhaps with a unit.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1_u64 << 30)];
    let (number, unit) = units
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?.trim_end(), *unit)))
        .unwrap_or((text, 1));
    let size = number.parse::<u64>().ok();
    let size = size.and_then(|number| number.checked_mul(unit));
    size.filter(|size| *size > 0)
        .ok_or_else(|| "it is not a number of bytes above 0, such as 65536 or 64KiB".to_owned())
}

/// A number of seconds, perhaps with a fraction.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| ());
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).map_err(|_| ()));
    duration
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "it is not a number of seconds above 0, such as 10 or 0.5".to_owned())
}

/// The origin of a web page (RFC 6454 §6.2): a scheme, a host, and perhaps a port.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    let form = "write it as scheme://host or scheme://host:port, such as http://localhost:8080";
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!("it has no scheme: {form}"));
    };
    let (authority, path) = match rest.find(['/', '?', '#']) {
        Some(end) => rest.split_at(end),
        None => (rest, ""),
    };
    if !is_scheme(scheme) || !is_host(authority) {
        return Err(format!("it is not an origin: {form}"));
    }
    if !path.is_empty() {
        return Err(format!(
            "an origin ends with the host or the port, without a slash: write it as {scheme}://{authority}"
        ));
    }
    Ok(text.to_owned())
}

fn is_scheme(text: &str) -> bool {
    let is_rest = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(is_rest)
}

/// Whether it is a host, perhaps with a port, and without a user name.
fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else {
        return false;
    };
    // What stands behind the host is the colon and the port.
    let port = text.strip_prefix(authority.host());
    let is_port = |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0);
    !authority.host().is_empty()
        && port.is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

/// The name of a subprotocol (RFC 6455 §4.1): a token of HTTP.
pub(crate) fn subprotocol(text: &str) -> Result<String, String> {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.is_empty() || !text.bytes().all(is_tchar) {
        return Err("it is not a token: use letters, digits and !#$%&'*+-.^_`|~".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("65536"), Ok(65_536));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("1 MiB"), Ok(1 << 20));
        for text in ["", "0", "-1", "1.5MiB", "KiB", "99999999999GiB", "1MB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_may_have_fractions() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["", "0", "-1", "inf", "NaN", "1e300", "ten"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn listen_takes_addresses_only() {
        assert!(listen("[::]:0").is_ok());
        let loopback = listen("localhost:80").unwrap();
        assert_eq!(loopback.to_string(), "127.0.0.1:80");
        for text in ["9001", "127.0.0.1", "127.0.0.1:http", "localhost:65536"] {
            assert!(listen(text).is_err(), "{text}");
        }
    }

    #[test]
    fn origins_have_a_scheme_and_a_host_and_no_path() {
        for text in [
            "http://localhost:8080",
            "https://app.example",
            "http://[::1]:80",
            "chrome-extension://abcdef",
        ] {
            assert_eq!(origin(text), Ok(text.to_owned()));
        }
        for text in [
            "",
            "null",
            "localhost:8080",
            "://a",
            "1http://a",
            "http://",
            "http://:80",
            "http://a:",
            "http://a:0",
            "http://a:65536",
            "http://a b",
            "http://user@a",
            "*",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
        let slash = origin("http://localhost:8080/").unwrap_err();
        assert!(
            slash.ends_with("write it as http://localhost:8080"),
            "{slash}"
        );
    }

    #[test]
    fn subprotocols_are_tokens() {
        assert!(subprotocol("graphql-transport-ws").is_ok());
        for text in ["", "a b", "a,b", "가", "a/b"] {
            assert!(subprotocol(text).is_err(), "{text}");
        }
    }
}
