//! A server with a listener of its own.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use talkback_proto::Keepalive;
use talkback_proto::handshake::{Refusal, encode_refusal};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::ToSocketAddrs;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

use crate::accept::serving::Outcome;
use crate::accept::{Accept, accept};
use crate::connect::transport::Transport;
use crate::error::AcceptError;
use crate::http_io::LastWrite;
use crate::server::backoff::Backoff;
use crate::server::connection::ServerConnection;
use crate::server::connections::Connections;
use crate::server::descriptors::connections_max;
use crate::server::error::ServeError;
use crate::server::health::{Health, KEPT_MAX, Readiness};
use crate::server::http_connection::HttpConnection;
use crate::server::listener::{Listen, Listener};
use crate::server::per_address::AddressPlace;
use crate::server::refused::Refused;
#[cfg(feature = "tls")]
use crate::server::tls::{self, Identity};
use crate::server::trace;
use crate::timer::poll_once;

/// How many handshakes may be in flight by default.
const HANDSHAKES_MAX: usize = 1024;

/// How long a connection that asks for the server's health stays open until its next request has come.
const KEPT_TIMEOUT: Duration = Duration::from_secs(60);

/// So many clients that were turned away may take their time to read why.
const TURNED_AWAY_MAX: usize = 64;

/// How long such a client may take to read why, and to go behind that.
const TURNED_AWAY_TIMEOUT: Duration = Duration::from_secs(2);

/// How each client is accepted.
type Accepting<S> = dyn Fn(Accept<Transport<S>>) -> Accept<Transport<S>> + Send + Sync;

