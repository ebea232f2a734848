//! WebSocket URLs (RFC 6455 §3).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::error::UrlError;

/// What RFC 3986 §3.3 and §3.4, allow neither in a path nor in a query.
const NOT_IN_TARGET: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The URL of a WebSocket server, checked: `ws://host:port/path?query` or `wss://…`.
///
/// A user name and password are taken out of the URL and become [`basic_auth`](WsUrl::basic_auth).
/// [`Display`](fmt::Display) and [`Debug`] show neither them nor the query's content, so that a
/// `WsUrl` can be logged; they do show the path.
///
/// ```
/// # use talkback_proto::handshake as talkback;
/// use talkback::WsUrl;
///
/// let url = WsUrl::parse("ws://user:secret@Echo.Example:8080?token=abc")?;
/// assert_eq!(url.host(), "echo.example");
/// assert_eq!(url.request_target(), "/?token=abc");
/// assert_eq!(url.to_string(), "ws://echo.example:8080/?…");
/// # Ok::<(), talkback_proto::handshake::UrlError>(())
/// ```
#[derive(Clone)]
pub struct WsUrl {
    scheme: Scheme,
    /// Lower case; an IPv6 address without brackets.
    host: String,
    port: u16,
    target: PathAndQuery,
    /// The path as it is shown, if it is not as it is: a redirect may repeat a secret in it.
    shown_path: Option<Box<str>>,
    /// `user:password`, decoded.
    credentials: Option<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Ws,
    Wss,
}

impl WsUrl {
    /// Reads a URL.
    ///
    /// The scheme and the host may be in any case; characters beyond ASCII in path and query are
    /// percent-encoded as UTF-8.
    ///
    /// # Errors
    ///
    /// [`UrlError`] for a scheme other than `ws` and `wss`, a fragment, a host or a port that is
    /// none, and for spaces and control characters anywhere (RFC 6455 §3).
    pub fn parse(text: &str) -> Result<WsUrl, UrlError> {
        let forbidden = |byte: u8| byte == b' ' || byte.is_ascii_control();
        if let Some(position) = text.bytes().position(forbidden) {
            return Err(UrlError::ForbiddenCharacter { position });
        }
        // By characters and bytes: Rust's search for a text, and that from the end, are large in a page.
        let (scheme, rest) = text.split_once(':').ok_or(UrlError::Scheme)?;
        let rest = rest.strip_prefix("//").ok_or(UrlError::Scheme)?;
        let scheme = Scheme::parse(scheme)?;
        // "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be
        // used on these URIs" (RFC 6455 §3).
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let ends_authority = |byte: u8| byte == b'/' || byte == b'?';
        let authority_size = rest.bytes().position(ends_authority).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(authority_size);
        let (user_info, authority) = match authority.bytes().rposition(|byte| byte == b'@') {
            Some(at) => (&authority[..at], &authority[at + 1..]),
            None => ("", authority),
        };
        let HostPort { host, port } = parse_authority(authority)?;
        Ok(WsUrl {
            scheme,
            host,
            port: port.unwrap_or(scheme.default_port()),
            target: parse_target(target)?,
            shown_path: None,
            credentials: parse_credentials(user_info)?,
        })
    }

    /// The same URL at another host: a name, an IPv4 address or an IPv6 address in brackets, and behind a
    /// colon a port, which is that of the scheme if there is none.
    ///
    /// # Errors
    ///
    /// [`UrlError`] for a host or a port that is none.
    pub fn with_host(&self, host: &str) -> Result<WsUrl, UrlError> {
        let HostPort { host, port } = parse_authority(host)?;
        Ok(WsUrl {
            host,
            port: port.unwrap_or(self.scheme.default_port()),
            ..self.clone()
        })
    }

    /// The same URL with the path and the query of another.
    #[must_use]
    pub fn with_target_of(&self, other: &WsUrl) -> WsUrl {
        WsUrl {
            target: other.target.clone(),
            shown_path: other.shown_path.clone(),
            ..self.clone()
        }
    }

    /// The same URL, which shows this in place of its path.
    pub(super) fn with_shown_path(self, path: &str) -> WsUrl {
        let shown_path = (path != self.target.path()).then(|| path.into());
        WsUrl { shown_path, ..self }
    }

    /// Says whether the connection goes through TLS: the scheme is `wss`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::Wss
    }

    /// Says whether another URL has the same origin: scheme, host and port (RFC 6454 §5).
    #[must_use]
    pub fn is_same_origin(&self, other: &WsUrl) -> bool {
        (self.scheme, &*self.host, self.port) == (other.scheme, &*other.host, other.port)
    }

    /// The host in lower case: a name, an IPv4 address, or an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, 1 to 65535; that of the scheme if the URL has none: 80 for `ws`, 443 for `wss`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of the `Host` header: the host, an IPv6 address in brackets, and the port if it
    /// is not the scheme's own (RFC 6455 §4.1).
    #[must_use]
    pub fn host_header(&self) -> String {
        let host = &self.host;
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        if self.port == self.scheme.default_port() {
            return host;
        }
        format!("{host}:{}", self.port)
    }

    /// The request target: path and query in ASCII, beginning with `/` (RFC 6455 §3).
    #[must_use]
    pub fn request_target(&self) -> &str {
        self.target.as_str()
    }

    /// The `Authorization` header for the URL's user name and password, marked sensitive
    /// (RFC 7617).
    #[must_use]
    pub fn basic_auth(&self) -> Option<HeaderValue> {
        let credentials = STANDARD.encode(self.credentials.as_ref()?);
        let value = HeaderValue::try_from(format!("Basic {credentials}"));
        let mut value = value.expect("base64 is visible ASCII");
        value.set_sensitive(true);
        Some(value)
    }

    /// Says whether the URL has a user name or a password, of which [`basic_auth`](Self::basic_auth) is made.
    #[doc(hidden)]
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    pub(super) fn path_and_query(&self) -> PathAndQuery {
        self.target.clone()
    }
}

