//! One connection of the echo server.

use std::future::{self, Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ::http::Request;
use ::http::header::SEC_WEBSOCKET_PROTOCOL;
use futures_core::Stream as _;
use futures_sink::Sink as _;
use talkback::server::ServerConnection;
use talkback::{
    Accept, AcceptError, Approval, CloseCause, CloseCode, CloseInfo, Keepalive, Message, Refusal,
    WebSocket,
};
use tracing::field::display;
use tracing::{debug, info};

use crate::behaving::{self, Left, behave};
use crate::behaviour::{self, Behaviour, Opening};
use crate::http as pages;
use crate::idle::Heard;
use crate::large::{LARGE_SIZE, feed_large};
use crate::log::{self, Told};
use crate::options::EchoOptions;
use crate::peer::Peer;
use crate::transport::Transport;

/// 3008 of IANA's registry: "Timeout".
const IDLE_CODE: CloseCode = CloseCode::new(3008);

const IDLE_REASON: &str = "no message came in time";

/// How a client is accepted.
pub(crate) fn accept<T>(accept: Accept<T>, options: &Arc<EchoOptions>) -> Accept<T> {
    let peer = accept.peer_addr();
    let options = Arc::clone(options);
    let served = Arc::clone(&options);
    accept
        .keepalive(Keepalive::OFF)
        .origin_policy(options.origin_policy.clone())
        .limits(options.limits.clone())
        .compression(options.compression)
        .check(move |request| {
            log::request(known(peer).0, &request);
            future::ready(approve(&request, &options.subprotocols))
        })
        .otherwise(move |request| {
            log::request(known(peer).0, request);
            pages::answer(request, served.web.as_ref(), served.metrics.as_ref())
        })
}

/// Serves a client until it goes or the server stops.
pub(crate) fn serve<T: Transport>(
    mut connection: ServerConnection<T>,
    options: Arc<EchoOptions>,
) -> impl Future<Output = ()> + Send {
    let (peer, has_subprotocol) = (known(connection.peer()), connection.subprotocol().is_some());
    // Behind a proxy, whose the peer's address is.
    let client = connection
        .client_ip()
        .filter(|ip| *ip != peer.0.ip().to_canonical());
    let client = client.map(display);
    info!(%peer, client, subprotocol = has_subprotocol, "open");
    let asked = match behaviour::read(connection.request()) {
        Ok(Opening::Behaviour(behaviour)) => Some(behaviour),
        _ => None,
    };
    // An idle connection can do without it: it is the larger part of what one holds.
    connection.forget_request();
    attend(connection, asked, options)
}

/// Serves a client that has asked for this.
///
/// There is one such future for each open connection, so it stays small: what is only needed at its beginning, or by
/// few, is boxed.
fn attend<T: Transport>(
    mut connection: ServerConnection<T>,
    asked: Option<Behaviour>,
    options: Arc<EchoOptions>,
) -> impl Future<Output = ()> + Send {
    let asked = asked.map(|asked| (asked, connection.draining()));
    let is_attended = asked.is_some() || options.logs_messages || options.idle_timeout.is_some();
    let attended = is_attended.then(|| Box::new(Attended { asked, options }));
    // A block, as an `async fn` would keep its arguments twice.
    async move {
        if let Some(attended) = attended
            && let Left::Cut = Box::pin(attended.run(&mut connection)).await
        {
            info!(peer = %known(connection.peer()), "cut, as the path asked for");
            return;
        }
        let mut unsent = None;
        while let Echoed::Large = poll_fn(|cx| poll_echo(&mut connection, &mut unsent, cx)).await {
            Box::pin(feed_large(&mut connection, unsent.take())).await;
        }
        log_end(connection.peer(), connection.close_info());
    }
}

/// What is done for a connection of which more is asked than the mere echo.
struct Attended<D> {
    /// What the path asks for; and when the server stops, which waits for none of it.
    asked: Option<(Behaviour, D)>,
    options: Arc<EchoOptions>,
}

impl<D: Future<Output = ()> + Send> Attended<D> {
    /// Echoes, or behaves as the path asks for and then echoes, until the connection ends or is to end; what is left to do
    /// then is that of any connection.
    async fn run<T: Transport>(self: Box<Self>, connection: &mut ServerConnection<T>) -> Left {
        let Self { asked, options } = *self;
        let heard = Heard::now();
        let told = Told {
            peer: connection.peer().filter(|_| options.logs_messages),
            heard: options.idle_timeout.map(|_| &heard),
        };
        let behaving = async {
            if let Some((asked, draining)) = asked {
                let left = tokio::select! {
                    left = behave(connection, asked, told) => left,
                    () = draining => Left::Echo,
                };
                if let Left::Cut = left {
                    return left;
                }
            }
            behaving::echo(connection, told).await;
            Left::Echo
        };
        let left = tokio::select! {
            left = behaving => Some(left),
            () = heard.silence(options.idle_timeout) => None,
        };
        match left {
            Some(left) => left,
            None => {
                let _ = connection.close_with(IDLE_CODE, IDLE_REASON).await;
                Left::Echo
            }
        }
    }
}

/// Answers as the path asks for.
fn approve(request: &Request<()>, spoken: &[String]) -> Result<Approval, Refusal> {
    let mut offered = offered(request);
    let is_spoken = |offer: &&str| spoken.is_empty() || spoken.iter().any(|spoken| spoken == offer);
    let chosen = match behaviour::read(request)? {
        Opening::Subprotocol(name) => offered.find(|offer| *offer == name),
        Opening::Behaviour(_) | Opening::Echo => offered.find(is_spoken),
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
        let message = match socket.next_message() {
            Some(message) => message,
            None => match ready!(socket.as_mut().poll_next(cx)) {
                Some(Ok(message)) => message,
                _ => return Poll::Ready(Echoed::All),
            },
        };
        if socket.has_deflate() && message.len() >= LARGE_SIZE {
            *unsent = Some(message);
            return Poll::Ready(Echoed::Large);
        }
        if socket.as_mut().poll_ready(cx).is_pending() {
            *unsent = Some(message);
            return Poll::Pending;
        }
        socket.as_mut().start_send(message).ok();
    }
}

/// Tells why a client has no WebSocket.
pub(crate) fn log_unopened(peer: SocketAddr, error: &AcceptError) {
    let peer = Peer(peer);
    match error {
        AcceptError::Answered(status) => {
            debug!(%peer, status = status.as_u16(), "page served");
        }
        AcceptError::Refused(refusal) => {
            info!(%peer, status = refusal.status().as_u16(), "{}", told(refusal));
        }
        error => info!(%peer, %error, "not opened"),
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

fn known(peer: Option<SocketAddr>) -> Peer {
    Peer(peer.expect("it was told when the connection was accepted"))
}

fn log_end(peer: Option<SocketAddr>, end: Option<&CloseInfo>) {
    let peer = known(peer);
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
    use std::time::Duration;

    use talkback::server::{Connections, Drain};
    use talkback::{Initiator, ProtocolError, Role};
    use tokio::io::{DuplexStream, duplex};
    use tokio::time::Instant;

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

    /// A served connection to a path, and its client.
    fn open(
        connections: &Connections,
        path: &str,
        options: EchoOptions,
    ) -> (
        WebSocket<DuplexStream>,
        impl Future<Output = ()> + Send + use<>,
    ) {
        let (near, far) = duplex(64 * 1024);
        let client = WebSocket::from_upgraded(near, Role::Client);
        let peer: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let place = connections.admit(peer).unwrap();
        let connection = place.open(WebSocket::from_upgraded(far, Role::Server));
        let request = Request::get(path).body(()).unwrap();
        let asked = match behaviour::read(&request).unwrap() {
            Opening::Behaviour(behaviour) => Some(behaviour),
            _ => None,
        };
        (client, attend(connection, asked, Arc::new(options)))
    }

    #[tokio::test]
    async fn an_open_connection_holds_a_small_future() {
        let (_client, future) = open(&Connections::new(), "/", EchoOptions::default());
        let size = size_of_val(&future);
        assert!(size <= 192, "{size} bytes");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_for_the_idle_timeout_is_closed_with_3008() {
        const TIME: Duration = Duration::from_secs(60);
        for path in ["/", "/ping/1", "/delay/1"] {
            let options = EchoOptions::default().idle_timeout(TIME);
            let (mut client, serving) = open(&Connections::new(), path, options);
            let serving = tokio::spawn(serving);
            tokio::time::sleep(TIME / 2).await;
            client.send("still there").await.unwrap();
            let heard = Instant::now();
            assert_eq!(
                client.recv().await.unwrap().unwrap().to_string(),
                "still there"
            );
            assert!(client.recv().await.is_err(), "{path}");
            let info = client.close_info().unwrap();
            assert_eq!(
                (info.code.number(), &*info.reason, info.clean),
                (3008, IDLE_REASON, true)
            );
            assert_eq!(heard.elapsed().as_secs(), 60, "{path}");
            serving.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_waits_for_nothing_that_was_asked_for() {
        let idle = || EchoOptions::default().idle_timeout(Duration::from_secs(3600));
        for (path, options) in [
            ("/", EchoOptions::default()),
            ("/", idle()),
            ("/", EchoOptions::default().log_messages()),
            ("/delay/60000", EchoOptions::default()),
            ("/slow/1", idle()),
            ("/ping/60", idle().log_messages()),
        ] {
            let connections = Connections::new();
            let (mut client, serving) = open(&connections, path, options);
            tokio::spawn(serving);
            client.send("a message that takes its time").await.unwrap();
            let begin = Instant::now();
            let receiving = async { while let Ok(Some(_)) = client.recv().await {} };
            let (report, ()) = tokio::join!(connections.drain(Drain::default()), receiving);
            assert_eq!((report.closed, report.cut), (1, 0), "{path}");
            assert_eq!(client.close_info().unwrap().code, 1012, "{path}");
            assert!(begin.elapsed().as_secs() < 1, "{path}");
        }
    }
}
