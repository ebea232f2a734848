//! What can go wrong before a connection is open.

mod texts;

use std::fmt;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName};
use http::{StatusCode, Version};

use super::deflate_error::DeflateError;
use super::unfollowed::Unfollowed;

/// The caller's URL does not name a WebSocket server (RFC 6455 §3).
///
/// No message repeats a part of the URL, because any part may turn out to be a secret that was
/// not escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// The URL starts with neither `ws://` nor `wss://`.
    Scheme,
    /// The URL starts with `http://` or `https://`.
    HttpScheme,
    /// The URL has a fragment.
    Fragment,
    /// The URL contains a space or a control character.
    ForbiddenCharacter {
        /// Where it stands, in bytes from the beginning of the URL.
        position: usize,
    },
    /// The user name and password cannot be sent (RFC 7617 §2).
    UserInfo,
    /// The host is missing or is not a host.
    Host,
    /// The host has characters beyond ASCII.
    HostNotAscii,
    /// The port is not a number from 1 to 65535.
    Port,
    /// Path and query take more bytes than a request line can hold.
    TooLong,
}

/// The peer's bytes are not the head of an HTTP/1.1 message within the limits (RFC 7230 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// The peer speaks TLS.
    Tls,
    /// The peer speaks some other protocol.
    NotHttp,
    /// The head is larger than the limit.
    TooLarge {
        /// The limit, in bytes.
        size_max: usize,
    },
    /// The head has more header lines than the limit.
    TooManyHeaders {
        /// The limit, in lines.
        headers_max: usize,
    },
    /// A line does not end with CR LF.
    LineEnd,
    /// A control character stands in the head.
    ControlCharacter,
    /// The request line is malformed.
    RequestLine,
    /// The status line is malformed.
    StatusLine,
    /// The version is neither HTTP/1.1 nor HTTP/1.0.
    Version,
    /// A header line is malformed.
    Header,
    /// The head has not arrived completely.
    Incomplete,
}

/// The opening handshake failed (RFC 6455 §4).
///
/// The variants up to [`ChosenExtension`](HandshakeError::ChosenExtension) are mistakes of the
/// caller, found before any byte is written; the others are the peer's.
///
/// No text repeats a subprotocol, because it may be a bearer token: the fields have it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The caller offers a subprotocol that is not a token.
    InvalidSubprotocol {
        /// The name as the caller gave it.
        subprotocol: String,
    },
    /// The caller offers a subprotocol twice.
    DuplicateSubprotocol {
        /// The name that stands twice.
        subprotocol: String,
    },
    /// The caller's headers contain one that the handshake writes itself.
    ReservedHeader {
        /// The header's name.
        name: HeaderName,
    },
    /// The caller's headers are more than an HTTP message can hold.
    TooManyHeaders,
    /// The caller's list of extensions is malformed (RFC 6455 §9.1), or names permessage-deflate
    /// beside the option for it.
    InvalidExtensions,
    /// The server's caller chose a subprotocol that the client did not offer.
    ChosenSubprotocol {
        /// The name as the caller gave it.
        subprotocol: String,
    },
    /// The server's caller chose an extension that the client did not offer.
    ChosenExtension {
        /// The extension's name.
        extension: String,
    },
    /// The peer's answer is not a head of HTTP/1.1.
    Head(HeadError),
    /// The server answered with a status other than 101.
    Status(Box<Refused>),
    /// The server answered with another version than HTTP/1.1.
    Version {
        /// The version of the answer.
        version: Version,
    },
    /// The answer's `Upgrade` header is missing or is not `websocket`.
    Upgrade,
    /// The answer's `Connection` header is missing or lacks the token `Upgrade`.
    Connection,
    /// The answer's `Sec-WebSocket-Accept` is missing or does not answer our key.
    Accept,
    /// A header that may stand once stands several times.
    Repeated {
        /// The header's name.
        name: HeaderName,
    },
    /// A header's value is not what its grammar says.
    Malformed {
        /// The header's name.
        name: HeaderName,
    },
    /// The server chose a subprotocol that was not offered.
    SubprotocolNotOffered {
        /// The server's choice.
        subprotocol: String,
    },
    /// The server answered an extension that was not offered, or one of them twice.
    ExtensionNotOffered {
        /// The extension's name.
        extension: String,
    },
    /// The server's answer to the offer of permessage-deflate breaks its rules.
    Deflate(DeflateError),
}

/// A server's answer that is not a 101, or a proxy's that is not 2xx: what an HTTP client would have seen.
///
/// `Debug` shows the headers' names and the body's size only: a header may be a secret, and a page of a
/// server may repeat what was sent to it. `Display` says what to do, and shows the beginning of a body of
/// text, or a web page's title, without what the request held and may be secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status, never 101.
    pub status: StatusCode,
    /// All headers of the response; cookies and the `Location` are marked sensitive.
    pub headers: HeaderMap,
    /// The beginning of the body without its transfer coding, at most 4,096 bytes.
    pub body: Bytes,
    /// If it is a redirect, and the client follows redirects: why not this one.
    pub unfollowed: Option<Unfollowed>,
    /// What a person is told.
    pub(super) text: Box<str>,
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&HeaderName> = self.headers.keys().collect();
        f.debug_struct("Refused")
            .field("status", &self.status)
            .field("headers", &names)
            .field("body_size", &self.body.len())
            .field("unfollowed", &self.unfollowed)
            .finish()
    }
}
