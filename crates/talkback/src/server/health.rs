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

/// What a server says at `/ready` while it is not draining: `Err` that clients had better not come.
pub(crate) type Readiness = dyn Fn() -> Result<String, String> + Send + Sync;

/// What one connection asks of its server's health.
pub(crate) struct Health {
    connections: Connections,
    readiness: Option<Arc<Readiness>>,
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
    pub(super) fn new(
        connections: Connections,
        readiness: Option<Arc<Readiness>>,
        kept: Arc<Semaphore>,
    ) -> Self {
        Self {
            connections,
            readiness,
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
        let readiness = self.readiness.as_deref();
        let response = answer(request, self.connections.is_draining(), readiness)?;
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
fn answer(
    request: &Request<()>,
    is_draining: bool,
    readiness: Option<&Readiness>,
) -> Option<Response<Bytes>> {
    let ready = || readiness.map_or_else(|| Ok("ready".to_owned()), |ask| ask());
    let told = match request.uri().path() {
        "/health" => Ok("ok".to_owned()),
        "/ready" if is_draining => Err("draining".to_owned()),
        "/ready" => ready(),
        _ => return None,
    };
    let mut response = match told {
        Ok(text) => respond(StatusCode::OK, text),
        Err(text) => respond(StatusCode::SERVICE_UNAVAILABLE, text),
    };
    match *request.method() {
        Method::GET => {}
        // "A server MUST NOT send content in the response" (RFC 9110 §9.3.2).
        Method::HEAD => *response.body_mut() = Bytes::new(),
        _ => {
            response = respond(StatusCode::METHOD_NOT_ALLOWED, "use GET or HEAD".to_owned());
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

fn respond(status: StatusCode, mut text: String) -> Response<Bytes> {
    text.push('\n');
    let size = text.len();
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CONTENT_LENGTH, size.into());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    /// Status, length and content.
    fn answered(method: Method, path: &str, is_draining: bool) -> Option<(u16, String, Bytes)> {
        let request = Request::builder().method(method).uri(path);
        let response = answer(&request.body(()).unwrap(), is_draining, None)?;
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
        let asked = |is_draining, readiness: &Readiness| {
            let request = Request::get("/ready").body(()).unwrap();
            let response = answer(&request, is_draining, Some(readiness)).unwrap();
            (response.status().as_u16(), response.into_body())
        };
        let (yes, no) = (|| Ok("well".to_owned()), || Err("ill".to_owned()));
        assert_eq!(asked(false, &yes), (200, "well\n".into()));
        assert_eq!(asked(false, &no), (503, "ill\n".into()));
        assert_eq!(asked(true, &yes), (503, "draining\n".into()));
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
        let health = || Health::new(Connections::new(), None, Arc::clone(&kept));
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
