//! L7: the end of a channel that nobody reads, over TCP and TLS.

use std::time::Duration;

#[cfg(unix)]
use socket2::{SockRef, TcpKeepalive};
#[cfg(unix)]
use talkback::Keepalive;
use talkback::{ChannelState, CloseCode, Error, Limits, Role, WebSocket, WebSocketChannel};
use talkback_proto::Opcode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::support::{Fin, masked, plain};

/// Far more than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// How the peer of a channel goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With a close frame, and then as TCP ends.
    Close(u16, &'static str),
    /// As TCP ends, without a close frame.
    Fin,
    /// With a reset.
    Reset,
}

const ENDS: [End; 4] = [
    End::Close(1000, ""),
    End::Close(1008, "log in first"),
    End::Fin,
    End::Reset,
];

/// Two ends of a TCP connection.
async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connecting = TcpStream::connect(listener.local_addr().unwrap());
    let (near, far) = tokio::join!(connecting, listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// A frame as the peer of an end of this role sends it.
fn frame(role: Role, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    match role {
        Role::Client => plain(Fin::Last, opcode, payload),
        Role::Server => masked(Fin::Last, opcode, payload),
    }
}

/// What the peer of an end of this role does: it sends so many messages, and goes.
#[derive(Clone, Copy, Debug)]
struct Push {
    role: Role,
    count: usize,
    end: End,
}

impl Push {
    /// Sends the numbers from 0, each a message, and a close frame if it is to end so.
    async fn write<T: AsyncWrite + Unpin>(&self, far: &mut T) {
        let number = |n: usize| frame(self.role, Opcode::Text, n.to_string().as_bytes());
        let mut bytes = (0..self.count).flat_map(number).collect::<Vec<_>>();
        if let End::Close(code, reason) = self.end {
            let body = [&code.to_be_bytes(), reason.as_bytes()].concat();
            bytes.extend(frame(self.role, Opcode::Close, &body));
        }
        far.write_all(&bytes).await.unwrap();
        far.flush().await.unwrap();
    }
}

/// Waits for something that a program sees.
async fn until(what: impl Fn() -> bool) {
    let waiting = async {
        while !what() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, waiting).await.unwrap();
}

/// Holds a channel that nobody has read to be told of its end, and to give out what came before.
async fn expect_end(mut channel: WebSocketChannel, count: usize, end: End) {
    // A program that only sends.
    let sending = async {
        loop {
            match channel.send("tick").await {
                Ok(()) => sleep(Duration::from_millis(5)).await,
                Err(error) => break error.to_string(),
            }
        }
    };
    let refused = timeout(LIMIT, sending).await.unwrap();
    if let End::Close(code, reason) = end {
        assert!(refused.contains(&code.to_string()), "{refused}");
        assert!(refused.contains(reason), "{refused}");
    }
    assert_ne!(channel.state(), ChannelState::Open);
    // A program that only waits. What it had queued may be lost.
    let _ = timeout(LIMIT, channel.closed()).await.unwrap();
    let info = channel.close_info().unwrap();
    let expected = match end {
        End::Close(code, reason) => (CloseCode::new(code), reason),
        End::Fin | End::Reset => (CloseCode::ABNORMAL, ""),
    };
    assert_eq!((info.code, &*info.reason), expected, "{end:?}");
    let mut received = 0;
    let outcome = loop {
        match channel.recv().await {
            Ok(Some(message)) => assert_eq!(message, received.to_string().into()),
            outcome => break outcome,
        }
        received += 1;
    };
    // A reset may overtake what was sent.
    if end != End::Reset {
        assert_eq!(received, count);
    }
    match end {
        End::Close(1000, _) => assert_eq!(outcome.unwrap(), None),
        _ => assert!(matches!(outcome, Err(Error::Closed(_)))),
    }
}

/// The peer pushes and goes, while nobody reads the channel over `near`.
async fn goes<N, F>(near: N, mut far: F, tcp: fn(&F) -> &TcpStream, push: Push)
where
    N: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Push { role, count, end } = push;
    let channel = WebSocketChannel::from(WebSocket::from_upgraded(near, role));
    push.write(&mut far).await;
    match end {
        // The program sends before it is told: what comes then must not make a reset of the FIN.
        End::Close(..) | End::Fin => {
            far.shutdown().await.unwrap();
            tokio::spawn(async move { far.read_to_end(&mut Vec::new()).await });
        }
        End::Reset => {
            sleep(Duration::from_millis(20)).await;
            tcp(&far).set_zero_linger().unwrap();
            drop(far);
        }
    }
    let ending = timeout(LIMIT, expect_end(channel, count, end));
    ending.await.unwrap_or_else(|_| panic!("{push:?}"));
}

