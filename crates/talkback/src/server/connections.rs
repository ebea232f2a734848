//! All connections of a server.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http::HeaderMap;
use talkback_proto::{CloseCode, CloseFrame, CloseFrameError};

use crate::channel::sync::Arc;
use crate::server::address::ClientAddress;
use crate::server::admission::Admission;
use crate::server::connection::ServerConnection;
use crate::server::drain::{Drain, DrainReport};
use crate::server::draining;
use crate::server::handle::ConnectionHandle;
use crate::server::metrics::Attempt;
use crate::server::network::Network;
use crate::server::per_address::AddressPlace;
use crate::server::place::Place;
use crate::server::refused::Refused;
use crate::server::registry::{Phase, Registry};

/// The connections of a server: who is there, how many there may be, and how they are let go.
///
/// It is a handle: clones are of the same connections, and cost little. A connection comes to it in one of three ways:
///
/// - over a stream, by [`Accept::admit`](crate::Accept::admit);
/// - from a request of hyper or axum, by `Upgrade::serve`;
/// - by hand: [`admit`](Self::admit), then any opening handshake, then [`Place::open`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use talkback::server::{Connections, Drain};
///
/// let connections = Connections::new().max(10_000);
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = format!("ws://{}/", listener.local_addr()?);
/// # let client = tokio::spawn(async move { talkback::connect(url).await });
/// let (stream, peer) = listener.accept().await?;
/// let connection = talkback::accept(stream).peer(peer).admit(&connections).await?;
/// connections.run(connection, |mut connection| async move {
///     while let Ok(Some(message)) = connection.recv().await {
///         // What cannot be sent is told by `recv`.
///         let _ = connection.feed(message).await;
///     }
/// });
/// assert_eq!(connections.len(), 1);
/// # let mut client = client.await??;
/// # tokio::spawn(async move { client.recv().await });
/// let report = connections.drain(Drain::default()).await;
/// assert_eq!((report.closed, report.cut), (1, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Connections {
    registry: Arc<Registry>,
    admission: Arc<Admission>,
}

impl Connections {
    /// Connections of which there are none yet, without limits.
    #[must_use]
    pub fn new() -> Self {
        Self {
            registry: Registry::new(),
            admission: Arc::default(),
        }
    }

    /// Sets how many connections there may be at a time, those included whose opening handshake is under way; any
    /// number by default, and nobody with 0. It holds for all clones, from now on: nobody who is there is sent away.
    /// So it is changed while a server runs: `_ = connections.clone().max(5_000)`.
    #[must_use]
    pub fn max(self, max: usize) -> Self {
        self.registry.set_max(max);
        self
    }

    /// Sets how many connections each address may have at a time; any number by default, and none with 0.
    ///
    /// An address of IPv6 is its /64, which is what a customer has. Behind a proxy all clients have the proxy's:
    /// list it as one of the [`trusted_proxies`](Self::trusted_proxies). As long as none are listed, peers of this
    /// machine and of private networks count against nothing, as they are most likely proxies.
    ///
    /// A [`Server`](super::Server) counts a client from when it has accepted it, unless its peer counts against nothing or is
    /// a trusted proxy, so that those that say nothing keep nobody else out. One too many is answered with 429 at once, before
    /// its request, whatever that is, or with TLS finds the end of the connection.
    #[must_use]
    pub fn max_per_address(self, max: usize) -> Self {
        self.admission.set_max(max);
        self
    }

