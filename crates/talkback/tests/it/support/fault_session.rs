//! A session of 20 messages and its echoes between two ends of talkback, and what may become of it
//! when the network fails.

use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use talkback::{
    Accept, AcceptError, CloseCause, CloseCode, CloseInfo, Connect, ConnectError, Error,
};
use talkback::{
    DeflateOffer, DeflateParameters, DeflatePolicy, DeflateTuning, Keepalive, Limits, Message,
    Transport, WebSocket, accept, connect,
};
use talkback_proto::Header;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::fault_proxy::{Cut, Direction, End, FaultProxy, Passed, Plan};

/// No session takes this long unless it hangs.
const LIMIT: Duration = Duration::from_secs(120);

const REASON: &str = "all said";

/// The messages of a session, and how they are sent.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) messages: Vec<Message>,
    /// How many messages are under way at a time; a ping goes behind them.
    pub(crate) burst: usize,
    pub(crate) limits: Limits,
    pub(crate) keepalive: Keepalive,
}

impl Session {
    /// About 1,300 bytes each way.
    pub(crate) fn small() -> Self {
        Self::new(&[0, 5, 125, 126, 5], 20)
    }

    /// About 350,000 bytes each way.
    pub(crate) fn large() -> Self {
        Self::new(&[70_000, 0, 5, 126, 125, 5], 1)
    }

    /// 20 messages of these sizes in turn, text and binary.
    fn new(sizes: &[usize], burst: usize) -> Self {
        let sizes = sizes.iter().copied().cycle();
        let messages = sizes.zip(0..20).map(|(size, number)| message(size, number));
        Self {
            messages: messages.collect(),
            burst,
            limits: Limits::default(),
            keepalive: Keepalive::OFF,
        }
    }
}

/// No two are equal unless they are empty, so that none can stand for another.
fn message(size: usize, number: u8) -> Message {
    let begin = size.min(3);
    let number = format!("{number:03}");
    if number.ends_with(['0', '2', '4', '6', '8']) {
        let mut text = number[..begin].to_owned() + &"가".repeat((size - begin) / 3);
        text.push_str(&"x".repeat(size - text.len()));
        return text.into();
    }
    let payload = (0..size).map(|index| index.to_le_bytes()[0]);
    let rest: Vec<u8> = payload.skip(begin).collect();
    [&number.as_bytes()[..begin], &rest].concat().into()
}

/// What one end made of a session.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// Why it was never open.
    pub(crate) unopened: Option<String>,
    pub(crate) received: Vec<Message>,
    pub(crate) error: Option<Error>,
    pub(crate) info: Option<CloseInfo>,
}

impl Side {
    fn unopened(error: impl ToString) -> Self {
        Self {
            unopened: Some(error.to_string()),
            ..Self::default()
        }
    }

    /// Receives a message; none once the connection has ended.
    async fn receive<T>(&mut self, socket: &mut WebSocket<T>) -> Option<Message>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        match socket.recv().await {
            Ok(Some(message)) => {
                self.received.push(message.clone());
                return Some(message);
            }
            Ok(None) => {}
            Err(error) => {
                assert!(self.error.is_none(), "a second error: {error}");
                self.error = Some(error);
                assert_eq!(
                    socket.recv().await.unwrap(),
                    None,
                    "one error, then the end"
                );
            }
        }
        self.info = socket.close_info().cloned();
        None
    }
}

/// The client's end: sends the messages, has them back, and closes.
pub(crate) async fn ask<T>(mut socket: WebSocket<T>, session: &Session) -> Side
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    socket.set_keepalive(session.keepalive);
    let mut side = Side::default();
    'open: for burst in session.messages.chunks(session.burst) {
        for message in burst {
            if socket.feed(message.clone()).await.is_err() {
                break 'open;
            }
        }
        if socket.ping("client").await.is_err() {
            break;
        }
        for _ in burst {
            if side.receive(&mut socket).await.is_none() {
                return side;
            }
        }
    }
    if side.received.len() == session.messages.len() {
        socket.close_with(CloseCode::NORMAL, REASON).await.unwrap();
    }
    while side.receive(&mut socket).await.is_some() {}
    side
}

/// The server's end: sends back what comes, and a ping with every fifth.
pub(crate) async fn echo<T>(mut socket: WebSocket<T>, session: &Session) -> Side
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    socket.set_keepalive(session.keepalive);
    let mut side = Side::default();
    while let Some(message) = side.receive(&mut socket).await {
        // What cannot be sent shows as the end.
        let _ = socket.feed(message).await;
        if side.received.len().is_multiple_of(5) {
            let _ = socket.ping("server").await;
        }
    }
    side
}

pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

type Opened<T> = Pin<Box<dyn Future<Output = Result<WebSocket<T>, String>> + Send>>;

/// How the two ends open their connection: with TLS or without.
#[derive(Clone)]
pub(crate) struct Opening {
    pub(crate) client: Arc<dyn Fn(SocketAddr) -> Connect + Send + Sync>,
    pub(crate) server: Arc<dyn Fn(TcpStream) -> Opened<Box<dyn Io>> + Send + Sync>,
}

