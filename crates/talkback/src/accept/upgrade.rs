//! The server's way to an open connection where an HTTP server has read the request: hyper 1 and
//! what is built on it.

pub(crate) mod body;
pub(crate) mod upgraded;

use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, HeaderValue, PROXY_AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE,
};
use http::{Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use talkback_proto::handshake::{DeflatePolicy, OriginPolicy, Refusal, ServerHandshake};
use talkback_proto::{Keepalive, Limits, Role};

use crate::accept::answer::{Agreed, answer};
use crate::accept::approval::Approval;
use crate::error::AcceptError;
#[cfg(feature = "server")]
use crate::server::connection::ServerConnection;
#[cfg(feature = "server")]
use crate::server::connections::Connections;
#[cfg(feature = "server")]
use crate::server::place::Place;
use crate::websocket::WebSocket;

use self::body::{Sent, UpgradeBody};
use self::upgraded::Upgraded;

/// Accepts a WebSocket on a request that an HTTP server has read (RFC 6455 §4.2).
///
/// `request` is that of hyper 1 or of a framework on it, such as `axum::extract::Request`; its body
/// is left alone. The result is a builder: [`answer`](Upgrade::answer) gives the response to return
/// and the future of the [`WebSocket`]. By default it allows pages of the same origin only and
/// speaks no subprotocol. Whom else the server does not want, as for a token, its handler refuses with a
/// response of its own, in place of calling this.
///
/// The server must let connections be upgraded: axum's does, hyper's does `with_upgrades`. How
/// long a client may take over its request is the server's to bound.
///
/// ```
/// # use axum::{Router, extract::Request, routing::get};
/// async fn open(mut request: Request) -> http::Response<talkback::UpgradeBody> {
///     let (response, upgrading) = talkback::upgrade(&mut request)
///         .subprotocols(["chat"])
///         .answer();
///     tokio::spawn(async move {
///         let mut socket = upgrading.await?;
///         while let Some(message) = socket.recv().await? {
///             socket.feed(message).await?;
///         }
///         Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
///     });
///     response
/// }
/// # let router: Router = Router::new().route("/", get(open));
/// ```
pub fn upgrade<B>(request: &mut Request<B>) -> Upgrade {
    let handshake = ServerHandshake::read(request);
    let on_upgrade = request.extensions_mut().remove();
    Upgrade {
        handshake,
        on_upgrade,
        request: head(request),
        peer: None,
        subprotocols: Arc::default(),
        origin_policy: OriginPolicy::default(),
        compression: Some(DeflatePolicy::default()),
        limits: Limits::default(),
        keepalive: None,
        #[cfg(feature = "server")]
        connections: None,
    }
}

/// The request without its body.
fn head<B>(request: &Request<B>) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.version_mut() = request.version();
    *head.headers_mut() = request.headers().clone();
    for (name, value) in head.headers_mut() {
        // As `accept` marks them: they are not shown where the head is printed.
        if [
            AUTHORIZATION,
            PROXY_AUTHORIZATION,
            COOKIE,
            SEC_WEBSOCKET_PROTOCOL,
        ]
        .contains(name)
        {
            value.set_sensitive(true);
        }
    }
    *head.extensions_mut() = request.extensions().clone();
    head
}

/// A request for a WebSocket that waits for its [`answer`](Upgrade::answer).
#[must_use = "the client waits for the response that `answer` gives"]
pub struct Upgrade {
    handshake: Result<ServerHandshake, Refusal>,
    on_upgrade: Option<OnUpgrade>,
    request: Request<()>,
    peer: Option<SocketAddr>,
    subprotocols: Arc<[String]>,
    origin_policy: OriginPolicy,
    compression: Option<DeflatePolicy>,
    limits: Limits,
    keepalive: Option<Keepalive>,
    /// For a place among these.
    #[cfg(feature = "server")]
    connections: Option<Connections>,
}

impl Upgrade {
    /// Notes the client's address, for [`WebSocket::peer`]; not needed where the HTTP server serves a
    /// plain TCP connection, whose address is known.
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

