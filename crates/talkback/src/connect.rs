//! What a client wants of a connection, on every platform.

mod address;
mod address_options;
#[cfg(not(browser))]
mod attempt;
#[cfg(not(browser))]
mod bad_header;
#[cfg(browser)]
mod browser;
pub(crate) mod cookies;
pub(crate) mod destination;
#[cfg(not(browser))]
mod dial;
mod dial_options;
#[cfg(not(browser))]
pub(crate) mod failed_addresses;
#[cfg(not(browser))]
mod one_at_a_time;
#[cfg(not(browser))]
mod open;
mod own_dialing;
#[cfg(not(browser))]
mod own_stream;
pub(crate) mod progress;
#[cfg(not(browser))]
mod proxy;
mod proxy_options;
mod redirect_options;
mod redirects;
pub(crate) mod retryable;
#[cfg(all(feature = "tls", not(browser)))]
mod tls;
mod tls_options;
#[cfg(not(browser))]
pub(crate) mod transport;
#[cfg(unix)]
mod unix_socket;
mod watching;

use std::fmt;
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use talkback_proto::handshake::{ClientOptions, DeflateOffer, HeadLimits};
use talkback_proto::{Keepalive, Limits};

use crate::channel::WebSocketChannel;
use crate::channel::queue::QueueLimits;
use crate::channel::state::Shared;
use crate::connect::address_options::AddressOptions;
#[cfg(not(browser))]
use crate::connect::bad_header::BadHeader;
use crate::connect::cookies::Cookies;
use crate::connect::dial_options::DialOptions;
use crate::connect::progress::Watcher;
use crate::connect::proxy_options::{ProxyChoice, ProxyOptions};
use crate::connect::redirect_options::RedirectOptions;
use crate::connect::tls_options::TlsOptions;

/// The default connect timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to a WebSocket server: `ws://host:port/path?query`, or `wss://` for TLS.
///
/// The result is a builder: await it for a `WebSocket` (not in a browser), or make a [`WebSocketChannel`] of it with
/// [`channel`](Connect::channel).
///
/// A user name and password in the URL become an `Authorization` header. Where the environment names a proxy
/// (`HTTPS_PROXY`), the way leads [through it](Connect::proxy).
///
/// To be awaited it needs a tokio runtime with I/O and time enabled (`enable_all`), and panics without
/// one; a channel needs [none](WebSocketChannel#runtimes).
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut socket = talkback::connect("ws://127.0.0.1:9001/").subprotocol("chat").await?;
/// socket.send("Hello!").await?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "connect_async")]
pub fn connect(url: impl Into<String>) -> Connect {
    Connect {
        url: url.into(),
        options: ClientOptions::default(),
        bad_header: None,
        limits: Limits::default(),
        head_limits: None,
        timeout: CONNECT_TIMEOUT,
        keepalive: None,
        compression: None,
        send_queue: QueueLimits::default(),
        recv_queue: QueueLimits::default(),
        is_one_at_a_time: false,
        dial: DialOptions::default(),
        address: AddressOptions::default(),
        redirects: RedirectOptions::default(),
        cookies: None,
        watcher: Watcher::default(),
        proxy: ProxyOptions::default(),
        tls: TlsOptions::default(),
    }
}

/// A browser sends no header of a program's, good or bad.
#[cfg(browser)]
#[derive(Clone)]
pub(crate) struct BadHeader;

#[cfg(browser)]
impl BadHeader {
    fn new(_: &str, _: &str) -> Self {
        Self
    }

    fn origin(_: &str) -> Self {
        Self
    }
}