/// By what is sent: what a URL shows of its path makes no difference.
impl PartialEq for WsUrl {
    fn eq(&self, other: &WsUrl) -> bool {
        self.is_same_origin(other)
            && self.target == other.target
            && self.credentials == other.credentials
    }
}

impl Eq for WsUrl {}

impl FromStr for WsUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<WsUrl, UrlError> {
        WsUrl::parse(text)
    }
}

impl fmt::Display for WsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Ws => "ws",
            Scheme::Wss => "wss",
        };
        let query = if self.target.query().is_some() {
            "?…"
        } else {
            ""
        };
        let host = self.host_header();
        let path = self.shown_path.as_deref().unwrap_or(self.target.path());
        write!(f, "{scheme}://{host}{path}{query}")
    }
}

impl fmt::Debug for WsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WsUrl({self})")
    }
}

impl Scheme {
    fn parse(text: &str) -> Result<Scheme, UrlError> {
        match text.to_ascii_lowercase().as_str() {
            "ws" => Ok(Scheme::Ws),
            "wss" => Ok(Scheme::Wss),
            "http" | "https" => Err(UrlError::HttpScheme),
            _ => Err(UrlError::Scheme),
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Scheme::Ws => 80,
            Scheme::Wss => 443,
        }
    }
}

/// A host and the port behind it, as URLs, `Host` and `Origin` headers have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostPort {
    /// Lower case; an IPv6 address in its canonical form, without brackets.
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl HostPort {
    /// `host [ ":" port ]` (RFC 3986 §3.2.2 and §3.2.3), without percent-encoding.
    pub(super) fn parse(text: &str) -> Result<HostPort, UrlError> {
        if !text.is_ascii() {
            return Err(UrlError::HostNotAscii);
        }
        let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
            let (address, port) = bracketed.split_once(']').ok_or(UrlError::Host)?;
            let address: Ipv6Addr = address.parse().map_err(|_| UrlError::Host)?;
            (address.to_string(), port)
        } else {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            if host.is_empty() || !host.bytes().all(is_host_byte) {
                return Err(UrlError::Host);
            }
            (host.to_ascii_lowercase(), port)
        };
        Ok(HostPort {
            host,
            port: parse_port(port)?,
        })
    }
}

/// The host and the port of a URL that can be connected to.
fn parse_authority(text: &str) -> Result<HostPort, UrlError> {
    let authority = HostPort::parse(text)?;
    if !is_address(&authority.host) && !is_dns_name(&authority.host) {
        return Err(UrlError::Host);
    }
    if authority.port == Some(0) {
        return Err(UrlError::Port);
    }
    Ok(authority)
}

/// `[ ":" *DIGIT ]`: an empty port is that of the scheme (RFC 3986 §3.2.3).
fn parse_port(text: &str) -> Result<Option<u16>, UrlError> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.strip_prefix(':').ok_or(UrlError::Host)?;
    if digits.is_empty() {
        return Ok(None);
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UrlError::Port);
    }
    digits.parse().map(Some).map_err(|_| UrlError::Port)
}

fn is_address(host: &str) -> bool {
    host.contains(':') || host.parse::<Ipv4Addr>().is_ok()
}

/// Says whether `host` can be looked up in DNS: labels of 1 to 63 bytes, 253 bytes in all, and a
/// dot behind the last one allowed.
///
/// A name whose last label is a number is none: resolvers read `127.1` and `0x7f000001` as
/// addresses, each in its own way.
fn is_dns_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last_dot = host.bytes().rposition(|byte| byte == b'.');
    let last = last_dot.map_or(host, |dot| &host[dot + 1..]);
    let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(is_hex);
    host.len() <= 253 && host.split('.').all(|label| (1..=63).contains(&label.len())) && !is_number
}

fn parse_target(text: &str) -> Result<PathAndQuery, UrlError> {
    // "If the path is empty, it is a slash" (RFC 6455 §3).
    let slash = if text.starts_with('/') { "" } else { "/" };
    let target = format!("{slash}{}", utf8_percent_encode(text, NOT_IN_TARGET));
    // The characters are right by now, so that only the size can be wrong.
    PathAndQuery::from_maybe_shared(bytes::Bytes::from(target)).map_err(|_| UrlError::TooLong)
}

/// `user-pass` of the user information, percent-decoded (RFC 7617 §2).
fn parse_credentials(user_info: &str) -> Result<Option<Vec<u8>>, UrlError> {
    if user_info.is_empty() {
        return Ok(None);
    }
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let user: Vec<u8> = percent_decode_str(user).collect();
    let password: Vec<u8> = percent_decode_str(password).collect();
    // "A user-id containing a colon character is invalid", "The user-id and password MUST NOT
    // contain any control characters" (RFC 7617 §2).
    let has_control = |bytes: &[u8]| bytes.iter().any(u8::is_ascii_control);
    // Browsers read a backslash as a slash, and the host before it.
    let is_ambiguous =
        user_info.bytes().any(|byte| byte == b'@' || byte == b'\\') || user.contains(&b':');
    if is_ambiguous || has_control(&user) || has_control(&password) {
        return Err(UrlError::UserInfo);
    }
    Ok(Some([&user[..], b":", &password[..]].concat()))
}
