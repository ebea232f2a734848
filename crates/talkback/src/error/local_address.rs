//! What is wrong with this end's own address.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::IpAddr;

/// A connection cannot be made from this address. It is within the [`io::Error`] of the connect.
#[derive(Debug)]
pub(crate) struct LocalAddressError {
    address: IpAddr,
    error: io::Error,
}

impl LocalAddressError {
    /// The address cannot be taken.
    #[cfg(not(browser))]
    pub(crate) fn to_bind(address: IpAddr, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), Self { address, error })
    }

    /// The host has addresses, and none that this one reaches.
    #[cfg(not(browser))]
    pub(crate) fn of_other_family(address: IpAddr) -> io::Error {
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        let what = format!("the host has no address of {family}");
        Self::to_bind(
            address,
            io::Error::new(io::ErrorKind::AddrNotAvailable, what),
        )
    }

    /// Whether this is what failed.
    pub(crate) fn is_in(error: &io::Error) -> bool {
        matches!(error.get_ref(), Some(within) if within.is::<Self>())
    }
}

impl fmt::Display for LocalAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, error } = self;
        write!(f, "the local address {address} cannot be used: {error}")
    }
}

impl Error for LocalAddressError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