/// Who serves clients that ask for no WebSocket.
type Http<S> =
    dyn Fn(HttpConnection<Transport<S>>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// Who is told of clients that have not become a WebSocket.
type Unopened = dyn Fn(SocketAddr, &AcceptError) + Send + Sync;

/// A server with a listener of its own, which does everything: it accepts, by TLS if it is told who it is, opens
/// WebSockets, hands each to a handler in a task of its own, and says how it is.
///
/// ```
/// use talkback::server::{Connections, Drain, Server};
/// use tokio::signal;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let connections = Connections::new().max(10_000);
/// let stopping = connections.clone();
/// tokio::spawn(async move {
///     told_to_stop().await;
///     tokio::select! {
///         _ = stopping.drain(Drain::default()) => {}
///         () = told_to_stop() => { stopping.drain(Drain::now()).await; }
///     }
/// });
/// let server = Server::bind("0.0.0.0:8080")
///     .await?
///     .accepting(|accept| accept.subprotocols(["echo"]));
/// server
///     .serve(&connections, |mut connection| async move {
///         while let Ok(Some(message)) = connection.recv().await {
///             // What cannot be sent shows at the next `recv`.
///             let _ = connection.feed(message).await;
///         }
///     })
///     .await?;
/// # Ok(())
/// # }
///
/// /// Ctrl-C; SIGTERM, by which Kubernetes, systemd and Docker stop a program; and what Windows has for that.
/// async fn told_to_stop() {
///     #[cfg(unix)]
///     let terminate = signal::unix::signal(signal::unix::SignalKind::terminate());
///     #[cfg(windows)]
///     let terminate = signal::windows::ctrl_shutdown();
///     let mut terminate = terminate.expect("it can be waited for");
///     tokio::select! {
///         _ = signal::ctrl_c() => {}
///         _ = terminate.recv() => {}
///     }
/// }
/// ```
///
/// A client has 10 s for TLS and its opening handshake ([`Accept::timeout`]), and then a keepalive of 20 s
/// ([`Accept::keepalive`]). 1,024 may be at it at a time ([`handshakes_max`](Self::handshakes_max)); who comes then waits
/// to be accepted. For whom the [`Connections`] have no place is answered with 503 or 429.
///
/// `GET /health` is answered with 200 as long as it listens, `GET /ready` with 200, and with 503 from the beginning
/// of a [`drain`](Connections::drain) on; also where there is no place. It listens until [`Drain::lame_duck`] is over, by
/// default until the drain begins: whoever asks then finds nobody, which a load balancer takes for 503. All other requests that ask for no WebSocket are
/// [`Accept::otherwise`]'s, or those of an [HTTP server](Self::http).
///
/// [`Drain::lame_duck`]: super::Drain::lame_duck
pub struct Server {
    listener: Listener,
    #[cfg(feature = "tls")]
    identity: Option<Identity>,
    accepting: Arc<Accepting<tokio::net::TcpStream>>,
    unopened: Arc<Unopened>,
    http: Option<Arc<Http<tokio::net::TcpStream>>>,
    readiness: Option<Arc<Readiness>>,
    handshakes_max: usize,
}

impl Server {
    /// Listens on an address, such as `0.0.0.0:8080`, where port 0 takes a free one; or on all of several that this
    /// machine has, on the same port: `localhost:8080` is that of IPv4 and that of IPv6. Clients wait until it
    /// [`serve`](Self::serve)s.
    ///
    /// # Errors
    /// The operating system's: the address is in use, or not this machine's, or its name not found.
    ///
    /// # Cancel safety
    /// A dropped call listens on nothing.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O enabled.
    pub async fn bind(addresses: impl ToSocketAddrs) -> io::Result<Self> {
        Ok(Self {
            listener: Listener::bind(addresses).await?,
            #[cfg(feature = "tls")]
            identity: None,
            accepting: Arc::new(|accept| accept),
            unopened: Arc::new(trace::not_opened),
            http: None,
            readiness: None,
            handshakes_max: HANDSHAKES_MAX,
        })
    }

    /// The address that it listens on, with the port that it really has; the first of several.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// Sets how clients are accepted: this is called for each, before anything is read, and gives back what it was given,
    /// with its options.
    ///
    /// ```
    /// # fn example(server: talkback::server::Server) {
    /// use talkback::{OriginPolicy, Refusal};
    ///
    /// let server = server.accepting(|accept| {
    ///     accept
    ///         .subprotocols(["chat"])
    ///         .origin_policy(OriginPolicy::Any)
    ///         .check(|request| async move {
    ///             match request.uri().path() {
    ///                 "/chat" => Ok(()),
    ///                 _ => Err(Refusal::not_found()),
    ///             }
    ///         })
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn accepting(
        mut self,
        options: impl Fn(Accept<Transport>) -> Accept<Transport> + Send + Sync + 'static,
    ) -> Self {
        self.accepting = Arc::new(options);
        self
    }

    /// Tells of each client that has not become a WebSocket: its address, and why. That is a client that was refused, one
    /// that was answered by [`Accept::otherwise`], one that has failed by TLS, or was gone. Without it `tracing` is told, if the
    /// program has that feature.
    #[must_use]
    pub fn unopened(
        mut self,
        tell: impl Fn(SocketAddr, &AcceptError) + Send + Sync + 'static,
    ) -> Self {
        self.unopened = Arc::new(tell);
        self
    }

    /// Has clients that ask for no WebSocket served by an HTTP server, such as hyper's, in a task of its own for each: for requests
    /// with content, and answers without an end. The handler is given the connection as if nothing had been read of it; `/health`,
    /// `/ready` and clients without a place have been answered before. [`Accept::otherwise`] is not asked then.
    ///
    /// Once it has the connection, time is the handler's to bound. What follows the first request on the same connection is its own as
    /// well, be it for a WebSocket: it ends the connection behind the first, or has such requests upgraded.
    ///
    /// ```
    /// # fn example(server: talkback::server::Server) {
    /// use std::convert::Infallible;
    ///
    /// use hyper::body::Incoming;
    /// use hyper::server::conn::http1;
    /// use hyper::service::service_fn;
    /// use hyper::{Request, Response};
    /// use hyper_util::rt::TokioIo;
    ///
    /// async fn answer(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    ///     Ok(Response::new(format!("{} it is\n", request.uri().path())))
    /// }
    /// let server = server.http(|connection| async move {
    ///     let serving = http1::Builder::new()
    ///         .keep_alive(false)
    ///         .serve_connection(TokioIo::new(connection), service_fn(answer));
    ///     let _ = serving.await;
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn http<F>(mut self, serve: impl Fn(HttpConnection) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.http = Some(Arc::new(move |connection| Box::pin(serve(connection))));
        self
    }

    /// Sets what `/ready` says while no drain is under way, each time that it is asked: with `Ok` that clients may come, by 200 and
    /// this text; with `Err` that they had better go elsewhere, by 503. It returns at once.
    ///
    /// What all servers of a service share, such as a database, had better make none of them unready: a balancer would have nowhere to
    /// send clients to.
    #[must_use]
    pub fn readiness(
        mut self,
        ask: impl Fn() -> Result<String, String> + Send + Sync + 'static,
    ) -> Self {
        self.readiness = Some(Arc::new(ask));
        self
    }

    /// Speaks TLS, as the one who this is.
    ///
    /// ```
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use talkback::server::{Identity, Server};
    ///
    /// let identity = Identity::from_pem(std::fs::read("chain.pem")?, std::fs::read("key.pem")?)?;
    /// let server = Server::bind("0.0.0.0:8443").await?.tls(identity);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Speaks TLS as this configuration of rustls 0.23 says, in place of [`tls`](Self::tls): its certificates, its
    /// cryptography, clients that have to show one.
    ///
    /// A browser that may ask for HTTP/2, which has another opening handshake, needs `alpn_protocols` of `http/1.1`
    /// alone.
    #[cfg(feature = "rustls-0-23")]
    #[must_use]
    pub fn rustls_0_23(mut self, config: Arc<tokio_rustls::rustls::ServerConfig>) -> Self {
        self.identity = Some(Identity::of(config));
        self
    }

    /// Sets how many clients may be at TLS and the opening handshake at a time; 1,024 by default. The next one waits to
    /// be accepted until one has done, and is not refused.
    ///
    /// It bounds what handshakes cost, and lets who dawdles hold up others: each so many that do not go on hold up those
    /// behind them for the time of an opening handshake, 10 s. Of one address, where
    /// [`max_per_address`](Connections::max_per_address) counts it, no more than that many do. A server that anybody can
    /// reach, behind no proxy that reads requests first, has it as large as its descriptors and its memory are for: then those
    /// that dawdle hold up nobody.
    #[must_use]
    pub fn handshakes_max(mut self, max: usize) -> Self {
        self.handshakes_max = max;
        self
    }

    /// Serves until the connections are [drained](Connections::drain): hands each that opens to the handler, in a task
    /// of its own, as [`Connections::run`] does; one that just returns cuts its client off. While it drains it stops to
    /// listen, once [`Drain::lame_duck`] is over, and it returns when the drain is over.
    ///
    /// While descriptors or memory are short it pauses, for 50 ms to 1 s; a client that was gone before it was accepted
    /// holds up nobody.
    ///
    /// [`Drain::lame_duck`]: super::Drain::lame_duck
    ///
    /// # Errors
    /// At once, if it cannot be served so: a limit that nobody is let in by, or for which this process has not the
    /// descriptors, where the operating system tells that (Linux).
    ///
    /// # Cancel safety
    /// Dropping the future stops to listen; who has been accepted goes on.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time enabled.
    pub async fn serve<H, F>(self, connections: &Connections, handler: H) -> Result<(), ServeError>
    where
        H: Fn(ServerConnection<Transport>) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        check_limits(&self, connections, connections_max())?;
        #[cfg(feature = "tls")]
        let tls = self.identity.map(Identity::acceptor);
        let service = Service {
            accepting: self.accepting,
            unopened: self.unopened,
            http: self.http,
            readiness: self.readiness,
            #[cfg(feature = "tls")]
            tls,
            connections: connections.clone(),
            kept: Arc::new(Semaphore::new(KEPT_MAX)),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
            handler,
        };
        serve(self.listener, self.handshakes_max, Arc::new(service)).await;
        Ok(())
    }
}

