//! Who asks: the host that a request is for, and the web page that it comes from.

use http::Uri;
use http::header::{HOST, HeaderMap, ORIGIN};

use super::grammar::{Occurrence, single};
use super::origin_header::{OriginHeader, is_origin_of};
use super::refusal::Refusal;
use super::url::HostPort;

/// Who asks: what a request says of its server and its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    host: HostPort,
    origin: OriginHeader,
    /// What `X-Forwarded-Host` says: a proxy rewrote the `Host`.
    forwarded_host: Option<String>,
}

impl Asker {
    /// # Errors
    /// 400 where the request is not for one host.
    pub(super) fn read(uri: &Uri, headers: &HeaderMap) -> Result<Self, Refusal> {
        Ok(Self {
            host: read_host(uri, headers)?,
            origin: read_origin(headers),
            forwarded_host: read_forwarded_host(headers),
        })
    }

    /// The `Origin` header, if it can be used.
    pub(super) fn origin(&self) -> Option<&str> {
        match &self.origin {
            OriginHeader::Once(origin) => Some(origin),
            OriginHeader::Absent | OriginHeader::Unusable => None,
        }
    }

    pub(super) fn origin_header(&self) -> &OriginHeader {
        &self.origin
    }

    /// Says whether the `Origin` header is there and names this server's own pages: its host and
    /// port are those of the `Host` header, where a port that is missing is that of the origin's
    /// scheme.
    pub(super) fn is_same_origin(&self) -> bool {
        self.origin()
            .is_some_and(|origin| is_origin_of(origin, &self.host))
    }

    /// The refusal of an origin that is not allowed.
    pub(super) fn forbidden_origin(&self) -> Refusal {
        let HostPort { host, port } = &self.host;
        let host = match host.contains(':') {
            true => format!("[{host}]"),
            false => host.clone(),
        };
        let host = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        Refusal::forbidden_origin(self.origin(), &host, self.forwarded_host.as_deref())
    }
}

/// The host that the request is for. "A server MUST respond with a 400 status code to any HTTP/1.1
/// request message that lacks a Host header field and to any that contains more than one"
/// (RFC 7230 §5.4).
fn read_host(uri: &Uri, headers: &HeaderMap) -> Result<HostPort, Refusal> {
    if !uri.path().starts_with('/') {
        return Err(Refusal::bad_request(
            "the request target is not a path: send the URL's path and query",
        ));
    }
    let host = match single(headers, &HOST) {
        Occurrence::Once(value) => std::str::from_utf8(value).ok(),
        Occurrence::Absent | Occurrence::Repeated => None,
    };
    // "An origin server MUST ignore the received Host header field (if any) and instead replace it
    // with the host information of the request-target" in absolute form (RFC 7230 §5.4).
    let authority = uri.authority().map(http::uri::Authority::as_str);
    // One that is malformed is refused even so (RFC 9112 §3.2).
    host.and_then(|host| HostPort::parse(host).ok())
        .and_then(|host| authority.map_or(Some(host), |host| HostPort::parse(host).ok()))
        .ok_or_else(|| {
            Refusal::bad_request(
                "the request does not have exactly one Host header with a host and an optional port: send one",
            )
        })
}

fn read_origin(headers: &HeaderMap) -> OriginHeader {
    match single(headers, &ORIGIN) {
        Occurrence::Absent => OriginHeader::Absent,
        Occurrence::Once(origin) => match std::str::from_utf8(origin) {
            Ok(text) if text.is_ascii() => OriginHeader::Once(text.to_owned()),
            _ => OriginHeader::Unusable,
        },
        Occurrence::Repeated => OriginHeader::Unusable,
    }
}

/// What a proxy that rewrote the `Host` says that it was, in so many characters as names have. It
/// decides nothing, since anybody can send it.
fn read_forwarded_host(headers: &HeaderMap) -> Option<String> {
    let host = headers.get("x-forwarded-host")?.to_str().ok()?;
    Some(host.chars().take(255).collect())
}