/// A connection to be made; await it.
///
/// Dropping the future gives up and closes what was opened. A clone is made into a connection of its own, with
/// the same options; clones share the configuration of TLS, so that a later one resumes the session of an
/// earlier one (RFC 8446 §2.2), also where their ways differ, as by a proxy: the server can tell that they are of one
/// client.
#[derive(Clone)]
#[must_use = "nothing is connected until this is awaited, or made a channel by `channel()`"]
pub struct Connect {
    pub(crate) url: String,
    pub(crate) options: ClientOptions,
    /// The first header that cannot be sent.
    pub(crate) bad_header: Option<BadHeader>,
    pub(crate) limits: Limits,
    pub(crate) head_limits: Option<HeadLimits>,
    pub(crate) timeout: Duration,
    pub(crate) keepalive: Option<Keepalive>,
    pub(crate) compression: Option<Option<DeflateOffer>>,
    pub(crate) send_queue: QueueLimits,
    pub(crate) recv_queue: QueueLimits,
    /// Whether it waits for others that connect to the same address.
    pub(crate) is_one_at_a_time: bool,
    pub(crate) dial: DialOptions,
    pub(crate) address: AddressOptions,
    pub(crate) redirects: RedirectOptions,
    pub(crate) cookies: Option<Cookies>,
    pub(crate) watcher: Watcher,
    pub(crate) proxy: ProxyOptions,
    pub(crate) tls: TlsOptions,
}

