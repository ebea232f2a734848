//! The server's way to an open connection.

pub(crate) mod accepting;
mod answer;
pub(crate) mod approval;
mod host;
mod options;
#[cfg(all(feature = "server", feature = "tls"))]
mod secured;
#[cfg(feature = "server")]
pub(crate) mod serving;
#[cfg(feature = "upgrade")]
pub(crate) mod upgrade;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use talkback_proto::handshake::{DeflatePolicy, HeadLimits, OriginPolicy, Refusal};
use talkback_proto::{Keepalive, Limits};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::accept::accepting::{Accepting, Opening};
use crate::accept::approval::Approval;
use crate::accept::options::Options;
use crate::error::AcceptError;
#[cfg(feature = "server")]
use crate::server::connection::ServerConnection;
#[cfg(feature = "server")]
use crate::server::connections::Connections;
use crate::websocket::WebSocket;

/// The default timeout of the opening handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

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
#[doc(alias = "accept_async")]
pub fn accept<T>(stream: T) -> Accept<T> {
    let options = Options {
        peer: None,
        subprotocols: Arc::default(),
        origin_policy: OriginPolicy::default(),
        compression: Some(DeflatePolicy::default()),
        check: None,
        otherwise: None,
        limits: Limits::default(),
        keepalive: None,
        head_limits: HeadLimits::default(),
        timeout: HANDSHAKE_TIMEOUT,
        #[cfg(feature = "server")]
        connections: None,
        #[cfg(feature = "server")]
        arrived: None,
        #[cfg(feature = "server")]
        place: None,
        #[cfg(feature = "server")]
        health: None,
        #[cfg(feature = "server")]
        hands_over: false,
    };
    Accept(Box::new(Opening::new(stream, options)))
}

/// A connection to be accepted; await it.
///
/// To be awaited it needs a tokio runtime with time enabled, and panics without one. Dropping the future
/// closes the stream.
#[must_use = "nothing is accepted until this is awaited"]
pub struct Accept<T>(Box<Opening<T>>);

impl<T> Accept<T> {
    /// Notes the client's address, for [`WebSocket::peer`].
    pub fn peer(mut self, address: SocketAddr) -> Self {
        self.0.options.peer = Some(address);
        self
    }

    /// The client's address, if it was noted: a [`Server`](crate::server::Server) has done so.
    #[cfg(feature = "server")]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.options.peer
    }

    /// Sets the subprotocols that this server speaks. The first one of the client's that is among
    /// them is chosen; if there is none, the connection opens without (RFC 6455 §4.2.2).
    pub fn subprotocols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.0.options.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets which web pages may connect; those of the same origin by default (RFC 6455 §10.2).
    pub fn origin_policy(mut self, policy: OriginPolicy) -> Self {
        self.0.options.origin_policy = policy;
        self
    }

    /// Sets how compression is agreed on (RFC 7692), or with `None` declines it. By default an offer
    /// is accepted so that neither end keeps a context between messages. How this end compresses is
    /// [`DeflatePolicy::tuning`].
    pub fn compression(mut self, policy: impl Into<Option<DeflatePolicy>>) -> Self {
        self.0.options.compression = policy.into();
        self
    }

    /// Looks at a request for a WebSocket before it is accepted, by its path or credentials, and may
    /// wait for others to do so: a database, or the server that a relay connects to.
    ///
    /// It answers with nothing, `Ok(())`, or with an [`Approval`], which chooses the subprotocol and adds
    /// headers to the 101; or with a [`Refusal`], which the client is answered with. The time that it takes
    /// counts into the [`timeout`](Self::timeout), and then it is dropped. It is asked once, so that it may
    /// move what it holds: a handle of the database, say.
    ///
    /// ```no_run
    /// # async fn user_of(token: Option<&http::HeaderValue>) -> Option<String> { None }
    /// # async fn example(stream: tokio::net::TcpStream) -> Result<(), talkback::AcceptError> {
    /// use http::StatusCode;
    /// use talkback::{Approval, Refusal};
    ///
    /// let accepting = talkback::accept(stream).check(|request| async move {
    ///     match user_of(request.headers().get("authorization")).await {
    ///         Some(_) => Ok(Approval::default().subprotocol("chat")),
    ///         None => Err(Refusal::new(StatusCode::UNAUTHORIZED, "send a token")),
    ///     }
    /// });
    /// let mut socket = accepting.await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "accept_hdr_async")]
    pub fn check<F, A>(mut self, check: impl FnOnce(Arc<Request<()>>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<A, Refusal>> + Send + 'static,
        A: Into<Approval> + 'static,
    {
        self.0.options.check = Some(Box::new(move |request| {
            let approving = check(request);
            Box::pin(async move { approving.await.map(Into::into) })
        }));
        self
    }

    /// Answers ordinary requests of HTTP, those without an `Upgrade` header: a page, a health
    /// check. Without it they are refused with 426.
    ///
    /// Each 64 KiB of the answer may take as long as [`timeout`](Self::timeout) says.
    pub fn otherwise(
        mut self,
        answer: impl FnOnce(&Request<()>) -> Response<Bytes> + Send + 'static,
    ) -> Self {
        self.0.options.otherwise = Some(Box::new(answer));
        self
    }

    /// Sets the bounds of the connection.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.options.limits = limits;
        self
    }

    /// Sets the keepalive: a [`Keepalive`], a [`Duration`] for both of its times, or
    /// [`Keepalive::OFF`]. By default a socket has none, as it can only act while it is polled; once it is
    /// a [`WebSocketChannel`](crate::WebSocketChannel), it has [`Keepalive::default`] (20 s, 20 s).
    pub fn keepalive(mut self, keepalive: impl Into<Keepalive>) -> Self {
        self.0.options.keepalive = Some(keepalive.into());
        self
    }

    /// Sets the bounds of the request's head; 16 KiB and 100 headers by default.
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.0.set_head_limits(limits);
        self
    }

    /// Sets how long the whole opening handshake may take; 10 s by default. A client that is refused
    /// has 2 s more to read why, and 2 s to end the connection.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.options.timeout = timeout;
        self
    }
}

