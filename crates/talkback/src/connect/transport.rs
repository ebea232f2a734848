//! What `connect` reaches a server over.

use std::any::Any;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::connect::own_stream::{Own, OwnStream};
use crate::connect::progress::{Progress, Watcher};

/// The transport of a connection that [`connect`](crate::connect()) made, or that a server of `talkback::server` accepted.
///
/// It is TCP, a Unix socket, or what [`over`](crate::Connect::over) or [`connector`](crate::Connect::connector) was
/// given, with TLS on top if the URL asked for it, or a tunnel through a proxy. What it is made of is not part of the
/// interface.
#[doc(alias = "MaybeTlsStream")]
pub struct Transport<T = TcpStream>(Inner<T>);

enum Inner<T> {
    Plain(T),
    /// Over TCP, or over a tunnel that may itself be in TLS.
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<Transport<T>>>),
    /// At the server's end.
    #[cfg(all(feature = "tls", feature = "server"))]
    Served(Box<tokio_rustls::server::TlsStream<Transport<T>>>),
    /// A transport of which some was read already.
    After(Box<(BytesMut, Transport<T>)>),
    /// A Unix socket, or what the program's connector gave.
    Own(Box<Own>),
    /// A transport whose bytes somebody is told of.
    Watched(Box<(Watcher, Transport<T>)>),
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
        match &mut $transport.0 {
            Inner::Plain($io) => $call,
            #[cfg(feature = "tls")]
            Inner::Tls($io) => $call,
            #[cfg(all(feature = "tls", feature = "server"))]
            Inner::Served($io) => $call,
            Inner::After(it) => {
                let $io = &mut it.1;
                $call
            }
            Inner::Watched(it) => {
                let $io = &mut it.1;
                $call
            }
            Inner::Own(it) => {
                let $io = it.stream();
                $call
            }
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

    #[cfg(all(feature = "tls", feature = "server"))]
    pub(crate) fn served(stream: tokio_rustls::server::TlsStream<Self>) -> Self {
        Self(Inner::Served(Box::new(stream)))
    }

    /// The same behind what was read of it already.
    pub(crate) fn after(self, unread: BytesMut) -> Self {
        match unread.is_empty() {
            true => self,
            false => Self(Inner::After(Box::new((unread, self)))),
        }
    }

    /// The same, and this watcher is told of all bytes.
    pub(crate) fn watched(self, watcher: Watcher) -> Self {
        Self(Inner::Watched(Box::new((watcher, self))))
    }

    /// Tells how TLS is spoken, if it is.
    #[cfg(feature = "tls")]
    pub(crate) fn tell_tls(&self, watcher: &Watcher) {
        let Inner::Tls(stream) = &self.0 else {
            return;
        };
        let (_, connection) = stream.get_ref();
        let version = connection.protocol_version();
        let suite = connection.negotiated_cipher_suite();
        let certificates = connection.peer_certificates().unwrap_or_default();
        let certificates: Vec<&[u8]> = certificates.iter().map(|one| &**one).collect();
        watcher.tell(Progress::Secured {
            version: version
                .and_then(|version| version.as_str())
                .unwrap_or("unknown"),
            cipher: suite
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or("unknown"),
            certificates: &certificates,
        });
    }

    fn is_tls(&self) -> bool {
        match &self.0 {
            Inner::Plain(_) | Inner::Own(_) => false,
            #[cfg(feature = "tls")]
            Inner::Tls(_) => true,
            #[cfg(all(feature = "tls", feature = "server"))]
            Inner::Served(_) => true,
            Inner::After(it) => it.1.is_tls(),
            Inner::Watched(it) => it.1.is_tls(),
        }
    }
}

impl<T> Transport<T> {
    /// Tells of what was written of these slices, if somebody is to know.
    fn tell_sent(&self, outcome: &Poll<io::Result<usize>>, slices: &[IoSlice<'_>]) {
        let (Inner::Watched(it), Poll::Ready(Ok(size))) = (&self.0, outcome) else {
            return;
        };
        let mut left = *size;
        for slice in slices {
            let size = slice.len().min(left);
            left -= size;
            if size > 0 {
                it.0.tell(Progress::Sent(&slice[..size]));
            }
        }
    }
}

impl Transport {
    /// A stream of any kind. TCP is TCP, whoever has connected it.
    pub(crate) fn own<S: OwnStream>(stream: S) -> Self {
        let mut stream = Some(stream);
        let any: &mut dyn Any = &mut stream;
        let tcp = any.downcast_mut::<Option<TcpStream>>();
        if let Some(stream) = tcp.and_then(Option::take) {
            return Self::plain(stream);
        }
        let stream = stream.expect("only TCP is taken out");
        Self(Inner::Own(Own::new(stream)))
    }

