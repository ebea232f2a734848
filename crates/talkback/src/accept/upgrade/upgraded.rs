//! What an HTTP server has handed over.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The transport of a connection that an HTTP server has handed over.
///
/// A plain TCP connection is used as it is, without its delay for small writes (`TCP_NODELAY`);
/// any other, such as one of TLS, through hyper.
#[derive(Debug)]
pub struct Upgraded(Inner);

#[derive(Debug)]
enum Inner {
    Tcp(TcpStream),
    Other(TokioIo<hyper::upgrade::Upgraded>),
}

/// The same call on whatever the transport is made of.
macro_rules! with_inner {
    ($transport:expr, $io:ident => $call:expr) => {
        match &mut $transport.get_mut().0 {
            Inner::Tcp($io) => $call,
            Inner::Other($io) => $call,
        }
    };
}

impl Upgraded {
    /// The transport, and what the HTTP server read behind the request.
    pub(super) fn new(upgraded: hyper::upgrade::Upgraded) -> (Self, Bytes) {
        // What hyper's own server serves, and what hyper-util's and axum's do.
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => Self::tcp(parts.io, parts.read_buf),
            Err(upgraded) => match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
                Ok(parts) => Self::tcp(parts.io, parts.read_buf),
                // It gives out first what was read behind the request.
                Err(upgraded) => (Self(Inner::Other(TokioIo::new(upgraded))), Bytes::new()),
            },
        }
    }

    fn tcp(io: TokioIo<TcpStream>, leftover: Bytes) -> (Self, Bytes) {
        let stream = io.into_inner();
        // A message must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        (Self(Inner::Tcp(stream)), leftover)
    }

    /// The TCP connection, if that is what the HTTP server served; for its addresses and options.
    pub fn tcp_stream(&self) -> Option<&TcpStream> {
        match &self.0 {
            Inner::Tcp(stream) => Some(stream),
            Inner::Other(_) => None,
        }
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        with_inner!(self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Upgraded {
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
            Inner::Tcp(stream) => stream.is_write_vectored(),
            Inner::Other(upgraded) => upgraded.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_inner!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_inner!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}