fn check_limits(
    server: &Server,
    connections: &Connections,
    room: Option<usize>,
) -> Result<(), ServeError> {
    let (max, per_address_max) = connections.limits();
    for (option, limit) in [
        ("handshakes_max", Some(server.handshakes_max)),
        ("max", max),
        ("max_per_address", per_address_max),
    ] {
        if limit == Some(0) {
            let error = "with 0 nobody is let in: give at least 1, or leave it out".to_owned();
            return Err(ServeError::Limit { option, error });
        }
    }
    if let (Some(max), Some(room)) = (max, room)
        && max > room
    {
        return Err(ServeError::Limit {
            option: "max",
            error: format!(
                "this process has descriptors for {room} connections, and not for {max}: give at most {room}, or raise its limit of open files (`ulimit -n`)"
            ),
        });
    }
    Ok(())
}

/// What all clients of a server are served by.
struct Service<S, H> {
    accepting: Arc<Accepting<S>>,
    unopened: Arc<Unopened>,
    http: Option<Arc<Http<S>>>,
    readiness: Option<Arc<Readiness>>,
    #[cfg(feature = "tls")]
    tls: Option<tokio_rustls::TlsAcceptor>,
    connections: Connections,
    /// For connections that stay open between requests for the server's health.
    kept: Arc<Semaphore>,
    /// For those who are given the time to read why they are turned away.
    turned_away: Arc<Semaphore>,
    handler: H,
}