    /// The TCP connection at the bottom, if it is one.
    pub(crate) fn tcp_stream(&self) -> Option<&TcpStream> {
        match &self.0 {
            Inner::Plain(stream) => Some(stream),
            #[cfg(feature = "tls")]
            Inner::Tls(stream) => stream.get_ref().0.tcp_stream(),
            #[cfg(all(feature = "tls", feature = "server"))]
            Inner::Served(stream) => stream.get_ref().0.tcp_stream(),
            Inner::After(it) => it.1.tcp_stream(),
            Inner::Watched(it) => it.1.tcp_stream(),
            Inner::Own(_) => None,
        }
    }

    /// The stream at the bottom, if it is no TCP.
    pub(crate) fn own_stream(&mut self) -> Option<&mut (dyn OwnStream + 'static)> {
        match &mut self.0 {
            Inner::Plain(_) => None,
            #[cfg(feature = "tls")]
            Inner::Tls(stream) => stream.get_mut().0.own_stream(),
            #[cfg(all(feature = "tls", feature = "server"))]
            Inner::Served(stream) => stream.get_mut().0.own_stream(),
            Inner::After(it) => it.1.own_stream(),
            Inner::Watched(it) => it.1.own_stream(),
            Inner::Own(it) => Some(it.stream()),
        }
    }

    /// The address of this end.
    ///
    /// # Errors
    /// The operating system's, if the socket is gone; [`Unsupported`](io::ErrorKind::Unsupported), if it is no TCP:
    /// a Unix socket, or what a [`connector`](crate::Connect::connector) gave.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp_stream().ok_or_else(no_address)?.local_addr()
    }

    /// The address of the other end: the server, or the proxy before it; a server's client, or the proxy before that.
    ///
    /// # Errors
    /// The operating system's, if the socket is not connected any more; else as
    /// [`local_addr`](Self::local_addr).
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
            #[cfg(all(feature = "tls", feature = "server"))]
            Inner::Served(stream) => {
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
            Inner::Own(it) => Pin::new(it.stream()).poll_read(cx, buf),
            Inner::Watched(it) => {
                let (watcher, stream) = &mut **it;
                let before = buf.filled().len();
                let outcome = Pin::new(stream).poll_read(cx, buf);
                if buf.filled().len() > before {
                    watcher.tell(Progress::Received(&buf.filled()[before..]));
                }
                outcome
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
        let this = self.get_mut();
        let outcome = with_inner!(this, io => Pin::new(io).poll_write(cx, bytes));
        this.tell_sent(&outcome, &[IoSlice::new(bytes)]);
        outcome
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = with_inner!(this, io => Pin::new(io).poll_write_vectored(cx, slices));
        this.tell_sent(&outcome, slices);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Inner::Plain(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Inner::Tls(stream) => stream.is_write_vectored(),
            #[cfg(all(feature = "tls", feature = "server"))]
            Inner::Served(stream) => stream.is_write_vectored(),
            Inner::After(it) => it.1.is_write_vectored(),
            Inner::Own(it) => it.is_write_vectored,
            Inner::Watched(it) => it.1.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_inner!(self.get_mut(), io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_inner!(self.get_mut(), io => Pin::new(io).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_of_tcp_takes_no_more_than_its_stream() {
        fn is_send_and_sync<T: Send + Sync>() {}
        is_send_and_sync::<Transport>();
        assert_eq!(size_of::<Transport>(), size_of::<TcpStream>());
        #[cfg(feature = "tls")]
        {
            use tokio_rustls::client::TlsStream;
            let size = size_of::<TlsStream<Transport>>();
            assert_eq!(size, size_of::<TlsStream<TcpStream>>());
        }
    }
}
