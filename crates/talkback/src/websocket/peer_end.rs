//! Whether a peer has ended a transport or is gone, seen without reading it.

use std::any::Any;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use talkback_proto::Keepalive;
use tokio::io::{AsyncWrite, DuplexStream, Interest};
use tokio::net::TcpStream;

#[cfg(feature = "upgrade")]
use crate::accept::upgrade::upgraded::Upgraded;
use crate::connect::transport::Transport;

/// How many of the kernel's probes stay without an answer before it gives the peer up.
const PROBES: u32 = 4;

/// Has the kernel ask the peer's host for signs of life, and give it up as the keepalive would: the peer's
/// program cannot be asked while nothing is read from it. An end of TCP tells of it then.
///
/// What the program itself has turned on stays as it is.
pub(super) fn probe(io: &dyn Any, keepalive: Keepalive) {
    let is_endless = keepalive.is_off() || keepalive.end_after() == Duration::MAX;
    let Some(stream) = tcp_stream(io).filter(|_| !is_endless) else {
        return;
    };
    let socket = SockRef::from(stream);
    if let Ok(false) = socket.keepalive() {
        // Without it, this channel is not told of a host that is gone.
        let _ = socket.set_tcp_keepalive(&probes(keepalive));
    }
}

fn probes(keepalive: Keepalive) -> TcpKeepalive {
    // The kernel counts in seconds, and Linux to 32,767 at most.
    let seconds = |time: Duration| time.clamp(Duration::from_secs(1), Duration::from_secs(32_767));
    let probes = TcpKeepalive::new().with_time(seconds(keepalive.ping_after()));
    #[cfg(any(
        target_os = "android",
        target_os = "freebsd",
        target_os = "ios",
        target_os = "linux",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "windows",
    ))]
    let probes = probes
        .with_interval(seconds(keepalive.end_after() / PROBES))
        .with_retries(PROBES);
    probes
}

/// Whether the peer has ended or reset a transport, as far as that can be seen: over TCP, TLS over TCP,
/// Unix sockets, and in memory.
pub(super) fn is_seen(io: &mut dyn Any, cx: &mut Context<'_>) -> bool {
    if let Some(stream) = tcp_stream(io) {
        return is_closed(stream.ready(Interest::READABLE));
    }
    if let Some(transport) = io.downcast_mut::<Transport>() {
        return transport
            .own_stream()
            .is_some_and(|stream| is_seen(stream, cx));
    }
    #[cfg(unix)]
    if let Some(stream) = io.downcast_ref::<tokio::net::UnixStream>() {
        return is_closed(stream.ready(Interest::READABLE));
    }
    #[cfg(feature = "test-util")]
    if let Some(stream) = io.downcast_ref::<crate::test_util::stream::ScriptedStream>() {
        return stream.is_gone();
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
        return transport.tcp_stream();
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