/// What a client is served as.
enum Opened<S> {
    WebSocket(ServerConnection<Transport<S>>),
    Http(HttpConnection<Transport<S>>),
}

/// A client that was accepted, and has said nothing yet.
struct Client<S> {
    stream: S,
    peer: SocketAddr,
    /// Among those of its address, if they are limited, and that is known by now.
    place: Option<AddressPlace>,
}

/// Serves until the connections are drained.
async fn serve<L, H, F>(listener: L, handshakes_max: usize, service: Arc<Service<L::Stream, H>>)
where
    L: Listen,
    H: Fn(ServerConnection<Transport<L::Stream>>) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let connections = service.connections.clone();
    {
        let mut closing = pin!(connections.closing());
        let mut accepting = pin!(accept_all(listener, handshakes_max, service));
        poll_fn(|cx| match closing.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => accepting.as_mut().poll(cx),
        })
        .await;
    }
    connections.drained().await;
}

/// Accepts as long as it is polled.
async fn accept_all<L, H, F>(
    mut listener: L,
    handshakes_max: usize,
    service: Arc<Service<L::Stream, H>>,
) where
    L: Listen,
    H: Fn(ServerConnection<Transport<L::Stream>>) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let handshakes = Arc::new(Semaphore::new(handshakes_max.min(Semaphore::MAX_PERMITS)));
    let mut backoff = Backoff::default();
    loop {
        let permit = Arc::clone(&handshakes).acquire_owned().await;
        let permit = permit.expect("it is never closed");
        match poll_fn(|cx| listener.poll_accept(cx)).await {
            Ok((stream, peer)) => {
                backoff.reset();
                match service.connections.arrive(peer) {
                    Ok(place) => {
                        let client = Client {
                            stream,
                            peer,
                            place,
                        };
                        tokio::spawn(Arc::clone(&service).serve(client, permit));
                    }
                    Err(refused) => service.turn_away(stream, peer, refused),
                }
            }
            Err(error) => {
                let pause = backoff.after(&error);
                trace::not_accepted(&error, pause);
                if !pause.is_zero() {
                    sleep(pause).await;
                }
            }
        }
    }
}

