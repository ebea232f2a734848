//! What can go wrong before a connection is open.

mod texts;

use std::fmt;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, LOCATION, SET_COOKIE};
use http::{Response, StatusCode, Version};

use super::deflate_error::DeflateError;

/// The caller's URL does not name a WebSocket server (RFC 6455 §3).
///
/// No message repeats a part of the URL, because any part may turn out to be a secret that was
/// not escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The URL starts with neither `ws://` nor `wss://`.
    #[error("the URL has no WebSocket scheme: start it with ws:// or wss://")]
    Scheme,
    /// The URL starts with `http://` or `https://`.
    #[error("the URL is one of HTTP: write ws:// instead of http://, wss:// instead of https://")]
    HttpScheme,
    /// The URL has a fragment.
    #[error("a WebSocket URL has no fragment: remove the # and what follows, or write it as %23")]
    Fragment,
    /// The URL contains a space or a control character.
    #[error(
        "the URL has a space or a control character at byte {position}: remove it, or percent-encode it"
    )]
    ForbiddenCharacter {
        /// Where it stands, in bytes from the beginning of the URL.
        position: usize,
    },
    /// The user name and password cannot be sent (RFC 7617 §2).
    #[error(
        "the URL's user name and password cannot be sent: write @ as %40 and \\ as %5C, and use no colon in the name and no control characters"
    )]
    UserInfo,
    /// The host is missing or is not a host.
    #[error(
        "the URL's host is not a name, an IPv4 address in four decimal numbers, or an IPv6 address in brackets (without a zone): correct it"
    )]
    Host,
    /// The host has characters beyond ASCII.
    #[error(
        "the URL's host has characters beyond ASCII: convert it to its punycode form, which begins with xn--"
    )]
    HostNotAscii,
    /// The port is not a number from 1 to 65535.
    #[error("the URL's port is not a number from 1 to 65535: correct it, or leave it out")]
    Port,
    /// Path and query take more bytes than a request line can hold.
    #[error(
        "the URL's path and query are longer than 65,534 bytes: send the data in a message instead"
    )]
    TooLong,
}

/// The peer's bytes are not the head of an HTTP/1.1 message within the limits (RFC 7230 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The peer speaks TLS.
    #[error(
        "the peer speaks TLS where HTTP was expected: use wss:// on both sides, or ws:// on both"
    )]
    Tls,
    /// The peer speaks some other protocol.
    #[error(
        "the peer's first line is not HTTP: check that host and port are those of a web server"
    )]
    NotHttp,
    /// The head is larger than the limit.
    #[error(
        "the head of the HTTP message is larger than {size_max} bytes: send less, or raise size_max"
    )]
    TooLarge {
        /// The limit, in bytes.
        size_max: usize,
    },
    /// The head has more header lines than the limit.
    #[error(
        "the HTTP message has more than {headers_max} header lines: send fewer, or raise headers_max"
    )]
    TooManyHeaders {
        /// The limit, in lines.
        headers_max: usize,
    },
    /// A line does not end with CR LF.
    #[error("a line of the HTTP message does not end with CR LF, the only line end of HTTP")]
    LineEnd,
    /// A control character stands in the head.
    #[error("the head of the HTTP message contains a control character, which HTTP forbids")]
    ControlCharacter,
    /// The request line is malformed.
    #[error("the request line is not of the form: GET /path HTTP/1.1")]
    RequestLine,
    /// The status line is malformed.
    #[error("the status line is not of the form: HTTP/1.1 101 Switching Protocols")]
    StatusLine,
    /// The version is neither HTTP/1.1 nor HTTP/1.0.
    #[error("the HTTP version is not 1.1, which the opening handshake needs")]
    Version,
    /// A header line is malformed.
    #[error(
        "a header line is not of the form `Name: value` (no space before the colon, no folded lines)"
    )]
    Header,
    /// The head has not arrived completely.
    #[error("the connection ended, or was read, before the head of the HTTP message was complete")]
    Incomplete,
}

