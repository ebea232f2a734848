//! native: the way to an open connection: URL → DNS → TCP → TLS → opening handshake.

use std::future::{Future, IntoFuture};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use http::header::PROXY_AUTHORIZATION;
use talkback_proto::handshake::WsUrl;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::channel::state::Shared;
use crate::connect::Connect;
use crate::connect::attempt::{Attempt, BODY_TIMEOUT};
use crate::connect::destination::Destination;
use crate::connect::dial::{dial, interleaved, look_up};
use crate::connect::dial_options::Resolver;
use crate::connect::failed_addresses::FailedAddresses;
use crate::connect::one_at_a_time::{self, Place};
use crate::connect::progress::Progress;
use crate::connect::proxy::Proxy;
use crate::connect::proxy::tunnel::Way;
use crate::connect::transport::Transport;
#[cfg(unix)]
use crate::connect::unix_socket;
use crate::driver::native;
use crate::driver::port::Port;
use crate::error::{ConnectError, Stage};
use crate::websocket::WebSocket;

impl Connect {
    /// Starts the driver of a channel.
    #[track_caller]
    pub(crate) fn drive(mut self, shared: crate::channel::sync::Arc<Shared>) {
        self.keepalive.get_or_insert_default();
        let close_timeout = self.limits.time_to_close();
        // The box is freed once the channel is open.
        let opening = self.into_future();
        let opening = async move { Ok(opening.await?) };
        native::spawn(opening, Port::new(shared), close_timeout);
    }

