//! One connection of the echo server.

use std::future::{Future, poll_fn, ready};
use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::pin::{Pin, pin};
use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;
use std::time::Duration;

use talkback::{AcceptError, CloseCode, CloseInfo, Message, Refusal, SendError, WebSocket};
use tokio::net::TcpStream;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, watch};
use tokio::task::block_in_place;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, info};

use crate::http;
use crate::options::EchoOptions;
use crate::transport::Transport;

/// How long a client may take until its WebSocket is open, TLS included.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// From this size in bytes on, to compress a message takes some milliseconds and more.
const LARGE_SIZE: usize = 64 * 1024;

/// Which connections may compress a large message: no more than there are processors.
static COMPRESSING: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, NonZero::get)));

const DRAIN_REASON: &str = "the server stops";

/// Serves a client in a task of its own, so that one that stalls holds up nobody else.
pub(crate) fn spawn(
    stream: TcpStream,
    peer: SocketAddr,
    options: Arc<EchoOptions>,
    stopped: watch::Receiver<()>,
) {
    // An answer must not wait for the acknowledgement of the one before. A socket that cannot be
    // told so is slow, not broken.
    let _ = stream.set_nodelay(true);
    #[cfg(feature = "tls")]
    if let Some(identity) = &options.tls {
        let securing = Box::pin(identity.accept(stream));
        tokio::spawn(serve(securing, peer, options, stopped));
        return;
    }
    tokio::spawn(serve(ready(Ok(stream)), peer, options, stopped));
}

/// Serves a client until it goes or the server stops; `securing` is the TLS handshake, if there is
/// one.
///
/// There is one such future for each open connection, so it stays small: what is only needed at
/// its beginning and its end is boxed.
pub(crate) async fn serve<T: Transport>(
    securing: impl Future<Output = io::Result<T>>,
    peer: SocketAddr,
    options: Arc<EchoOptions>,
    mut stopped: watch::Receiver<()>,
) {
    let opened = tokio::select! {
        opened = Box::pin(open(securing, &options)) => opened,
        _ = stopped.changed() => return,
    };
    // An error is larger than all that is kept.
    let Some(mut socket) = opened.map_err(|error| log_unopened(peer, &error)).ok() else {
        return;
    };
    // Nobody looks at it any more, and it would be the largest part of an idle connection.
    drop(socket.take_request());
    info!(%peer, subprotocol = socket.subprotocol().is_some(), "open");
    tokio::select! {
        () = echo(&mut socket) => {}
        _ = stopped.changed() => Box::pin(drain(&mut socket, &options)).await,
    }
    log_end(peer, socket.close_info());
}

/// Both handshakes, within one timeout.
async fn open<T: Transport>(
    securing: impl Future<Output = io::Result<T>>,
    options: &EchoOptions,
) -> Result<Box<WebSocket<T>>, OpenError> {
    let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
    let late = || OpenError::Accept(AcceptError::Timeout(HANDSHAKE_TIMEOUT));
    let secured = timeout_at(deadline, securing).await.map_err(|_| late())?;
    let web = options.web.clone();
    let accepting = talkback::accept(secured.map_err(OpenError::Tls)?)
        .subprotocols(options.subprotocols.iter().cloned())
        .origin_policy(options.origin_policy.clone())
        .limits(options.limits.clone())
        .compression(options.compression)
        .timeout(deadline - Instant::now())
        .otherwise(move |request| http::answer(request, web.as_ref()));
    match accepting.await {
        Ok(socket) => Ok(Box::new(socket)),
        Err(AcceptError::Timeout(_)) => Err(late()),
        Err(error) => Err(OpenError::Accept(error)),
    }
}

/// Why a connection has not become a WebSocket.
enum OpenError {
    Tls(io::Error),
    Accept(AcceptError),
}

/// Sends back what comes. `recv` writes what was fed before it waits, so that the answers to one
/// read leave in one write.
async fn echo<T: Transport>(socket: &mut WebSocket<T>) {
    while let Ok(Some(message)) = socket.recv().await {
        // Nothing is borrowed from what is moved on: that would cost each connection its size.
        let (message, is_large) = weighed(message);
        // What cannot be sent shows at the next `recv` as the end of the connection.
        if is_large && socket.has_deflate() {
            let _ = feed_large(socket, message).await;
        } else {
            let _ = socket.feed(message).await;
        }
    }
}

/// A message, and whether to compress it would hold up others.
fn weighed(message: Message) -> (Message, bool) {
    let is_large = message.len() >= LARGE_SIZE;
    (message, is_large)
}

