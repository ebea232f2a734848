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
use crate::error::proxy::Why;
use crate::http_io::{ReadHeadError, read_body, read_response, write_all};

/// A way to a server through a proxy.
pub(in crate::connect) struct Way<'a> {
    pub(in crate::connect) proxy: &'a Proxy,
    pub(in crate::connect) url: &'a WsUrl,
    /// For TLS to the proxy.
    pub(in crate::connect) tls: &'a TlsOptions,
    /// The program's own, for the proxy's name, and the server's if that is looked up here.
    pub(in crate::connect) resolver: Option<&'a Resolver>,
    pub(in crate::connect) head_limits: HeadLimits,
    /// How long the body of a refusal is waited for.
    pub(in crate::connect) body_timeout: Duration,
}

impl Way<'_> {
    /// The addresses of the proxy.
    pub(in crate::connect) async fn resolve(&self) -> Result<Vec<SocketAddr>, ConnectError> {
        let host = self.proxy.url.host();
        let addresses = look_up(self.resolver, host, self.proxy.port).await;
        addresses.map_err(|error| self.failed(Why::Resolve(Arc::new(error))))
    }

    /// Opens a tunnel to the server through the proxy at these addresses.
    pub(in crate::connect) async fn open(
        &self,
        addresses: Vec<SocketAddr>,
    ) -> Result<Transport, ConnectError> {
        match self.proxy.scheme {
            Scheme::Http => {
                let stream = Transport::plain(self.dial(addresses).await?);
                self.connect(stream).await
            }
            Scheme::Https => {
                let stream = self.dial(addresses).await?;
                let stream = self.secure(stream).await?;
                self.connect(stream).await
            }
            Scheme::Socks5 => self.open_to_address(&addresses).await,
            Scheme::Socks5h => {
                let stream = self.dial(addresses).await?;
                self.socks(stream, self.url.host())
                    .await
                    .map_err(|why| self.failed(why))
            }
        }
    }

    /// Asks a proxy of SOCKS for one address of the server after the other: one cannot race through a
    /// proxy. The error is that of the first, as it is the preferred one.
    async fn open_to_address(&self, proxies: &[SocketAddr]) -> Result<Transport, ConnectError> {
        let host = self.url.host();
        let addresses = look_up(self.resolver, host, self.url.port()).await;
        let addresses = addresses.map_err(|error| ConnectError::Resolve {
            host: host.to_owned(),
            error: Arc::new(error),
        })?;
        let mut first_why = None;
        for address in addresses {
            let stream = self.dial(proxies.to_vec()).await?;
            match self.socks(stream, &address.ip().to_string()).await {
                Ok(transport) => return Ok(transport),
                Err(why @ Why::SocksPassing(_)) => {
                    first_why.get_or_insert(why);
                }
                Err(why) => return Err(self.failed(why)),
            }
        }
        Err(self.failed(first_why.unwrap_or(Why::Socks("the server's host has no address"))))
    }

    async fn dial(&self, addresses: Vec<SocketAddr>) -> Result<TcpStream, ConnectError> {
        let dialed = dial(addresses).await;
        let stream = dialed.map_err(|error| self.failed(Why::Tcp(Arc::new(error))))?;
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
    async fn connect(&self, mut stream: Transport) -> Result<Transport, ConnectError> {
        let tunnel = self.exchange(&mut stream).await;
        let unread = tunnel.map_err(|why| self.failed(why))?;
        Ok(stream.after(unread))
    }

    /// CONNECT and its answer; gives back what was read behind it, which is the server's.
    async fn exchange<T>(&self, io: &mut T) -> Result<BytesMut, Why>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let request = self.request();
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

    fn request(&self) -> Request<()> {
        let target = authority(self.url.host(), self.url.port());
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

    async fn socks(&self, mut stream: TcpStream, host: &str) -> Result<Transport, Why> {
        let host: Result<IpAddr, _> = host.parse().map_err(|_| host);
        let credentials = self.proxy.url.basic_auth();
        socks::lead(&mut stream, host, self.url.port(), credentials).await?;
        Ok(Transport::plain(stream))
    }

    fn failed(&self, why: Why) -> ConnectError {
        self.proxy.failed(self.url, why)
    }
}

fn lost(error: io::Error) -> Why {
    Why::Lost(Arc::new(error))
}
