//! What the errors of the opening handshake say to a person.

use std::error::Error;
use std::fmt;

use http::HeaderName;
use http::header::SEC_WEBSOCKET_PROTOCOL;

use crate::handshake::deflate_error::DeflateError;
use crate::handshake::error::{HandshakeError, HeadError, Refused, UrlError};
use crate::handshake::grammar::is_tchar;
use crate::handshake::header_case::conventional_case;
use crate::handshake::proxy_settings::HTTP_1_1;

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => write!(
                f,
                "the URL has no WebSocket scheme: start it with ws:// or wss://"
            ),
            Self::HttpScheme => write!(
                f,
                "the URL is one of HTTP: write ws:// instead of http://, wss:// instead of https://"
            ),
            Self::Fragment => write!(
                f,
                "a WebSocket URL has no fragment: remove the # and what follows, or write it as %23"
            ),
            Self::ForbiddenCharacter { position } => write!(
                f,
                "the URL has a space or a control character at byte {position}: remove it, or percent-encode it"
            ),
            Self::UserInfo => write!(
                f,
                "the URL's user name and password cannot be sent: write @ as %40 and \\ as %5C, and use no colon in the name and no control characters"
            ),
            Self::Host => write!(
                f,
                "the URL's host is missing, or not a name, an IPv4 address in four decimal numbers, or an IPv6 address in brackets (without a zone): correct it"
            ),
            Self::HostNotAscii => write!(
                f,
                "the URL's host has characters beyond ASCII: convert it to its punycode form, which begins with xn--"
            ),
            Self::Port => write!(
                f,
                "the URL's port is not a number from 1 to 65535: correct it, or leave it out"
            ),
            Self::TooLong => write!(
                f,
                "the URL's path and query are longer than 65,534 bytes: send the data in a message instead"
            ),
        }
    }
}

impl Error for UrlError {}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls => write!(f, "the peer speaks TLS where HTTP was expected"),
            Self::NotHttp => write!(f, "the peer's first line is not HTTP"),
            Self::TooLarge { size_max } => write!(
                f,
                "the head of the HTTP message is larger than {size_max} bytes, which is this end's limit"
            ),
            Self::TooManyHeaders { headers_max } => write!(
                f,
                "the HTTP message has more than {headers_max} header lines, which is this end's limit"
            ),
            Self::LineEnd => write!(
                f,
                "a line of the HTTP message does not end with CR LF, the only line end of HTTP"
            ),
            Self::ControlCharacter => write!(
                f,
                "the head of the HTTP message contains a control character, which HTTP forbids"
            ),
            Self::RequestLine => {
                write!(f, "the request line is not of the form: GET /path HTTP/1.1")
            }
            Self::StatusLine => write!(
                f,
                "the status line is not of the form: HTTP/1.1 101 Switching Protocols"
            ),
            Self::Version => write!(
                f,
                "the HTTP version is not 1.1, which the opening handshake needs"
            ),
            Self::Header => write!(
                f,
                "a header line is not of the form `Name: value` (no space before the colon, no folded lines)"
            ),
            Self::Incomplete => write!(
                f,
                "the connection ended, or was read, before the head of the HTTP message was complete"
            ),
        }
    }
}

/// What a client is told of the head of the server's answer.
struct AnswersHead<'a>(&'a HeadError);

impl fmt::Display for AnswersHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            HeadError::Tls => write!(f, "the server speaks TLS at this port: use wss://"),
            HeadError::NotHttp => write!(
                f,
                "the server's answer is not HTTP: check that host and port are those of a WebSocket server"
            ),
            HeadError::TooLarge { size_max } => write!(
                f,
                "the head of the server's answer is larger than {size_max} bytes: have it send less (cookies, mostly), or raise HeadLimits::size_max with `head_limits`"
            ),
            HeadError::TooManyHeaders { headers_max } => write!(
                f,
                "the server's answer has more than {headers_max} header lines: have it send fewer, or raise HeadLimits::headers_max with `head_limits`"
            ),
            HeadError::Header => write!(
                f,
                "a header line of the server's answer is not of the form `Name: value`: the server, or a proxy between, is at fault"
            ),
            HeadError::Version => write!(
                f,
                "the server's answer is neither HTTP/1.1 nor 1.0: check that host and port are those of a WebSocket server"
            ),
            HeadError::Incomplete => self.0.fmt(f),
            error => write!(f, "{error}: the server, or a proxy between, is at fault"),
        }
    }
}

