//! native: the way to an open connection: URL → DNS → TCP → TLS → opening handshake.

use std::future::{Future, IntoFuture};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::Response;
use talkback_proto::handshake::{
    ClientHandshake, DeflateOffer, HandshakeError, HeadLimits, Negotiated, RefusedBody, WsUrl,
    encode_request,
};
use talkback_proto::{Keepalive, Limits, Role};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::channel::state::Shared;
use crate::connect::Connect;
use crate::connect::dial::dial;
use crate::connect::one_at_a_time;
#[cfg(feature = "tls")]
use crate::connect::tls;
use crate::connect::tls_options::TlsOptions;
use crate::connect::transport::Transport;
use crate::driver::native;
use crate::driver::port::Port;
use crate::error::{ConnectError, Stage};
use crate::http_io::{ReadHeadError, read_body, read_response, write_all};
use crate::websocket::WebSocket;
use crate::websocket::keys::random;

/// How long the body of a refusal is waited for; what has come by then is kept.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

impl Connect {
    /// Starts the driver of a channel.
    pub(crate) fn drive(mut self, shared: crate::channel::sync::Arc<Shared>) {
        self.keepalive.get_or_insert_default();
        let close_timeout = self.limits.time_to_close();
        // In a box of its own, which is freed once the channel is open.
        let opening = Box::pin(async move { Ok(self.run().await?) });
        native::spawn(opening, Port::new(shared), close_timeout);
    }

    /// Opens the WebSocket over a stream that leads to the server: a tunnel, a Unix socket, a pipe in a
    /// test. TLS goes on top if the URL asks for it; its host is what the server is asked for, and what
    /// its certificate has to name.
    ///
    /// The [`timeout`](Self::timeout) counts from here. With a stream there is no address, and nobody to
    /// wait for [`in_turn`](Self::in_turn).
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
    /// As awaiting the builder, but for those of the lookup and of TCP.
    ///
    /// # Cancel safety
    /// A dropped call drops the stream.
    pub async fn over<T>(self, stream: T) -> Result<WebSocket<Transport<T>>, ConnectError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let attempt = Attempt::new(self)?;
        let (io, response) = attempt.shake_hands(stream).await?;
        attempt.finish(io, response, None).await
    }

    async fn run(self) -> Result<WebSocket<Transport>, ConnectError> {
        let is_one_at_a_time = self.is_one_at_a_time;
        let attempt = Attempt::new(self)?;
        let url = &attempt.url;
        let mut stage = Stage::Resolve;
        let dialing = async {
            let addresses = resolve(url).await?;
            stage = Stage::Tcp;
            let place = match is_one_at_a_time {
                true => Some(one_at_a_time::wait(addresses.clone()).await),
                false => None,
            };
            Ok((connect_tcp(addresses, url).await?, place))
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
}

/// One way to a connection, whose options are checked.
struct Attempt {
    url: WsUrl,
    handshake: ClientHandshake,
    security: Security,
    head_limits: HeadLimits,
    limits: Limits,
    keepalive: Keepalive,
    timeout: Duration,
    began: Instant,
}

impl Attempt {
    fn new(mut connect: Connect) -> Result<Self, ConnectError> {
        let began = Instant::now();
        let offer = connect.compression;
        connect.options.deflate = offer.unwrap_or_else(|| Some(DeflateOffer::default()));
        let url = WsUrl::parse(&connect.url)?;
        if let Some(name) = connect.bad_header {
            return Err(ConnectError::Header { name });
        }
        let security = Security::of(&url, &connect.tls)?;
        let handshake = ClientHandshake::new(&url, connect.options, random());
        let handshake = handshake.map_err(|error| failed(&url, error))?;
        Ok(Self {
            url,
            handshake,
            security,
            head_limits: connect.head_limits.unwrap_or_default(),
            limits: connect.limits,
            keepalive: connect.keepalive.unwrap_or(Keepalive::OFF),
            timeout: connect.timeout,
            began,
        })
    }

    fn time_left(&self) -> Duration {
        self.timeout.saturating_sub(self.began.elapsed())
    }

    fn late(&self, stage: Stage) -> ConnectError {
        ConnectError::Timeout {
            url: self.url.to_string(),
            after: self.timeout,
            stage,
        }
    }

    /// TLS, if the URL asks for it, and the opening handshake.
    async fn shake_hands<T>(
        &self,
        stream: T,
    ) -> Result<(Transport<T>, ServerResponse), ConnectError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stage = Stage::Handshake;
        let opening = async {
            let mut io = self.security.secure(stream, &self.url, &mut stage).await?;
            stage = Stage::Handshake;
            let response =
                shake_hands(&mut io, &self.url, &self.handshake, self.head_limits).await?;
            Ok((io, response))
        };
        let opened = timeout(self.time_left(), opening).await;
        opened.unwrap_or_else(|_| Err(self.late(stage)))
    }

    /// The open socket, or why the server refused.
    async fn finish<T>(
        self,
        mut io: Transport<T>,
        response: ServerResponse,
        peer: Option<SocketAddr>,
    ) -> Result<WebSocket<Transport<T>>, ConnectError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let ServerResponse {
            response,
            negotiated,
            leftover,
        } = response;
        let Some(negotiated) = negotiated else {
            // It is refused whether or not all of the reason comes in time.
            let body_timeout = BODY_TIMEOUT.min(self.time_left());
            let mut body = RefusedBody::new(&response);
            let _ = timeout(body_timeout, read_body(&mut io, &leftover, &mut body)).await;
            let error = HandshakeError::refused(&response, body.finish());
            return Err(failed(&self.url, error));
        };
        let mut socket = WebSocket::from_upgraded(io, Role::Client)
            .with_leftover(leftover)
            .with_limits(self.limits)
            .with_subprotocol(negotiated.subprotocol.as_deref())
            .with_deflate(negotiated.deflate.as_ref())
            .with_response(response)
            .with_peer(peer);
        socket.set_keepalive(self.keepalive);
        Ok(socket)
    }
}

