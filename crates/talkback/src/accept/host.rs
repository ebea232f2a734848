//! The `Host` header of an ordinary request.

use http::header::HOST;
use http::uri::Authority;
use http::{Request, StatusCode, Version};
use talkback_proto::handshake::Refusal;

/// "A server MUST respond with a 400 status code to any HTTP/1.1 request message that lacks a Host
/// header field and to any request message that contains more than one Host header field line or a
/// Host header field with an invalid field value" (RFC 9112 §3.2).
pub(super) fn check_host(request: &Request<()>) -> Result<(), Refusal> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let reason = match (hosts.next(), hosts.next()) {
        (None, _) if request.version() != Version::HTTP_11 => return Ok(()),
        (Some(host), None) if is_host(host.as_bytes()) => return Ok(()),
        (Some(_), None) => "the Host header is not a host with an optional port",
        _ => "the request has no Host header, or several: send one",
    };
    Err(Refusal::new(StatusCode::BAD_REQUEST, reason))
}

/// A host and an optional port, or nothing, as for a URI without an authority (RFC 9110 §7.2).
fn is_host(value: &[u8]) -> bool {
    let Ok(authority) = Authority::try_from(value) else {
        return value.is_empty();
    };
    let port = authority.as_str().strip_prefix(authority.host());
    let is_port = |port: &str| port.strip_prefix(':').is_some_and(is_digits);
    value.is_ascii() && port.is_some_and(|port| port.is_empty() || is_port(port))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}
