//! Which address a client has, behind a proxy too.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::FORWARDED;

use crate::server::network::{Network, masked};

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// How many bits of an IPv6 address are those of a customer: within them a client has all addresses.
const CUSTOMER_BITS: u8 = 64;

/// Where a client is, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientAddress {
    /// An IPv4-mapped one is that of IPv4.
    pub(crate) ip: IpAddr,
    /// What its connections count against; `None` if it says nothing about whose they are.
    pub(crate) key: Option<AddressKey>,
    /// Why it is a proxy's, which was trusted to tell the client's, and did not.
    pub(crate) unknown: Option<Unknown>,
}

/// Why a trusted proxy's header does not tell a client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// There is none, or it names trusted proxies alone.
    Missing,
    /// What stands where the address is to be is none.
    Invalid,
}

/// What the connections of one client have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AddressKey(IpAddr);

/// The client's address: the peer's, or the one that a proxy tells which is to be trusted.
///
/// Each proxy of a chain writes down whom it was connected from, behind what it was told. So the list is read
/// from its end, up to the first address that is not a trusted proxy's: what stands before is what that client
/// wrote itself, and may be a lie. `X-Forwarded-For` goes before `Forwarded` (RFC 7239): a proxy that writes
/// one of them passes on whatever a client says in the other, and most write the first.
///
/// Peers of this machine and of its networks are most likely proxies that nobody has listed, behind which all
/// clients have one address. So they count against nothing, until there is a list; and then the proxies of it.
pub(crate) fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted: &[Network],
) -> ClientAddress {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(ip));
    let mut ip = peer.to_canonical();
    let mut unknown = None;
    if is_trusted(ip) {
        unknown = Some(Unknown::Missing);
        for hop in hops(headers) {
            match hop {
                Some(hop) => ip = hop,
                // Who is farther away, this one did not say.
                None => {
                    unknown = Some(Unknown::Invalid);
                    break;
                }
            }
            if !is_trusted(ip) {
                unknown = None;
                break;
            }
        }
    }
    let is_exempt = is_local(ip) && (trusted.is_empty() || unknown.is_some());
    ClientAddress {
        ip,
        key: (!is_exempt).then(|| AddressKey::of(ip)),
        unknown,
    }
}

impl AddressKey {
    fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self(ip),
            IpAddr::V6(_) => Self(masked(ip, CUSTOMER_BITS)),
        }
    }
}

/// Whether an address is of this machine, or of a network that no provider routes.
fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Whom the proxies say that they were connected from, the nearest first; `None` for what is no address.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let read = match headers.contains_key(X_FORWARDED_FOR) {
        true => (X_FORWARDED_FOR, read_plain as fn(&str) -> Option<IpAddr>),
        false => (FORWARDED.as_str(), read_forwarded as _),
    };
    let (name, read) = read;
    let lines = headers.get_all(name).iter().rev();
    // A line with other bytes than those of ASCII is one that no proxy of ours wrote to its end.
    let lines = lines.map(|line| line.to_str().unwrap_or("?"));
    let elements = lines.flat_map(|line| split(line, ',').into_iter().rev());
    elements.map(read).collect()
}

/// The elements of a list, without the empty ones (RFC 9110 §5.6.1), and without the separators within quotes.
fn split(line: &str, separator: char) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let elements = line.split(|it| {
        let is_literal = is_escaped;
        is_escaped = is_quoted && !is_literal && it == '\\';
        is_quoted ^= it == '"' && !is_literal;
        it == separator && !is_quoted
    });
    let elements = elements.map(str::trim);
    elements.filter(|element| !element.is_empty()).collect()
}

/// An element of `X-Forwarded-For`: an address, which some write with the port.
fn read_plain(element: &str) -> Option<IpAddr> {
    let bare = element
        .strip_prefix('[')
        .and_then(|it| it.strip_suffix(']'));
    let address = match bare {
        Some(address) => address.parse().ok().filter(IpAddr::is_ipv6),
        None => element.parse().ok(),
    };
    let with_port = || element.parse().ok().map(|it: SocketAddr| it.ip());
    address.or_else(with_port).map(|ip| ip.to_canonical())
}