impl Connect {
    /// Offers a subprotocol, after those offered before (RFC 6455 §1.9): a token.
    ///
    /// A server may choose none of them, and the connection opens without: look at
    /// [`subprotocol()`](WebSocketChannel::subprotocol).
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.options.subprotocols.push(name.into());
        self
    }

    /// Adds a header to the request, beside those of the same name; several `Cookie`s become one line
    /// (RFC 6265 §5.4).
    ///
    /// The handshake's own headers are refused. `Origin`, `Sec-WebSocket-Protocol` and
    /// `Sec-WebSocket-Extensions` have options: [`origin`](Self::origin),
    /// [`subprotocol`](Self::subprotocol), [`compression`](Self::compression). `Host` is the URL's host, or what
    /// [`host`](Self::host) says; to connect elsewhere under the URL's, give the [`address`](Self::address). A
    /// value may have characters beyond ASCII, which are sent as UTF-8, but no line end.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        if let Some((name, value)) = self.parse_header(name.as_ref(), value.as_ref()) {
            self.options.headers.append(name, value);
        }
        self
    }

    /// As [`header`](Self::header), in place of those of the same name that were given before.
    pub fn set_header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        if let Some((name, value)) = self.parse_header(name.as_ref(), value.as_ref()) {
            self.options.headers.insert(name, value);
        }
        self
    }

    /// One that cannot be sent is noted, and fails the connect.
    fn parse_header(&mut self, name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => Some((name, value)),
            _ => {
                self.bad_header
                    .get_or_insert_with(|| BadHeader::new(name, value));
                None
            }
        }
    }

    /// Sets the `Origin` header, for a program that acts for a web page (RFC 6455 §10.2), such as a relay:
    /// `https://app.example`. [`header`](Self::header) does not take it.
    pub fn origin(mut self, origin: impl AsRef<str>) -> Self {
        let origin = origin.as_ref();
        // One beyond ASCII may be in a header, but is no origin (RFC 6454 §6.2).
        match HeaderValue::try_from(origin) {
            Ok(value) if origin.is_ascii() => self.options.origin = Some(value),
            _ => {
                self.bad_header
                    .get_or_insert_with(|| BadHeader::origin(origin));
            }
        }
        self
    }

    /// Sets the bounds of the connection.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the bounds of the server's response head; 16 KiB and 100 headers by default.
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.head_limits = Some(limits);
        self
    }

    /// Sets the connect timeout, over the lookup, TCP, a proxy, TLS, the opening handshake and redirects
    /// together; 10 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Waits while another connection to the same address and port is being opened that waits so too,
    /// as RFC 6455 §4.1 asks of clients: a browser always does. Through a proxy, the address is the proxy's.
    ///
    /// By default there is no such queue, a deviation: one server that stalls must not hold up a
    /// whole program. The wait counts into the [`timeout`](Self::timeout).
    pub fn in_turn(mut self) -> Self {
        self.is_one_at_a_time = true;
        self
    }

    /// Sets the keepalive: a [`Keepalive`], a [`Duration`] for both of its times, or
    /// [`Keepalive::OFF`]. A channel has one by default (20 s, 20 s), a `WebSocket` has none, as it can
    /// only act while it is polled.
    pub fn keepalive(mut self, keepalive: impl Into<Keepalive>) -> Self {
        self.keepalive = Some(keepalive.into());
        self
    }

    /// Sets the compression to offer (RFC 7692), or with `None` offers none. By default
    /// permessage-deflate is offered, and the server chooses. How this end compresses is
    /// [`DeflateOffer::tuning`].
    pub fn compression(mut self, offer: impl Into<Option<DeflateOffer>>) -> Self {
        self.compression = Some(offer.into());
        self
    }

    /// Connects through the proxy at this URL, whatever the host, or with `None` through none.
    ///
    /// | URL | |
    /// | --- | --- |
    /// | `http://proxy.example:3128` | HTTP, asked for a tunnel (CONNECT) for `ws://` too; without a scheme also; port 80 by default |
    /// | `https://…` | the same in TLS; 443 |
    /// | `socks5h://…` | SOCKS5; the proxy looks up the server's name; 1080 |
    /// | `socks5://…` | SOCKS5; the name is looked up here, and its addresses are tried in turn; 1080 |
    ///
    /// A user name and password stand in the URL, percent-encoded: `http://user:p%40ss@proxy.example:3128`.
    /// A proxy of HTTP gets them as `Basic`; nobody beyond it sees them, and no error shows them. A
    /// [`header`](Self::header) `Proxy-Authorization` is for proxies before the server alone: beside a proxy that is
    /// chosen here it is an error, [`ConnectError::Header`](crate::ConnectError::Header).
    ///
    /// By default the environment says which proxy, by the first of these variables that is set, in lower
    /// case or capitals; an empty one means none:
    ///
    /// - for `wss://`: `wss_proxy`, `https_proxy`, `all_proxy`;
    /// - for `ws://`: `ws_proxy`, `https_proxy`, `http_proxy`, `all_proxy` (`HTTP_PROXY` not where
    ///   `REQUEST_METHOD` is set, as in CGI a client can set it).
    ///
    /// The hosts of `no_proxy` are reached directly: names with those below them (`example.com`), only those
    /// below (`*.example.com`), addresses, networks (`10.0.0.0/8`), any of these with a port
    /// (`example.com:8443`), or all (`*`). So is this machine, whatever the environment says: `localhost`,
    /// names that end with `.localhost`, 127.0.0.0/8 and `::1`. An explicit proxy is used for these, too.
    ///
    /// A variable that cannot be used is an error which names it, and what a proxy does wrong is
    /// [`ConnectError::Proxy`](crate::ConnectError::Proxy).
    ///
    /// ```no_run
    /// # async fn example(setting: Option<String>) -> Result<(), talkback::ConnectError> {
    /// let socket = talkback::connect("wss://echo.example/").proxy("socks5h://127.0.0.1:9050").await?;
    /// let direct = talkback::connect("wss://echo.example/").proxy(None).await?;
    /// // The environment's, unless there is a setting.
    /// let mut connect = talkback::connect("wss://echo.example/");
    /// if let Some(url) = &setting {
    ///     connect = connect.proxy(url.as_str());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "no_proxy")]
    pub fn proxy<'a>(mut self, url: impl Into<Option<&'a str>>) -> Self {
        self.proxy.choice = match url.into() {
            None => ProxyChoice::Direct,
            Some(url) => ProxyChoice::Url(url.to_owned()),
        };
        self
    }

    /// Trusts these roots, in PEM, for TLS with an `https://` proxy itself, in place of the platform's.
    ///
    /// The other options of TLS are for the server's alone.
    pub fn proxy_tls_roots(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.proxy.tls.set_roots(pem.into());
        self
    }

    /// Trusts these roots, in PEM, in place of the platform's.
    ///
    /// A server's own certificate may be one of them, as `openssl req -x509` makes it: it is accepted
    /// where it is that very certificate, its name and dates fit, and the server holds its key. The name is the
    /// one in subjectAltName: `-addext subjectAltName=DNS:localhost`.
    pub fn tls_roots(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.set_roots(pem.into());
        self
    }

    /// Shows this certificate, a chain and its private key in PEM, to a server that asks for one; not to another
    /// origin to which one of the [`redirects`](Self::redirects) leads.
    pub fn tls_client_certificate(
        mut self,
        chain_pem: impl Into<Vec<u8>>,
        key_pem: impl Into<Vec<u8>>,
    ) -> Self {
        self.tls.set_identity(chain_pem.into(), key_pem.into());
        self
    }

    /// Accepts any certificate, a self-signed one too. **Anyone on the way can then read and change
    /// everything**: for development only. Better give the certificate with
    /// [`tls_roots`](Self::tls_roots).
    ///
    /// Any is any: expired, for another host, of X.509 version 1, with a key of 1,024 bits.
    #[doc(alias = "danger_accept_invalid_certs")]
    pub fn danger_accept_any_certificate(mut self) -> Self {
        self.tls.trust_anything();
        self
    }

    /// Speaks TLS as this configuration of rustls 0.23 says, in place of this crate's own: its roots,
    /// its client certificate, its cryptography. Options of TLS beside it are errors.
    ///
    /// It is used as it is, also for another origin to which one of the [`redirects`](Self::redirects) leads. A server that may answer with HTTP/2, which has another opening handshake,
    /// needs `alpn_protocols` of `http/1.1` alone.
    #[cfg(all(feature = "rustls-0-23", not(browser)))]
    pub fn rustls_0_23(
        mut self,
        config: std::sync::Arc<tokio_rustls::rustls::ClientConfig>,
    ) -> Self {
        self.tls.config = Some(config);
        self
    }

    /// Sets options that only a native program can honour, and passes them over in a browser.
    ///
    /// A browser sends no headers, no pings and no origin of the program's choosing: asking for them
    /// there is an error, unless it is asked for here.
    ///
    /// ```no_run
    /// let channel = talkback::connect("wss://echo.example/")
    ///     .native(|connect| connect.header("Authorization", "Bearer …"))
    ///     .channel();
    /// ```
    pub fn native(self, options: impl FnOnce(Self) -> Self) -> Self {
        if cfg!(browser) { self } else { options(self) }
    }

    /// Sets the bounds of a channel's queue of messages to be sent, 1,024 or 1 MiB by default; a `WebSocket`
    /// has none.
    pub fn send_queue(mut self, limits: QueueLimits) -> Self {
        self.send_queue = limits;
        self
    }

    /// Sets the bounds of a channel's queue of received messages, 64 or 1 MiB by default; a `WebSocket` has
    /// none.
    ///
    /// When it is full, the peer has to wait. In a browser, what has no capacity waits with the socket.
    pub fn recv_queue(mut self, limits: QueueLimits) -> Self {
        self.recv_queue = limits;
        self
    }

    /// Opens a [`WebSocketChannel`], which exists at once and connects in the background.
    ///
    /// It works from any thread; [what drives it](WebSocketChannel#runtimes) is found there.
    ///
    /// # Panics
    /// In a tokio runtime without I/O or time, as tokio's own calls do.
    #[track_caller]
    pub fn channel(self) -> WebSocketChannel {
        let shared = Shared::new(self.send_queue, self.recv_queue);
        let channel = WebSocketChannel::new(&shared);
        self.drive(shared);
        channel
    }
}

impl WebSocketChannel {
    /// Opens a channel to a server: `ws://host:port/path?query`.
    ///
    /// It never fails here: [`ready`](Self::ready) and the stream tell what went wrong. For
    /// subprotocols, headers and limits see [`connect`](crate::connect()).
    ///
    /// # Panics
    /// In a tokio runtime without I/O or time, as tokio's own calls do.
    #[track_caller]
    pub fn connect(url: impl Into<String>) -> Self {
        connect(url).channel()
    }
}

/// Shows no URL and no headers: both may hold secrets.
impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("options", &self.options)
            .field("limits", &self.limits)
            .field("timeout", &self.timeout)
            .field("dial", &self.dial)
            .field("address", &self.address)
            .field("redirects", &self.redirects)
            .field("cookies", &self.cookies)
            .field("proxy", &self.proxy)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}