impl Error for HeadError {}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidSubprotocol { .. }
            | Self::DuplicateSubprotocol { .. }
            | Self::SubprotocolNotOffered { .. } => self.of_subprotocols().fmt(f),
            Self::ReservedHeader { name } => write!(
                f,
                "the header {} belongs to the opening handshake: {}",
                conventional_case(name),
                instead_of(name)
            ),
            Self::TooManyHeaders => write!(f, "the request has too many headers: send fewer"),
            Self::InvalidExtensions => write!(
                f,
                "the list of extensions is not of the form `name; param=value, other-name`, or has permessage-deflate beside its own option: correct it"
            ),
            Self::ChosenSubprotocol { subprotocol } => write!(
                f,
                "the client did not offer the subprotocol that was chosen, of {} bytes: choose one of its list, or none",
                subprotocol.len()
            ),
            Self::ChosenExtension { extension } => write!(
                f,
                "the client did not offer the extension {extension:?}: choose one of its list, or none"
            ),
            Self::Head(error) => AnswersHead(error).fmt(f),
            Self::Status(refused) => refused.fmt(f),
            Self::Version { version } => write!(
                f,
                "the server's 101 is in {version:?}, which cannot switch protocols: have the server, or a proxy between, speak HTTP/1.1 ({HTTP_1_1})"
            ),
            Self::Upgrade => write!(
                f,
                "the server's 101 does not have the header Upgrade with websocket, and with nothing else: check that the URL is that of a WebSocket server, and that a proxy between passes the header on"
            ),
            Self::Connection => write!(
                f,
                "the server's 101 lacks the token Upgrade in the header Connection: have the server send it, and a proxy between pass it on"
            ),
            Self::Accept => write!(
                f,
                "the server's Sec-WebSocket-Accept does not answer the key of this request: check that the URL is that of a WebSocket server, and that nothing between keeps answers"
            ),
            Self::Repeated { name } => write!(
                f,
                "the server's 101 has the header {} more than once: the server, or a proxy between, adds one too many",
                conventional_case(name)
            ),
            Self::Malformed { name } if name == SEC_WEBSOCKET_PROTOCOL => write!(
                f,
                "the header Sec-WebSocket-Protocol in the server's 101 does not name one subprotocol: offer a single one that the server knows, or none; the server, or a proxy between, is at fault"
            ),
            Self::Malformed { name } => write!(
                f,
                "the value of the header {} in the server's 101 is malformed: the server, or a proxy between, is at fault",
                conventional_case(name)
            ),
            Self::ExtensionNotOffered { extension } => write!(
                f,
                "the server answered the extension {extension:?}, which was not offered, or twice: the server is at fault"
            ),
            Self::Deflate(error) => error.fmt(f),
        }
    }
}

/// What a handshake error says of subprotocols, and nothing of any other: where a browser shakes hands nothing
/// else can fail, and a page is spared the texts.
struct OfSubprotocols<'a>(&'a HandshakeError);

impl HandshakeError {
    /// For a page: what it says if it is about subprotocols.
    #[doc(hidden)]
    pub fn of_subprotocols(&self) -> impl fmt::Display + '_ {
        OfSubprotocols(self)
    }
}

impl fmt::Display for OfSubprotocols<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            HandshakeError::InvalidSubprotocol { subprotocol } => {
                write_invalid_subprotocol(f, subprotocol)
            }
            HandshakeError::DuplicateSubprotocol { subprotocol } => write!(
                f,
                "a subprotocol of {} bytes is offered twice: offer it once",
                subprotocol.len()
            ),
            HandshakeError::SubprotocolNotOffered { subprotocol } => write!(
                f,
                "the server chose a subprotocol of {} bytes, which was not offered: offer it, if this end speaks it",
                subprotocol.len()
            ),
            _ => Ok(()),
        }
    }
}

/// Says what is wrong with a subprotocol without repeating it, as bearer tokens are sent so.
fn write_invalid_subprotocol(f: &mut fmt::Formatter<'_>, subprotocol: &str) -> fmt::Result {
    let Some(position) = subprotocol.bytes().position(|byte| !is_tchar(byte)) else {
        return f.write_str("a subprotocol is empty: give it a name, or leave it out");
    };
    let size = subprotocol.len();
    write!(
        f,
        "a subprotocol of {size} bytes is not a token: after {position} bytes comes "
    )?;
    match subprotocol.as_bytes()[position] {
        b' ' => f.write_str("a space"),
        byte if byte.is_ascii_control() => f.write_str("a control character"),
        byte if byte.is_ascii() => write!(f, "{:?}", char::from(byte)),
        _ => f.write_str("a character beyond ASCII"),
    }?;
    f.write_str(", which is none of letters, digits and !#$%&'*+-.^_`|~")
}

/// `Debug` is the sentence, as a person reads it when `main` ends with `?`; it repeats no subprotocol.
impl fmt::Debug for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What to do in place of giving a header that the handshake writes.
fn instead_of(name: &HeaderName) -> &'static str {
    match name.as_str() {
        "host" => {
            "it is the host of the URL, so put the name there; to connect elsewhere, give the address with `address`, or another name with `host`"
        }
        "origin" => "set it with the option `origin`",
        "sec-websocket-protocol" => "offer subprotocols with the option `subprotocol`",
        "sec-websocket-extensions" => "set what is offered with the option `compression`",
        "content-length" | "transfer-encoding" => "leave it out, as there is no body",
        "upgrade" | "connection" | "sec-websocket-key" | "sec-websocket-version" => {
            "leave it out, as it is sent anyway"
        }
        _ => "leave it out, as no client sends it",
    }
}

/// What it holds has no source either.
impl Error for HandshakeError {}

impl From<HeadError> for HandshakeError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

impl From<DeflateError> for HandshakeError {
    fn from(error: DeflateError) -> Self {
        Self::Deflate(error)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Refused {}
