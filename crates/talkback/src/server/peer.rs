//! Whom a connection is with.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// A connection's peer, and the client behind it where that is a proxy. There is one for each connection, so it is small:
/// what few have is boxed.
pub(crate) enum Peer {
    /// Of a transport that has no addresses.
    Unknown,
    V4(SocketAddrV4),
    V6 {
        ip: Ipv6Addr,
        port: u16,
    },
    Other(Box<Other>),
}

pub(crate) struct Other {
    addr: SocketAddr,
    client: IpAddr,
}

impl Peer {
    /// The client is the peer where none is given.
    pub(crate) fn new(addr: Option<SocketAddr>, client: Option<IpAddr>) -> Self {
        let is_other = |client: &IpAddr| addr.is_some_and(|it| it.ip().to_canonical() != *client);
        match (addr, client.filter(is_other)) {
            (None, _) => Self::Unknown,
            (Some(SocketAddr::V4(addr)), None) => Self::V4(addr),
            (Some(SocketAddr::V6(addr)), None) if addr.flowinfo() == 0 && addr.scope_id() == 0 => {
                let (ip, port) = (*addr.ip(), addr.port());
                Self::V6 { ip, port }
            }
            (Some(addr), client) => {
                let client = client.unwrap_or(addr.ip().to_canonical());
                Self::Other(Box::new(Other { addr, client }))
            }
        }
    }

    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        Some(match self {
            Self::Unknown => return None,
            Self::V4(addr) => (*addr).into(),
            Self::V6 { ip, port } => SocketAddrV6::new(*ip, *port, 0, 0).into(),
            Self::Other(other) => other.addr,
        })
    }

    /// The client's address, if that is another than the peer's.
    #[cfg(feature = "tracing")]
    pub(crate) fn proxied(&self) -> Option<IpAddr> {
        let ip = self.addr()?.ip().to_canonical();
        self.client_ip().filter(|client| *client != ip)
    }

    /// An IPv4-mapped address is that of IPv4.
    pub(crate) fn client_ip(&self) -> Option<IpAddr> {
        match self {
            Self::Other(other) => Some(other.client),
            _ => self.addr().map(|addr| addr.ip().to_canonical()),
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_kept_as_it_was() {
        assert!(size_of::<Peer>() <= 24);
        assert_eq!(Peer::new(None, None).addr(), None);
        assert_eq!(Peer::new(None, None).client_ip(), None);
        let scoped = SocketAddrV6::new("fe80::1".parse().unwrap(), 80, 5, 7).into();
        let told: IpAddr = "2001:db8::9".parse().unwrap();
        let plain = ["1.2.3.4:5", "[2001:db8::1]:65535", "[::ffff:1.2.3.4]:5"];
        let plain = plain.map(|text| text.parse().unwrap());
        for addr in plain.into_iter().chain([scoped]) {
            let direct = Peer::new(Some(addr), None);
            assert_eq!(direct.addr(), Some(addr));
            assert_eq!(direct.client_ip(), Some(addr.ip().to_canonical()));
            let proxied = Peer::new(Some(addr), Some(told));
            assert_eq!(
                (proxied.addr(), proxied.client_ip()),
                (Some(addr), Some(told))
            );
        }
    }
}
