//! native: one attempt at a connection: its options, TLS, the opening handshake, the one timeout.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::Response;
use http::header::{COOKIE, HeaderName, SEC_WEBSOCKET_PROTOCOL};
use talkback_proto::handshake::{
    ClientHandshake, DeflateOffer, HandshakeError, HeadLimits, Negotiated, RefusedBody, Unfollowed,
    WsUrl, encode_request,
};
use talkback_proto::{Keepalive, Limits, Role};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};

use crate::connect::Connect;
use crate::connect::bad_header::BadHeader;
use crate::connect::cookies::CookiesAt;
use crate::connect::progress::{Progress, Watcher};
#[cfg(feature = "tls")]
use crate::connect::tls;
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
    origin: Origin,
    handshake: ClientHandshake,
    cookies: Option<CookiesAt>,
    watcher: Watcher,
    security: Security,
    pub(super) head_limits: HeadLimits,
    limits: Limits,
    keepalive: Option<Keepalive>,
    timeout: Duration,
    began: Instant,
}

/// Whose URL it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The program's own, or another one of the same origin.
    Own,
    /// That of another origin, to which a redirect has led.
    Other,
}

impl Attempt {
    pub(super) fn new(connect: &Connect) -> Result<Self, ConnectError> {
        check_runtime();
        let began = Instant::now();
        let url = WsUrl::parse(&connect.url)?;
        if let Some(BadHeader { name, error }) = &connect.bad_header {
            let (name, error) = (name.clone(), error.clone());
            return Err(ConnectError::Header { name, error });
        }
        connect.redirects.check()?;
        connect.address.check(&connect.proxy)?;
        connect.dial.check(&connect.proxy)?;
        Self::at(connect, url, Origin::Own, began)
    }

    fn at(
        connect: &Connect,
        url: WsUrl,
        origin: Origin,
        began: Instant,
    ) -> Result<Self, ConnectError> {
        let mut options = connect.options.clone();
        let offer = connect.compression;
        options.deflate = offer.unwrap_or_else(|| Some(DeflateOffer::default()));
        let named = match origin {
            Origin::Own => connect.address.named(&url)?,
            Origin::Other => {
                options.headers = connect.redirects.kept(&options.headers);
                // Tokens travel there, too.
                if !connect.redirects.is_kept(&SEC_WEBSOCKET_PROTOCOL) {
                    options.subprotocols.clear();
                }
                url.clone()
            }
        };
        let cookies = connect.cookies.as_ref().map(|cookies| cookies.at(&named));
        if let Some(cookies) = &cookies
            && !options.headers.contains_key(COOKIE)
            && let Some(header) = cookies.header()
        {
            options.headers.insert(COOKIE, header);
        }
        let security = Security::of(&url, origin, connect)?;
        let handshake = ClientHandshake::new(&named, options, random());
        let handshake = handshake.map_err(|error| failed(&url, error))?;
        Ok(Self {
            url,
            origin,
            handshake,
            cookies,
            watcher: connect.watcher.clone(),
            security,
            head_limits: connect.head_limits.unwrap_or_default(),
            limits: connect.limits.clone(),
            keepalive: connect.keepalive,
            timeout: connect.timeout,
            began,
        })
    }

    /// The next attempt, where the server's answer is a redirect to be followed and `followed` were before;
    /// `None` if the answer is the last one. Why a redirect is not followed is noted in it.
    pub(super) fn redirected(
        &self,
        connect: &Connect,
        followed: u8,
        answer: &mut ServerResponse,
    ) -> Result<Option<Self>, ConnectError> {
        let redirects_max = connect.redirects.redirects_max;
        if redirects_max == 0 {
            return Ok(None);
        }
        let Some(target) = self.handshake.redirect(&answer.response) else {
            return Ok(None);
        };
        let next = target.and_then(|target| match followed == redirects_max {
            true => Err(Unfollowed::TooMany { redirects_max }),
            false => self.next_url(connect, target),
        });
        match next {
            Ok((url, origin)) => {
                let mut next = Self::at(connect, url, origin, self.began)?;
                next.handshake = next.handshake.redirected_from(&self.handshake);
                Ok(Some(next))
            }
            Err(why) => {
                answer.unfollowed = Some(why);
                Ok(None)
            }
        }
    }