impl<S, H, F> Service<S, H>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    H: Fn(ServerConnection<Transport<S>>) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    /// Serves a client until its WebSocket is open, which then has a task of its own, or will never be.
    async fn serve(self: Arc<Self>, client: Client<S>, permit: OwnedSemaphorePermit) {
        let peer = client.peer;
        match self.open(client, permit).await {
            Ok(Opened::WebSocket(connection)) => {
                let service = Arc::clone(&self);
                self.connections
                    .run(connection, move |connection| (service.handler)(connection));
            }
            Ok(Opened::Http(connection)) => {
                if let Some(http) = &self.http {
                    let node = Arc::clone(connection.node());
                    let task = node.life().spawn(http(connection));
                    node.orders().set_task(task.abort_handle());
                }
            }
            Err(error) => (self.unopened)(peer, &error),
        }
    }

    /// Refuses a client at once, without its request, which it may never send: it is no handshake. Few are given the time
    /// to read why; the others have what their transport takes at once.
    fn turn_away(&self, mut stream: S, peer: SocketAddr, refused: Refused) {
        let refusal = Refusal::from(refused);
        let head = encode_refusal(&refusal);
        (self.unopened)(peer, &refusal.into());
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return;
        }
        let mut write = LastWrite::new(head, Bytes::new(), TURNED_AWAY_TIMEOUT);
        match Arc::clone(&self.turned_away).try_acquire_owned() {
            Ok(permit) => drop(tokio::spawn(async move {
                let _ = poll_fn(|cx| write.poll(&mut stream, cx)).await;
                drop(permit);
            })),
            Err(_) => _ = poll_once(|cx| write.poll(&mut stream, cx)),
        }
    }

    /// A client's WebSocket, or its HTTP if somebody serves that.
    async fn open(
        &self,
        client: Client<S>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Opened<S>, AcceptError> {
        let accept = accept(Transport::plain(client.stream))
            .peer(client.peer)
            .arrived(client.place)
            .keepalive(Keepalive::default());
        let secured = self.secured((self.accepting)(accept)).await;
        let accept = secured.inspect_err(|error| {
            match error {
                AcceptError::Timeout(_) => self.connections.timed_out(),
                // It is TLS that has failed; who just goes is counted nowhere, as without TLS.
                AcceptError::Lost(error) if error.kind() == io::ErrorKind::InvalidData => {
                    self.connections.failed();
                }
                _ => {}
            }
        })?;
        let readiness = self.readiness.clone();
        let health = Health::new(self.connections.clone(), readiness, Arc::clone(&self.kept));
        let mut serving = accept.serving(&self.connections, health);
        if self.http.is_some() {
            serving = serving.handing_over();
        }
        let mut permit = Some(permit);
        loop {
            let outcome = match serving.next().await {
                // It was told all that it asked for.
                Err(AcceptError::Lost(_) | AcceptError::Timeout(_)) if permit.is_none() => {
                    return Err(AcceptError::Answered(StatusCode::OK));
                }
                outcome => outcome?,
            };
            match outcome {
                Outcome::Open(socket) => {
                    return Ok(Opened::WebSocket(ServerConnection::of(socket)));
                }
                Outcome::HandedOver(client) => {
                    return Ok(Opened::Http(HttpConnection::of(client)));
                }
                Outcome::Told(told) => {
                    // It is one of those that stay open, and no handshake any more.
                    drop(permit.take());
                    serving = told.within(KEPT_TIMEOUT);
                }
            }
        }
    }

    /// Speaks TLS, if the server has said who it is.
    async fn secured(
        &self,
        accept: Accept<Transport<S>>,
    ) -> Result<Accept<Transport<S>>, AcceptError> {
        #[cfg(feature = "tls")]
        if let Some(acceptor) = &self.tls {
            return accept.secured(|stream| tls::accept(acceptor, stream)).await;
        }
        Ok(accept)
    }
}

/// Shows nothing of who it is.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local_addr())
            .field("handshakes_max", &self.handshakes_max)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests;