impl IntoFuture for Connect {
    type Output = Result<WebSocket<Transport>, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// Whether the URL asks for TLS, and how it is spoken.
enum Security {
    Plain,
    #[cfg(feature = "tls")]
    Tls(Arc<tokio_rustls::rustls::ClientConfig>),
}

impl Security {
    #[cfg(feature = "tls")]
    fn of(url: &WsUrl, options: &TlsOptions) -> Result<Self, ConnectError> {
        Ok(match url.is_secure() {
            true => Self::Tls(tls::config(options)?),
            false => Self::Plain,
        })
    }

    /// The options are those of a scheme that is not there.
    #[cfg(not(feature = "tls"))]
    fn of(url: &WsUrl, _: &TlsOptions) -> Result<Self, ConnectError> {
        match url.is_secure() {
            true => Err(ConnectError::NoTls {
                url: url.to_string(),
            }),
            false => Ok(Self::Plain),
        }
    }

    #[cfg_attr(not(feature = "tls"), expect(unused_variables, clippy::unused_async))]
    async fn secure<T>(
        &self,
        stream: T,
        url: &WsUrl,
        stage: &mut Stage,
    ) -> Result<Transport<T>, ConnectError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        Ok(match self {
            Self::Plain => Transport::plain(stream),
            #[cfg(feature = "tls")]
            Self::Tls(config) => {
                *stage = Stage::Tls;
                Transport::tls(tls::connect(stream, url, Arc::clone(config)).await?)
            }
        })
    }
}

async fn resolve(url: &WsUrl) -> Result<Vec<SocketAddr>, ConnectError> {
    let addresses = tokio::net::lookup_host((url.host(), url.port())).await;
    let addresses = addresses.map_err(|error| ConnectError::Resolve {
        host: url.host().to_owned(),
        error: Arc::new(error),
    })?;
    Ok(addresses.collect())
}

/// Connects to the first of the host's addresses that answers.
async fn connect_tcp(addresses: Vec<SocketAddr>, url: &WsUrl) -> Result<TcpStream, ConnectError> {
    let stream = dial(addresses).await.map_err(|error| ConnectError::Tcp {
        url: url.to_string(),
        error: Arc::new(error),
    })?;
    // A message must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// A connection that was lost during the opening handshake, perhaps by an alert of TLS.
fn lost(url: &WsUrl, error: io::Error) -> ConnectError {
    #[cfg(feature = "tls")]
    if tls::errors::is_tls_error(&error) {
        return tls::errors::tls_error(url, error);
    }
    ConnectError::Lost {
        url: url.to_string(),
        error: Arc::new(error),
    }
}

fn failed(url: &WsUrl, error: HandshakeError) -> ConnectError {
    let url = url.to_string();
    ConnectError::Handshake { url, error }
}

/// What a server said to the opening handshake.
struct ServerResponse {
    response: Response<()>,
    /// What was agreed on, if it is a 101.
    negotiated: Option<Negotiated>,
    /// The bytes behind it.
    leftover: BytesMut,
}

/// The opening handshake, up to the end of the response's head.
async fn shake_hands<T: AsyncRead + AsyncWrite + Unpin>(
    io: &mut T,
    url: &WsUrl,
    handshake: &ClientHandshake,
    limits: HeadLimits,
) -> Result<ServerResponse, ConnectError> {
    // A server that refuses before it has read the request answers and ends the connection: what
    // it said tells more than the failed write.
    let _ = write_all(io, &encode_request(&handshake.request())).await;
    let read = read_response(io, limits).await;
    let (response, leftover) = read.map_err(|error| match error {
        ReadHeadError::Io(error) => lost(url, error),
        ReadHeadError::Head(error) => failed(url, error.into()),
    })?;
    let negotiated = match handshake.validate(&response) {
        Ok(negotiated) => Some(negotiated),
        Err(HandshakeError::Status(_)) => None,
        Err(error) => return Err(failed(url, error)),
    };
    Ok(ServerResponse {
        response,
        negotiated,
        leftover,
    })
}
