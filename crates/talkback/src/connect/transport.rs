//! What `connect` reaches a server over.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

/// The transport of a connection that [`connect`](crate::connect()) made.
///
/// It is TCP, a Unix socket, or what [`over`](crate::Connect::over) was given, with TLS on top if the URL asked for
/// it, or a tunnel through a proxy. What it is made of is not part of the interface.
#[doc(alias = "MaybeTlsStream")]
pub struct Transport<T = TcpStream>(Inner<T>);

enum Inner<T> {
    Plain(T),
    /// Over TCP, or over a tunnel that may itself be in TLS.
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<Transport<T>>>),
    /// A transport of which some was read already.
    After(Box<(BytesMut, Transport<T>)>),
    #[cfg(unix)]
    Unix(Box<UnixStream>),
}

/// Shows nothing of the transport: one in memory shows what is on its way.
impl<T> fmt::Debug for Transport<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("is_tls", &self.is_tls())
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
            Inner::After(it) => {
                let $io = &mut it.1;
                $call
            }
            #[cfg(unix)]
            Inner::Unix($io) => $call,
        }
    };
}

impl<T> Transport<T> {
    pub(crate) fn plain(stream: T) -> Self {
        Self(Inner::Plain(stream))
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(stream: tokio_rustls::client::TlsStream<Self>) -> Self {
        Self(Inner::Tls(Box::new(stream)))
    }

    /// The same behind what was read of it already.
    pub(crate) fn after(self, unread: BytesMut) -> Self {
        match unread.is_empty() {
            true => self,
            false => Self(Inner::After(Box::new((unread, self)))),
        }
    }

    fn is_tls(&self) -> bool {
        match &self.0 {
            Inner::Plain(_) => false,
            #[cfg(feature = "tls")]
            Inner::Tls(_) => true,
            Inner::After(it) => it.1.is_tls(),
            #[cfg(unix)]
            Inner::Unix(_) => false,
        }
    }
}

impl Transport {
    /// A socket of this machine.
    #[cfg(unix)]
    pub(crate) fn unix(stream: UnixStream) -> Self {
        Self(Inner::Unix(Box::new(stream)))
    }

    /// The TCP connection at the bottom, if it is one.
    pub(crate) fn tcp_stream(&self) -> Option<&TcpStream> {
        match &self.0 {
            Inner::Plain(stream) => Some(stream),
            #[cfg(feature = "tls")]
            Inner::Tls(stream) => stream.get_ref().0.tcp_stream(),
            Inner::After(it) => it.1.tcp_stream(),
            #[cfg(unix)]
            Inner::Unix(_) => None,
        }
    }

    /// The Unix socket at the bottom, if it is one.
    #[cfg(unix)]
    pub(crate) fn unix_stream(&self) -> Option<&UnixStream> {
        match &self.0 {
            Inner::Plain(_) => None,
            #[cfg(feature = "tls")]
            Inner::Tls(stream) => stream.get_ref().0.unix_stream(),
            Inner::After(it) => it.1.unix_stream(),
            Inner::Unix(stream) => Some(stream),
        }
    }

    /// The address of this end.
    ///
    /// # Errors
    /// The operating system's, if the socket is gone; [`Unsupported`](io::ErrorKind::Unsupported), if it is a
    /// Unix socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp_stream().ok_or_else(no_address)?.local_addr()
    }

    /// The address of the other end: the server, or the proxy before it.
    ///
    /// # Errors
    /// The operating system's, if the socket is not connected any more;
    /// [`Unsupported`](io::ErrorKind::Unsupported), if it is a Unix socket.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp_stream().ok_or_else(no_address)?.peer_addr()
    }
}

fn no_address() -> io::Error {
    let what = "the connection is no TCP, and has no address of that kind";
    io::Error::new(io::ErrorKind::Unsupported, what)
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
            Inner::After(it) => {
                let (unread, stream) = &mut **it;
                if unread.is_empty() {
                    return Pin::new(stream).poll_read(cx, buf);
                }
                let size = unread.len().min(buf.remaining());
                buf.put_slice(&unread[..size]);
                unread.advance(size);
                Poll::Ready(Ok(()))
            }
            #[cfg(unix)]
            Inner::Unix(stream) => Pin::new(&mut **stream).poll_read(cx, buf),
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
            Inner::After(it) => it.1.is_write_vectored(),
            #[cfg(unix)]
            Inner::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_inner!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_inner!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_without_a_proxy_takes_no_more_than_its_stream() {
        assert_eq!(size_of::<Transport>(), size_of::<TcpStream>());
        #[cfg(feature = "tls")]
        {
            use tokio_rustls::client::TlsStream;
            let size = size_of::<TlsStream<Transport>>();
            assert_eq!(size, size_of::<TlsStream<TcpStream>>());
        }
    }
}
