//! The client's way to an open connection: URL → DNS → TCP → TLS → opening handshake.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::header::{HeaderName, HeaderValue};
use talkback_proto::handshake::{
    ClientHandshake, ClientOptions, HandshakeError, HeadLimits, HeadReader, Negotiated,
    RefusedBody, WsUrl, encode_request,
};
use talkback_proto::{Keepalive, Limits, Role};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::channel::WebSocketChannel;
use crate::dial::dial;
use crate::driver::drive;
use crate::error::{ConnectError, Stage};
use crate::http_io::{ReadHeadError, read_body, read_head};
use crate::keys::random;
use crate::runtime;
use crate::shared::Shared;
#[cfg(feature = "tls")]
use crate::tls::{self, TlsOptions, Trust};
use crate::transport::Transport;
use crate::websocket::WebSocket;

/// The default connect timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the body of a refusal is waited for; what has come by then is kept.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// Connects to a WebSocket server: `ws://host:port/path?query`, or `wss://` for TLS.
///
/// The result is a builder: await it for a [`WebSocket`], or make a [`WebSocketChannel`] of it with
/// [`channel`](Connect::channel).
///
/// A user name and password in the URL become an `Authorization` header.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut socket = talkback::connect("ws://127.0.0.1:9001/").subprotocol("chat").await?;
/// socket.send("Hello!").await?;
/// # Ok(())
/// # }
/// ```
pub fn connect(url: impl Into<String>) -> Connect {
    Connect {
        url: url.into(),
        options: ClientOptions::default(),
        bad_header: None,
        limits: Limits::default(),
        head_limits: HeadLimits::default(),
        timeout: CONNECT_TIMEOUT,
        keepalive: None,
        #[cfg(feature = "tls")]
        tls: TlsOptions::default(),
    }
}

/// A connection to be made; await it.
///
/// Dropping the future gives up and closes what was opened.
#[must_use = "nothing is connected until this is awaited"]
pub struct Connect {
    url: String,
    options: ClientOptions,
    /// The name of the first header that cannot be sent.
    bad_header: Option<String>,
    limits: Limits,
    head_limits: HeadLimits,
    timeout: Duration,
    keepalive: Option<Option<Keepalive>>,
    #[cfg(feature = "tls")]
    tls: TlsOptions,
}

