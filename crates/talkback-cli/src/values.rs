//! The values of options: what they have to look like.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use talkback::http::uri::Authority;
use talkback::server::{Network, NetworkError};

use crate::target::ascii_host;

/// Timers have no finer steps.
const MILLISECOND: Duration = Duration::from_millis(1);
const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

/// Where a server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    Address(SocketAddr),
    /// On both loopbacks, at this port.
    Localhost(u16),
}

impl Listen {
    pub(crate) fn address(self) -> SocketAddr {
        match self {
            Self::Address(address) => address,
            Self::Localhost(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        }
    }

    /// All that it is.
    pub(crate) fn addresses(self) -> Vec<SocketAddr> {
        match self {
            Self::Address(address) => vec![address],
            Self::Localhost(port) => vec![
                (Ipv4Addr::LOCALHOST, port).into(),
                (Ipv6Addr::LOCALHOST, port).into(),
            ],
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Localhost(port) => write!(f, "localhost:{port}"),
        }
    }
}

/// An address to listen on; a port alone, with a colon or without, is one of this machine's own.
pub(crate) fn listen(text: &str) -> Result<Listen, String> {
    let port = text.strip_prefix("localhost:");
    let port = port.or_else(|| text.strip_prefix(':')).unwrap_or(text);
    if let Ok(port) = port.parse() {
        return Ok(Listen::Localhost(port));
    }
    text.parse().map(Listen::Address).map_err(|_| {
        "it is not an IP address or `localhost` with a port from 0 to 65535, such as 127.0.0.1:9001, 0.0.0.0:9001 or [::]:9001"
            .to_owned()
    })
}

/// What nobody is to see.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Shows nothing of it.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A name that a server may be called by in a Host header.
pub(crate) fn host(text: &str) -> Result<String, String> {
    // A name that is complete may have a final dot, which is left out where names are compared.
    let text = text.strip_suffix('.').unwrap_or(text);
    match is_host(text) && !text.contains(':') {
        true => Ok(text.to_ascii_lowercase()),
        false if !text.is_ascii() => Err(
            "it has characters beyond ASCII: give its punycode form, which begins with xn--"
                .to_owned(),
        ),
        false => Err("it is not a host's name alone, such as laptop.local".to_owned()),
    }
}

/// Where to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Whole(SocketAddr),
    /// At the URL's port.
    Ip(IpAddr),
}

impl Address {
    pub(crate) fn with_port(self, port: u16) -> SocketAddr {
        match self {
            Self::Whole(address) => address,
            Self::Ip(ip) => SocketAddr::new(ip, port),
        }
    }
}

/// An address, perhaps with a port.
pub(crate) fn address(text: &str) -> Result<Address, String> {
    let ip = |text: &str| text.parse().ok().map(Address::Ip);
    let address = text.parse().ok().map(Address::Whole);
    address
        .or_else(|| ip(without_brackets(text)))
        .ok_or_else(|| {
            "it is not an IP address, such as 192.0.2.1, 192.0.2.1:8443 or [2001:db8::1]:8443"
                .to_owned()
        })
}

fn without_brackets(text: &str) -> &str {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    inner.unwrap_or(text)
}

/// The address of a host at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolve {
    pub(crate) host: String,
    pub(crate) address: SocketAddr,
}

/// An address for a host and a port, as curl's option of that name takes it.
pub(crate) fn resolve(text: &str) -> Result<Resolve, String> {
    let resolve = || {
        let (host, rest) = text.split_once(':')?;
        let (port, ip) = rest.split_once(':')?;
        let address = SocketAddr::new(without_brackets(ip).parse().ok()?, port.parse().ok()?);
        // As the URL's is.
        let host = ascii_host(host)?.to_ascii_lowercase();
        (!host.is_empty()).then_some(Resolve { host, address })
    };
    resolve()
        .ok_or_else(|| "it is not HOST:PORT:ADDRESS, such as api.example:443:192.0.2.1".to_owned())
}

/// A number of bytes, perhaps with a unit, in any case: `KiB` is 1,024 bytes, `KB` 1,000, and `K` is `KiB`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let units = [
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1_u64 << 30),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("k", 1 << 10),
        ("m", 1 << 20),
        ("g", 1 << 30),
        ("b", 1),
    ];
    let (number, unit) = units
        .iter()
        .find_map(|(name, unit)| Some((lower.strip_suffix(name)?.trim_end(), *unit)))
        .unwrap_or((&*lower, 1));
    let size = number.parse::<u64>().ok();
    let size = size.and_then(|number| number.checked_mul(unit));
    size.filter(|size| *size > 0).ok_or_else(|| {
        "it is not a number of bytes above 0, such as 65536, 64KiB or 1MB".to_owned()
    })
}

/// A number of seconds, perhaps with a fraction, that a program can run for.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration
        .filter(|time| (MILLISECOND..=YEAR).contains(time))
        .ok_or_else(|| {
            "it is not a number of seconds from 0.001 up to a year, such as 10 or 0.5".to_owned()
        })
}

/// A number of seconds, perhaps with a fraction, or none.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    match text {
        "0" => Ok(Duration::ZERO),
        text => seconds(text).map_err(|_| {
            "it is not a number of seconds from 0 up to a year, such as 10 or 0.5".to_owned()
        }),
    }
}

/// A number of what there has to be one of, at least.
pub(crate) fn count(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| {
        format!(
            "it is not a whole number from 1 to {}, such as 1000",
            u32::MAX
        )
    })
}

/// A network in CIDR, or an address.
pub(crate) fn network(text: &str) -> Result<Network, String> {
    if text.contains(',') {
        return Err("it is more than one: repeat the option for each".to_owned());
    }
    text.parse()
        .map_err(|error: NetworkError| error.to_string())
}

