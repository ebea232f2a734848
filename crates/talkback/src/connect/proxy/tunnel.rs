//! The way through a proxy, to where the server's first byte comes from.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use http::{Method, Request, Uri};
use talkback_proto::handshake::{HeadLimits, Refused, RefusedBody, WsUrl, encode_request};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Proxy, Scheme, authority, socks};
use crate::connect::dial::{dial, look_up};
use crate::connect::dial_options::Resolver;
use crate::connect::tls_options::TlsOptions;
use crate::connect::transport::Transport;
use crate::error::ConnectError;
use crate::error::local_address::LocalAddressError;
use crate::error::proxy::Why;
use crate::http_io::{ReadHeadError, read_body, read_response, write_all};

/// A way to a server through a proxy.
pub(in crate::connect) struct Way<'a> {
    pub(in crate::connect) proxy: &'a Proxy,
    pub(in crate::connect) url: &'a WsUrl,
    /// The server's addresses, if the program gives them.
    pub(in crate::connect) addresses: &'a [SocketAddr],
    /// This end's address.
    pub(in crate::connect) local: Option<IpAddr>,
    /// For TLS to the proxy.
    pub(in crate::connect) tls: &'a TlsOptions,
    /// The program's own, for the proxy's name, and the server's if that is looked up here.
    pub(in crate::connect) resolver: Option<&'a Resolver>,
    pub(in crate::connect) head_limits: HeadLimits,
    /// How long the body of a refusal is waited for.
    pub(in crate::connect) body_timeout: Duration,
}

/// What a proxy is asked for.
struct Target {
    /// A name, or an address without brackets.
    host: String,
    port: u16,
}

