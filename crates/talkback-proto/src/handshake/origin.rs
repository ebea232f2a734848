//! Which web pages may connect (RFC 6455 §10.2; RFC 6454).

use http::Request;

use super::asker::Asker;
use super::origin_header::{OriginHeader, WebOrigin};
use super::refusal::Refusal;
use super::server::ServerHandshake;

/// Which `Origin` headers a server allows.
///
/// Browsers send the header with every WebSocket that a page opens, together with the user's
/// cookies for the server: whoever allows a foreign origin lets that page act for the user.
/// A request without the header comes from no browser, and every policy allows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginPolicy {
    /// Allows pages whose origin has the host and port of the request's `Host` header.
    #[default]
    SameOrigin,
    /// Allows every page; right for servers that rely on no cookie and no network position.
    Any,
    /// Allows the origins listed, as `https://app.example` or `http://localhost:8080`, and the same
    /// origin. A browser sends no path with it, not even a slash: what has one allows nobody.
    List(Vec<String>),
}

impl OriginPolicy {
    /// Holds a request's `Origin` against the policy.
    ///
    /// # Errors
    ///
    /// A 403 [`Refusal`] if the header is there and its value is not allowed, malformed, or one of
    /// several (RFC 6455 §4.2.2).
    pub fn check(&self, handshake: &ServerHandshake) -> Result<(), Refusal> {
        self.check_asker(handshake.asker())
    }

    /// As [`check`](Self::check), of any request of HTTP: where pages are kept from opening a WebSocket, they are to be kept from
    /// posting, too.
    ///
    /// # Errors
    ///
    /// A 403 [`Refusal`] as there; 400 where the request does not have exactly one `Host` header.
    pub fn check_request<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        self.check_asker(&Asker::read(request.uri(), request.headers())?)
    }

    fn check_asker(&self, asker: &Asker) -> Result<(), Refusal> {
        let is_allowed = match (self, asker.origin_header()) {
            (OriginPolicy::Any, _) | (_, OriginHeader::Absent) => true,
            (_, OriginHeader::Unusable) => false,
            (OriginPolicy::SameOrigin, OriginHeader::Once(_)) => asker.is_same_origin(),
            (OriginPolicy::List(list), OriginHeader::Once(origin)) => {
                asker.is_same_origin() || list.iter().any(|allowed| is_equal(allowed, origin))
            }
        };
        if is_allowed {
            Ok(())
        } else {
            Err(asker.forbidden_origin())
        }
    }
}

/// Compares two origins as browsers do; where one of them is not a web origin (`null`,
/// `tauri://localhost`), as texts.
fn is_equal(allowed: &str, origin: &str) -> bool {
    match (WebOrigin::parse(allowed), WebOrigin::parse(origin)) {
        (Some(allowed), Some(origin)) => allowed == origin,
        _ => allowed == origin,
    }
}
