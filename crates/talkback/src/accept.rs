//! The server's way to an open connection.

#[cfg(feature = "upgrade")]
pub(crate) mod upgrade;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, SEC_WEBSOCKET_KEY, UPGRADE};
use http::uri::Authority;
use http::{Request, Response, StatusCode, Version};
use talkback_proto::handshake::{
    DeflatePolicy, HeadLimits, HeadReader, OriginPolicy, Refusal, ServerHandshake, encode_refusal,
    encode_response,
};
use talkback_proto::{DeflateParameters, Limits, Role};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::error::AcceptError;
use crate::http_io::{PART_SIZE, ReadHeadError, read_head, write_all, write_last};
use crate::websocket::WebSocket;

/// The default timeout of the opening handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client that was refused may take to read why.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);

type Check = dyn Fn(&Request<()>) -> Result<(), Refusal> + Send + Sync;
type Otherwise = dyn Fn(&Request<()>) -> Response<Bytes> + Send + Sync;

/// Accepts a WebSocket on a stream that a client has just opened.
///
/// The result is a builder; await it for a [`WebSocket`]. By default it allows pages of the same
/// origin only, speaks no subprotocol, and gives the client 10 s.
///
/// ```no_run
/// # async fn example(stream: tokio::net::TcpStream) -> Result<(), talkback::AcceptError> {
/// let mut socket = talkback::accept(stream).subprotocols(["chat"]).await?;
/// # Ok(())
/// # }
/// ```
pub fn accept<T>(stream: T) -> Accept<T> {
    Accept {
        stream,
        peer: None,
        subprotocols: Arc::default(),
        origin_policy: OriginPolicy::default(),
        compression: Some(DeflatePolicy::default()),
        check: None,
        otherwise: None,
        limits: Limits::default(),
        head_limits: HeadLimits::default(),
        timeout: HANDSHAKE_TIMEOUT,
    }
}

/// A connection to be accepted; await it.
#[must_use = "nothing is accepted until this is awaited"]
pub struct Accept<T> {
    stream: T,
    peer: Option<SocketAddr>,
    subprotocols: Arc<[String]>,
    origin_policy: OriginPolicy,
    compression: Option<DeflatePolicy>,
    check: Option<Arc<Check>>,
    otherwise: Option<Arc<Otherwise>>,
    limits: Limits,
    head_limits: HeadLimits,
    timeout: Duration,
}

impl<T> Accept<T> {
    /// Notes the client's address, for [`WebSocket::peer`].
    pub fn peer(mut self, address: SocketAddr) -> Self {
        self.peer = Some(address);
        self
    }

    /// Sets the subprotocols that this server speaks. The first one of the client's that is among
    /// them is chosen; if there is none, the connection opens without (RFC 6455 §4.2.2).
    pub fn subprotocols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets which web pages may connect; those of the same origin by default (RFC 6455 §10.2).
    pub fn origin_policy(mut self, policy: OriginPolicy) -> Self {
        self.origin_policy = policy;
        self
    }

    /// Sets how compression is agreed on (RFC 7692), or with `None` declines it. By default an offer
    /// is accepted so that neither end keeps a context between messages.
    pub fn compression(mut self, policy: impl Into<Option<DeflatePolicy>>) -> Self {
        self.compression = policy.into();
        self
    }

    /// Looks at a request for a WebSocket before it is accepted, by its path or credentials.
    ///
    /// The client is answered with the [`Refusal`].
    pub fn check(
        mut self,
        check: impl Fn(&Request<()>) -> Result<(), Refusal> + Send + Sync + 'static,
    ) -> Self {
        self.check = Some(Arc::new(check));
        self
    }

    /// Answers ordinary requests of HTTP, those without an `Upgrade` header: a page, a health
    /// check. Without it they are refused with 426.
    ///
    /// Each 64 KiB of the answer may take as long as [`timeout`](Self::timeout) says.
    pub fn otherwise(
        mut self,
        answer: impl Fn(&Request<()>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.otherwise = Some(Arc::new(answer));
        self
    }

    /// Sets the bounds of the connection.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the bounds of the request's head; 16 KiB and 100 headers by default.
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.head_limits = limits;
        self
    }

    /// Sets how long the whole opening handshake may take; 10 s by default. A client that is refused
    /// has 2 s more to read why, and 2 s to end the connection.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Accept<T> {
    async fn run(mut self) -> Result<WebSocket<T>, AcceptError> {
        let opening = timeout(self.timeout, self.shake_hands()).await;
        let decision = match opening.map_err(|_| AcceptError::Timeout(self.timeout))?? {
            Decision::Open {
                request,
                agreed,
                leftover,
            } => {
                let socket = WebSocket::from_upgraded(self.stream, Role::Server)
                    .with_leftover(leftover)
                    .with_limits(self.limits)
                    .with_request(*request)
                    .with_peer(self.peer);
                return Ok(agreed.apply(socket));
            }
            Decision::Last { head, body, error } => (head, body, error),
        };
        let (head, body, error) = decision;
        // The client may be gone or slow; either way this is over.
        let part_timeout = match error {
            AcceptError::Answered(_) => self.timeout,
            _ => REFUSAL_TIMEOUT,
        };
        let _ = write_last(&mut self.stream, &[&head, &body], part_timeout).await;
        Err(error)
    }

