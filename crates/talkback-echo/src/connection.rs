//! One connection of the echo server.

use std::future::{self, Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::http::Request;
use ::http::header::SEC_WEBSOCKET_PROTOCOL;
use futures_core::Stream as _;
use futures_sink::Sink as _;
use talkback::{
    AcceptError, Approval, CloseCause, CloseCode, CloseInfo, Message, Refusal, WebSocket,
};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, info};

use crate::behaving::{self, Left, behave};
use crate::behaviour::{self, Behaviour, Opening};
use crate::connections::Place;
use crate::http as pages;
use crate::large::{LARGE_SIZE, feed_large};
use crate::log::{self, Told};
use crate::options::EchoOptions;
use crate::peer::Peer;
use crate::transport::Transport;

/// How long a client may take until its WebSocket is open, TLS included.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

const DRAIN_REASON: &str = "the server stops";

/// Serves a client in a task of its own, so that one that stalls holds up nobody else.
pub(crate) fn spawn(stream: TcpStream, peer: SocketAddr, place: Place) {
    // An answer must not wait for the acknowledgement of the one before. A socket that cannot be
    // told so is slow, not broken.
    let _ = stream.set_nodelay(true);
    #[cfg(feature = "tls")]
    if let Some(identity) = &place.options().tls {
        let securing = Box::pin(identity.accept(stream));
        tokio::spawn(serve(securing, peer, place));
        return;
    }
    tokio::spawn(serve(future::ready(Ok(stream)), peer, place));
}

/// Serves a client until it goes or the server stops; `securing` is the TLS handshake, if there is
/// one.
///
/// There is one such future for each open connection, so it stays small: what is only needed at
/// its beginning and its end is boxed.
pub(crate) fn serve<T: Transport>(
    securing: impl Future<Output = io::Result<T>> + Send,
    peer: SocketAddr,
    place: Place,
) -> impl Future<Output = ()> + Send {
    let options = Arc::clone(place.options());
    let mut opening = Box::pin(open(securing, peer, options));
    // A block, as an `async fn` would keep its arguments twice.
    async move {
        let mut stop = pin!(place.stop());
        // Once is enough: a task has one waker.
        poll_fn(|cx| Poll::Ready(stop.as_mut().poll(cx).is_ready())).await;
        let opened = poll_fn(|cx| place.unless_stopping(opening.as_mut().poll(cx)));
        let Some(Some((mut socket, asked))) = opened.await else {
            return;
        };
        drop(opening);
        if let Some(asked) = asked
            && Box::pin(is_cut(&mut socket, &place, asked)).await
        {
            return;
        }
        if place.options().logs_messages {
            Box::pin(echo_told(&mut socket, &place)).await;
        }
        let mut unsent = None;
        loop {
            let echoed =
                poll_fn(|cx| place.unless_stopping(poll_echo(&mut socket, &mut unsent, cx)));
            let is_stopping = match echoed.await {
                Some(Echoed::Large) => {
                    let mut feeding = Box::pin(feed_large(&mut socket, unsent.take()));
                    let fed = poll_fn(|cx| place.unless_stopping(feeding.as_mut().poll(cx)));
                    fed.await.is_none()
                }
                Some(Echoed::All) => break,
                None => true,
            };
            if is_stopping {
                Box::pin(drain(&mut socket, place.options())).await;
                break;
            }
        }
        log_end(socket.peer(), socket.close_info());
    }
}

/// Behaves as the path asks for, if the server does not stop; whether the connection is to be cut then.
async fn is_cut<T: Transport>(
    socket: &mut WebSocket<T>,
    place: &Place,
    asked: Box<Behaviour>,
) -> bool {
    let peer = socket.peer();
    let mut behaving = pin!(behave(socket, *asked, client_told(peer, place)));
    let behaved = poll_fn(|cx| place.unless_stopping(behaving.as_mut().poll(cx)));
    let is_cut = matches!(behaved.await, Some(Left::Cut));
    if is_cut && let Some(peer) = peer {
        info!(peer = %Peer(peer), "cut, as the path asked for");
    }
    is_cut
}

/// The client, if its messages are told.
fn client_told(peer: Option<SocketAddr>, place: &Place) -> Told {
    Told(peer.filter(|_| place.options().logs_messages))
}

/// Echoes what comes and tells of each message, until the connection ends or the server stops: what is
/// left to do then is that of any connection.
async fn echo_told<T: Transport>(socket: &mut WebSocket<T>, place: &Place) {
    let told = client_told(socket.peer(), place);
    let mut echoing = pin!(behaving::echo(socket, told));
    poll_fn(|cx| place.unless_stopping(echoing.as_mut().poll(cx))).await;
}

/// A client's WebSocket, if it becomes one; it knows the client's address.
async fn open<T: Transport>(
    securing: impl Future<Output = io::Result<T>>,
    peer: SocketAddr,
    options: Arc<EchoOptions>,
) -> Option<(WebSocket<T>, Option<Box<Behaviour>>)> {
    let asked = Arc::default();
    match handshake(securing, peer, options, Arc::clone(&asked)).await {
        Ok(mut socket) => {
            info!(peer = %Peer(peer), subprotocol = socket.subprotocol().is_some(), "open");
            // An idle connection can do without it: it is the larger part of what one holds.
            socket.forget_request();
            let asked = Arc::into_inner(asked).and_then(OnceLock::into_inner);
            Some((socket, asked))
        }
        Err(error) => {
            log_unopened(peer, &error);
            None
        }
    }
}