impl Opening {
    pub(crate) fn plain() -> Self {
        Self {
            client: Arc::new(|address| connect(format!("ws://{address}/")).compression(None)),
            server: Arc::new(|stream| Box::pin(accept_on(Box::new(stream), None))),
        }
    }

    /// With every message compressed, in contexts that both ends keep.
    pub(crate) fn compressed() -> Self {
        let (offer, policy) = every_message();
        Self {
            client: Arc::new(move |address| connect(format!("ws://{address}/")).compression(offer)),
            server: Arc::new(move |stream| Box::pin(accept_on(Box::new(stream), Some(policy)))),
        }
    }
}

/// Compresses every message, however small, in contexts that both ends keep.
pub(crate) fn every_message() -> (DeflateOffer, DeflatePolicy) {
    let offer = DeflateOffer::default().tuning(DeflateTuning::default().threshold(0));
    let policy = DeflatePolicy::default()
        .server_no_context_takeover(false)
        .client_no_context_takeover(false)
        .tuning(DeflateTuning::default().threshold(0));
    (offer, policy)
}

/// The same for ends whose opening handshake somebody else has done.
pub(crate) fn every_message_agreed() -> DeflateParameters {
    DeflateParameters::default().tuning(DeflateTuning::default().threshold(0))
}

/// The opening handshake of the server, which only the network may cut.
pub(crate) async fn accept_on(
    stream: Box<dyn Io>,
    policy: Option<DeflatePolicy>,
) -> Result<WebSocket<Box<dyn Io>>, String> {
    accepted(accept(stream).compression(policy)).await
}

async fn accepted(accepting: Accept<Box<dyn Io>>) -> Result<WebSocket<Box<dyn Io>>, String> {
    accepting.await.map_err(|error| match error {
        AcceptError::Lost(_) => error.to_string(),
        error => panic!("the server blames the client: {error}"),
    })
}

async fn open(connecting: Connect) -> Result<WebSocket<Transport>, String> {
    connecting.await.map_err(|error| match &error {
        ConnectError::Lost { .. } | ConnectError::Tls { .. } => error.to_string(),
        // A reset before the first byte may come before the connect has noticed that it succeeded.
        ConnectError::Tcp { error: why, .. } if why.kind() == ErrorKind::ConnectionReset => {
            error.to_string()
        }
        error => panic!("the client blames the server: {error}"),
    })
}

/// What became of a session at both ends.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) client: Side,
    pub(crate) server: Side,
    pub(crate) passed: Passed,
}

/// A server's listener and a proxy before it, for one session after another: thousands of
/// listeners would use up the ports.
struct Rig {
    listener: TcpListener,
    proxy: FaultProxy,
}

impl Rig {
    async fn new() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            proxy: FaultProxy::listen().await,
        }
    }

    async fn run(&self, session: &Session, opening: &Opening, plan: Plan) -> Outcome {
        let connecting = (opening.client)(self.proxy.address()).limits(session.limits.clone());
        let client = async {
            match open(connecting).await {
                Ok(socket) => ask(socket, session).await,
                Err(error) => Side::unopened(error),
            }
        };
        let server = async {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                // There a client that has reset by then is told of here.
                Err(error) if cfg!(windows) => return Side::unopened(error.to_string()),
                Err(error) => panic!("{error}"),
            };
            stream.set_nodelay(true).unwrap();
            match (opening.server)(stream).await {
                Ok(socket) => echo(socket, session).await,
                Err(error) => Side::unopened(error),
            }
        };
        let address = self.listener.local_addr().unwrap();
        let all = async { tokio::join!(client, server, self.proxy.run(address, plan)) };
        let ended = timeout(LIMIT, all).await;
        let (client, server, passed) = ended.unwrap_or_else(|_| panic!("hangs with {plan:?}"));
        Outcome {
            client,
            server,
            passed,
        }
    }
}

/// Runs a session over TCP through a proxy.
pub(crate) async fn run(session: &Session, opening: &Opening, plan: Plan) -> Outcome {
    Rig::new().await.run(session, opening, plan).await
}

impl Outcome {
    /// Everything arrived, and both ends know it.
    pub(crate) fn assert_complete(&self, session: &Session, plan: &Plan) {
        for side in [&self.client, &self.server] {
            assert!(
                side.received == session.messages,
                "{plan:?}: {}",
                brief(side)
            );
            let info = side.info.as_ref().unwrap();
            assert!(info.clean, "{plan:?}: {info}");
            assert_eq!((info.code, &*info.reason), (CloseCode::NORMAL, REASON));
            assert!(side.error.is_none(), "{plan:?}: {side:?}");
        }
    }

