//! The HTTP errors with which a server refuses an opening handshake.

use std::borrow::Cow;
use std::fmt;

use http::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{Method, Response, StatusCode};

use super::error::HeadError;
use super::proxy_settings::HOST_PASSED;

/// A server's answer instead of the 101: a status, headers, and a sentence as the body.
///
/// It is an error for the server's program and a response for the client. After sending it the
/// server closes the connection, and never reads what follows as frames. The reason is shown to both:
/// write no secret into it.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    /// Boxed to keep results small.
    headers: Box<HeaderMap>,
    reason: Cow<'static, str>,
    /// What only whoever runs the server is told.
    hint: Option<Cow<'static, str>>,
    is_to_head: bool,
}

impl Refusal {
    /// Refuses with a status and a reason that the client reads as the body.
    ///
    /// A status below 200 cannot end a request, so that it becomes 500.
    #[must_use]
    pub fn new(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Refusal {
        let status = if status.is_informational() {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            status
        };
        Refusal {
            status,
            headers: Box::default(),
            reason: reason.into(),
            hint: None,
            is_to_head: false,
        }
    }

    /// 404: the server has nothing at the request's path.
    #[must_use]
    pub fn not_found() -> Refusal {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "there is no WebSocket at this path: check the path of the URL",
        )
    }

    /// Adds a header, in place of one of the same name.
    ///
    /// Headers that describe the body or the connection are the encoder's own, and are replaced.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Refusal {
        self.headers.insert(name, value);
        self
    }

    /// Says which method is answered: to HEAD "the server MUST NOT send content" (RFC 9110 §9.3.2).
    ///
    /// What [`ServerHandshake::read`](super::ServerHandshake::read) refuses has it said already.
    #[must_use]
    pub fn to(mut self, method: &Method) -> Refusal {
        self.is_to_head = method == Method::HEAD;
        self
    }

    /// Adds what only whoever runs the server is told, by `Display`: a sentence without its full stop.
    fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Refusal {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn is_to_head(&self) -> bool {
        self.is_to_head
    }

    /// 400: the request is malformed, or is no opening handshake.
    pub(super) fn bad_request(reason: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, reason)
    }

    /// 405: the method is not GET. "The origin server MUST generate an Allow header field in a 405
    /// response" (RFC 9110 §15.5.6).
    pub(super) fn method_not_allowed() -> Refusal {
        Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "a WebSocket is opened with the method GET: use GET",
        )
        .with_header(ALLOW, HeaderValue::from_static("GET"))
    }

    /// 505: the request is of another version of HTTP; `what` says of which, and what to do.
    pub(super) fn version_not_supported(what: impl fmt::Display) -> Refusal {
        Refusal::new(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            format!("a WebSocket is opened over HTTP/1.1, and {what}"),
        )
    }

    /// 426: the request asks for another protocol or version. "The server MUST send an Upgrade
    /// header field in a 426 response", and its name in `Connection` (RFC 9110 §15.5.22, §7.8).
    pub(super) fn upgrade_required(reason: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal::new(StatusCode::UPGRADE_REQUIRED, reason)
            .with_header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
            .with_header(UPGRADE, HeaderValue::from_static("websocket"))
            .with_header(CONNECTION, HeaderValue::from_static("Upgrade"))
    }

    /// 403: the `Origin` is not one that the server allows (RFC 6455 §4.2.2). `host` is the `Host` that
    /// it was compared with, `forwarded_host` what a proxy says that this was before.
    ///
    /// The client is not told the host: behind a proxy it may be a name of the inside.
    pub(super) fn forbidden_origin(
        origin: Option<&str>,
        host: &str,
        forwarded_host: Option<&str>,
    ) -> Refusal {
        // Named, so that whoever runs the server knows what to allow; quoted, as it may be anything.
        let who = match origin {
            Some(origin) => format!("the Origin {origin:?}"),
            None => "a request with several Origin headers, or one beyond ASCII,".to_owned(),
        };
        let refusal = Refusal::new(
            StatusCode::FORBIDDEN,
            format!(
                "{who} may not connect: open the page from this server, or have its operator allow the origin"
            ),
        );
        match origin {
            None => refusal,
            // Of a page that came over no network.
            Some(origin) if !origin.starts_with("http") => {
                refusal.with_hint("It can be allowed with `origin_policy`")
            }
            Some(_) => {
                let forwarded = match forwarded_host {
                    Some(host) => format!(", and X-Forwarded-Host is {host:?}"),
                    None => String::new(),
                };
                refusal.with_hint(format!(
                    "The Host that it was compared with is {host:?}{forwarded}: if the page is of this server, have a proxy before it pass the Host on ({HOST_PASSED}), else allow the origin with `origin_policy`"
                ))
            }
        }
    }

    /// The status, never below 200.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers, without those that describe the body.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The sentence that becomes the body. `Display` may say more, for whoever runs the server.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The response for an HTTP library, which adds the length of the body itself.
    ///
    /// [`encode_refusal`](super::encode_refusal) makes the bytes where there is no such library.
    #[must_use]
    pub fn response(&self) -> Response<String> {
        let mut response = Response::new(format!("{}\n", self.reason));
        *response.status_mut() = self.status;
        *response.headers_mut() = (*self.headers).clone();
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        response
    }
}

/// Shows the headers' names only: their values may be secrets.
impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&HeaderName> = self.headers.keys().collect();
        f.debug_struct("Refusal")
            .field("status", &self.status)
            .field("headers", &names)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, reason) = (self.status, &self.reason);
        write!(
            f,
            "the opening handshake was refused with {status}: {reason}"
        )?;
        match &self.hint {
            Some(hint) => write!(f, ". {hint}"),
            None => Ok(()),
        }
    }
}

impl From<HeadError> for Refusal {
    fn from(error: HeadError) -> Refusal {
        match error {
            HeadError::TooLarge { size_max } => Refusal::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                format!(
                    "the head of the request is larger than {size_max} bytes: send fewer or shorter headers (cookies, mostly)"
                ),
            )
            .with_hint("This server takes more if HeadLimits::size_max is raised with `head_limits`"),
            HeadError::TooManyHeaders { headers_max } => Refusal::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                format!("the request has more than {headers_max} header lines: send fewer"),
            )
            .with_hint("This server takes more if HeadLimits::headers_max is raised with `head_limits`"),
            HeadError::Version => Refusal::version_not_supported("this request is of another version: use HTTP/1.1"),
            HeadError::Tls => Refusal::bad_request(
                "the client speaks TLS to a port of plain HTTP: connect with ws://, or have TLS ended before this server",
            ),
            HeadError::NotHttp => Refusal::bad_request(
                "the first line is not a request of HTTP: connect with a WebSocket client",
            ),
            error => Refusal::new(StatusCode::BAD_REQUEST, error.to_string()),
        }
    }
}