/// Compresses and queues a message, which may take a second, while others are served: a client that
/// sends 130 KB may choose 16 MiB that are dear to compress.
fn feed_large<'a, T: Transport>(
    socket: &'a mut WebSocket<T>,
    message: Message,
) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
    Box::pin(async move {
        // While the peer holds back what is queued, nothing is compressed, and nobody is held up.
        socket.flush().await?;
        let _permit = COMPRESSING.acquire().await;
        let mut feeding = pin!(socket.feed(message));
        poll_fn(|cx| match Handle::current().runtime_flavor() {
            RuntimeFlavor::CurrentThread => feeding.as_mut().poll(cx),
            // Another thread takes over the tasks of this one.
            _ => block_in_place(|| feeding.as_mut().poll(cx)),
        })
        .await
    })
}

async fn drain<T: Transport>(socket: &mut WebSocket<T>, options: &EchoOptions) {
    let closing = socket.close_with(CloseCode::GOING_AWAY, DRAIN_REASON);
    // One that does not close in time is cut.
    let _ = timeout(options.drain_timeout, closing).await;
}

fn log_unopened(peer: SocketAddr, error: &OpenError) {
    match error {
        OpenError::Tls(error) => info!(%peer, %error, "TLS failed"),
        OpenError::Accept(AcceptError::Answered(status)) => {
            debug!(%peer, status = status.as_u16(), "page served");
        }
        OpenError::Accept(AcceptError::Refused(refusal)) => {
            info!(%peer, status = refusal.status().as_u16(), "{}", told(refusal));
        }
        OpenError::Accept(error) => info!(%peer, %error, "not opened"),
    }
}

/// What a refusal says, with this server's options in place of the library's.
fn told(refusal: &Refusal) -> String {
    let head_limits = [
        ". This server takes more if HeadLimits::size_max is raised with `head_limits`",
        ". This server takes more if HeadLimits::headers_max is raised with `head_limits`",
    ];
    let text = refusal.to_string();
    let text = text.replace("`origin_policy`", "`origins` (of the command: `--origin`)");
    head_limits
        .iter()
        .fold(text, |text, hint| text.replace(hint, ""))
}

fn log_end(peer: SocketAddr, end: Option<&CloseInfo>) {
    match end {
        Some(info) => info!(%peer, code = info.code.number(), "{}", told_of_end(info)),
        None => info!(%peer, "cut"),
    }
}

/// How it ended, without what the client says about it, which may be a secret, and is the client's to
/// choose; with this server's options in place of the library's.
fn told_of_end(info: &CloseInfo) -> String {
    let mut info = info.clone();
    info.reason.clear();
    let text = info.to_string();
    let option = "raise `message_size_max` (of the command: `--max-message`), or ";
    let text = text.replace("raise Limits::message_size_max, or ", option);
    text.replace("raise Limits::fragments_max, or ", "")
}

#[cfg(test)]
mod tests {
    use talkback::{CloseCause, Initiator, ProtocolError};
    use tokio::net::TcpListener;

    use super::*;

    /// What came of a request, by a server of the library.
    async fn refused(request: &str) -> Refusal {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        tokio::io::AsyncWriteExt::write_all(&mut client, request.as_bytes())
            .await
            .unwrap();
        drop(client);
        match talkback::accept(server).await.map(drop).unwrap_err() {
            AcceptError::Refused(refusal) => refusal,
            other => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn what_is_logged_of_a_refusal_names_options_that_there_are() {
        let origin = "GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://b\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            Sec-WebSocket-Version: 13\r\n\r\n";
        let large = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: a\r\n".repeat(101));
        for (request, end) in [
            (
                origin,
                "else allow the origin with `origins` (of the command: `--origin`)",
            ),
            (&large, "send fewer or shorter headers (cookies, mostly)"),
            (&many, "more than 100 header lines: send fewer"),
        ] {
            let text = told(&refused(request).await);
            assert!(text.ends_with(end), "{text}");
        }
    }

    #[test]
    fn what_is_logged_of_an_end_names_options_that_there_are() {
        let (size, size_max) = (7, 6);
        for (error, advice) in [
            (
                ProtocolError::MessageTooBig { size, size_max },
                ": raise `message_size_max` (of the command: `--max-message`), or have the peer",
            ),
            (
                ProtocolError::TooManyFragments(5),
                "this end's limit: have the peer send fewer",
            ),
        ] {
            let cause = CloseCause::Protocol(error);
            let info = CloseInfo::abnormal(CloseCode::ABNORMAL, Initiator::Local, cause);
            let text = told_of_end(&info);
            assert!(text.contains(advice), "{text}");
        }
    }

    #[tokio::test]
    async fn an_open_connection_holds_a_small_future() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let peer = stream.peer_addr().unwrap();
        let options = Arc::new(EchoOptions::default());
        let (_stopping, stopped) = watch::channel(());
        let future = serve(ready(Ok(stream)), peer, options, stopped);
        let size = size_of_val(&future) + size_of::<WebSocket<TcpStream>>();
        assert!(size <= 2048, "{size} bytes");
    }
}
