//! What to do about an error of the operating system.

use std::io;

use crate::error::local_address::LocalAddressError;

/// What to do about a connection that could not be made.
pub(super) fn on_tcp(error: &io::Error) -> &'static str {
    use io::ErrorKind as K;
    if let Some(advice) = on_limits(error) {
        return advice;
    }
    if LocalAddressError::is_in(error) {
        return "Give `local_address` an address that this machine has, of the family (IPv4 or IPv6) of one that the host has";
    }
    match error.kind() {
        K::ConnectionRefused => "Check the port, and that the server is running",
        K::NetworkUnreachable | K::HostUnreachable | K::NetworkDown => {
            "Check the host and the network"
        }
        K::AddrNotAvailable => {
            "This machine has no local port left for that server: close connections, and wait a minute until those that were closed are forgotten"
        }
        K::PermissionDenied => {
            "This machine does not allow it: check its firewall, and what this program may do"
        }
        K::TimedOut => "Nobody answers: check the host, the port and firewalls between",
        K::ConnectionReset | K::ConnectionAborted => {
            "The server, or a firewall between, ended it: check the port"
        }
        _ => "Check the host, the port and the network",
    }
}

/// What to do about a Unix socket that does not take a connection.
pub(super) fn on_unix_socket(error: &io::Error) -> &'static str {
    use io::ErrorKind as K;
    if let Some(advice) = on_limits(error) {
        return advice;
    }
    match error.kind() {
        K::NotFound => "Check the path, and that the server is running, which makes the socket",
        K::ConnectionRefused => {
            "Nobody listens there: start the server, which may have to remove what an earlier one left"
        }
        K::PermissionDenied => {
            "Check who may write to the socket, and who may enter the folders before it"
        }
        K::InvalidInput => "Give a shorter path: a socket's has about 100 bytes at most",
        K::WouldBlock => "As many as may wait there are waiting: try again later",
        _ => "Check that there is a socket at this path, and that the server is running",
    }
}

/// What to do about a name that has no address.
pub(super) fn on_lookup(error: &io::Error) -> &'static str {
    on_limits(error).unwrap_or(match error.kind() {
        // Its own words say that there was no thread.
        io::ErrorKind::WouldBlock => "Start fewer threads, or raise their limit (`ulimit -u`)",
        _ => "Check the name and the network",
    })
}

/// What to do where the machine has no more to give.
fn on_limits(error: &io::Error) -> Option<&'static str> {
    /// `EMFILE` of every Unix, and of Winsock.
    const FILES_OF_THE_PROCESS: i32 = if cfg!(windows) { 10024 } else { 24 };
    /// `ENFILE` of every Unix; Windows has no such limit.
    const FILES_OF_THE_MACHINE: i32 = 23;
    match error.raw_os_error()? {
        FILES_OF_THE_PROCESS => Some(
            "This process may open no more files: close connections, or raise its limit (`ulimit -n`)",
        ),
        FILES_OF_THE_MACHINE if cfg!(unix) => {
            Some("This machine may open no more files: close some, or raise its limit")
        }
        _ => None,
    }
}