/// All ways to push and go, to an end of this role.
fn pushes(role: Role) -> impl Iterator<Item = Push> {
    let counts = [63, 64, 65, 200, 4000].into_iter();
    counts.flat_map(move |count| ENDS.map(|end| Push { role, count, end }))
}

#[tokio::test]
async fn l7_an_unread_channel_is_told_of_its_end() {
    for push in pushes(Role::Client).chain(pushes(Role::Server)) {
        let (near, far) = tcp().await;
        goes(near, far, |stream| stream, push).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn l7_an_unread_channel_over_a_unix_socket_is_told_of_its_end() {
    use tokio::net::UnixStream;

    let (near, mut far) = UnixStream::pair().unwrap();
    let mut channel = WebSocketChannel::from(WebSocket::from_upgraded(near, Role::Client));
    let push = Push {
        role: Role::Client,
        count: 4000,
        end: End::Fin,
    };
    push.write(&mut far).await;
    drop(far);
    let info = timeout(LIMIT, channel.closed()).await.unwrap().unwrap();
    assert_eq!(info.code, CloseCode::ABNORMAL);
    for number in 0..4000 {
        let message = channel.recv().await.unwrap();
        assert_eq!(message, Some(number.to_string().into()));
    }
    assert!(channel.recv().await.is_err());
}

#[tokio::test]
async fn l7_an_unread_channel_is_told_of_an_end_long_after_the_messages() {
    let (near, mut far) = tcp().await;
    let channel = WebSocketChannel::from(WebSocket::from_upgraded(near, Role::Client));
    let push = Push {
        role: Role::Client,
        count: 4000,
        end: End::Fin,
    };
    push.write(&mut far).await;
    // The driver has looked in vain by then.
    sleep(Duration::from_millis(200)).await;
    assert_eq!(channel.state(), ChannelState::Open);
    drop(far);
    until(|| channel.state() == ChannelState::Closed).await;
}

/// When the kernel probes the peer of a channel, how long it waits between two probes, and how many it
/// sends; in seconds.
#[cfg(unix)]
type Probes = Option<(u64, u64, u32)>;

/// Pushes so many messages to a channel, and holds the kernel to be told this.
#[cfg(unix)]
async fn expect_probes(
    count: usize,
    keepalive: impl Into<Option<Keepalive>>,
    prepare: impl FnOnce(&SockRef<'_>),
    expected: Probes,
) {
    use std::os::fd::AsFd;

    let (near, mut far) = tcp().await;
    let fd = near.as_fd().try_clone_to_owned().unwrap();
    let socket = SockRef::from(&fd);
    prepare(&socket);
    let mut end = WebSocket::from_upgraded(near, Role::Client);
    if let Some(keepalive) = keepalive.into() {
        end.set_keepalive(keepalive);
    }
    let channel = WebSocketChannel::from(end);
    let push = Push {
        role: Role::Client,
        count,
        end: End::Fin,
    };
    push.write(&mut far).await;
    // Where it is to stay as it is, that is long enough for the driver to have had its turn.
    sleep(Duration::from_millis(200)).await;
    let is_on = || socket.keepalive().unwrap();
    until(|| expected.is_none() || is_on()).await;
    assert_eq!(channel.state(), ChannelState::Open);
    let found = is_on().then(|| {
        (
            socket.tcp_keepalive_time().unwrap().as_secs(),
            socket.tcp_keepalive_interval().unwrap().as_secs(),
            socket.tcp_keepalive_retries().unwrap(),
        )
    });
    assert_eq!(found, expected);
}

#[cfg(unix)]
#[tokio::test]
async fn l7_the_host_of_a_peer_that_has_to_wait_is_probed_by_the_kernel() {
    let untouched = |_: &SockRef<'_>| {};
    // 40 s in all, as by the keepalive.
    expect_probes(4000, None, untouched, Some((20, 5, 4))).await;
    let quick = Keepalive::from(Duration::from_millis(2500));
    expect_probes(4000, quick, untouched, Some((2, 1, 4))).await;
    let slow = Keepalive::from(Duration::from_secs(1_000_000));
    expect_probes(4000, slow, untouched, Some((32_767, 32_767, 4))).await;
    // While it is read, the channel asks itself.
    expect_probes(200, None, untouched, None).await;
    let endless = Keepalive::default().timeout(Duration::MAX);
    for keepalive in [Keepalive::OFF, endless] {
        expect_probes(4000, keepalive, untouched, None).await;
    }
    // What the program has set stays.
    let own = |socket: &SockRef<'_>| {
        let own = TcpKeepalive::new().with_time(Duration::from_secs(7));
        let own = own.with_interval(Duration::from_secs(3)).with_retries(2);
        socket.set_tcp_keepalive(&own).unwrap();
    };
    expect_probes(4000, None, own, Some((7, 3, 2))).await;
}

/// A server as one is written, which does not wait for the client for long.
async fn push_and_close<T: AsyncRead + AsyncWrite + Unpin>(socket: WebSocket<T>) {
    let limits = Limits::default().close_timeout(Duration::from_secs(1));
    let mut socket = socket.with_limits(limits);
    for number in 0..4000 {
        socket.feed(number.to_string()).await.unwrap();
    }
    socket.close_with(1008, "log in first").await.unwrap();
}

#[tokio::test]
async fn l7_a_channel_that_connects_is_told_of_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        push_and_close(talkback::accept(stream).await.unwrap()).await;
    };
    let channel = WebSocketChannel::connect(url);
    let ending = timeout(LIMIT, async { tokio::join!(serving, channel.closed()) });
    ending.await.unwrap().1.unwrap();
    expect_end(channel, 4000, End::Close(1008, "log in first")).await;
}