/// A number of messages a second, perhaps with a fraction.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok();
    rate.filter(|rate| (0.001..=1e9).contains(rate))
        .ok_or_else(|| "it is not a number of messages a second, such as 1000 or 0.5".to_owned())
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    For(Duration),
    Forever,
}

/// A number of seconds, or `forever`.
pub(crate) fn wait(text: &str) -> Result<Wait, String> {
    match text {
        "forever" => Ok(Wait::Forever),
        "0" => Ok(Wait::For(Duration::ZERO)),
        text => seconds(text).map(Wait::For).map_err(|_| {
            "it is not a number of seconds from 0 up to a year, such as 10 or 0.5, nor `forever`".to_owned()
        }),
    }
}

/// What messages end with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Separator(pub(crate) Vec<u8>);

/// A text in which bytes may be escaped, as in `\\r\\n` and `\\x1e`.
pub(crate) fn separator(text: &str) -> Result<Separator, String> {
    let wrong = || {
        "a backslash in it stands before n, r, t, 0, another backslash, or x and two hexadecimal digits".to_owned()
    };
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let mut characters = after.chars();
        let byte = match characters.next().ok_or_else(wrong)? {
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            '0' => 0,
            '\\' => b'\\',
            'x' => {
                let digits = after.get(1..3).ok_or_else(wrong)?;
                characters = after[3..].chars();
                u8::from_str_radix(digits, 16).map_err(|_| wrong())?
            }
            _ => return Err(wrong()),
        };
        bytes.push(byte);
        rest = characters.as_str();
    }
    bytes.extend_from_slice(rest.as_bytes());
    match bytes.is_empty() {
        true => Err("it is empty: give at least one character".to_owned()),
        false => Ok(Separator(bytes)),
    }
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
        assert_eq!(size("1MB"), Ok(1_000_000));
        assert_eq!(size("2k"), Ok(2048));
        for text in [
            "",
            "0",
            "-1",
            "1.5MiB",
            "KiB",
            "99999999999GiB",
            "1TB",
            "KK",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_one_of_ip_perhaps_with_a_port() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1:80"),
            ("192.0.2.1:8443", "192.0.2.1:8443"),
            ("::1", "[::1]:80"),
            ("[::1]", "[::1]:80"),
            ("[::1]:8443", "[::1]:8443"),
        ] {
            let address = address(text).unwrap().with_port(80);
            assert_eq!(address.to_string(), expected);
        }
        for text in ["", "localhost", "192.0.2.1:", "192.0.2"] {
            assert!(address(text).is_err(), "{text}");
        }
        for text in ["A.example:443:192.0.2.1", "a.example:443:[::1]"] {
            let resolve = resolve(text).unwrap();
            assert_eq!((&*resolve.host, resolve.address.port()), ("a.example", 443));
        }
        for text in ["", "a:b:c", "a.example:192.0.2.1", ":443:192.0.2.1"] {
            assert!(resolve(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_may_have_fractions() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["", "0", "-1", "1e-9", "inf", "NaN", "1e9", "1e300", "ten"] {
            let told = "it is not a number of seconds from 0.001 up to a year, such as 10 or 0.5";
            assert_eq!(seconds(text), Err(told.to_owned()), "{text}");
        }
    }

    #[test]
    fn counts_are_whole_and_above_0() {
        assert_eq!(count("1"), Ok(1));
        for text in ["", "0", "-1", "1.5", "abc", "안녕", "4294967296"] {
            let told = "it is not a whole number from 1 to 4294967295, such as 1000";
            assert_eq!(count(text), Err(told.to_owned()), "{text}");
        }
    }

    #[test]
    fn rates_are_finite() {
        assert_eq!(rate("0.5"), Ok(0.5));
        for text in ["", "0", "-1", "inf", "NaN", "1e300", "10/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_wait_may_have_no_end_or_be_none() {
        assert_eq!(wait("forever"), Ok(Wait::Forever));
        assert_eq!(wait("0"), Ok(Wait::For(Duration::ZERO)));
        assert_eq!(wait("0.5"), Ok(Wait::For(Duration::from_millis(500))));
        for text in ["", "-1", "ever", "1s"] {
            assert!(wait(text).is_err(), "{text}");
        }
    }

    #[test]
    fn separators_may_be_escaped() {
        for (text, bytes) in [
            ("--", &b"--"[..]),
            (r"\r\n", b"\r\n"),
            (r"\x1e\0\t\\", b"\x1e\0\t\\"),
            ("가", "가".as_bytes()),
        ] {
            assert_eq!(separator(text), Ok(Separator(bytes.to_vec())), "{text}");
        }
        for text in ["", "\\", r"\q", r"\x", r"\x1", r"\xzz", r"\x가"] {
            assert!(separator(text).is_err(), "{text}");
        }
    }

    #[test]
    fn listen_takes_addresses_only() {
        assert!(listen("[::]:0").is_ok());
        for text in ["9001", ":9001", "localhost:9001"] {
            assert_eq!(listen(text), Ok(Listen::Localhost(9001)), "{text}");
        }
        let address = listen("127.0.0.1:9001").unwrap();
        assert_eq!(address.to_string(), "127.0.0.1:9001");
        for text in ["", ":", "127.0.0.1", "127.0.0.1:http", "localhost:65536"] {
            assert!(listen(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_is_a_name_alone() {
        for text in ["laptop.local", "Laptop.local."] {
            assert_eq!(host(text), Ok("laptop.local".to_owned()));
        }
        for text in ["", ".", "a:1", "a/b"] {
            assert!(host(text).is_err(), "{text}");
        }
        let hangul = host("한글.example").unwrap_err();
        assert!(hangul.contains("punycode"), "{hangul}");
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
