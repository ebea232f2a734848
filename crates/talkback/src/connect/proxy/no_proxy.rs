//! The hosts of `NO_PROXY`, which are reached without a proxy.

use std::net::{IpAddr, Ipv6Addr};

/// Whether a list in the form of `NO_PROXY` has this host at this port.
///
/// Its entries are separated by commas and blanks; one that cannot be read has no host. No name is looked
/// up for it: where `10.0.0.0/8` stands, `db.example` is not meant.
pub(super) fn has(list: &str, host: &str, port: u16) -> bool {
    let entries = list.split(|it: char| it == ',' || it.is_ascii_whitespace());
    let mut entries = entries.filter(|entry| !entry.is_empty());
    let host = match host.parse::<IpAddr>() {
        Ok(address) => Host::Address(address.to_canonical()),
        Err(_) => Host::Name(host.strip_suffix('.').unwrap_or(host)),
    };
    entries.any(|entry| host.is_meant_by(entry, port))
}

/// The host of a URL, in lower case.
#[derive(Clone, Copy)]
enum Host<'a> {
    Address(IpAddr),
    /// Without the dot at its end.
    Name(&'a str),
}

impl Host<'_> {
    fn is_meant_by(self, entry: &str, port: u16) -> bool {
        if entry == "*" {
            return true;
        }
        // An IPv6 address without brackets has no port.
        let (pattern, port_meant) = match entry.parse::<Ipv6Addr>() {
            Ok(_) => (entry, None),
            Err(_) => split_port(entry),
        };
        if port_meant.is_some_and(|meant| meant.parse() != Ok(port)) {
            return false;
        }
        match self {
            Self::Address(address) => is_address_meant(address, pattern),
            Self::Name(name) => is_name_meant(name, pattern),
        }
    }
}

/// What stands before the port, without brackets, and the port.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    if let Some((address, rest)) = entry.strip_prefix('[').and_then(|it| it.split_once(']')) {
        return (address, rest.strip_prefix(':'));
    }
    match entry.split_once(':') {
        // What has more colons is a network of IPv6.
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (entry, None),
    }
}

/// An address itself, or its network: `10.0.0.0/8`.
fn is_address_meant(address: IpAddr, pattern: &str) -> bool {
    let Some((network, length)) = pattern.split_once('/') else {
        return pattern
            .parse::<IpAddr>()
            .is_ok_and(|meant| meant.to_canonical() == address);
    };
    let (Ok(network), Ok(length)) = (network.parse::<IpAddr>(), length.parse::<u32>()) else {
        return false;
    };
    let (bits, meant, size) = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            (address.to_bits().into(), network.to_bits().into(), 32)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits(), network.to_bits(), 128),
        _ => return false,
    };
    let differing: u128 = bits ^ meant;
    length <= size && differing.checked_shr(size - length).unwrap_or(0) == 0
}

