//! What `connect` reaches a server over.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The transport of a connection that [`connect`](crate::connect()) made.
///
/// It is TCP, or what [`over`](crate::Connect::over) was given, with TLS on top if the URL asked for it.
/// What it is made of is not part of the interface, so that proxies fit in.
#[doc(alias = "MaybeTlsStream")]
pub struct Transport<T = TcpStream>(Inner<T>);

enum Inner<T> {
    Plain(T),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<T>>),
}

/// Shows nothing of the transport: one in memory shows what is on its way.
impl<T> fmt::Debug for Transport<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_tls = !matches!(self.0, Inner::Plain(_));
        f.debug_struct("Transport")
            .field("is_tls", &is_tls)
            .finish_non_exhaustive()
    }
}

/// The same call on whatever the transport is made of.
macro_rules! with_inner {
    ($transport:expr, $io:ident => $call:expr) => {
        match &mut $transport.get_mut().0 {
            Inner::Plain($io) => $call,
            #[cfg(feature = "tls")]
            Inner::Tls($io) => $call,
        }
    };
}

impl<T> Transport<T> {
    pub(crate) fn plain(stream: T) -> Self {
        Self(Inner::Plain(stream))
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(stream: tokio_rustls::client::TlsStream<T>) -> Self {
        Self(Inner::Tls(Box::new(stream)))
    }
}

impl Transport {
    /// The TCP connection at the bottom.
    pub(crate) fn tcp_stream(&self) -> &TcpStream {
        match &self.0 {
            Inner::Plain(stream) => stream,
            #[cfg(feature = "tls")]
            Inner::Tls(stream) => stream.get_ref().0,
        }
    }

    /// The address of this end.
    ///
    /// # Errors
    /// The operating system's, if the socket is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp_stream().local_addr()
    }

    /// The address of the other end: the server, or the proxy before it.
    ///
    /// # Errors
    /// The operating system's, if the socket is not connected any more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp_stream().peer_addr()
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Transport<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Inner::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            #[cfg(feature = "tls")]
            Inner::Tls(stream) => {
                let outcome = Pin::new(stream).poll_read(cx, buf);
                outcome.map_err(crate::connect::tls::errors::read_error)
            }
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Transport<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        with_inner!(self, io => Pin::new(io).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        with_inner!(self, io => Pin::new(io).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Inner::Plain(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Inner::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_inner!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_inner!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}