impl Way<'_> {
    /// The addresses of the proxy.
    pub(in crate::connect) async fn resolve(&self) -> Result<Vec<SocketAddr>, ConnectError> {
        let host = self.proxy.url.host();
        let addresses = look_up(self.resolver, host, self.proxy.port).await;
        addresses.map_err(|error| self.failed(Why::Resolve(Arc::new(error))))
    }

    /// Opens a tunnel to the server through the proxy at these addresses.
    ///
    /// Where the server has several, as many as are known here, the proxy is asked for one after the other: one
    /// cannot race through it. The error is that of the first, as it is the preferred one.
    pub(in crate::connect) async fn open(
        &self,
        proxies: Vec<SocketAddr>,
    ) -> Result<Transport, ConnectError> {
        let mut first_why = None;
        for target in self.targets().await? {
            match self.open_to(&target, proxies.clone()).await? {
                Ok(transport) => return Ok(transport),
                Err(why) if may_reach_another(&why) => {
                    first_why.get_or_insert(why);
                }
                Err(why) => return Err(self.failed(why)),
            }
        }
        Err(self.failed(first_why.unwrap_or(Why::Socks("the server's host has no address"))))
    }

    /// What the proxy is to be asked for: the server's addresses if the program gives them or they are looked up
    /// here, else its name.
    async fn targets(&self) -> Result<Vec<Target>, ConnectError> {
        let of = |address: &SocketAddr| Target {
            host: address.ip().to_string(),
            port: address.port(),
        };
        let (host, port) = (self.url.host().to_owned(), self.url.port());
        if !self.addresses.is_empty() {
            return Ok(self.addresses.iter().map(of).collect());
        }
        if self.proxy.scheme != Scheme::Socks5 {
            return Ok(vec![Target { host, port }]);
        }
        let addresses = look_up(self.resolver, &host, port).await;
        let addresses = addresses.map_err(|error| ConnectError::Resolve {
            host,
            error: Arc::new(error),
        })?;
        Ok(addresses.iter().map(of).collect())
    }

    /// Asks the proxy for one target. Inside is why it did not lead there.
    async fn open_to(
        &self,
        target: &Target,
        proxies: Vec<SocketAddr>,
    ) -> Result<Result<Transport, Why>, ConnectError> {
        let stream = self.dial(proxies).await?;
        Ok(match self.proxy.scheme {
            Scheme::Http => self.connect(Transport::plain(stream), target).await,
            Scheme::Https => self.connect(self.secure(stream).await?, target).await,
            Scheme::Socks5 | Scheme::Socks5h => self.socks(stream, target).await,
        })
    }

    async fn dial(&self, proxies: Vec<SocketAddr>) -> Result<TcpStream, ConnectError> {
        let dialed = dial(proxies, self.local).await;
        let stream = dialed.map_err(|error| match LocalAddressError::is_in(&error) {
            true => ConnectError::Tcp {
                url: self.url.to_string(),
                error: Arc::new(error),
            },
            false => self.failed(Why::Tcp(Arc::new(error))),
        })?;
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    /// TLS with the proxy itself, whose certificate is held against its own host.
    #[cfg(feature = "tls")]
    async fn secure(&self, stream: TcpStream) -> Result<Transport, ConnectError> {
        use crate::connect::tls;

        let config = tls::config(self.tls).map_err(|error| match error {
            ConnectError::TlsOption {
                what: "the roots",
                error,
            } => ConnectError::TlsOption {
                what: "the proxy's roots",
                error,
            },
            error => error,
        })?;
        let name = tls::server_name(self.proxy.url.host())?;
        let stream = tls::connect(Transport::plain(stream), name, config).await;
        stream.map(Transport::tls).map_err(|error| {
            let advice = tls::errors::advice_on_proxy(&error);
            self.failed(Why::Tls(Arc::new(error), advice))
        })
    }

    #[cfg(not(feature = "tls"))]
    async fn secure(&self, _: TcpStream) -> Result<Transport, ConnectError> {
        let _ = self.tls;
        Err(self.failed(Why::NoTls))
    }

    /// Asks a proxy of HTTP for a tunnel (RFC 9110 §9.3.6), for `ws://` as for `wss://` (RFC 6455 §4.1).
    async fn connect(&self, mut stream: Transport, target: &Target) -> Result<Transport, Why> {
        let unread = self.exchange(&mut stream, target).await?;
        Ok(stream.after(unread))
    }

    /// CONNECT and its answer; gives back what was read behind it, which is the server's.
    async fn exchange<T>(&self, io: &mut T, target: &Target) -> Result<BytesMut, Why>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let request = self.request(target);
        // A proxy that refuses before it has read all answers and ends the connection.
        let _ = write_all(io, &encode_request(&request)).await;
        let read = read_response(io, self.head_limits).await;
        let (response, unread) = read.map_err(|error| match error {
            ReadHeadError::Io(error) => lost(error),
            ReadHeadError::Head(error) => Why::Head(error),
        })?;
        // "Any 2xx (Successful) response indicates that the sender […] will switch to tunnel mode
        // immediately after the response header section"; "A client MUST ignore any Content-Length or
        // Transfer-Encoding header fields received in a successful response to CONNECT" (RFC 9110 §9.3.6).
        if response.status().is_success() {
            return Ok(unread);
        }
        let mut body = RefusedBody::new(&response);
        let _ = timeout(self.body_timeout, read_body(io, &unread, &mut body)).await;
        let refused = Refused::by_proxy(&request, &response, body.finish());
        Err(Why::Refused(Box::new(refused)))
    }

    fn request(&self, target: &Target) -> Request<()> {
        let target = authority(&target.host, target.port);
        let mut request = Request::new(());
        *request.method_mut() = Method::CONNECT;
        let headers = request.headers_mut();
        let host = HeaderValue::try_from(&target).expect("a host and a port are visible ASCII");
        headers.insert(HOST, host);
        if let Some(credentials) = self.proxy.url.basic_auth() {
            headers.insert(PROXY_AUTHORIZATION, credentials);
        }
        *request.uri_mut() =
            Uri::try_from(target).expect("a checked host and a port are an authority");
        request
    }

    async fn socks(&self, mut stream: TcpStream, target: &Target) -> Result<Transport, Why> {
        let host: Result<IpAddr, _> = target.host.parse().map_err(|_| &*target.host);
        let credentials = self.proxy.url.basic_auth();
        socks::lead(&mut stream, host, target.port, credentials).await?;
        Ok(Transport::plain(stream))
    }

    fn failed(&self, why: Why) -> ConnectError {
        self.proxy.failed(self.url, why)
    }
}

/// Whether a proxy that did not lead to one address may lead to another.
fn may_reach_another(why: &Why) -> bool {
    match why {
        Why::SocksPassing(_) => true,
        Why::Refused(refused) => matches!(refused.status.as_u16(), 502..=504),
        _ => false,
    }
}

fn lost(error: io::Error) -> Why {
    Why::Lost(Arc::new(error))
}