    async fn shake_hands(&mut self) -> Result<Decision, AcceptError> {
        let mut reader = HeadReader::new(self.head_limits);
        let leftover = match read_head(&mut self.stream, &mut reader, BytesMut::new()).await {
            Ok(leftover) => leftover,
            Err(ReadHeadError::Io(error)) => return Err(lost(error)),
            Err(ReadHeadError::Head(error)) => return Ok(Decision::refuse(reader.refusal(error))),
        };
        let request = match reader.request() {
            Ok(request) => request,
            Err(error) => return Ok(Decision::refuse(reader.refusal(error))),
        };
        if let Some(otherwise) = &self.otherwise
            && !request.headers().contains_key(UPGRADE)
            // An opening handshake whose `Upgrade` a proxy took away is told so.
            && !request.headers().contains_key(SEC_WEBSOCKET_KEY)
        {
            if let Err(refusal) = check_host(&request) {
                return Ok(Decision::refuse(refusal.to(request.method())));
            }
            return Ok(Decision::ordinary(otherwise(&request)));
        }
        let (response, agreed) = match self.decide(&request) {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Decision::refuse(refusal)),
        };
        let bytes = encode_response(&response);
        write_all(&mut self.stream, &bytes).await.map_err(lost)?;
        Ok(Decision::Open {
            request: Box::new(request),
            agreed,
            leftover,
        })
    }

    fn decide(&self, request: &Request<()>) -> Result<(Response<()>, Agreed), Refusal> {
        let handshake = ServerHandshake::read(request)?;
        self.origin_policy.check(&handshake)?;
        if let Some(check) = &self.check {
            check(request)?;
        }
        Ok(answer(&handshake, &self.subprotocols, self.compression))
    }
}

/// "A server MUST respond with a 400 status code to any HTTP/1.1 request message that lacks a Host
/// header field and to any request message that contains more than one Host header field line or a
/// Host header field with an invalid field value" (RFC 9112 §3.2).
fn check_host(request: &Request<()>) -> Result<(), Refusal> {
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

/// What an opening handshake agreed on.
#[derive(Debug)]
pub(crate) struct Agreed {
    subprotocol: Option<String>,
    deflate: Option<DeflateParameters>,
}

impl Agreed {
    /// The socket that keeps to it.
    pub(crate) fn apply<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: WebSocket<T>,
    ) -> WebSocket<T> {
        socket
            .with_subprotocol(self.subprotocol.as_deref())
            .with_deflate(self.deflate.as_ref())
    }
}

/// The 101: with the first of the client's subprotocols that the server speaks, and compression.
pub(crate) fn answer(
    handshake: &ServerHandshake,
    subprotocols: &[String],
    compression: Option<DeflatePolicy>,
) -> (Response<()>, Agreed) {
    let deflate = compression.and_then(|policy| policy.answer(handshake));
    let extensions = deflate.as_ref().map(|answer| answer.value.clone());
    let mut offered = handshake.subprotocols().iter();
    let subprotocol = offered.find(|name| subprotocols.contains(name)).cloned();
    let response = handshake
        .accept(subprotocol.as_deref(), extensions)
        .expect("the subprotocol is one of the client's");
    let agreed = Agreed {
        subprotocol,
        deflate: deflate.map(|answer| answer.parameters),
    };
    (response, agreed)
}

impl<T> IntoFuture for Accept<T>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = Result<WebSocket<T>, AcceptError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<T> fmt::Debug for Accept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("subprotocols", &self.subprotocols)
            .field("origin_policy", &self.origin_policy)
            .field("limits", &self.limits)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What becomes of a request.
enum Decision {
    /// The 101 is sent.
    Open {
        request: Box<Request<()>>,
        agreed: Agreed,
        leftover: BytesMut,
    },
    /// The last bytes to send, and the error for the caller.
    Last {
        head: Vec<u8>,
        /// As the program gave it: one content may be sent to many at a time.
        body: Bytes,
        error: AcceptError,
    },
}

impl Decision {
    fn refuse(refusal: Refusal) -> Self {
        Self::Last {
            head: encode_refusal(&refusal),
            body: Bytes::new(),
            error: refusal.into(),
        }
    }

    fn ordinary(response: Response<Bytes>) -> Self {
        let (mut parts, mut body) = response.into_parts();
        parts
            .headers
            .insert(CONNECTION, HeaderValue::from_static("close"));
        if !parts.headers.contains_key(CONTENT_LENGTH) {
            parts
                .headers
                .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let status = parts.status;
        let mut head = encode_response(&Response::from_parts(parts, ()));
        // What is small leaves in one write.
        if body.len() <= PART_SIZE {
            head.extend_from_slice(&mem::take(&mut body));
        }
        Self::Last {
            head,
            body,
            error: AcceptError::Answered(status),
        }
    }
}

fn lost(error: io::Error) -> AcceptError {
    AcceptError::Lost(Arc::new(error))
}
