//! The builder's options for a way and for names that are not the URL's.

use std::net::{IpAddr, SocketAddr};

use crate::connect::Connect;

impl Connect {
    /// Connects to this address, whatever the URL's host: nothing is looked up. Given several times, they are
    /// raced as those of a name are.
    ///
    /// The URL still gives `Host`, path and the name that TLS checks: this is for a server behind a tunnel, one
    /// that has no entry in DNS yet, or one of several behind a name.
    ///
    /// A proxy of the environment leads there, unless all the addresses are of this machine, or `NO_PROXY` names
    /// them all, or the URL's host. If it does, and through an explicit [`proxy`](Self::proxy), it is
    /// asked for the address, whichever its kind; one after the other if there are several.
    ///
    /// [`redirects`](Self::redirects) are followed within the URL's origin alone.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), talkback::ConnectError> {
    /// let socket = talkback::connect("wss://api.example/feed")
    ///     .address(([127, 0, 0, 1], 8443))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Port 0 is [`ConnectError::Option`](crate::ConnectError::Option).
    #[doc(alias = "resolve")]
    #[doc(alias = "connect_to")]
    pub fn address(mut self, address: impl Into<SocketAddr>) -> Self {
        self.address.addresses.push(address.into());
        self
    }

    /// Names this host to the server, in `Host`, in place of the URL's: `a.example`, or `a.example:8443` where
    /// the port is not the scheme's own.
    ///
    /// Neither where to connect nor what TLS checks is changed by it: see [`address`](Self::address), which
    /// keeps all names, and [`server_name`](Self::server_name). Redirects and cookies go by this host, as it is
    /// the one that the server knows.
    ///
    /// # Errors
    /// One that is no host is [`ConnectError::Option`](crate::ConnectError::Option).
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.address.host = Some(host.into());
        self
    }

    /// Names this server to TLS (SNI) in place of the URL's host, and holds the server's certificate against
    /// it: a name, or an address as it is, without a port.
    ///
    /// It is for `wss://` alone; the `Host` header stays the URL's host, or what [`host`](Self::host) says.
    ///
    /// # Errors
    /// Over `wss://`, what is neither is [`ConnectError::Option`](crate::ConnectError::Option).
    #[doc(alias = "sni")]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.address.server_name = Some(name.into());
        self
    }

    /// Connects from this address of this machine, to the server or to a proxy: addresses of the other family
    /// (IPv4, IPv6) are passed over.
    ///
    /// # Errors
    /// Where this machine does not have it, or the host none of its family:
    /// [`ConnectError::Tcp`](crate::ConnectError::Tcp).
    #[doc(alias = "bind")]
    pub fn local_address(mut self, address: impl Into<IpAddr>) -> Self {
        self.address.local = Some(address.into());
        self
    }

    /// Connects to the Unix socket at this path. The URL gives `Host`, path and the name that TLS checks:
    /// `ws://localhost/`, if there is no better one.
    ///
    /// No proxy is asked, nothing looked up, and nobody waited for [`in_turn`](Self::in_turn);
    /// [`redirects`](Self::redirects) are followed within the URL's origin alone.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), talkback::ConnectError> {
    /// let socket = talkback::connect("ws://localhost/events").unix_socket("/run/app.sock").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ConnectError::UnixSocket`](crate::ConnectError::UnixSocket), which names the path; and
    /// [`ConnectError::Option`](crate::ConnectError::Option) for an explicit [`proxy`](Self::proxy), an
    /// [`address`](Self::address) or a [`local_address`](Self::local_address) beside it, and on a system that is none
    /// of Unix.
    pub fn unix_socket(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.address.unix_socket = Some(path.into());
        self
    }
}