#[cfg(feature = "tls")]
mod over_tls {
    use std::sync::Arc;

    use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream, client, server};

    use super::*;
    use crate::support::certificates::Authority;

    /// The client's and the server's end of a TLS connection.
    async fn tls() -> (client::TlsStream<TcpStream>, server::TlsStream<TcpStream>) {
        let authority = Authority::new("A root");
        let connector = TlsConnector::from(Arc::new(authority.client()));
        let acceptor = TlsAcceptor::from(Arc::new(authority.issue("127.0.0.1").server()));
        let (near, far) = tcp().await;
        let name = "127.0.0.1".try_into().unwrap();
        let (client, server) = tokio::join!(connector.connect(name, near), acceptor.accept(far));
        (client.unwrap(), server.unwrap())
    }

    #[tokio::test]
    async fn l7_an_unread_client_over_tls_is_told_of_its_end() {
        for push in pushes(Role::Client) {
            let (client, server) = tls().await;
            goes(client, server, |stream| stream.get_ref().0, push).await;
        }
    }

    #[tokio::test]
    async fn l7_an_unread_server_over_tls_is_told_of_its_end() {
        for push in pushes(Role::Server) {
            let (client, server) = tls().await;
            goes(server, client, |stream| stream.get_ref().0, push).await;
        }
    }

    #[tokio::test]
    async fn l7_an_unread_end_over_either_tls_is_told_of_its_end() {
        for push in pushes(Role::Client).filter(|push| push.count == 4000) {
            let (client, server) = tls().await;
            let client = TlsStream::from(client);
            goes(client, server, |stream| stream.get_ref().0, push).await;
        }
    }

    #[tokio::test]
    async fn l7_a_channel_that_connects_over_tls_is_told_of_its_end() {
        let authority = Authority::new("A root");
        let acceptor = TlsAcceptor::from(Arc::new(authority.issue("127.0.0.1").server()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("wss://{}/", listener.local_addr().unwrap());
        let serving = async {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = acceptor.accept(stream).await.unwrap();
            push_and_close(talkback::accept(stream).await.unwrap()).await;
        };
        let channel = talkback::connect(url).tls_roots(authority.pem).channel();
        let ending = timeout(LIMIT, async { tokio::join!(serving, channel.closed()) });
        ending.await.unwrap().1.unwrap();
        expect_end(channel, 4000, End::Close(1008, "log in first")).await;
    }
}
