//! native: the proxy that leads to a server: which one, and the way through it.

mod environment;
mod no_proxy;
mod socks;
pub(super) mod tunnel;

use std::fmt;
use std::net::SocketAddr;

use talkback_proto::handshake::{UrlError, WsUrl};

use crate::connect::proxy_options::{ProxyChoice, ProxyOptions};
use crate::error::ConnectError;
use crate::error::proxy::{ProxyError, Why};

/// A proxy as a URL names it: `http://user:password@proxy.example:3128`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    scheme: Scheme,
    /// Its host and credentials, read by the rules for the URLs of servers, which are stricter than most.
    url: WsUrl,
    port: u16,
    /// The variable that names it; `None` if the program does.
    variable: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    /// SOCKS5 to an address that is looked up here.
    Socks5,
    /// SOCKS5 to a name that the proxy looks up.
    Socks5h,
}

impl Proxy {
    /// The proxy that leads to `url`, at these addresses if the program gives some, by these options; `None` if
    /// the way is direct.
    pub(super) fn of(
        options: &ProxyOptions,
        url: &WsUrl,
        addresses: &[SocketAddr],
    ) -> Result<Option<Self>, ConnectError> {
        let (named, variable) = match &options.choice {
            ProxyChoice::Direct => return Ok(None),
            ProxyChoice::Url(text) => (Self::parse(text, None), None),
            ProxyChoice::Environment => {
                let named = environment::proxy_for(url, addresses, environment::read);
                let Some((variable, text)) = named else {
                    return Ok(None);
                };
                (Self::parse(&text, Some(variable)), Some(variable))
            }
        };
        named.map(Some).map_err(|fault| ConnectError::Proxy {
            url: url.to_string(),
            proxy: variable.map_or_else(
                || "given with `proxy`".to_owned(),
                |name| format!("(from {name})"),
            ),
            error: ProxyError::new(Why::Setting(fault)),
        })
    }

    /// Reads the URL of a proxy; without a scheme it is one of HTTP.
    ///
    /// # Errors
    /// What is wrong, without the text: it may hold a password.
    fn parse(text: &str, variable: Option<&'static str>) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = Scheme::parse(scheme)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(NO_PATH);
        }
        let read = |scheme| WsUrl::parse(&format!("{scheme}://{authority}")).map_err(fault);
        let (url, other) = (read("ws")?, read("wss")?);
        // The port is there if the scheme makes no difference.
        let port = match url.port() == other.port() {
            true => url.port(),
            false => scheme.default_port(),
        };
        Ok(Self {
            scheme,
            url,
            port,
            variable,
        })
    }

    /// The error of a connect through this proxy.
    fn failed(&self, url: &WsUrl, why: Why) -> ConnectError {
        ConnectError::Proxy {
            url: url.to_string(),
            proxy: self.to_string(),
            error: ProxyError::new(why),
        }
    }
}

impl Scheme {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text.to_ascii_lowercase().as_str() {
            "http" => Ok(Self::Http),
            "https" => Ok(Self::Https),
            "socks5" => Ok(Self::Socks5),
            "socks5h" => Ok(Self::Socks5h),
            // Neither has a name for the server in IPv6, nor a password.
            "socks" | "socks4" | "socks4a" => Err(SOCKS4),
            _ => Err(OTHER_SCHEME),
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks5 | Self::Socks5h => 1080,
        }
    }
}

const OTHER_SCHEME: &str =
    "its scheme is none of http, https, socks5 and socks5h, as in http://proxy.example:3128";
const SOCKS4: &str =
    "SOCKS4 is not spoken here: use socks5:// or socks5h://, if the proxy speaks that";
const NO_PATH: &str = "it has a path, as no proxy has: give scheme, host and port alone, as in http://proxy.example:3128, and percent-encode `/`, `?` and `#` in a password";

/// What is wrong with the URL of a proxy.
fn fault(error: UrlError) -> &'static str {
    match error {
        UrlError::Port => "its port is not one from 1 to 65535",
        UrlError::UserInfo => {
            "its user name or password cannot be sent: percent-encode `@`, `:`, `/` and `%` in them, and leave out control characters"
        }
        UrlError::HostNotAscii => {
            "its host, user name or password has characters beyond ASCII: give the host as IDNA has it (xn--…), and percent-encode the others"
        }
        _ => "it names no host of a proxy, as in http://proxy.example:3128",
    }
}

/// Without user name and password, and with its port.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Socks5 => "socks5",
            Scheme::Socks5h => "socks5h",
        };
        let (host, port) = (self.url.host(), self.port);
        write!(f, "{scheme}://{}", authority(host, port))?;
        match self.variable {
            Some(name) => write!(f, " (from {name})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// A host and its port, which is never left out; an IPv6 address in brackets.
fn authority(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match Proxy::parse(text, Some("HTTPS_PROXY")) {
            Ok(proxy) => proxy.to_string(),
            Err(fault) => fault.to_owned(),
        }
    }

    #[test]
    fn px7_a_url_of_a_proxy_is_read_or_refused() {
        for (text, read) in [
            ("proxy", "http://proxy:80"),
            ("proxy:3128", "http://proxy:3128"),
            ("HTTP://Proxy:443/", "http://proxy:443"),
            ("http://proxy", "http://proxy:80"),
            ("https://proxy", "https://proxy:443"),
            ("https://proxy:80", "https://proxy:80"),
            ("socks5://proxy", "socks5://proxy:1080"),
            ("socks5h://[::1]:80", "socks5h://[::1]:80"),
            ("socks5h://[::1]:443/", "socks5h://[::1]:443"),
            ("http://user:hunter2@proxy:1", "http://proxy:1"),
            ("user:hunter2@proxy", "http://proxy:80"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(shown(text), format!("{read} (from HTTPS_PROXY)"));
        }
        for (text, fault) in [
            ("ftp://x", OTHER_SCHEME),
            ("://x", OTHER_SCHEME),
            ("socks4://x", SOCKS4),
            ("socks4a://x:1", SOCKS4),
            ("socks://x", SOCKS4),
            ("http://proxy/hunter2", NO_PATH),
            ("http://proxy?hunter2", NO_PATH),
            (
                ":::",
                "it names no host of a proxy, as in http://proxy.example:3128",
            ),
            (
                "http://",
                "it names no host of a proxy, as in http://proxy.example:3128",
            ),
            (
                "a b",
                "it names no host of a proxy, as in http://proxy.example:3128",
            ),
            ("http://proxy:0", "its port is not one from 1 to 65535"),
            (
                "http://proxy:hunter2",
                "its port is not one from 1 to 65535",
            ),
        ] {
            assert_eq!(shown(text), fault, "{text}");
        }
        assert!(shown("http://u\u{fffd}:a@b@proxy").starts_with("its user name or password"));
        assert!(shown("http://pr\u{fffd}xy").starts_with("its host"));
    }
}
