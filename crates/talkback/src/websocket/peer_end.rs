//! Whether a peer has ended a transport, seen without reading it.

use std::any::Any;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncWrite, DuplexStream, Interest};
use tokio::net::TcpStream;

#[cfg(feature = "upgrade")]
use crate::accept::upgrade::upgraded::Upgraded;
use crate::connect::transport::Transport;

/// Whether the peer has ended or reset a transport, as far as that can be seen: over TCP, TLS over TCP,
/// Unix sockets, and in memory.
pub(super) fn is_seen(io: &mut dyn Any, cx: &mut Context<'_>) -> bool {
    if let Some(stream) = tcp_stream(io) {
        return is_closed(stream.ready(Interest::READABLE));
    }
    #[cfg(unix)]
    if let Some(stream) = io.downcast_ref::<tokio::net::UnixStream>() {
        return is_closed(stream.ready(Interest::READABLE));
    }
    if let Some(stream) = io.downcast_mut::<DuplexStream>() {
        // Of nothing, nothing is written; but an end that is gone takes not even that.
        return matches!(Pin::new(stream).poll_write(cx, &[]), Poll::Ready(Err(_)));
    }
    false
}

/// The flags are the runtime's, which learns of an end whether somebody waits or not. They are only
/// looked at: whoever cleared them would have the next read wait for what has come already.
fn is_closed(ready: impl Future<Output = std::io::Result<tokio::io::Ready>>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    matches!(pin!(ready).poll(&mut cx), Poll::Ready(Ok(ready)) if ready.is_read_closed())
}

/// The TCP connection at the bottom of a transport.
fn tcp_stream(io: &dyn Any) -> Option<&TcpStream> {
    if let Some(stream) = io.downcast_ref::<TcpStream>() {
        return Some(stream);
    }
    if let Some(transport) = io.downcast_ref::<Transport>() {
        return Some(transport.tcp_stream());
    }
    #[cfg(feature = "upgrade")]
    if let Some(upgraded) = io.downcast_ref::<Upgraded>() {
        return upgraded.tcp_stream();
    }
    #[cfg(feature = "tls")]
    {
        use tokio_rustls::{TlsStream, client, server};

        if let Some(stream) = io.downcast_ref::<client::TlsStream<TcpStream>>() {
            return Some(stream.get_ref().0);
        }
        if let Some(stream) = io.downcast_ref::<server::TlsStream<TcpStream>>() {
            return Some(stream.get_ref().0);
        }
        if let Some(stream) = io.downcast_ref::<TlsStream<TcpStream>>() {
            return Some(stream.get_ref().0);
        }
    }
    None
}