/// Both handshakes, within one timeout.
async fn handshake<T: Transport>(
    securing: impl Future<Output = io::Result<T>>,
    peer: SocketAddr,
    options: Arc<EchoOptions>,
    asked: Arc<OnceLock<Box<Behaviour>>>,
) -> Result<WebSocket<T>, OpenError> {
    let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
    let late = || OpenError::Accept(AcceptError::Timeout(HANDSHAKE_TIMEOUT));
    let secured = timeout_at(deadline, securing).await.map_err(|_| late())?;
    let web = options.web.clone();
    let accepting = talkback::accept(secured.map_err(OpenError::Tls)?)
        .peer(peer)
        .origin_policy(options.origin_policy.clone())
        .limits(options.limits.clone())
        .compression(options.compression)
        .timeout(deadline - Instant::now())
        .check(move |request| future::ready(approve(&request, peer, &options.subprotocols, &asked)))
        .otherwise(move |request| {
            log::request(peer, request);
            pages::answer(request, web.as_ref())
        });
    accepting.await.map_err(|error| match error {
        AcceptError::Timeout(_) => late(),
        error => OpenError::Accept(error),
    })
}

/// Answers as the path asks for; what it asks for once the connection is open goes to `asked`.
fn approve(
    request: &Request<()>,
    peer: SocketAddr,
    spoken: &[String],
    asked: &OnceLock<Box<Behaviour>>,
) -> Result<Approval, Refusal> {
    log::request(peer, request);
    let mut offered = offered(request);
    let is_spoken = |offer: &&str| spoken.is_empty() || spoken.iter().any(|spoken| spoken == offer);
    let chosen = match behaviour::read(request)? {
        Opening::Subprotocol(name) => offered.find(|offer| *offer == name),
        Opening::Behaviour(behaviour) => {
            let _ = asked.set(Box::new(behaviour));
            offered.find(is_spoken)
        }
        Opening::Echo => offered.find(is_spoken),
    };
    Ok(match chosen {
        Some(name) => Approval::default().subprotocol(name),
        None => Approval::default(),
    })
}

/// The subprotocols that a client offers, best first.
fn offered(request: &Request<()>) -> impl Iterator<Item = &str> {
    let lines = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let names = lines.filter_map(|line| line.to_str().ok());
    let names = names.flat_map(|line| line.split(','));
    names.map(str::trim).filter(|name| !name.is_empty())
}

/// Why a connection has not become a WebSocket.
enum OpenError {
    Tls(io::Error),
    Accept(AcceptError),
}

/// How far the echo has come.
enum Echoed {
    /// To a message that would hold up others while it is compressed, which is unsent.
    Large,
    /// To the end of the connection.
    All,
}

/// Sends back what comes; `unsent` is a message that waits for what is queued before it to leave, or is large.
///
/// What is queued is written before the socket waits for more, so that the answers to one read leave in
/// one write.
// Within the future of a connection the compiler finds less space for what a message needs.
#[inline(never)]
fn poll_echo<T: Transport>(
    socket: &mut WebSocket<T>,
    unsent: &mut Option<Message>,
    cx: &mut Context<'_>,
) -> Poll<Echoed> {
    let mut socket = Pin::new(socket);
    // What cannot be sent shows as the end of the connection when the next message is waited for.
    if unsent.is_some() {
        let _ = ready!(socket.as_mut().poll_ready(cx));
        let _ = unsent
            .take()
            .map(|message| socket.as_mut().start_send(message));
    }
    loop {
        let Some(Ok(message)) = ready!(socket.as_mut().poll_next(cx)) else {
            return Poll::Ready(Echoed::All);
        };
        if socket.has_deflate() && message.len() >= LARGE_SIZE {
            *unsent = Some(message);
            return Poll::Ready(Echoed::Large);
        }
        if socket.as_mut().poll_ready(cx).is_pending() {
            *unsent = Some(message);
            return Poll::Pending;
        }
        let _ = socket.as_mut().start_send(message);
    }
}

async fn drain<T: Transport>(socket: &mut WebSocket<T>, options: &EchoOptions) {
    let closing = socket.close_with(CloseCode::GOING_AWAY, DRAIN_REASON);
    // One that does not close in time is cut.
    let _ = timeout(options.drain_timeout, closing).await;
}

fn log_unopened(peer: SocketAddr, error: &OpenError) {
    let peer = Peer(peer);
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
    let origins = match refusal.reason().starts_with("the Origin \"null\"") {
        // The command's option does not take that one.
        true => "`origins`",
        false => "`origins` (of the command: `--origin`)",
    };
    let text = text.replace("`origin_policy`", origins);
    head_limits
        .iter()
        .fold(text, |text, hint| text.replace(hint, ""))
}

fn log_end(peer: Option<SocketAddr>, end: Option<&CloseInfo>) {
    let peer = Peer(peer.expect("it was told when the connection was accepted"));
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
    if !matches!(info.cause, CloseCause::Protocol(_)) {
        return text;
    }
    let option = "raise `message_size_max` (of the command: `--max-message`), or ";
    let text = text.replace("raise Limits::message_size_max, or ", option);
    text.replace("raise Limits::fragments_max, or ", "")
}

#[cfg(test)]
mod tests {
    use talkback::{Initiator, ProtocolError};
    use tokio::net::TcpListener;

    use super::*;
    use crate::connections::Connections;

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
        let null = origin.replace("https://b", "null");
        for (request, end) in [
            (&*null, "It can be allowed with `origins`"),
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
        let connections = Connections::new(EchoOptions::default());
        let future = serve(future::ready(Ok(stream)), peer, connections.add());
        let size = size_of_val(&future);
        assert!(size <= 256, "{size} bytes");
    }
}
