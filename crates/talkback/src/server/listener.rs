//! Where a server listens.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host};

/// How many clients may wait to be accepted; the operating system may allow fewer.
const BACKLOG: u32 = 4096;

/// How many ports are tried until one is free on all addresses.
const PORTS_MAX: usize = 16;

/// What connections come from: a listener, or in tests a script.
pub(super) trait Listen {
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The next client's, and its address.
    fn poll_accept(&mut self, cx: &mut Context<'_>)
    -> Poll<io::Result<(Self::Stream, SocketAddr)>>;
}

/// Listens on one address or on several.
#[derive(Debug)]
pub(super) struct Listener {
    /// At least one.
    listeners: Vec<TcpListener>,
    local_addr: SocketAddr,
    /// The one that is asked first: each in its turn, so that none is drowned out.
    first: usize,
}

impl Listener {
    /// Listens on each of the addresses that this machine has; on the same port, where that is 0.
    pub(super) async fn bind(addresses: impl ToSocketAddrs) -> io::Result<Self> {
        let found = lookup_host(addresses).await;
        let found = found.map_err(|error| BindError::of(None, error))?;
        let addresses: Vec<SocketAddr> = found.collect();
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::listen(&addresses) {
                // It was free on some only.
                Err(error)
                    if error.kind() == io::ErrorKind::AddrInUse
                        && tries < PORTS_MAX
                        && addresses.iter().all(|address| address.port() == 0) => {}
                outcome => return outcome,
            }
        }
    }

    fn listen(addresses: &[SocketAddr]) -> io::Result<Self> {
        let mut listeners = Vec::new();
        let (mut taken, mut missing) = (None, None);
        for address in addresses {
            let mut address = *address;
            if address.port() == 0 {
                address.set_port(taken.unwrap_or(0));
            }
            match listen(address).map_err(|error| BindError::of(Some(address), error)) {
                Ok(listener) => {
                    taken = taken.or(Some(listener.local_addr()?.port()));
                    listeners.push(listener);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
                // This machine does not have it, as many have no IPv6.
                Err(error) => missing = Some(error),
            }
        }
        let Some(listener) = listeners.first() else {
            let none = || io::Error::new(io::ErrorKind::InvalidInput, "no address to listen on");
            return Err(missing.unwrap_or_else(none));
        };
        Ok(Self {
            local_addr: listener.local_addr()?,
            listeners,
            first: 0,
        })
    }

    /// The first of the addresses, with the port that it really has.
    pub(super) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

impl Listen for Listener {
    type Stream = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.first = (self.first + 1) % self.listeners.len();
        let (behind, before) = self.listeners.split_at(self.first);
        for listener in before.iter().chain(behind) {
            let Poll::Ready(outcome) = listener.poll_accept(cx) else {
                continue;
            };
            if let Ok((stream, _)) = &outcome {
                // An answer must not wait for the acknowledgement of the one before. A socket that cannot be
                // told so is slow, not broken.
                let _ = stream.set_nodelay(true);
            }
            return Poll::Ready(outcome);
        }
        Poll::Pending
    }
}

/// What the operating system says of an address to listen on.
#[derive(Debug)]
struct BindError {
    /// `None` if there is none.
    address: Option<SocketAddr>,
    error: io::Error,
}

impl BindError {
    fn of(address: Option<SocketAddr>, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), Self { address, error })
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "could not listen on {address}: {}", self.error),
            None => {
                let error = &self.error;
                write!(
                    f,
                    "no address to listen on, such as 127.0.0.1:8080: {error}"
                )
            }
        }
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// Listens, with a backlog for a burst of clients: whoever finds it full tries again a second later.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Elsewhere it would let other programs listen on the same port.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::future::poll_fn;
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    // There the loopback has one address.
    #[cfg(not(target_vendor = "apple"))]
    #[tokio::test]
    async fn it_listens_on_all_of_its_addresses_at_one_port() {
        let addresses: [SocketAddr; 2] = [
            (Ipv4Addr::LOCALHOST, 0).into(),
            (Ipv4Addr::new(127, 0, 0, 2), 0).into(),
        ];
        let mut listener = Listener::bind(&addresses[..]).await.unwrap();
        let mut one = listener.local_addr();
        assert_eq!(one.ip(), Ipv4Addr::LOCALHOST);
        let mut clients = Vec::new();
        for ip in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)] {
            one.set_ip(ip.into());
            for _ in 0..2 {
                let client = TcpStream::connect(one).await.unwrap();
                clients.push(client.local_addr().unwrap());
            }
        }
        let mut reached = Vec::new();
        while !clients.is_empty() {
            let (stream, peer) = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
            clients.retain(|client| *client != peer);
            reached.push(stream.local_addr().unwrap().ip());
        }
        // Each in its turn.
        assert_ne!(reached[0], reached[1]);
        assert_eq!(reached[..2], reached[2..]);
    }

    #[tokio::test]
    async fn an_address_that_this_machine_lacks_is_left_out_where_it_has_another() {
        // From the range for documentation.
        let lacking: SocketAddr = (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 0).into();
        let local: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let listener = Listener::bind(&[lacking, local][..]).await.unwrap();
        assert_eq!(listener.local_addr().ip(), local.ip());
        let error = Listener::bind(lacking).await.unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::AddrInUse, "{error}");
        let error = Listener::bind(&[][..]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    // There the loopback has one address.
    #[cfg(not(target_vendor = "apple"))]
    #[tokio::test]
    async fn a_port_that_is_taken_on_one_address_is_an_error() {
        let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let taken = listener.local_addr().unwrap();
        let mut other = taken;
        other.set_ip(Ipv4Addr::LOCALHOST.into());
        let error = Listener::bind(&[other, taken][..]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
