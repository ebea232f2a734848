//! Networks of IP addresses.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network of IP addresses, such as `10.0.0.0/8` or `fd00::/8`; or a single address, such as `10.0.0.1`.
///
/// An IPv4-mapped IPv6 address is that of IPv4: `::ffff:10.0.0.1` lies in `10.0.0.0/8`, and
/// `::ffff:10.0.0.0/104` is the same network.
///
/// ```
/// # #[cfg(not(target_family = "wasm"))]
/// # {
/// use talkback::server::Network;
///
/// let network: Network = "10.0.0.0/8".parse()?;
/// assert!(network.contains([10, 1, 2, 3].into()));
/// assert_eq!(network.to_string(), "10.0.0.0/8");
/// # }
/// # Ok::<(), talkback::server::NetworkError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    /// Of no bits behind the prefix.
    first: IpAddr,
    prefix_bits: u8,
}

impl Network {
    /// Whether this address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix_bits) == self.first
    }
}

/// That of this address alone.
impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let first = address.to_canonical();
        Self {
            first,
            prefix_bits: bits(first),
        }
    }
}

/// Reads an address, and behind a slash how many of its bits all addresses of the network begin with.
impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            return Err(NetworkError::Address(text.to_owned()));
        };
        let Some(prefix) = prefix else {
            return Ok(address.into());
        };
        let bits = bits(address);
        let is_number = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix_bits = prefix.parse().ok().filter(|it| is_number && *it <= bits);
        let Some(prefix_bits) = prefix_bits else {
            return Err(NetworkError::Prefix {
                text: text.to_owned(),
                bits_max: bits,
            });
        };
        let network = canonical(masked(address, prefix_bits), prefix_bits);
        if masked(address, prefix_bits) != address {
            return Err(NetworkError::HostBits {
                text: text.to_owned(),
                network,
            });
        }
        Ok(network)
    }
}

/// As it is read; a single address without a slash.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix_bits == bits(self.first) {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}/{}", self.first, self.prefix_bits),
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({self})")
    }
}

/// A text that is no [`Network`].
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkError {
    /// It does not begin with an IP address.
    Address(String),
    /// What stands behind the slash is no number of bits of such an address.
    Prefix {
        /// The text.
        text: String,
        /// How many bits an address of this version has.
        bits_max: u8,
    },
    /// The address has bits behind the prefix, so that it is not clear what is meant.
    HostBits {
        /// The text.
        text: String,
        /// The network that the address lies in.
        network: Network,
    },
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(text) => write!(
                f,
                "{text:?} is no network: write an IP address, such as 10.0.0.1, or one with its prefix, such as 10.0.0.0/8 or fd00::/8"
            ),
            Self::Prefix { text, bits_max } => write!(
                f,
                "{text:?} is no network: behind the slash stands a number of bits from 0 to {bits_max}"
            ),
            Self::HostBits { text, network } => {
                let address = text.split('/').next().unwrap_or_default();
                write!(
                    f,
                    "{text:?} is no network, as its address goes on behind the prefix: write {network} for the network, or {address} for the one address"
                )
            }
        }
    }
}

/// As [`Display`](fmt::Display): it is what a `main` prints that returns it.
impl fmt::Debug for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for NetworkError {}

