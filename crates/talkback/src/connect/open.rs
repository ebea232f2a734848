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
use talkback_proto::{Keepalive, Role};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::channel::state::Shared;
use crate::connect::Connect;
use crate::connect::dial::dial;
use crate::connect::one_at_a_time;
#[cfg(feature = "tls")]
use crate::connect::tls;
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

    async fn run(mut self) -> Result<WebSocket<Transport>, ConnectError> {
        let offer = self
            .compression
            .unwrap_or_else(|| Some(DeflateOffer::default()));
        self.options.deflate = offer;
        let url = WsUrl::parse(&self.url)?;
        if let Some(name) = self.bad_header {
            return Err(ConnectError::Header { name });
        }
        let security = Security::of(
            &url,
            #[cfg(feature = "tls")]
            &self.tls,
        )?;
        let handshake = ClientHandshake::new(&url, self.options, random()).map_err(|error| {
            ConnectError::Handshake {
                url: url.to_string(),
                error,
            }
        })?;
        let head_limits = self.head_limits.unwrap_or_default();
        let mut stage = Stage::Resolve;
        let opening = async {
            let addresses = resolve(&url).await?;
            stage = Stage::Tcp;
            // Held until the opening handshake is over, well or not.
            let _place = match self.is_one_at_a_time {
                true => Some(one_at_a_time::wait(addresses.clone()).await),
                false => None,
            };
            let stream = connect_tcp(addresses, &url).await?;
            let mut io = security.secure(stream, &url, &mut stage).await?;
            stage = Stage::Handshake;
            let response = shake_hands(&mut io, &url, &handshake, head_limits).await?;
            Ok((io, response))
        };
        let began = Instant::now();
        let opened = timeout(self.timeout, opening).await.unwrap_or_else(|_| {
            Err(ConnectError::Timeout {
                url: url.to_string(),
                after: self.timeout,
                stage,
            })
        });
        let (mut io, ServerResponse { outcome, leftover }) = opened?;
        match outcome {
            Ok((negotiated, response)) => {
                let peer = io.peer_addr().ok();
                let mut socket = WebSocket::from_upgraded(io, Role::Client)
                    .with_leftover(leftover)
                    .with_limits(self.limits)
                    .with_subprotocol(negotiated.subprotocol.as_deref())
                    .with_deflate(negotiated.deflate.as_ref())
                    .with_response(response)
                    .with_peer(peer);
                socket.set_keepalive(self.keepalive.unwrap_or(Keepalive::OFF));
                Ok(socket)
            }
            Err(response) => {
                // It is refused whether or not all of the reason comes in time.
                let body_timeout = BODY_TIMEOUT.min(self.timeout.saturating_sub(began.elapsed()));
                let mut body = RefusedBody::new(&response);
                let _ = timeout(body_timeout, read_body(&mut io, &leftover, &mut body)).await;
                Err(ConnectError::Handshake {
                    url: url.to_string(),
                    error: HandshakeError::refused(&response, body.finish()),
                })
            }
        }
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
    fn of(
        url: &WsUrl,
        options: &crate::connect::tls_options::TlsOptions,
    ) -> Result<Self, ConnectError> {
        Ok(if url.is_secure() {
            Self::Tls(Arc::new(options.config()?))
        } else {
            Self::Plain
        })
    }

    #[cfg(not(feature = "tls"))]
    fn of(url: &WsUrl) -> Result<Self, ConnectError> {
        if url.is_secure() {
            return Err(ConnectError::NoTls {
                url: url.to_string(),
            });
        }
        Ok(Self::Plain)
    }

    #[cfg_attr(not(feature = "tls"), expect(unused_variables, clippy::unused_async))]
    async fn secure(
        self,
        stream: TcpStream,
        url: &WsUrl,
        stage: &mut Stage,
    ) -> Result<Transport, ConnectError> {
        Ok(match self {
            Self::Plain => Transport::tcp(stream),
            #[cfg(feature = "tls")]
            Self::Tls(config) => {
                *stage = Stage::Tls;
                Transport::tls(tls::connect(stream, url, config).await?)
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
    if tls::is_tls_error(&error) {
        return tls::tls_error(url, error);
    }
    ConnectError::Lost {
        url: url.to_string(),
        error: Arc::new(error),
    }
}

/// What a server said to the opening handshake.
struct ServerResponse {
    /// What was agreed on, or the response with another status than 101.
    outcome: Result<(Negotiated, Response<()>), Response<()>>,
    /// The bytes behind it.
    leftover: BytesMut,
}

/// The opening handshake, up to the end of the response's head.
async fn shake_hands(
    stream: &mut Transport,
    url: &WsUrl,
    handshake: &ClientHandshake,
    limits: HeadLimits,
) -> Result<ServerResponse, ConnectError> {
    let failed = |error| ConnectError::Handshake {
        url: url.to_string(),
        error,
    };
    // A server that refuses before it has read the request answers and ends the connection: what
    // it said tells more than the failed write.
    let _ = write_all(stream, &encode_request(&handshake.request())).await;
    let (response, leftover) =
        read_response(stream, limits)
            .await
            .map_err(|error| match error {
                ReadHeadError::Io(error) => lost(url, error),
                ReadHeadError::Head(error) => failed(error.into()),
            })?;
    let outcome = match handshake.validate(&response) {
        Ok(negotiated) => Ok((negotiated, response)),
        Err(HandshakeError::Status(_)) => Err(response),
        Err(error) => return Err(failed(error)),
    };
    Ok(ServerResponse { outcome, leftover })
}