    /// Opens the WebSocket over a stream that leads to the server: a tunnel, a Unix socket, a pipe in a
    /// test. TLS goes on top if the URL asks for it; its host is what the server is asked for, and what
    /// its certificate has to name.
    ///
    /// The [`timeout`](Self::timeout) counts from here. With a stream there is no [`address`](Self::address), no
    /// [`local_address`](Self::local_address), no [`unix_socket`](Self::unix_socket), and nobody to wait for
    /// [`in_turn`](Self::in_turn); no [`connector`](Self::connector), no [`resolver`](Self::resolver) and no
    /// [`proxy`](Self::proxy) is asked, and none of [`redirects`](Self::redirects) followed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (near, far) = tokio::io::duplex(1024);
    /// let connecting = talkback::connect("ws://echo.example/").over(near);
    /// let (client, server) = tokio::join!(connecting, talkback::accept(far));
    /// let (mut client, mut server) = (client?, server?);
    /// assert_eq!(server.request().headers()["host"], "echo.example");
    /// client.send("Hello!").await?;
    /// assert_eq!(server.recv().await?, Some("Hello!".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As awaiting the builder, but for those of the lookup, of TCP and of proxies.
    ///
    /// # Cancel safety
    /// A dropped call drops the stream.
    #[doc(alias = "client_async")]
    pub async fn over<T>(self, stream: T) -> Result<WebSocket<Transport<T>>, ConnectError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let attempt = Attempt::new(&self)?;
        let (io, response) = attempt.shake_hands(Transport::plain(stream)).await?;
        attempt.finish(io, response, None).await
    }

    /// Connects; of the addresses of a host, those where tries before this one have failed come last.
    pub(crate) async fn run(
        self,
        failed: Option<&FailedAddresses>,
    ) -> Result<WebSocket<Transport>, ConnectError> {
        let mut attempt = Attempt::new(&self)?;
        let mut followed = 0;
        loop {
            if let Some(failed) = failed {
                failed.reached(None);
            }
            let (stream, place) = self.reach(&attempt, failed).await?;
            let peer = stream.peer_addr().ok();
            if let Some(failed) = failed {
                failed.reached(peer);
            }
            if self.watcher.is_there() {
                let local = stream.local_addr().ok();
                self.watcher.tell(Progress::Connected { peer, local });
            }
            let shaken = attempt.shake_hands(stream).await;
            // Held until the opening handshake is over, well or not.
            drop(place);
            let (io, mut response) = shaken?;
            match attempt.redirected(&self, followed, &mut response)? {
                None => return attempt.finish(io, response, peer).await,
                Some(next) => attempt = next,
            }
            followed += 1;
        }
    }

    /// The way to where TLS or HTTP begins; and the place in the connect queue.
    async fn reach(
        &self,
        attempt: &Attempt,
        failed: Option<&FailedAddresses>,
    ) -> Result<(Transport, Option<Place>), ConnectError> {
        let (url, options) = (&attempt.url, &self.address);
        if let Some(connector) = &self.dial.connector {
            let connecting = connector(Destination::of(url));
            let Ok(connected) = timeout(attempt.time_left(), connecting).await else {
                return Err(attempt.late(Stage::Tcp));
            };
            let stream = connected.map_err(|error| refused(url, error))?;
            return Ok((stream, None));
        }
        let resolver = self.dial.resolver.as_deref();
        let proxy = match options.unix_socket {
            None => Proxy::of(&self.proxy, url, &options.addresses)?,
            Some(_) => None,
        };
        if proxy.is_some() && attempt.sends(&PROXY_AUTHORIZATION) {
            return Err(ConnectError::Header {
                name: "Proxy-Authorization".to_owned(),
                error: "it would go through the proxy, to the server: put user name and password into the proxy's URL".to_owned(),
            });
        }
        let way = proxy.as_ref().map(|proxy| Way {
            proxy,
            url,
            addresses: &options.addresses,
            local: options.local,
            tls: &self.proxy.tls,
            resolver,
            head_limits: attempt.head_limits,
            // It is told whether or not all of the reason comes in time.
            body_timeout: BODY_TIMEOUT.min(attempt.time_left() / 2),
        });
        let mut stage = match (&way, options.pinned_by()) {
            (Some(_), _) => Stage::Proxy,
            (None, Some(_)) => Stage::Tcp,
            (None, None) => Stage::Resolve,
        };
        let reaching = async {
            #[cfg(unix)]
            if let Some(path) = &options.unix_socket {
                return Ok((unix_socket::dial(path).await?, None));
            }
            let addresses = match &way {
                Some(way) => way.resolve().await?,
                None if options.addresses.is_empty() => resolve(resolver, url).await?,
                None => options.addresses.clone(),
            };
            let mut addresses = interleaved(addresses);
            if let Some(failed) = failed {
                failed.put_last(&mut addresses);
            }
            if way.is_none() {
                stage = Stage::Tcp;
            }
            if options.addresses.is_empty() {
                self.watcher.tell(Progress::Resolved(&addresses));
            }
            let place = match self.is_one_at_a_time {
                true => Some(one_at_a_time::wait(addresses.clone()).await),
                false => None,
            };
            let stream = match &way {
                None => Transport::plain(connect_tcp(addresses, options.local, url).await?),
                // Boxed, as most ways are direct and need no space for it.
                Some(way) => Box::pin(way.open(addresses)).await?,
            };
            Ok((stream, place))
        };
        let reached = timeout(attempt.time_left(), reaching).await;
        reached.unwrap_or_else(|_| Err(attempt.late(stage)))
    }
}

impl IntoFuture for Connect {
    type Output = Result<WebSocket<Transport>, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run(None))
    }
}

async fn resolve(
    resolver: Option<&Resolver>,
    url: &WsUrl,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let addresses = look_up(resolver, url.host(), url.port()).await;
    addresses.map_err(|error| ConnectError::Resolve {
        host: url.host().to_owned(),
        error: Arc::new(error),
    })
}

/// Connects to the first of the host's addresses that answers.
async fn connect_tcp(
    addresses: Vec<SocketAddr>,
    local: Option<IpAddr>,
    url: &WsUrl,
) -> Result<TcpStream, ConnectError> {
    let dialed = dial(addresses, local).await;
    let stream = dialed.map_err(|error| refused(url, error))?;
    // A message must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

fn refused(url: &WsUrl, error: io::Error) -> ConnectError {
    ConnectError::Tcp {
        url: url.to_string(),
        error: Arc::new(error),
    }
}
