//! How a client reaches a server, and which names it goes by, apart from its URL; also where the browser decides.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

#[cfg(not(browser))]
use talkback_proto::handshake::{UrlError, WsUrl};

#[cfg(not(browser))]
use crate::connect::proxy_options::{ProxyChoice, ProxyOptions};
#[cfg(not(browser))]
use crate::error::ConnectError;

/// How a server is reached, and by which names; by the default all of it is the URL's.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressOptions {
    /// Where to connect; if there is none, the host is looked up.
    pub(crate) addresses: Vec<SocketAddr>,
    /// A socket of this machine, in place of all that.
    pub(crate) unix_socket: Option<PathBuf>,
    /// This end's address.
    pub(crate) local: Option<IpAddr>,
    /// Host and port as the request names them.
    pub(crate) host: Option<String>,
    /// The name that TLS sends and holds the certificate against.
    #[cfg_attr(
        not(any(browser, feature = "tls")),
        allow(dead_code, reason = "there is no TLS")
    )]
    pub(crate) server_name: Option<String>,
}

#[cfg(not(browser))]
impl AddressOptions {
    /// Finds what cannot be used, alone or together.
    pub(crate) fn check(&self, proxy: &ProxyOptions) -> Result<(), ConnectError> {
        let failed = |option, error: &str| {
            let error = error.to_owned();
            Err(ConnectError::Option { option, error })
        };
        if self.addresses.iter().any(|address| address.port() == 0) {
            return failed("address", "its port is 0: give the server's");
        }
        let Some(path) = &self.unix_socket else {
            return Ok(());
        };
        if cfg!(not(unix)) {
            return failed(
                "unix_socket",
                "there is none on this system: connect by TCP",
            );
        }
        if path.as_os_str().is_empty() {
            return failed("unix_socket", "its path is empty: give the server's");
        }
        if matches!(proxy.choice, ProxyChoice::Url(_)) {
            return failed("unix_socket", "no proxy leads to it: leave `proxy` out");
        }
        if !self.addresses.is_empty() {
            return failed("unix_socket", "it has no address: leave `address` out");
        }
        if self.local.is_some() {
            return failed(
                "unix_socket",
                "it has no address: leave `local_address` out",
            );
        }
        Ok(())
    }

    /// The URL by the name that the request has for its host.
    pub(crate) fn named(&self, url: &WsUrl) -> Result<WsUrl, ConnectError> {
        let Some(host) = &self.host else {
            return Ok(url.clone());
        };
        url.with_host(host).map_err(|error| ConnectError::Option {
            option: "host",
            error: match error {
                UrlError::Port => "its port is not a number from 1 to 65535",
                UrlError::HostNotAscii => {
                    "it has characters beyond ASCII: give its punycode form, which begins with xn--"
                }
                _ => {
                    "it is no host: give a name or an address (IPv6 in brackets), and the port behind a colon if it is not the scheme's own, as in a.example:8443"
                }
            }
            .to_owned(),
        })
    }

    /// The option that gave the way to the URL's own origin, if the way is not that of its host.
    pub(crate) fn pinned_by(&self) -> Option<&'static str> {
        let unix_socket = self.unix_socket.as_ref().map(|_| "unix_socket");
        unix_socket.or((!self.addresses.is_empty()).then_some("address"))
    }
}

#[cfg(browser)]
impl AddressOptions {
    /// The first of the options that was asked for, and what to do instead.
    pub(crate) fn asked(&self) -> Option<(&'static str, &'static str)> {
        let by_url = "the browser looks up the URL's host: put the server's own into the URL";
        let local = "the browser, and its system, decide on it";
        let addresses = (!self.addresses.is_empty()).then_some(("address", by_url));
        let by_tcp = "a page reaches none: have the server listen at a port, too";
        let unix_socket = self.unix_socket.as_ref().map(|_| ("unix_socket", by_tcp));
        let host = self.host.as_ref().map(|_| ("host", by_url));
        let server_name = self.server_name.as_ref().map(|_| ("server_name", by_url));
        let local = self.local.map(|_| ("local_address", local));
        addresses.or(unix_socket).or(host).or(server_name).or(local)
    }
}