    /// Sets the bounds of the connection.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the keepalive: a [`Keepalive`], a [`Duration`](std::time::Duration) for both of its times, or
    /// [`Keepalive::OFF`]. By default a socket has none, as it can only act while it is polled; once it is
    /// a [`WebSocketChannel`](crate::WebSocketChannel), it has [`Keepalive::default`] (20 s, 20 s).
    pub fn keepalive(mut self, keepalive: impl Into<Keepalive>) -> Self {
        self.keepalive = Some(keepalive.into());
        self
    }

    /// Gives the response to return, and the future of the [`WebSocket`].
    ///
    /// The response is the 101, or the [`Refusal`] with its reason as the body; return it as it
    /// is. The future is ready once the server has written it: await it in a task of its own, never
    /// before the response is returned.
    #[must_use = "the client waits for the response"]
    pub fn answer(self) -> (Response<UpgradeBody>, Upgrading) {
        let (response, outcome) = match self.decide() {
            Ok((response, opening)) => (response, Ok(Box::new(opening))),
            Err(refusal) => (refuse(&refusal).map(UpgradeBody::new), Err(refusal)),
        };
        (response, Upgrading { outcome })
    }

    /// Gives the response to return, and runs the handler in a task of its own once the connection is open, if these
    /// have a place for it; else the response is 503 or 429 with `Retry-After`.
    ///
    /// It comes last, behind the options, of which [`peer`](Self::peer) is the address that limits go by: here the
    /// address of a TCP connection is not known in time. The handler is run as [`Connections::run`] does.
    ///
    /// ```
    /// use axum::Router;
    /// use axum::extract::{ConnectInfo, Request, State};
    /// use axum::routing::get;
    /// use std::net::SocketAddr;
    /// use talkback::UpgradeBody;
    /// use talkback::server::Connections;
    ///
    /// async fn open(
    ///     State(connections): State<Connections>,
    ///     ConnectInfo(peer): ConnectInfo<SocketAddr>,
    ///     mut request: Request,
    /// ) -> http::Response<UpgradeBody> {
    ///     let upgrade = talkback::upgrade(&mut request).peer(peer);
    ///     upgrade.serve(&connections, |mut connection| async move {
    ///         while let Ok(Some(message)) = connection.recv().await {
    ///             // What cannot be sent is told by `recv`.
    ///             let _ = connection.feed(message).await;
    ///         }
    ///     })
    /// }
    /// let router = Router::new().route("/", get(open)).with_state(Connections::new());
    /// # let router: Router = router;
    /// ```
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[cfg(feature = "server")]
    #[must_use = "the client waits for the response"]
    #[track_caller]
    pub fn serve<F>(
        mut self,
        connections: &Connections,
        handler: impl FnOnce(ServerConnection<Upgraded>) -> F + Send + 'static,
    ) -> Response<UpgradeBody>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.connections = Some(connections.clone());
        let (response, upgrading) = self.answer();
        if upgrading.outcome.is_ok() {
            let connections = connections.clone();
            tokio::spawn(async move {
                // One that is not handed over has nobody to be told.
                if let Ok(socket) = upgrading.await {
                    connections.run(ServerConnection::of(socket), handler);
                }
            });
        }
        response
    }

    fn decide(self) -> Result<(Response<UpgradeBody>, Opening), Refusal> {
        let asked = self.handshake.and_then(|handshake| {
            self.origin_policy.check(&handshake)?;
            Ok((handshake, self.on_upgrade.ok_or_else(not_upgradable)?))
        });
        #[cfg(feature = "server")]
        if let (Err(_), Some(connections)) = (&asked, &self.connections) {
            connections.failed();
        }
        let (handshake, on_upgrade) = asked?;
        #[cfg(feature = "server")]
        let place = match &self.connections {
            Some(connections) => {
                let headers = self.request.headers();
                Some(connections.admit_request(self.peer, headers, None)?)
            }
            None => None,
        };
        let (subprotocols, compression) = (&self.subprotocols, self.compression);
        let (response, agreed) =
            answer(&handshake, subprotocols, compression, Approval::default())?;
        let body = UpgradeBody::new(String::new());
        let opening = Opening {
            on_upgrade,
            sent: body.sent(),
            agreed,
            request: self.request,
            peer: self.peer,
            limits: self.limits,
            keepalive: self.keepalive,
            #[cfg(feature = "server")]
            place,
        };
        Ok((response.map(|()| body), opening))
    }
}