/// A name and those below it; behind `*.` only those below it.
fn is_name_meant(name: &str, pattern: &str) -> bool {
    let pattern = pattern
        .strip_suffix('.')
        .unwrap_or(pattern)
        .to_ascii_lowercase();
    let (domain, is_itself_meant) = match pattern.strip_prefix("*.") {
        Some(domain) => (domain, false),
        None => (pattern.strip_prefix('.').unwrap_or(&pattern), true),
    };
    match name.strip_suffix(domain) {
        Some("") => is_itself_meant && !domain.is_empty(),
        Some(below) => below.ends_with('.') && !domain.is_empty(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use talkback_proto::handshake::WsUrl;

    use super::has;

    /// Whether the list has the host of a URL, such as `a.example` or `[::1]:9001`; the port is 80 where
    /// there is none.
    fn is_listed(list: &str, authority: &str) -> bool {
        let url = WsUrl::parse(&format!("ws://{authority}/")).unwrap();
        has(list, url.host(), url.port())
    }

    /// Each row: the list, what it has, and what it has not.
    const ROWS: &[(&str, &[&str], &[&str])] = &[
        (
            "example.com",
            &[
                "example.com",
                "a.example.com",
                "b.a.example.com",
                "example.com:8443",
            ],
            &[
                "example.org",
                "notexample.com",
                "com",
                "10.0.0.1",
                "[fd00::1]",
            ],
        ),
        (
            ".example.com",
            &["example.com", "a.example.com", "a.example.com:1"],
            &["notexample.com", "10.0.0.1"],
        ),
        (
            "*.example.com",
            &["a.example.com", "b.a.example.com", "a.example.com:1"],
            &["example.com", "notexample.com", "10.0.0.1"],
        ),
        (
            "example.com:8443",
            &["example.com:8443", "a.example.com:8443"],
            &["example.com", "example.com:443", "10.0.0.1:8443"],
        ),
        (
            "*.example.com:1",
            &["a.example.com:1"],
            &["a.example.com", "example.com:1"],
        ),
        (
            "example.com:x,example.org:,a.example:99999",
            &[],
            &["example.com", "a.example:80"],
        ),
        (
            "*",
            &["a.example", "10.0.0.1", "[fd00::1]", "a.example:1"],
            &[],
        ),
        (
            "b.example,*",
            &["a.example", "10.0.0.1", "[fd00::1]:1"],
            &[],
        ),
        ("*:8080,*a", &[], &["a.example:8080", "10.0.0.1:8080", "a"]),
        (
            "10.0.0.0/8",
            &["10.0.0.1", "10.255.0.1:8080", "[::ffff:10.1.1.1]"],
            &["11.0.0.1", "[fd00::1]", "a10.example", "10.example"],
        ),
        ("10.1.2.3/8", &["10.9.9.9"], &["11.1.2.3"]),
        (
            "0.0.0.0/0",
            &["1.2.3.4", "255.255.255.255"],
            &["[fd00::1]", "a.example"],
        ),
        ("1.2.3.4/32", &["1.2.3.4"], &["1.2.3.5"]),
        ("1.2.3.4/33,1.2.3.4/,1.2.3.4/x,1.2.3/24", &[], &["1.2.3.4"]),
        (
            "fd00::/8",
            &["[fd00::1]", "[fdff::1]:8080"],
            &["[fe00::1]", "10.0.0.1", "fd00.example"],
        ),
        ("::/0", &["[fd00::1]", "[::2]"], &["10.0.0.1"]),
        (
            "10.0.0.1",
            &["10.0.0.1", "10.0.0.1:1"],
            &["10.0.0.2", "a.10.0.0.1.example"],
        ),
        ("10.0.0.1:81", &["10.0.0.1:81"], &["10.0.0.1", "10.0.0.1:8"]),
        ("::2", &["[::2]", "[0:0::2]:9001"], &["[::3]", "0.0.0.2"]),
        ("[::2]", &["[::2]", "[::2]:9001"], &["[::3]"]),
        ("[::2]:9001", &["[::2]:9001"], &["[::2]", "[::2]:9002"]),
        (
            "EXAMPLE.com.",
            &["Example.COM", "a.eXample.com.", "example.com.:1"],
            &["example.org."],
        ),
        (
            " a.example ,b.example\tc.example,,\nd.example ",
            &["a.example", "b.example", "c.example", "d.example"],
            &["e.example"],
        ),
        (
            ", . ,*., :80 ,[],/8",
            &[],
            &["a.example", "10.0.0.1", "[fd00::1]"],
        ),
        // Whoever resolves to a listed address is not asked.
        ("127.0.0.1", &["127.0.0.1"], &["localhost"]),
    ];

    #[test]
    fn px8_each_form_of_an_entry_has_its_hosts() {
        for (list, has, lacks) in ROWS {
            for authority in *has {
                assert!(is_listed(list, authority), "{list:?} lacks {authority}");
            }
            for authority in *lacks {
                assert!(!is_listed(list, authority), "{list:?} has {authority}");
            }
        }
    }
}
