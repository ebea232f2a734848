//! What a transport and a slow client do to an accept, in virtual time.

use std::future::IntoFuture;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use talkback::{AcceptError, CloseCause, Error, Keepalive, WebSocketChannel, accept, connect};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::task::{coop, yield_now};
use tokio::time::{Instant, advance, sleep, timeout};

use crate::support::{Read, Script, written};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[tokio::test]
async fn v34_an_interrupted_transport_opens_all_the_same() {
    let interrupted = Read::Error(io::ErrorKind::Interrupted);
    let part = |range| Read::Bytes(Bytes::from_static(&REQUEST.as_bytes()[range]));
    let reads = [
        interrupted.clone(),
        part(0..1),
        interrupted.clone(),
        interrupted,
        part(1..REQUEST.len()),
        Read::Silence,
    ];
    let script = Script::new(reads).interrupts_writes();
    let log = script.log.clone();
    accept(script).await.unwrap();
    let response = String::from_utf8(written(&log)).unwrap();
    assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
    assert!(response.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

/// Asks for a page of 200 KB that the server has; the client's end, and what became of the accept.
async fn ask(io: DuplexStream) -> AcceptError {
    let accepting = accept(io).otherwise(|_| Response::new(vec![b'x'; 200_000].into()));
    accepting.await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_gets_the_whole_answer() {
    let (io, mut client) = duplex(1000);
    let asking = tokio::spawn(ask(io));
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    // 10 KB a second: 20 s.
    let (mut taken, mut part) = (0, [0; 1000]);
    while let size @ 1.. = client.read(&mut part).await.unwrap() {
        taken += size;
        sleep(Duration::from_millis(100)).await;
    }
    assert!(taken > 200_000, "{taken}");
    drop(client);
    assert!(matches!(asking.await.unwrap(), AcceptError::Answered(_)));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_answer_is_left() {
    let (io, mut client) = duplex(1000);
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let start = Instant::now();
    let asked = timeout(Duration::from_secs(60), ask(io)).await.unwrap();
    assert!(matches!(asked, AcceptError::Answered(_)));
    assert_eq!(start.elapsed().as_secs(), 10, "of virtual time");

    // One that is refused is waited for less.
    let (io, mut client) = duplex(16);
    let asking = tokio::spawn(accept(io).into_future());
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let start = Instant::now();
    assert!(asking.await.unwrap().is_err());
    assert_eq!(start.elapsed().as_secs(), 2, "of virtual time");
}

/// A client whose request is refused, and that sends on and on: there is always something to read.
struct Flood {
    request: &'static [u8],
    /// Whether tokio stops it now and then, as it does a TCP stream.
    is_stopped: bool,
    reads: Arc<AtomicUsize>,
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_stopped {
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        let reads = self.reads.fetch_add(1, Ordering::Relaxed);
        assert!(reads < 10_000, "other tasks do not run");
        match std::mem::take(&mut self.request) {
            [] => buffer.put_slice(&[b'x'; 1000]),
            request => buffer.put_slice(request),
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_on_behind_its_refusal_is_left() {
    for is_stopped in [true, false] {
        let reads = Arc::<AtomicUsize>::default();
        let flood = Flood {
            request: b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            is_stopped,
            reads: Arc::clone(&reads),
        };
        let asking = tokio::spawn(accept(flood).into_future());
        yield_now().await;
        assert!(!asking.is_finished(), "it is waited for");
        for _ in 0..3 {
            reads.store(0, Ordering::Relaxed);
            advance(Duration::from_secs(1)).await;
            yield_now().await;
        }
        assert!(asking.is_finished(), "is_stopped: {is_stopped}");
        assert!(matches!(
            asking.await.unwrap(),
            Err(AcceptError::Refused(_))
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn the_keepalive_is_the_one_given_for_a_channel_too() {
    for as_channel in [false, true] {
        let (near, far) = duplex(1024);
        let keepalive = Keepalive::default().interval(Duration::from_secs(3));
        let accepting = accept(far).keepalive(keepalive);
        let (client, server) = tokio::join!(connect("ws://a/").over(near), accepting);
        // It is not polled, and so answers no ping.
        let (_client, mut server) = (client.unwrap(), server.unwrap());
        let began = Instant::now();
        let end = match as_channel {
            true => WebSocketChannel::from(server).recv().await,
            false => server.recv().await,
        };
        assert_eq!(began.elapsed().as_secs(), 23, "{as_channel}");
        assert!(
            matches!(&end, Err(Error::Closed(info)) if info.cause == CloseCause::KeepaliveTimeout),
            "{end:?}"
        );
    }
}