impl Connect {
    /// Offers a subprotocol, after those offered before (RFC 6455 §1.9): a token.
    ///
    /// A server may choose none of them, and the connection opens without: look at `protocol()`.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.options.subprotocols.push(name.into());
        self
    }

    /// Adds a header to the request. The handshake's own headers are refused.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let (name, value) = (name.as_ref(), value.as_ref());
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                self.options.headers.append(name, value);
            }
            _ => {
                self.bad_header.get_or_insert_with(|| name.to_owned());
            }
        }
        self
    }

    /// Sets the `Origin` header, for a program that acts for a web page (RFC 6455 §10.2).
    pub fn origin(mut self, origin: impl AsRef<str>) -> Self {
        match HeaderValue::try_from(origin.as_ref()) {
            Ok(value) => self.options.origin = Some(value),
            Err(_) => {
                self.bad_header.get_or_insert_with(|| "Origin".to_owned());
            }
        }
        self
    }

    /// Sets the bounds of the connection.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the bounds of the server's response head; 16 KiB and 100 headers by default.
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.head_limits = limits;
        self
    }

    /// Sets the connect timeout, over the lookup, TCP, TLS and the opening handshake together; 10 s by
    /// default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the keepalive, or with `None` does without. A channel has one by default (20 s, 20 s), a
    /// [`WebSocket`] has none, as it can only act while it is polled.
    pub fn keepalive(mut self, keepalive: impl Into<Option<Keepalive>>) -> Self {
        self.keepalive = Some(keepalive.into());
        self
    }

    /// Trusts these roots, in PEM, in place of the platform's.
    #[cfg(feature = "tls")]
    pub fn tls_roots(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.roots_pem = Some(pem.into());
        self
    }

    /// Shows this certificate, a chain and its private key in PEM, to a server that asks for one.
    #[cfg(feature = "tls")]
    pub fn tls_client_certificate(
        mut self,
        chain_pem: impl Into<Vec<u8>>,
        key_pem: impl Into<Vec<u8>>,
    ) -> Self {
        self.tls.identity_pem = Some((chain_pem.into(), key_pem.into()));
        self
    }

    /// Accepts any certificate, a self-signed one too. **Anyone on the way can then read and change
    /// everything**: for development only. Better give the certificate with
    /// [`tls_roots`](Self::tls_roots).
    #[cfg(feature = "tls")]
    pub fn danger_accept_any_certificate(mut self) -> Self {
        self.tls.trust = Trust::Anything;
        self
    }

    /// Opens a [`WebSocketChannel`], which exists at once and connects in the background.
    ///
    /// It works from any thread: the driver runs on the current tokio runtime, else on a thread of
    /// its own that all such channels share.
    pub fn channel(mut self) -> WebSocketChannel {
        let shared = Shared::new();
        let channel = WebSocketChannel::new(&shared);
        self.keepalive.get_or_insert(Some(Keepalive::default()));
        let close_timeout = self.limits.close_timeout;
        // In a box of its own, which is freed once the channel is open.
        let opening = Box::pin(async move { Ok(self.run().await?) });
        runtime::spawn(drive(opening, shared, close_timeout));
        channel
    }

    async fn run(self) -> Result<WebSocket<Transport>, ConnectError> {
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
        let mut stage = Stage::Resolve;
        let opening = async {
            let stream = connect_tcp(&url, &mut stage).await?;
            let mut io = security.secure(stream, &url, &mut stage).await?;
            stage = Stage::Handshake;
            let (negotiated, leftover) =
                shake_hands(&mut io, &url, &handshake, self.head_limits).await?;
            let mut socket = WebSocket::from_upgraded(io, leftover, Role::Client, self.limits);
            socket.set_keepalive(self.keepalive.flatten());
            Ok(socket.with_protocol(negotiated.subprotocol.as_deref()))
        };
        timeout(self.timeout, opening).await.unwrap_or_else(|_| {
            Err(ConnectError::Timeout {
                url: url.to_string(),
                after: self.timeout,
                stage,
            })
        })
    }
}

impl IntoFuture for Connect {
    type Output = Result<WebSocket<Transport>, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// Shows no URL and no headers: both may hold secrets.
impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("options", &self.options)
            .field("limits", &self.limits)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
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

/// Connects to the first address of the host that answers.
async fn connect_tcp(url: &WsUrl, stage: &mut Stage) -> Result<TcpStream, ConnectError> {
    let addresses = tokio::net::lookup_host((url.host(), url.port())).await;
    let addresses = addresses.map_err(|error| ConnectError::Resolve {
        host: url.host().to_owned(),
        error: Arc::new(error),
    })?;
    *stage = Stage::Tcp;
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

/// The opening handshake; returns what was agreed on and the bytes behind the 101.
async fn shake_hands(
    stream: &mut Transport,
    url: &WsUrl,
    handshake: &ClientHandshake,
    limits: HeadLimits,
) -> Result<(Negotiated, BytesMut), ConnectError> {
    let failed = |error| ConnectError::Handshake {
        url: url.to_string(),
        error,
    };
    // A server that refuses before it has read the request answers and ends the connection: what
    // it said tells more than the failed write.
    let _ = write_all(stream, &encode_request(&handshake.request())).await;
    let mut reader = HeadReader::new(limits);
    let leftover = read_head(stream, &mut reader)
        .await
        .map_err(|error| match error {
            ReadHeadError::Io(error) => lost(url, error),
            ReadHeadError::Head(error) => failed(error.into()),
        })?;
    let response = reader.response().map_err(|error| failed(error.into()))?;
    match handshake.validate(&response) {
        Ok(negotiated) => Ok((negotiated, leftover)),
        Err(HandshakeError::Status(_)) => {
            let mut body = RefusedBody::new(&response);
            let _ = timeout(BODY_TIMEOUT, read_body(stream, &leftover, &mut body)).await;
            Err(failed(HandshakeError::refused(&response, body.finish())))
        }
        Err(error) => Err(failed(error)),
    }
}

async fn write_all(stream: &mut Transport, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    // A TLS layer may hold what it has taken.
    stream.flush().await
}