/// How many bits an address has.
fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// An address with nothing behind its first bits.
pub(super) fn masked(address: IpAddr, prefix_bits: u8) -> IpAddr {
    let behind = u32::from(bits(address).saturating_sub(prefix_bits));
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(behind).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(behind).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

/// One that lies within the IPv4-mapped addresses is that of IPv4.
fn canonical(first: IpAddr, prefix_bits: u8) -> Network {
    /// How many bits stand before an IPv4 address that is mapped.
    const MAPPED_BITS: u8 = 96;
    match (first.to_canonical(), prefix_bits.checked_sub(MAPPED_BITS)) {
        // An address of IPv4 has not so many.
        (mapped @ IpAddr::V4(_), Some(prefix_bits)) => Network {
            first: mapped,
            prefix_bits,
        },
        _ => Network { first, prefix_bits },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row: the network, how it is shown, what lies in it, and what does not.
    const ROWS: &[(&str, &str, &[&str], &[&str])] = &[
        (
            "10.0.0.0/8",
            "10.0.0.0/8",
            &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"],
            &["9.255.255.255", "11.0.0.0", "fd00::1", "::10.1.2.3"],
        ),
        (
            "192.0.2.128/25",
            "192.0.2.128/25",
            &["192.0.2.128", "192.0.2.255"],
            &["192.0.2.127", "192.0.3.128"],
        ),
        ("192.0.2.1", "192.0.2.1", &["192.0.2.1"], &["192.0.2.0"]),
        ("192.0.2.1/32", "192.0.2.1", &["192.0.2.1"], &["192.0.2.0"]),
        (
            "0.0.0.0/0",
            "0.0.0.0/0",
            &["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"],
            &["::", "fd00::1"],
        ),
        (
            "fd00::/8",
            "fd00::/8",
            &["fd00::1", "fdff:ffff::"],
            &["fe00::1", "10.0.0.1"],
        ),
        ("FD00:0::1", "fd00::1", &["fd00::1"], &["fd00::2"]),
        ("::1/128", "::1", &["::1"], &["::2", "127.0.0.1"]),
        ("::/0", "::/0", &["::", "2001:db8::1"], &["10.0.0.1"]),
        (
            "::ffff:10.0.0.0/104",
            "10.0.0.0/8",
            &["10.1.2.3", "::ffff:10.1.2.3"],
            &["11.0.0.1"],
        ),
        ("::ffff:10.0.0.1", "10.0.0.1", &["10.0.0.1"], &["10.0.0.2"]),
    ];

    #[test]
    fn li4_a_network_has_its_addresses_and_no_others() {
        for (text, shown, has, lacks) in ROWS {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.to_string(), *shown);
            assert_eq!(shown.parse(), Ok(network), "{text}");
            for address in *has {
                let found = network.contains(address.parse().unwrap());
                assert!(found, "{text} lacks {address}");
            }
            for address in *lacks {
                let found = network.contains(address.parse().unwrap());
                assert!(!found, "{text} has {address}");
            }
        }
    }

    #[test]
    fn what_is_no_network_says_what_to_write() {
        let address = "is no network: write an IP address, such as 10.0.0.1, or one with its prefix, such as 10.0.0.0/8 or fd00::/8";
        let of_four =
            "is no network: behind the slash stands a number of bits from 0 to 32".to_owned();
        let of_six = of_four.replace("32", "128");
        for (text, told) in [
            ("", address),
            ("10.0.0", address),
            ("10.0.0.0.1", address),
            ("10.0.0.08/8", address),
            ("[::1]", address),
            ("fe80::1%eth0", address),
            ("localhost", address),
            (" 10.0.0.0/8", address),
            ("/8", address),
            ("10.0.0.0/", &of_four),
            ("10.0.0.0/33", &of_four),
            ("10.0.0.0/+8", &of_four),
            ("10.0.0.0/-8", &of_four),
            ("10.0.0.0/8/8", &of_four),
            ("10.0.0.0/256", &of_four),
            ("10.0.0.0/255.0.0.0", &of_four),
            ("fd00::/129", &of_six),
            (
                "10.1.2.3/8",
                "is no network, as its address goes on behind the prefix: write 10.0.0.0/8 for the network, or 10.1.2.3 for the one address",
            ),
            (
                "fd00::1/8",
                "is no network, as its address goes on behind the prefix: write fd00::/8 for the network, or fd00::1 for the one address",
            ),
        ] {
            let error = text.parse::<Network>().unwrap_err();
            assert_eq!(error.to_string(), format!("{text:?} {told}"));
        }
    }
}