/// Shows no header and no subprotocol: they may be secrets.
impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade")
            .field("subprotocols", &self.subprotocols.len())
            .field("origin_policy", &self.origin_policy)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The server has no way to hand over the connection: the fault is not the client's.
fn not_upgradable() -> Refusal {
    Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "this HTTP server does not hand over its connections: serve them with hyper 1, and call `upgrade` once for a request",
    )
}

fn refuse(refusal: &Refusal) -> Response<String> {
    let mut response = refusal.response();
    let headers = response.headers_mut();
    // What the client sent behind its request is neither frames nor another request.
    let options = if headers.contains_key(UPGRADE) {
        "Upgrade, close"
    } else {
        "close"
    };
    headers.insert(CONNECTION, HeaderValue::from_static(options));
    response
}

/// The future of a [`WebSocket`] whose 101 the HTTP server is about to write.
///
/// # Errors
/// [`AcceptError::Refused`] at once if the request was refused; the response tells the client.
/// [`AcceptError::Lost`] if the client went away before the 101 was written, another response was sent
/// in its place, or the server does not hand over its connections.
///
/// # Cancel safety
/// A dropped call of `await` on a reference loses nothing. Dropping the future itself closes the
/// connection as soon as the 101 is written.
#[must_use = "the connection closes if this is dropped"]
pub struct Upgrading {
    outcome: Result<Box<Opening>, Refusal>,
}

struct Opening {
    on_upgrade: OnUpgrade,
    /// Whether the 101 was.
    sent: Sent,
    agreed: Agreed,
    request: Request<()>,
    peer: Option<SocketAddr>,
    limits: Limits,
    keepalive: Option<Keepalive>,
    #[cfg(feature = "server")]
    place: Option<Place>,
}

impl Future for Upgrading {
    type Output = Result<WebSocket<Upgraded>, AcceptError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let opening = match &mut self.outcome {
            Ok(opening) => opening,
            Err(refusal) => return Poll::Ready(Err(refusal.clone().into())),
        };
        let upgraded = ready!(Pin::new(&mut opening.on_upgrade).poll(cx)).map_err(lost)?;
        if !opening.sent.get() {
            return Poll::Ready(Err(not_sent()));
        }
        let (io, leftover) = Upgraded::new(upgraded);
        let peer = opening.peer.or_else(|| io.tcp_stream()?.peer_addr().ok());
        let socket = WebSocket::from_upgraded(io, Role::Server)
            .with_leftover(leftover)
            .with_limits(mem::take(&mut opening.limits))
            .with_request(mem::take(&mut opening.request))
            .with_peer(peer);
        let mut socket = opening.agreed.apply(socket);
        if let Some(keepalive) = opening.keepalive {
            socket.set_keepalive(keepalive);
        }
        #[cfg(feature = "server")]
        if let Some(place) = opening.place.take() {
            return Poll::Ready(Ok(place.give(socket)));
        }
        Poll::Ready(Ok(socket))
    }
}

impl fmt::Debug for Upgrading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrading")
            .field("refusal", &self.outcome.as_ref().err())
            .finish_non_exhaustive()
    }
}

/// The connection ends with what the server sent in place of the 101.
fn not_sent() -> AcceptError {
    let what = "another response was sent than the one of `answer`, or a layer wraps its body and does not pass `is_end_stream` on: return that response as it is";
    AcceptError::Lost(Arc::new(io::Error::other(what)))
}

fn lost(error: hyper::Error) -> AcceptError {
    let what = if error.is_canceled() {
        "the client went away, or the response of `answer` was not returned: return it"
    } else {
        "the HTTP server does not hand it over: serve it `with_upgrades`"
    };
    AcceptError::Lost(Arc::new(io::Error::other(format!("{what} ({error})"))))
}