/// An element of `Forwarded`: `for=192.0.2.43;proto=https`, `for="[2001:db8::17]:4711"` (RFC 7239 §4).
fn read_forwarded(element: &str) -> Option<IpAddr> {
    let parameters = split(element, ';').into_iter();
    let mut values = parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    });
    // "Each parameter MUST NOT occur more than once per field-value" (RFC 7239 §4).
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let quoted = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    read_plain(quoted.unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    /// What is found for a peer, with header lines such as `X-Forwarded-For: 1.2.3.4`, and trusted networks.
    fn found(peer: &str, lines: &[&str], trusted: &[&str]) -> ClientAddress {
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|it| it.parse().unwrap()).collect();
        client_address(peer.parse().unwrap(), &headers, &trusted)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn li4_an_ipv4_mapped_address_is_that_of_ipv4() {
        let (mapped, plain) = (
            found("::ffff:1.2.3.4", &[], &[]),
            found("1.2.3.4", &[], &[]),
        );
        assert_eq!(mapped, plain);
        assert_eq!(mapped.ip, ip("1.2.3.4"));
        let line = ["X-Forwarded-For: ::ffff:1.2.3.4"];
        let told = found("::ffff:10.0.0.1", &line, &["10.0.0.0/8"]);
        assert_eq!(told.key, plain.key);
    }

    #[test]
    fn li5_addresses_of_one_64_count_as_one() {
        let key = |peer| found(peer, &[], &[]).key.unwrap();
        let first = key("2001:db8:1:2::1");
        assert_eq!(first, key("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(first, key("2001:db8:1:3::1"));
        assert_ne!(key("1.2.3.4"), key("1.2.3.5"));
    }

    #[test]
    fn li6_without_a_list_local_peers_count_against_nothing() {
        let local = [
            "127.0.0.1",
            "127.8.8.8",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "169.254.1.1",
            "::ffff:10.1.2.3",
            "::1",
            "fd12::1",
            "fe80::1",
        ];
        for peer in local {
            let lines = ["X-Forwarded-For: 1.2.3.4"];
            assert_eq!(found(peer, &lines, &[]).key, None, "{peer}");
            // They do once others are listed.
            assert!(found(peer, &lines, &["192.0.2.1"]).key.is_some(), "{peer}");
        }
        for peer in ["1.2.3.4", "172.32.0.1", "192.169.0.1", "2001:db8::1"] {
            assert!(found(peer, &[], &[]).key.is_some(), "{peer}");
        }
    }

    #[test]
    fn li7_what_an_untrusted_peer_says_of_itself_is_ignored() {
        for line in ["X-Forwarded-For: 9.9.9.9", "Forwarded: for=9.9.9.9"] {
            for trusted in [&[][..], &["10.0.0.0/8"]] {
                let address = found("1.2.3.4", &[line], trusted);
                assert_eq!(address, found("1.2.3.4", &[], &[]));
                assert_eq!(address.unknown, None);
            }
        }
    }

    /// Header lines, and the client's address of them.
    const TOLD: &[(&[&str], &str)] = &[
        (&["X-Forwarded-For: 1.2.3.4"], "1.2.3.4"),
        (&["X-Forwarded-For: evil, 1.2.3.4"], "1.2.3.4"),
        (&["X-Forwarded-For: 9.9.9.9, 1.2.3.4"], "1.2.3.4"),
        (&["X-Forwarded-For: 9.9.9.9,1.2.3.4, 10.0.0.7"], "1.2.3.4"),
        (
            &["X-Forwarded-For: 10.0.0.9, 1.2.3.4,, 10.0.0.7 , "],
            "1.2.3.4",
        ),
        // A line of its own, as HAProxy writes it, behind that of the client.
        (
            &["X-Forwarded-For: 9.9.9.9", "X-Forwarded-For: 1.2.3.4"],
            "1.2.3.4",
        ),
        (
            &["X-Forwarded-For: \u{e9}", "X-Forwarded-For: 1.2.3.4"],
            "1.2.3.4",
        ),
        (
            &["X-Forwarded-For: 1.2.3.4", "X-Forwarded-For: 10.0.0.7"],
            "1.2.3.4",
        ),
        (&["X-Forwarded-For: 1.2.3.4:5678"], "1.2.3.4"),
        (&["X-Forwarded-For: 2001:db8::1"], "2001:db8::1"),
        (&["X-Forwarded-For: [2001:db8::1]"], "2001:db8::1"),
        (&["X-Forwarded-For: [2001:db8::1]:80"], "2001:db8::1"),
        (&["Forwarded: for=1.2.3.4"], "1.2.3.4"),
        (
            &["Forwarded: proto=https;FOR=1.2.3.4; by=10.0.0.1"],
            "1.2.3.4",
        ),
        (
            &["Forwarded: for=\"[2001:db8::1]:4711\";proto=http"],
            "2001:db8::1",
        ),
        (&["Forwarded: for=\"1.2.3.4:80\""], "1.2.3.4"),
        (
            &["Forwarded: for=9.9.9.9, for=1.2.3.4, for=10.0.0.7"],
            "1.2.3.4",
        ),
        (
            &["Forwarded: for=9.9.9.9", "Forwarded: for=1.2.3.4"],
            "1.2.3.4",
        ),
        // Separators within quotes are none, and quotes may be escaped.
        (
            &[
                "Forwarded: for=9.9.9.9;host=\"a,for=8.8.8.8\";for=1.2.3.4, for=10.0.0.7;host=\"\\\",;\"",
            ],
            "10.0.0.7",
        ),
        (
            &["Forwarded: host=\"a,for=8.8.8.8;\\\",for=7.7.7.7\";for=1.2.3.4"],
            "1.2.3.4",
        ),
        // Outside of quotes nothing is escaped.
        (
            &["Forwarded: host=\\\"a, for=8.8.8.8\";for=1.2.3.4"],
            "1.2.3.4",
        ),
        // Whoever passes on `Forwarded` as a client wrote it is not believed in it.
        (
            &["Forwarded: for=9.9.9.9", "X-Forwarded-For: 1.2.3.4"],
            "1.2.3.4",
        ),
    ];

    #[test]
    fn li8_behind_a_trusted_proxy_it_is_the_last_address_that_is_not_trusted() {
        for (lines, client) in TOLD {
            let address = found("10.0.0.1", lines, &["10.0.0.0/8"]);
            assert_eq!(address.ip, ip(client), "{lines:?}");
            let unknown = (*client == "10.0.0.7").then_some(Unknown::Invalid);
            assert_eq!(address.unknown, unknown, "{lines:?}");
        }
    }

    #[test]
    fn li8_a_client_in_a_network_of_its_own_counts_behind_a_proxy() {
        let address = found(
            "10.0.0.1",
            &["X-Forwarded-For: 192.168.1.1"],
            &["10.0.0.0/8"],
        );
        assert!(address.key.is_some() && address.unknown.is_none());
    }

    #[test]
    fn li9_where_the_header_says_nothing_it_is_the_proxys_own() {
        let missing = [
            &[][..],
            &["X-Forwarded-For: , ,"],
            &["X-Forwarded-For: ", "Forwarded: for=9.9.9.9"],
        ];
        let invalid = [
            &["X-Forwarded-For: evil"][..],
            &["X-Forwarded-For: 1.2.3.4, unknown"],
            &["X-Forwarded-For: 1.2.3.4, 10.0.0.300"],
            &["X-Forwarded-For: 1.2.3.4 5.6.7.8"],
            &["X-Forwarded-For: [1.2.3.4]"],
            &["X-Forwarded-For: for=1.2.3.4"],
            &["X-Forwarded-For: 1.2.3.4, \u{e9}"],
            &["X-Forwarded-For: 1.2.3.4", "X-Forwarded-For: \u{e9}"],
            &["Forwarded: 1.2.3.4"],
            &["Forwarded: for=unknown"],
            &["Forwarded: for=_hidden, for=\"_SEVKISEK\""],
            &["Forwarded: for=1.2.3.4, by=10.0.0.1"],
            &["Forwarded: for=1.2.3.4;for=5.6.7.8"],
            &["Forwarded: for=\"1.2.3.4"],
            &["Forwarded: for=\"1.2.3.4, for=\"5.6.7.8\""],
            &["Forwarded: for=\"[2001:db8::1\""],
            &["Forwarded: for=\"\", for="],
        ];
        let missing = missing.map(|lines| (lines, Unknown::Missing));
        for (lines, unknown) in missing
            .into_iter()
            .chain(invalid.map(|lines| (lines, Unknown::Invalid)))
        {
            let private = found("10.0.0.1", lines, &["10.0.0.0/8"]);
            assert_eq!(
                (private.ip, private.key, private.unknown),
                (ip("10.0.0.1"), None, Some(unknown)),
                "{lines:?}"
            );
            let public = found("5.5.5.5", lines, &["5.5.5.0/24"]);
            assert_eq!(public.key, found("5.5.5.5", &[], &[]).key, "{lines:?}");
            assert_eq!(public.unknown, Some(unknown), "{lines:?}");
        }
    }

    #[test]
    fn li9_of_a_chain_that_tells_nothing_behind_a_proxy_it_is_that_proxys() {
        let lines = ["X-Forwarded-For: 1.2.3.4, evil, 10.0.0.8, 10.0.0.7"];
        let address = found("10.0.0.1", &lines, &["10.0.0.0/8"]);
        assert_eq!((address.ip, address.key), (ip("10.0.0.8"), None));
        assert_eq!(address.unknown, Some(Unknown::Invalid));
        // All of them are proxies.
        let lines = ["X-Forwarded-For: 10.0.0.9, 10.0.0.8"];
        let address = found("10.0.0.1", &lines, &["10.0.0.0/8"]);
        assert_eq!((address.ip, address.key), (ip("10.0.0.9"), None));
        assert_eq!(address.unknown, Some(Unknown::Missing));
    }
}
