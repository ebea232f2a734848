//! TCP to a host, which may have several addresses: happy eyeballs (RFC 8305).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::panic::{catch_unwind, resume_unwind};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout_at};

use crate::connect::dial_options::Resolver;
use crate::error::local_address::LocalAddressError;

/// How long an address has before the next one is tried beside it (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

const NO_ADDRESS: &str = "the host has no address";

/// Asks for the addresses of a host: the program's resolver if there is one, else the system's.
///
/// # Errors
/// Those of the resolver; that it gives no address; and that there is no thread to wait for the system's.
pub(super) async fn look_up(
    resolver: Option<&Resolver>,
    host: &str,
    port: u16,
) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let host = host.to_owned();
    let Some(resolver) = resolver else {
        return look_up_by_system(host, port).await;
    };
    let addresses = resolver(host, port).await?;
    match addresses.is_empty() {
        true => Err(io::Error::new(io::ErrorKind::NotFound, NO_ADDRESS)),
        false => Ok(addresses),
    }
}

async fn look_up_by_system(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    let look_up = move || (host, port).to_socket_addrs().map(Iterator::collect);
    // Without a thread tokio panics, and in a driver nobody would see it who waits.
    let looking = catch_unwind(|| spawn_blocking(look_up)).map_err(|_| {
        let said = "the operating system gave no thread to look it up";
        io::Error::new(io::ErrorKind::WouldBlock, said)
    })?;
    match looking.await {
        Ok(addresses) => addresses,
        Err(error) => match follow(error).await {},
    }
}

/// Ends as a task of ours has ended: by its panic, or with the runtime, which drops this task as well, and
/// that says so.
async fn follow(error: JoinError) -> Infallible {
    match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => pending().await,
    }
}

/// Connects to the first address that answers, from `local` if that is given.
///
/// They are tried one after the other, each next one as soon as the one before fails, or beside it after
/// 250 ms: an address that swallows packets costs that long and no more.
///
/// # Errors
/// That of the first address that failed, as it is the preferred one; and that none is of the family of `local`.
pub(crate) async fn dial(
    addresses: impl IntoIterator<Item = SocketAddr>,
    local: Option<IpAddr>,
) -> io::Result<TcpStream> {
    let mut waiting: VecDeque<_> = addresses.into_iter().collect();
    if let Some(local) = local {
        let had_some = !waiting.is_empty();
        waiting.retain(|address| address.is_ipv4() == local.is_ipv4());
        if had_some && waiting.is_empty() {
            return Err(LocalAddressError::of_other_family(local));
        }
    }
    let mut attempts = JoinSet::new();
    let mut first_error = None;
    let mut next_attempt = Instant::now();
    loop {
        if attempts.is_empty() && waiting.is_empty() {
            let none = || io::Error::new(io::ErrorKind::NotFound, NO_ADDRESS);
            return Err(first_error.unwrap_or_else(none));
        }
        let attempt = attempts.join_next();
        let ended = if waiting.is_empty() {
            attempt.await
        } else {
            timeout_at(next_attempt, attempt).await.unwrap_or(None)
        };
        match ended {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(error))) => {
                first_error.get_or_insert(error);
                next_attempt = Instant::now();
            }
            Some(Err(error)) => match follow(error).await {},
            None => {
                // None is under way, or those that are have had their time.
                if let Some(address) = waiting.pop_front() {
                    attempts.spawn(connect(address, local));
                }
                next_attempt = Instant::now() + ATTEMPT_DELAY;
            }
        }
    }
}

async fn connect(address: SocketAddr, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(local) = local else {
        return TcpStream::connect(address).await;
    };
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    let bound = socket.bind(SocketAddr::new(local, 0));
    bound.map_err(|error| LocalAddressError::to_bind(local, error))?;
    socket.connect(address).await
}

/// The addresses with their families interleaved, beginning with the resolver's first (RFC 8305 §4).
pub(super) fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let prefers_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (VecDeque<_>, VecDeque<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == prefers_ipv6);
    let mut families = [first, second];
    let mut ordered = Vec::new();
    while !(families[0].is_empty() && families[1].is_empty()) {
        ordered.extend(families[0].pop_front());
        ordered.extend(families[1].pop_front());
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn families_take_turns() {
        let addresses = ["[::1]:1", "[::2]:1", "[::3]:1", "1.0.0.1:1"].map(address);
        let ordered = ["[::1]:1", "1.0.0.1:1", "[::2]:1", "[::3]:1"].map(address);
        assert_eq!(interleaved(addresses.to_vec()), ordered);
    }

    #[tokio::test]
    async fn an_address_that_refuses_leads_to_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let stream = dial([address("127.0.0.1:1"), good], None).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
    }

    #[tokio::test]
    async fn the_error_is_that_of_the_first_address() {
        let error = dial([address("127.0.0.1:1")], None).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(
            dial([], None).await.unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[tokio::test]
    async fn an_address_that_is_silent_does_not_hold_up_the_next() {
        // A listener whose queue of connections is full swallows the next one's SYN.
        let full = socket_with_full_queue();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let stream = dial([full.address, good], None).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
    }

    #[tokio::test]
    async fn the_local_address_is_what_the_server_sees() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addresses = [address("[::1]:1"), listener.local_addr().unwrap()];
        let local = "127.0.0.2".parse().unwrap();
        // On other systems than Linux the loopback has one address.
        if cfg!(target_os = "linux") {
            let stream = dial(addresses, Some(local)).await.unwrap();
            assert_eq!(stream.local_addr().unwrap().ip(), local);
            let (_, seen) = listener.accept().unwrap();
            assert_eq!(seen.ip(), local);
        }
    }

    #[tokio::test]
    async fn a_local_address_that_cannot_be_used_is_told() {
        let elsewhere = "192.0.2.1".parse().unwrap();
        let here = address("127.0.0.1:1");
        let error = dial([here], Some(elsewhere)).await.unwrap_err();
        let said = error.to_string();
        let begin = "the local address 192.0.2.1 cannot be used: ";
        assert!(said.starts_with(begin), "{said}");
        assert!(LocalAddressError::is_in(&error));
        let error = dial([address("[::1]:1")], Some(here.ip())).await;
        assert_eq!(
            error.unwrap_err().to_string(),
            "the local address 127.0.0.1 cannot be used: the host has no address of IPv4"
        );
        let none = dial([], Some(here.ip())).await.unwrap_err();
        assert_eq!(none.to_string(), "the host has no address");
    }

    struct Full {
        address: SocketAddr,
        _listener: TcpListener,
        _streams: Vec<std::net::TcpStream>,
    }

    fn socket_with_full_queue() -> Full {
        let runtime_free = tokio::net::TcpSocket::new_v4().unwrap();
        runtime_free.bind(address("127.0.0.1:0")).unwrap();
        let listener = runtime_free.listen(1).unwrap().into_std().unwrap();
        let address = listener.local_addr().unwrap();
        let timeout = Duration::from_millis(200);
        let mut streams = Vec::new();
        while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, timeout) {
            streams.push(stream);
            assert!(streams.len() < 64, "the queue does not fill");
        }
        Full {
            address,
            _listener: listener,
            _streams: streams,
        }
    }
}