/// The opening handshake failed (RFC 6455 §4).
///
/// The variants up to [`ChosenExtension`](HandshakeError::ChosenExtension) are mistakes of the
/// caller, found before any byte is written; the others are the peer's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The caller offers a subprotocol that is not a token.
    #[error(
        "the subprotocol {subprotocol:?} is not a token: use letters, digits and !#$%&'*+-.^_`|~"
    )]
    InvalidSubprotocol {
        /// The name as the caller gave it.
        subprotocol: String,
    },
    /// The caller offers a subprotocol twice.
    #[error("the subprotocol {subprotocol:?} is offered twice: offer it once")]
    DuplicateSubprotocol {
        /// The name that stands twice.
        subprotocol: String,
    },
    /// The caller's headers contain one that the handshake writes itself.
    #[error(
        "the header {name} belongs to the opening handshake: remove it (the origin, subprotocols and compression have options of their own)"
    )]
    ReservedHeader {
        /// The header's name.
        name: HeaderName,
    },
    /// The caller's headers are more than an HTTP message can hold.
    #[error("the request has too many headers: send fewer")]
    TooManyHeaders,
    /// The caller's list of extensions is malformed (RFC 6455 §9.1), or names permessage-deflate
    /// beside the option for it.
    #[error(
        "the list of extensions is not of the form `name; param=value, other-name`, or has permessage-deflate beside its own option"
    )]
    InvalidExtensions,
    /// The server's caller chose a subprotocol that the client did not offer.
    #[error(
        "the client did not offer the subprotocol {subprotocol:?}: choose one of its list, or none"
    )]
    ChosenSubprotocol {
        /// The name as the caller gave it.
        subprotocol: String,
    },
    /// The server's caller chose an extension that the client did not offer.
    #[error(
        "the client did not offer the extension {extension:?}: choose one of its list, or none"
    )]
    ChosenExtension {
        /// The extension's name.
        extension: String,
    },
    /// The peer's answer is not a head of HTTP/1.1.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The server answered with a status other than 101.
    #[error(transparent)]
    Status(Box<Refused>),
    /// The server answered with another version than HTTP/1.1.
    #[error("the server answered in {version:?}, but only HTTP/1.1 can switch protocols")]
    Version {
        /// The version of the answer.
        version: Version,
    },
    /// The answer's `Upgrade` header is missing or is not `websocket`.
    #[error(
        "the server's 101 does not switch to WebSocket (header Upgrade): check that the URL is that of a WebSocket server"
    )]
    Upgrade,
    /// The answer's `Connection` header is missing or lacks the token `Upgrade`.
    #[error(
        "the server's 101 lacks the token Upgrade (header Connection): a proxy between may have taken it away"
    )]
    Connection,
    /// The answer's `Sec-WebSocket-Accept` is missing or does not answer our key.
    #[error(
        "the server's Sec-WebSocket-Accept does not answer the key of this request: the server does not speak WebSocket, or the answer is another's"
    )]
    Accept,
    /// A header that may stand once stands several times.
    #[error(
        "the server's 101 has the header {name} more than once: the server, or a proxy between, is at fault"
    )]
    Repeated {
        /// The header's name.
        name: HeaderName,
    },
    /// A header's value is not what its grammar says.
    #[error(
        "the value of the header {name} in the server's 101 is malformed: the server, or a proxy between, is at fault"
    )]
    Malformed {
        /// The header's name.
        name: HeaderName,
    },
    /// The server chose a subprotocol that was not offered.
    #[error(
        "the server chose the subprotocol {subprotocol:?}, which was not offered: offer it, if this end speaks it"
    )]
    SubprotocolNotOffered {
        /// The server's choice.
        subprotocol: String,
    },
    /// The server answered an extension that was not offered, or one of them twice.
    #[error(
        "the server answered the extension {extension:?}, which was not offered, or twice: the server is at fault"
    )]
    ExtensionNotOffered {
        /// The extension's name.
        extension: String,
    },
    /// The server's answer to the offer of permessage-deflate breaks its rules.
    #[error(transparent)]
    Deflate(#[from] DeflateError),
}

impl HandshakeError {
    /// Makes the error for a response that is not a 101.
    ///
    /// `body` is the beginning of the response's body, at most 4,096 bytes, as
    /// [`RefusedBody`](super::RefusedBody) collects it.
    #[must_use]
    pub fn refused<T>(response: &Response<T>, body: Bytes) -> HandshakeError {
        let mut headers = response.headers().clone();
        for (name, value) in &mut headers {
            // Cookies are secrets, a redirect may repeat the query, and errors are printed.
            if name == SET_COOKIE || name == LOCATION {
                value.set_sensitive(true);
            }
        }
        HandshakeError::Status(Box::new(Refused {
            status: response.status(),
            headers,
            body,
        }))
    }
}

/// A server's answer that is not a 101: what an HTTP client would have seen.
///
/// `Debug` shows the body's size only, for a page of a server may repeat what was sent to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status, never 101.
    pub status: StatusCode,
    /// All headers of the response; cookies and the `Location` are marked sensitive.
    pub headers: HeaderMap,
    /// The beginning of the body without its transfer coding, at most 4,096 bytes.
    pub body: Bytes,
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body_size", &self.body.len())
            .finish()
    }
}