    /// What holds wherever a connection is lost.
    pub(crate) fn assert_sound(&self, session: &Session, plan: &Plan) {
        let what = || {
            let (client, server) = (brief(&self.client), brief(&self.server));
            format!("{plan:?}\n client {client}\n server {server}")
        };
        for side in [&self.client, &self.server] {
            let received = side.received.len();
            let is_prefix = session.messages.get(..received) == Some(&side.received[..]);
            assert!(is_prefix, "a message that was never sent: {}", what());
            assert_eq!(side.unopened.is_none(), side.info.is_some(), "{}", what());
            let Some(info) = &side.info else {
                assert_eq!(received, 0);
                continue;
            };
            assert_eq!(side.error.is_none(), info.is_normal(), "{}", what());
            let is_all = received == session.messages.len();
            if info.code == CloseCode::NORMAL {
                // The close frame stands behind all messages; the answer may have been lost.
                assert!(is_all && info.reason == REASON, "{}", what());
            } else {
                assert_eq!(info.code, CloseCode::ABNORMAL, "{}", what());
                assert!(!info.clean && info.reason.is_empty(), "{}", what());
            }
            let is_handshake = info.cause == CloseCause::ClosingHandshake;
            assert_eq!(info.clean, is_handshake, "{}", what());
        }
        // Nothing comes back that has not arrived, and no end is closed that the other has not.
        let (client, server) = (&self.client, &self.server);
        assert!(client.received.len() <= server.received.len(), "{}", what());
        let is_closed = |side: &Side| {
            let info = side.info.as_ref();
            info.is_some_and(|info| info.code == CloseCode::NORMAL)
        };
        assert!(is_closed(server) || !is_closed(client), "{}", what());
    }

    /// Nothing but the transport is the cause of an end that is not clean.
    pub(crate) fn assert_lost_by_transport(&self, plan: &Plan) {
        for info in [&self.client, &self.server]
            .iter()
            .filter_map(|s| s.info.as_ref())
        {
            let is_apt = info.clean || matches!(info.cause, CloseCause::Transport(_));
            assert!(is_apt, "{plan:?}: {info:?}");
        }
    }
}

fn brief(side: &Side) -> String {
    let Side {
        unopened,
        received,
        error,
        info,
    } = side;
    let received = received.len();
    format!("received {received}, unopened {unopened:?}, error {error:?}, {info:?}")
}

/// How many sessions run at a time.
const AT_A_TIME: usize = 8;

/// Cuts a session after each of these numbers of bytes; how many were tried.
pub(crate) async fn cut_after(
    cuts: impl IntoIterator<Item = (Direction, usize)>,
    end: End,
    session: &Session,
    opening: &Opening,
) -> usize {
    let cuts: Arc<[_]> = cuts.into_iter().collect();
    let mut tasks = tokio::task::JoinSet::new();
    for first in 0..AT_A_TIME {
        let (cuts, session, opening) = (Arc::clone(&cuts), session.clone(), opening.clone());
        tasks.spawn(async move {
            let rig = Rig::new().await;
            let mut tried = 0;
            for &(direction, after) in cuts.iter().skip(first).step_by(AT_A_TIME) {
                let plan = Plan::cut(direction, after, end);
                let outcome = rig.run(&session, &opening, plan).await;
                outcome.assert_sound(&session, &plan);
                outcome.assert_lost_by_transport(&plan);
                outcome.assert_cut(plan.cut.unwrap());
                tried += 1;
            }
            tried
        });
    }
    tasks.join_all().await.into_iter().sum()
}

impl Outcome {
    /// No more than the plan allows has passed; and what has is there, to the last message, unless
    /// a reset may have overtaken it.
    fn assert_cut(&self, cut: Cut) {
        let passed = match cut.direction {
            Direction::ToServer => &self.passed.to_server,
            Direction::ToClient => &self.passed.to_client,
        };
        assert!(passed.len() <= cut.after);
        let sides = [
            (&self.client, &self.passed.to_client),
            (&self.server, &self.passed.to_server),
        ];
        for (side, passed) in sides.into_iter().filter(|_| cut.end != End::Reset) {
            if let Some(count) = messages_in(passed) {
                assert_eq!(side.received.len(), count, "{cut:?}: {}", brief(side));
            }
        }
    }
}

/// How many whole messages lie in these bytes, behind a head; `None` if they are TLS.
fn messages_in(passed: &[u8]) -> Option<usize> {
    const HEAD_END: &[u8] = b"\r\n\r\n";
    let is_head = |start: &[u8]| passed.starts_with(&start[..passed.len().min(start.len())]);
    if !is_head(b"GET /") && !is_head(b"HTTP/1.1") {
        return None;
    }
    let mut windows = passed.windows(HEAD_END.len());
    let Some(end) = windows.position(|window| window == HEAD_END) else {
        return Some(0);
    };
    let (mut rest, mut count) = (&passed[end + HEAD_END.len()..], 0);
    while let Some((header, size)) = Header::decode(rest).unwrap() {
        let end = size + usize::try_from(header.payload_size).unwrap();
        let Some(behind) = rest.get(end..) else {
            break;
        };
        count += usize::from(header.fin && !header.opcode.is_control());
        rest = behind;
    }
    Some(count)
}
