//! native: one attempt at a connection: its options, TLS, the opening handshake, the one timeout.

use std::io;
use std::net::SocketAddr;
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
use tokio::time::{Instant, timeout};

use crate::connect::Connect;
use crate::connect::bad_header::BadHeader;
#[cfg(feature = "tls")]
use crate::connect::tls;
use crate::connect::tls_options::TlsOptions;
use crate::connect::transport::Transport;
use crate::error::{ConnectError, Stage};
use crate::http_io::{ReadHeadError, read_body, read_response, write_all};
use crate::timer::check_runtime;
use crate::websocket::WebSocket;
use crate::websocket::keys::random;

/// How long the body of a refusal is waited for; what has come by then is kept.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// One way to a connection, whose options are checked.
pub(super) struct Attempt {
    pub(super) url: WsUrl,
    handshake: ClientHandshake,
    security: Security,
    pub(super) head_limits: HeadLimits,
    limits: Limits,
    keepalive: Option<Keepalive>,
    timeout: Duration,
    began: Instant,
}

impl Attempt {
    pub(super) fn new(mut connect: Connect) -> Result<Self, ConnectError> {
        check_runtime();
        let began = Instant::now();
        let offer = connect.compression;
        connect.options.deflate = offer.unwrap_or_else(|| Some(DeflateOffer::default()));
        let url = WsUrl::parse(&connect.url)?;
        if let Some(BadHeader { name, error }) = connect.bad_header {
            return Err(ConnectError::Header { name, error });
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
            keepalive: connect.keepalive,
            timeout: connect.timeout,
            began,
        })
    }

    pub(super) fn time_left(&self) -> Duration {
        self.timeout.saturating_sub(self.began.elapsed())
    }

    pub(super) fn late(&self, stage: Stage) -> ConnectError {
        ConnectError::Timeout {
            url: self.url.to_string(),
            after: self.timeout,
            stage,
        }
    }

    /// TLS, if the URL asks for it, and the opening handshake.
    pub(super) async fn shake_hands<T>(
        &self,
        stream: Transport<T>,
    ) -> Result<(Transport<T>, ServerResponse), ConnectError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stage = Stage::Handshake;
        let opening = async {
            let mut io = self.security.secure(stream, &self.url, &mut stage).await?;
            stage = Stage::Handshake;
            let response = self.exchange(&mut io).await?;
            Ok((io, response))
        };
        let opened = timeout(self.time_left(), opening).await;
        opened.unwrap_or_else(|_| Err(self.late(stage)))
    }

    /// The opening handshake, up to the end of the response's head.
    async fn exchange<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        io: &mut T,
    ) -> Result<ServerResponse, ConnectError> {
        // A server that refuses before it has read the request answers and ends the connection: what
        // it said tells more than the failed write.
        let _ = write_all(io, &encode_request(&self.handshake.request())).await;
        let read = read_response(io, self.head_limits).await;
        let (response, leftover) = read.map_err(|error| match error {
            ReadHeadError::Io(error) => self.security.lost(&self.url, error),
            ReadHeadError::Head(error) => failed(&self.url, error.into()),
        })?;
        let negotiated = match self.handshake.validate(&response) {
            Ok(negotiated) => Some(negotiated),
            Err(HandshakeError::Status(_)) => None,
            Err(error) => return Err(failed(&self.url, error)),
        };
        Ok(ServerResponse {
            response,
            negotiated,
            leftover,
        })
    }

    /// The open socket, or why the server refused.
    pub(super) async fn finish<T>(
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
            let error = self.handshake.refused(&response, body.finish());
            return Err(failed(&self.url, error));
        };
        let mut socket = WebSocket::from_upgraded(io, Role::Client)
            .with_leftover(leftover)
            .with_limits(self.limits)
            .with_subprotocol(negotiated.subprotocol.as_deref())
            .with_deflate(negotiated.deflate.as_ref())
            .with_response(response)
            .with_peer(peer);
        if let Some(keepalive) = self.keepalive {
            socket.set_keepalive(keepalive);
        }
        Ok(socket)
    }
}

/// Whether the URL asks for TLS, and how it is spoken.
enum Security {
    Plain,
    #[cfg(feature = "tls")]
    Tls(Arc<tokio_rustls::rustls::ClientConfig>, tls::errors::Given),
}

impl Security {
    #[cfg(feature = "tls")]
    fn of(url: &WsUrl, options: &TlsOptions) -> Result<Self, ConnectError> {
        Ok(match url.is_secure() {
            true => Self::Tls(tls::config(options)?, tls::errors::Given::of(options)),
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
        stream: Transport<T>,
        url: &WsUrl,
        stage: &mut Stage,
    ) -> Result<Transport<T>, ConnectError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        Ok(match self {
            Self::Plain => stream,
            #[cfg(feature = "tls")]
            Self::Tls(config, given) => {
                *stage = Stage::Tls;
                let name = tls::server_name(url.host())?;
                let stream = tls::connect(stream, name, Arc::clone(config)).await;
                Transport::tls(stream.map_err(|error| tls::errors::tls_error(url, error, *given))?)
            }
        })
    }

    /// A connection that was lost during the opening handshake, perhaps by an alert of TLS.
    fn lost(&self, url: &WsUrl, error: io::Error) -> ConnectError {
        #[cfg(feature = "tls")]
        if let Self::Tls(_, given) = self
            && tls::errors::is_tls_error(&error)
        {
            return tls::errors::tls_error(url, error, *given);
        }
        ConnectError::Lost {
            url: url.to_string(),
            error: Arc::new(error),
        }
    }
}

fn failed(url: &WsUrl, error: HandshakeError) -> ConnectError {
    let url = url.to_string();
    ConnectError::Handshake { url, error }
}

/// What a server said to the opening handshake.
pub(super) struct ServerResponse {
    response: Response<()>,
    /// What was agreed on, if it is a 101.
    negotiated: Option<Negotiated>,
    /// The bytes behind it.
    leftover: BytesMut,
}
