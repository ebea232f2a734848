//! Whether a server is well, for those who ask by HTTP.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::server::connections::Connections;

/// So many connections may stay open between two requests. They are no handshakes, and so have a bound of their own.
pub(super) const KEPT_MAX: usize = 64;

/// What one connection asks of its server's health.
pub(crate) struct Health {
    connections: Connections,
    kept: Arc<Semaphore>,
    /// Once this connection is one of those that stay open.
    permit: Option<OwnedSemaphorePermit>,
}

/// What follows an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another request, on the same connection.
    Request,
    End,
}

impl Health {
    pub(super) fn new(connections: Connections, kept: Arc<Semaphore>) -> Self {
        Self {
            connections,
            kept,
            permit: None,
        }
    }

    /// Whether this connection is one of those that stay open, whose silence is no failure.
    pub(crate) fn is_kept(&self) -> bool {
        self.permit.is_some()
    }

    /// The answer to a request for `/health` or `/ready`; `None` to any other.
    pub(crate) fn answer(&mut self, request: &Request<()>) -> Option<(Response<Bytes>, Next)> {
        let response = answer(request, self.connections.is_draining())?;
        let next = match is_followed(request) && !self.connections.is_closing() && self.keep() {
            true => Next::Request,
            false => Next::End,
        };
        Some((response, next))
    }

    /// Has this connection stay open, if it may.
    fn keep(&mut self) -> bool {
        if self.permit.is_none() {
            self.permit = Arc::clone(&self.kept).try_acquire_owned().ok();
        }
        self.permit.is_some()
    }
}

/// What a server says of itself at `/health`, that it runs, and at `/ready`, whether clients had better come to it;
/// `None` at other paths.
fn answer(request: &Request<()>, is_draining: bool) -> Option<Response<Bytes>> {
    let (status, text) = match request.uri().path() {
        "/health" => (StatusCode::OK, "ok\n"),
        "/ready" if is_draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        "/ready" => (StatusCode::OK, "ready\n"),
        _ => return None,
    };
    let mut response = respond(status, text);
    match *request.method() {
        Method::GET => {}
        // "A server MUST NOT send content in the response" (RFC 9110 §9.3.2).
        Method::HEAD => *response.body_mut() = Bytes::new(),
        _ => {
            response = respond(StatusCode::METHOD_NOT_ALLOWED, "use GET or HEAD\n");
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
        }
    }
    Some(response)
}

/// Whether another request may follow this one on its connection (RFC 9112 §9.3). One with content is the last:
/// nobody reads the content.
fn is_followed(request: &Request<()>) -> bool {
    let headers = request.headers();
    request.version() == Version::HTTP_11
        && !headers.contains_key(TRANSFER_ENCODING)
        && !headers.contains_key(CONTENT_LENGTH)
        && !is_last(headers)
}

/// Whether `Connection` has the option `close`.
fn is_last(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(CONNECTION).iter();
    let mut options = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

fn respond(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CONTENT_LENGTH, text.len().into());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    /// Status, length and content.
    fn answered(method: Method, path: &str, is_draining: bool) -> Option<(u16, String, Bytes)> {
        let request = Request::builder().method(method).uri(path);
        let response = answer(&request.body(()).unwrap(), is_draining)?;
        let length = response.headers()[CONTENT_LENGTH].to_str().unwrap();
        let length = length.to_owned();
        Some((response.status().as_u16(), length, response.into_body()))
    }

    #[test]
    fn dr7_ready_is_503_while_the_server_drains_and_health_is_not() {
        for (path, is_draining, status, text) in [
            ("/health", false, 200, "ok\n"),
            ("/health", true, 200, "ok\n"),
            ("/health?from=probe", false, 200, "ok\n"),
            ("/ready", false, 200, "ready\n"),
            ("/ready", true, 503, "draining\n"),
        ] {
            let found = answered(Method::GET, path, is_draining);
            let length = text.len().to_string();
            assert_eq!(found, Some((status, length.clone(), text.into())), "{path}");
            let found = answered(Method::HEAD, path, is_draining);
            assert_eq!(found, Some((status, length, Bytes::new())), "{path}");
            let (status, ..) = answered(Method::POST, path, is_draining).unwrap();
            assert_eq!(status, 405, "{path}");
        }
        for path in ["/", "/healthy", "/health/", "/ws/ready"] {
            assert_eq!(answered(Method::GET, path, false), None, "{path}");
        }
    }

    #[test]
    fn co10_a_connection_stays_open_where_another_request_may_follow() {
        let get = |version: Version, headers: &[(&str, &str)]| {
            let mut request = Request::builder().uri("/health").version(version);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.body(()).unwrap()
        };
        let kept = Arc::new(Semaphore::new(2));
        let health = || Health::new(Connections::new(), Arc::clone(&kept));
        let next = |health: &mut Health, request| health.answer(&request).unwrap().1;
        for (headers, expected) in [
            (&[][..], Next::Request),
            (&[("connection", "keep-alive")], Next::Request),
            (&[("connection", "keep-alive, Close")], Next::End),
            (&[("connection", "te"), ("connection", "close")], Next::End),
            (&[("content-length", "1")], Next::End),
            (&[("transfer-encoding", "chunked")], Next::End),
        ] {
            let found = next(&mut health(), get(Version::HTTP_11, headers));
            assert_eq!(found, expected, "{headers:?}");
        }
        assert_eq!(next(&mut health(), get(Version::HTTP_10, &[])), Next::End);
        // No more than so many; each of them again and again.
        let (mut first, mut second, mut third) = (health(), health(), health());
        let once_more = || get(Version::HTTP_11, &[]);
        for _ in 0..2 {
            assert_eq!(next(&mut first, once_more()), Next::Request);
            assert_eq!(next(&mut second, once_more()), Next::Request);
            assert_eq!(next(&mut third, once_more()), Next::End);
        }
        drop(first);
        assert_eq!(next(&mut third, once_more()), Next::Request);
    }
}