#[cfg(feature = "server")]
impl<T: AsyncRead + AsyncWrite + Unpin> Accept<T> {
    /// Accepts the connection if these have a place for it, and gives it that place.
    ///
    /// The place is taken once the request is found right, before [`check`](Self::check) is asked: a client for whom
    /// there is none is answered with 503 or 429, and `Retry-After`. It comes last, behind the options, of which
    /// [`peer`](Self::peer) is the address that limits go by.
    ///
    /// ```no_run
    /// # async fn example(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    /// use talkback::server::Connections;
    ///
    /// let connections = Connections::new().max(10_000);
    /// loop {
    ///     let (stream, peer) = listener.accept().await?;
    ///     let connections = connections.clone();
    ///     tokio::spawn(async move {
    ///         let accepting = talkback::accept(stream).peer(peer).admit(&connections);
    ///         let Ok(mut connection) = accepting.await else {
    ///             return;
    ///         };
    ///         while let Ok(Some(message)) = connection.recv().await {
    ///             // What cannot be sent is told by `recv`.
    ///             let _ = connection.feed(message).await;
    ///         }
    ///     });
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`AcceptError`]; of a client that was not let in, [`AcceptError::Refused`].
    ///
    /// # Cancel safety
    /// Dropping the future closes the stream, and gives the place back.
    ///
    /// # Panics
    /// As [`Accepting`](crate::Accepting).
    pub fn admit(
        mut self,
        connections: &Connections,
    ) -> impl Future<Output = Result<ServerConnection<T>, AcceptError>> + use<T>
    where
        T: Send + 'static,
    {
        self.0.options.connections = Some(connections.clone());
        let accepting = self.into_future();
        async move { Ok(ServerConnection::of(accepting.await?)) }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> IntoFuture for Accept<T> {
    type Output = Result<WebSocket<T>, AcceptError>;
    type IntoFuture = Accepting<T>;

    fn into_future(self) -> Accepting<T> {
        Accepting::new(self.0)
    }
}

/// Shows how many subprotocols there are: one may be a token.
impl<T> fmt::Debug for Accept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("subprotocols", &self.0.options.subprotocols.len())
            .field("origin_policy", &self.0.options.origin_policy)
            .field("limits", &self.0.options.limits)
            .field("timeout", &self.0.options.timeout)
            .finish_non_exhaustive()
    }
}