    fn next_url(&self, connect: &Connect, target: WsUrl) -> Result<(WsUrl, Origin), Unfollowed> {
        // The server knows itself by the name of its `Host`, which may not be the URL's.
        let names = [&self.url, self.handshake.url()];
        if names.iter().any(|url| url.is_same_origin(&target)) {
            return Ok((self.url.with_target_of(&target), self.origin));
        }
        match connect.address.pinned_by() {
            Some(option) => Err(Unfollowed::OtherOrigin { option }),
            None => Ok((target, Origin::Other)),
        }
    }

    /// Whether the request has this header.
    pub(super) fn sends(&self, name: &HeaderName) -> bool {
        self.handshake.request().headers().contains_key(name)
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
            #[cfg(feature = "tls")]
            if self.watcher.is_there() && self.url.is_secure() {
                io.tell_tls(&self.watcher);
            }
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
        let request = self.handshake.request();
        let _ = write_all(io, &encode_request(&request)).await;
        self.watcher.tell(Progress::Requested(&request));
        let read = read_response(io, self.head_limits).await;
        let (response, leftover) = read.map_err(|error| match error {
            ReadHeadError::Io(error) => self.security.lost(&self.url, error),
            ReadHeadError::Head(error) => failed(&self.url, error.into()),
        })?;
        self.watcher.tell(Progress::Answered(&response));
        let negotiated = match self.handshake.validate(&response) {
            Ok(negotiated) => Some(negotiated),
            Err(HandshakeError::Status(_)) => None,
            Err(error) => return Err(failed(&self.url, error)),
        };
        if let Some(cookies) = &self.cookies {
            cookies.take(response.headers());
        }
        Ok(ServerResponse {
            response,
            negotiated,
            unfollowed: None,
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
            unfollowed,
            leftover,
        } = response;
        let Some(negotiated) = negotiated else {
            // It is refused whether or not all of the reason comes in time.
            let body_timeout = BODY_TIMEOUT.min(self.time_left());
            let mut body = RefusedBody::new(&response);
            let _ = timeout(body_timeout, read_body(&mut io, &leftover, &mut body)).await;
            let body = body.finish();
            let error = match unfollowed {
                None => self.handshake.refused(&response, body),
                Some(why) => self.handshake.unfollowed(&response, body, why),
            };
            return Err(failed(&self.url, error));
        };
        if self.watcher.is_there() {
            if !leftover.is_empty() {
                self.watcher.tell(Progress::Received(&leftover));
            }
            io = io.watched(self.watcher);
        }
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
    Tls {
        config: Arc<tokio_rustls::rustls::ClientConfig>,
        given: tls::errors::Given,
        name: tls::ServerName,
    },
}

impl Security {
    #[cfg(feature = "tls")]
    fn of(url: &WsUrl, origin: Origin, connect: &Connect) -> Result<Self, ConnectError> {
        if !url.is_secure() {
            return Ok(Self::Plain);
        }
        let name = match (origin, &connect.address.server_name) {
            (Origin::Own, Some(name)) => tls::given_name(name)?,
            _ => tls::server_name(url.host())?,
        };
        // Whom it names is a matter between the program and its own server.
        let other;
        let options = match origin {
            Origin::Own => &connect.tls,
            Origin::Other => {
                other = connect.tls.for_other_origin();
                &other
            }
        };
        Ok(Self::Tls {
            config: tls::config(options)?,
            given: tls::errors::Given::of(options),
            name,
        })
    }

    /// The options are those of a scheme that is not there.
    #[cfg(not(feature = "tls"))]
    fn of(url: &WsUrl, _: Origin, _: &Connect) -> Result<Self, ConnectError> {
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
            Self::Tls {
                config,
                given,
                name,
            } => {
                *stage = Stage::Tls;
                let stream = tls::connect(stream, name.clone(), Arc::clone(config)).await;
                Transport::tls(stream.map_err(|error| tls::errors::tls_error(url, error, *given))?)
            }
        })
    }

    /// A connection that was lost during the opening handshake, perhaps by an alert of TLS.
    fn lost(&self, url: &WsUrl, error: io::Error) -> ConnectError {
        #[cfg(feature = "tls")]
        if let Self::Tls { given, .. } = self
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
    /// Why it is not followed, if it is a redirect and redirects are.
    unfollowed: Option<Unfollowed>,
    /// The bytes behind it.
    leftover: BytesMut,
}
