//! What a request says about its origin (RFC 6454).

use crate::handshake::url::HostPort;

/// What a request says about its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OriginHeader {
    Absent,
    /// The header's value, visible ASCII but otherwise unchecked.
    Once(String),
    /// Several headers, or bytes that no origin has.
    Unusable,
}

/// Says whether `origin` is the origin of a page from the server that `host` names.
///
/// A port that is missing on either side is that of the origin's scheme.
pub(super) fn is_origin_of(origin: &str, host: &HostPort) -> bool {
    let Some(origin) = WebOrigin::parse(origin) else {
        return false;
    };
    let port = host.port.unwrap_or(origin.scheme_port);
    origin.host == host.host && origin.port == port
}

/// The origin of a page that came over HTTP: scheme, host and port (RFC 6454 §4).
#[derive(PartialEq, Eq)]
pub(super) struct WebOrigin {
    /// 80 or 443: stands for the scheme.
    scheme_port: u16,
    host: String,
    port: u16,
}

impl WebOrigin {
    /// `scheme "://" host [ ":" port ]` and nothing else (RFC 6454 §6.2).
    pub(super) fn parse(text: &str) -> Option<WebOrigin> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme_port = match scheme.to_ascii_lowercase().as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let HostPort { host, port } = HostPort::parse(authority).ok()?;
        Some(WebOrigin {
            scheme_port,
            host,
            port: port.unwrap_or(scheme_port),
        })
    }
}
