//! native: the way to an open connection: URL → DNS → TCP → TLS → opening handshake.

use std::future::{Future, IntoFuture};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use talkback_proto::handshake::WsUrl;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::channel::state::Shared;
use crate::connect::Connect;
use crate::connect::attempt::{Attempt, BODY_TIMEOUT};
use crate::connect::destination::Destination;
use crate::connect::dial::{dial, look_up};
use crate::connect::dial_options::{Connector, Resolver};
use crate::connect::one_at_a_time;
use crate::connect::proxy::Proxy;
use crate::connect::proxy::tunnel::Way;
use crate::connect::transport::Transport;
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
    /// The [`timeout`](Self::timeout) counts from here. With a stream there is no address, and nobody to
    /// wait for [`in_turn`](Self::in_turn), and no [`proxy`](Self::proxy) is asked.
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
        let attempt = Attempt::new(self)?;
        let (io, response) = attempt.shake_hands(Transport::plain(stream)).await?;
        attempt.finish(io, response, None).await
    }

    async fn run(mut self) -> Result<WebSocket<Transport>, ConnectError> {
        let is_one_at_a_time = self.is_one_at_a_time;
        let options = mem::take(&mut self.proxy);
        let resolver = self.dial.resolver.take();
        let resolver = resolver.as_deref();
        let attempt = Attempt::new(self)?;
        let url = &attempt.url;
        let proxy = Proxy::of(&options, url)?;
        let way = proxy.as_ref().map(|proxy| Way {
            proxy,
            url,
            tls: &options.tls,
            resolver,
            head_limits: attempt.head_limits,
            // It is told whether or not all of the reason comes in time.
            body_timeout: BODY_TIMEOUT.min(attempt.time_left() / 2),
        });
        let mut stage = way.as_ref().map_or(Stage::Resolve, |_| Stage::Proxy);
        let dialing = async {
            let addresses = match &way {
                None => resolve(resolver, url).await?,
                Some(way) => way.resolve().await?,
            };
            if way.is_none() {
                stage = Stage::Tcp;
            }
            let place = match is_one_at_a_time {
                true => Some(one_at_a_time::wait(addresses.clone()).await),
                false => None,
            };
            let stream = match &way {
                None => Transport::plain(connect_tcp(addresses, url).await?),
                // Boxed, as most ways are direct and need no space for it.
                Some(way) => Box::pin(way.open(addresses)).await?,
            };
            Ok((stream, place))
        };
        let dialed = timeout(attempt.time_left(), dialing).await;
        let (stream, place) = dialed.unwrap_or_else(|_| Err(attempt.late(stage)))?;
        let peer = stream.peer_addr().ok();
        let shaken = attempt.shake_hands(stream).await;
        // Held until the opening handshake is over, well or not.
        drop(place);
        let (io, response) = shaken?;
        attempt.finish(io, response, peer).await
    }

    /// The same over what the program's connector gives.
    async fn run_over(
        self,
        connector: Arc<Connector>,
    ) -> Result<WebSocket<Transport>, ConnectError> {
        let attempt = Attempt::new(self)?;
        let connecting = connector(Destination::of(&attempt.url));
        let stream = match timeout(attempt.time_left(), connecting).await {
            Ok(connected) => connected.map_err(|error| refused(&attempt.url, error))?,
            Err(_) => return Err(attempt.late(Stage::Tcp)),
        };
        let peer = stream.peer_addr().ok();
        let (io, response) = attempt.shake_hands(stream).await?;
        attempt.finish(io, response, peer).await
    }
}

impl IntoFuture for Connect {
    type Output = Result<WebSocket<Transport>, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(mut self) -> Self::IntoFuture {
        match self.dial.connector.take() {
            None => Box::pin(self.run()),
            Some(connector) => Box::pin(self.run_over(connector)),
        }
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
async fn connect_tcp(addresses: Vec<SocketAddr>, url: &WsUrl) -> Result<TcpStream, ConnectError> {
    let stream = dial(addresses).await.map_err(|error| refused(url, error))?;
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