    /// Sets which proxies are believed what `X-Forwarded-For`, else `Forwarded` (RFC 7239), says of a client's address:
    /// the last one that is not a trusted proxy's is the client's. None by default. Each is parsed from its text.
    ///
    /// ```
    /// # fn main() -> Result<(), talkback::server::NetworkError> {
    /// use talkback::server::Connections;
    ///
    /// let connections = Connections::new()
    ///     .max_per_address(64)
    ///     .trusted_proxies(["10.0.0.0/8".parse()?, "fd00::/8".parse()?]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn trusted_proxies(self, proxies: impl IntoIterator<Item = Network>) -> Self {
        self.admission.set_trusted(proxies.into_iter().collect());
        self
    }

    /// Takes a place for a client, before its opening handshake; with the client's address if there is one, which is
    /// taken as it is, as no request was read.
    ///
    /// # Errors
    /// There is no place for it, or the server stops. [`Refused::response`] is what to answer.
    pub fn admit(&self, peer: impl Into<Option<SocketAddr>>) -> Result<Place, Refused> {
        let peer = peer.into();
        self.take(peer, self.admission.client(peer, &HeaderMap::new()), None)
    }

    /// Counts a client against its address from now on, before its request is read, where its peer is no proxy.
    pub(crate) fn arrive(&self, peer: SocketAddr) -> Result<Option<AddressPlace>, Refused> {
        let arrived = self.admission.arrive(peer);
        arrived.inspect_err(|why| self.registry.meters().refused(why))
    }

    /// As [`admit`](Self::admit), for a client whose request was read; with its place among those of its address, if it
    /// has that from when it arrived.
    pub(crate) fn admit_request(
        &self,
        peer: Option<SocketAddr>,
        headers: &HeaderMap,
        arrived: Option<AddressPlace>,
    ) -> Result<Place, Refused> {
        let client = self.admission.client(peer, headers);
        if let Some(why) = client.as_ref().and_then(|client| client.unknown) {
            self.registry.meters().client_unknown(why);
        }
        self.take(peer, client, arrived)
    }

    fn take(
        &self,
        peer: Option<SocketAddr>,
        client: Option<ClientAddress>,
        arrived: Option<AddressPlace>,
    ) -> Result<Place, Refused> {
        let meters = self.registry.meters();
        let taken = self.registry.take();
        let taken = taken.inspect_err(|why| meters.refused(why))?;
        let address = self.admission.take(client.as_ref(), arrived);
        let address = address.inspect_err(|why| meters.refused(why))?;
        let ip = client.map(|client| client.ip);
        let attempt = Attempt::begin(meters);
        Ok(Place::new(taken, peer, ip, address, attempt))
    }

    /// Counts a client whose opening handshake took too long, before it had a place.
    pub(crate) fn timed_out(&self) {
        self.registry.meters().timed_out();
    }

    /// Counts a client whose request is refused for what it is, before it has a place.
    pub(crate) fn failed(&self) {
        self.registry.meters().failed();
    }

    /// How many there may be in all, and of each address, where that is limited.
    pub(crate) fn limits(&self) -> (Option<usize>, Option<usize>) {
        (self.registry.max(), self.admission.max())
    }

    /// How many places are taken: by open connections, and by those whose opening handshake is under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.registry.len()
    }

    /// Whether no place is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Visits all connections that are open now, in no order.
    ///
    /// They are noted first, so that the closure may do anything, such as dropping a connection: one that has ended
    /// meanwhile is visited all the same. Nothing can be sent over what it visits: who sends to many keeps a
    /// [`Sender`](crate::Sender) of each, by its [`id`](ServerConnection::id).
    pub fn each(&self, mut visit: impl FnMut(&ConnectionHandle)) {
        for node in self.registry.nodes() {
            visit(&ConnectionHandle::new(node));
        }
    }

    /// Has all connections closed that the closure chooses, as [`ConnectionHandle::close`] does; how many were told,
    /// which those are not that were told before.
    ///
    /// ```
    /// # fn example(connections: &talkback::server::Connections, guest: u64) -> Result<(), talkback::CloseFrameError> {
    /// connections.close_where(|it| it.id() == guest, 4001, "you were asked to leave")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A code that may not be sent, or a reason that is longer than 123 bytes of UTF-8 or has a CR, LF or NUL; the
    /// closure is not asked then.
    pub fn close_where(
        &self,
        mut choose: impl FnMut(&ConnectionHandle) -> bool,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<usize, CloseFrameError> {
        let frame = Arc::new(CloseFrame::new(code, reason)?);
        let mut closed = 0;
        for node in self.registry.nodes() {
            let orders = Arc::clone(&node);
            if choose(&ConnectionHandle::new(node)) {
                closed += usize::from(orders.orders().close(&frame));
            }
        }
        Ok(closed)
    }

    /// Runs a connection's handler in a task of its own, which a [`drain`](Self::drain) drops at its deadline. A panic
    /// ends that connection alone, with 1011. One that just returns cuts its client off (1006): it ends with
    /// [`close().await`](ServerConnection::close), unless `recv` has told it of the end, or the connection was to close.
    ///
    /// A handler that is run otherwise, by `tokio::spawn` or in place, is not dropped: its connection is cut when it
    /// next waits for the socket.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[track_caller]
    pub fn run<T, F>(
        &self,
        connection: ServerConnection<T>,
        handler: impl FnOnce(ServerConnection<T>) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let node = Arc::clone(connection.node());
        let task = node.life().spawn(handler(connection));
        node.orders().set_task(task.abort_handle());
    }

    /// Lets go of all connections, for a server that stops: closes them evenly over a time, and cuts what is left at
    /// a deadline.
    ///
    /// [`is_draining`](Self::is_draining) is true at once. After [`Drain::lame_duck`] nobody is let in any more, and the
    /// connections are closed over [`Drain::spread`] in random order; those whose opening handshake was under way
    /// follow. Each runs its closing handshake as ever, with its close timeout, and receives what its client sends until
    /// that has closed, too: [what it was told is written](ServerConnection#what-comes-behind-the-close-frame) comes to the
    /// handler. It returns once all places are given back, or at [`Drain::deadline`], when the rest is cut: they have their close frame as far as their transport takes it
    /// at once, and their transports are dropped, and the handlers of [`run`](Self::run).
    ///
    /// A handler that awaits it waits for the end of itself, until the deadline: it has it awaited in another task, by
    /// `tokio::spawn`.
    ///
    /// A second call waits for the same end, and takes the earlier of each of both times:
    /// [`Drain::now`] cuts at once. Code and reason are the first one's. Of connections that were let go of, a call
    /// returns the report at once.
    ///
    /// # Cancel safety
    /// It begins at the first poll. A dropped call lets the drain go on in a task of its own; another call waits for
    /// it.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time enabled.
    pub async fn drain(&self, drain: Drain) -> DrainReport {
        draining::drain(&self.registry, drain).await
    }

    /// Whether a [`drain`](Self::drain) has begun: what a load balancer is to be told of readiness.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.registry.phase() > Phase::Serving
    }

    /// Whether nobody is let in any more.
    pub(crate) fn is_closing(&self) -> bool {
        self.registry.phase() >= Phase::Closing
    }

    /// Waits until nobody is let in any more.
    pub(crate) async fn closing(&self) {
        self.registry.reached(Phase::Closing).await;
    }

    /// Waits until a drain is over.
    pub(crate) async fn drained(&self) {
        self.registry.reached(Phase::Over).await;
    }

    /// Closes so many connections, chosen at random, evenly over a time, with 1012: after a deploy of others, so that
    /// their clients find those. New ones are let in as before. Up to 16 are closed at once.
    ///
    /// It returns how many were told, once the last was; they close as by [`drain`](Self::drain).
    ///
    /// # Cancel safety
    /// A dropped call leaves alone those whose turn had not come.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time enabled.
    pub async fn rebalance(&self, count: usize, over: Duration) -> usize {
        let frame = CloseFrame::new(CloseCode::SERVICE_RESTART, "connect again");
        let frame = frame.expect("it may be sent");
        draining::rebalance(&self.registry, count, over, frame).await
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("len", &self.len())
            .field("is_draining", &self.is_draining())
            .finish_non_exhaustive()
    }
}
