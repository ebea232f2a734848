//! Listening and accepting, which any server needs.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tracing::{debug, warn};

use crate::backoff::{Backoff, is_of_files};

/// How many clients may wait to be accepted; the operating system may allow fewer.
const BACKLOG: u32 = 4096;

/// How many ports are tried until one is free on both loopbacks.
const PORTS_MAX: usize = 16;

/// A server's listening end, as an echo server has it: for a server of one's own.
///
/// It must be made, and accept, within a tokio runtime.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    /// On the other loopback.
    other: Option<TcpListener>,
    local_addr: SocketAddr,
}

impl Listener {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// The operating system's, if the address is in use or not this machine's.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::of(listen(address)?, None)
    }

    /// Listens where `localhost` leads, as [`EchoOptions::listen_localhost`](crate::EchoOptions::listen_localhost)
    /// has a server do.
    ///
    /// # Errors
    /// The operating system's, if the port is in use on one of them.
    pub fn bind_localhost(port: u16) -> io::Result<Self> {
        let (listener, other) = listen_on_both(port)?;
        Self::of(listener, other)
    }

    fn of(listener: TcpListener, other: Option<TcpListener>) -> io::Result<Self> {
        let local_addr = listener.local_addr()?;
        Ok(Self {
            listener,
            other,
            local_addr,
        })
    }

    /// The address that it listens on, with the port that it really got; that of 127.0.0.1, if there is
    /// another besides.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Accepts as long as it is polled, and hands each client on. While descriptors or memory are short it pauses,
    /// for 50 ms to 1 s; a client that was gone before it was accepted holds up nobody.
    ///
    /// # Cancel safety
    /// A dropped call loses no client.
    pub async fn accept_each(&self, take: impl Fn(TcpStream, SocketAddr)) {
        tokio::join!(
            accept_all(&self.listener, &take),
            accept_other(self.other.as_ref(), &take),
        );
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

/// Listens on both loopbacks, or on the one that there is.
fn listen_on_both(port: u16) -> io::Result<(TcpListener, Option<TcpListener>)> {
    let mut tries = 0;
    loop {
        let listener = listen((Ipv4Addr::LOCALHOST, port).into())?;
        let taken = listener.local_addr()?.port();
        tries += 1;
        match listen((Ipv6Addr::LOCALHOST, taken).into()) {
            Ok(other) => return Ok((listener, Some(other))),
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => return Ok((listener, None)),
            // The port was free on one only.
            Err(_) if port == 0 && tries < PORTS_MAX => {}
            Err(error) => return Err(error),
        }
    }
}

async fn accept_other(listener: Option<&TcpListener>, take: &impl Fn(TcpStream, SocketAddr)) {
    match listener {
        Some(listener) => accept_all(listener, take).await,
        None => pending().await,
    }
}

/// Accepts as long as it is polled.
async fn accept_all(listener: &TcpListener, take: &impl Fn(TcpStream, SocketAddr)) {
    let mut backoff = Backoff::default();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                backoff.reset();
                take(stream, peer);
            }
            Err(error) => {
                let pause = backoff.after(&error);
                if pause.is_zero() {
                    debug!(%error, "a client was gone before it was accepted");
                } else {
                    warn!(%error, ?pause, "could not accept a connection: trying again{}", advice(&error));
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

/// What to do about a shortage.
fn advice(error: &io::Error) -> &'static str {
    match is_of_files(error) {
        true if cfg!(unix) => {
            ", once one is closed. More may be open if this process's limit is raised (`ulimit -n`)"
        }
        true => ", once one is closed",
        false => "",
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_may_open_no_more_files_is_told_so() {
        let error = io::Error::from_raw_os_error;
        assert!(advice(&error(24)).contains("`ulimit -n`"), "EMFILE");
        assert!(advice(&error(23)).contains("`ulimit -n`"), "ENFILE");
        assert_eq!(advice(&error(103)), "", "ECONNABORTED");
    }
}
