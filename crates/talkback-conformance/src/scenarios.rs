//! The scenarios, a module for each group of the table in `registry.rs`.
//!
//! They use the public API of `WebSocketChannel` only. Time, tasks and the server come through the
//! [`Backend`], so that the same source runs in a browser.

pub(crate) mod close_local;
pub(crate) mod close_remote;
pub(crate) mod connecting;
pub(crate) mod handles;
pub(crate) mod payload;
pub(crate) mod peer_errors;
pub(crate) mod queue;
pub(crate) mod reconnecting;
pub(crate) mod reconnecting_handles;
pub(crate) mod reconnecting_heartbeat;
pub(crate) mod reconnecting_queue;
pub(crate) mod snapshots;
pub(crate) mod subprotocols;
pub(crate) mod typed;
pub(crate) mod wrapping;

use std::time::Duration;

use talkback::{
    Backoff, ChannelState, CloseInfo, Connect, ConnectError, Error, Initiator, Message,
    Reconnecting, SendErrorKind, Sender, TrySendErrorKind, Verdict, WebSocketChannel,
};

use crate::backend::{Backend, Capabilities, Options};
use crate::behaviour::{Behaviour, When};
use crate::outcome::{Failure, Outcome};

/// A channel with the default options to a server that behaves so.
fn connect(backend: &dyn Backend, behaviour: &Behaviour) -> WebSocketChannel {
    backend.open(behaviour, Options::default())
}

/// An open one.
async fn open(backend: &dyn Backend, behaviour: &Behaviour) -> Result<WebSocketChannel, Failure> {
    let channel = connect(backend, behaviour);
    channel.ready().await?;
    Ok(channel)
}

/// A channel to a server that breaks a rule, or goes away, when it is told to: right behind its 101, or
/// behind the first message, which comes back before. There is none if the platform tells only of the end.
async fn open_to_fault(
    backend: &dyn Backend,
    behaviour: &Behaviour,
    when: When,
) -> Result<Option<WebSocketChannel>, Failure> {
    let mut channel = connect(backend, behaviour);
    if when == When::Message {
        exchange(&mut channel, "so far so good").await?;
        return Ok(Some(channel));
    }
    let tells_in_order = backend.capabilities().contains(Capabilities::IN_ORDER);
    let ready = channel.ready().await;
    if !tells_in_order && matches!(ready, Err(Error::Connect(_))) {
        expect_failure(&mut channel).await?;
        return Ok(None);
    }
    ready?;
    Ok(Some(channel))
}

/// A server that closes.
fn closes(code: Option<u16>, reason: &[u8], when: When) -> Behaviour {
    Behaviour::Close {
        code,
        reason: reason.to_vec(),
        when,
    }
}

/// The next message of a channel that has not ended.
async fn next(channel: &mut WebSocketChannel) -> Result<Message, Failure> {
    let message = channel.recv().await?;
    message.ok_or_else(|| Failure::new("the stream ended before its next message"))
}

/// Sends a message and holds what comes back to be the same.
async fn exchange(channel: &mut WebSocketChannel, message: impl Into<Message>) -> Outcome {
    let message = message.into();
    channel.send(message.clone()).await?;
    ensure_eq!(next(channel).await?, message);
    Ok(())
}

/// Closes, and holds the closing handshake to be completed.
async fn close_cleanly(channel: &Sender) -> Result<CloseInfo, Failure> {
    let info = channel.close().await?;
    ensure!(info.clean, "{info}");
    ensure_eq!(info.initiator, Initiator::Local);
    Ok(info)
}

/// Holds a channel that is closing or closed to refuse a message and hand it back.
async fn is_handed_back(channel: &WebSocketChannel, message: &Message) -> Outcome {
    let Err(refused) = channel.try_send(message) else {
        return Err(Failure::new("a message that was taken"));
    };
    ensure_eq!(refused.kind(), TrySendErrorKind::Closed);
    ensure_eq!(refused.into_message(), message.clone());
    let Err(refused) = channel.send(message).await else {
        return Err(Failure::new("a message that was taken"));
    };
    ensure_eq!(refused.kind(), SendErrorKind::Closed);
    ensure_eq!(refused.into_message(), Some(message.clone()));
    Ok(())
}

/// Holds the stream to end without an error, and to stay ended.
async fn expect_end(channel: &mut WebSocketChannel) -> Outcome {
    for _ in 0..2 {
        let end = channel.recv().await?;
        ensure_eq!(end, None);
    }
    Ok(())
}

/// Holds the stream to end with one error that tells how the connection ended.
async fn expect_closed(channel: &mut WebSocketChannel) -> Result<CloseInfo, Failure> {
    let info = match channel.recv().await {
        Err(Error::Closed(info)) => info,
        other => return Err(Failure::new(format!("expected the end, saw {other:?}"))),
    };
    expect_end(channel).await?;
    ensure_eq!(channel.close_info(), Some(info.clone()));
    Ok(info)
}

/// Holds the channel not to open: `ready` tells why each time, the stream once.
async fn expect_failure(channel: &mut WebSocketChannel) -> Result<ConnectError, Failure> {
    let error = match channel.ready().await {
        Err(Error::Connect(error)) => error,
        other => return Err(Failure::new(format!("expected a failure, saw {other:?}"))),
    };
    ensure_matches!(channel.ready().await, Err(Error::Connect(_)));
    match channel.recv().await {
        Err(Error::Connect(again)) => ensure_eq!(again.to_string(), error.to_string()),
        other => return Err(Failure::new(format!("expected its error, saw {other:?}"))),
    }
    expect_end(channel).await?;
    Ok(error)
}

/// A name that the server does not know yet: a random one, as it may outlive this program.
fn new_id() -> Result<u64, Failure> {
    getrandom::u64().map_err(|error| Failure::new(error.to_string()))
}

/// An observed connection.
struct Observed {
    id: u64,
}

/// What the server saw on an observed connection.
struct Seen {
    messages: Vec<Message>,
    /// `close 1000 reason`, or `end` if no close frame came.
    end: String,
}

impl Observed {
    fn new() -> Result<Self, Failure> {
        Ok(Self { id: new_id()? })
    }

    fn behaviour(&self) -> Behaviour {
        Behaviour::Observe { id: self.id }
    }

    /// Waits for the end of the observed connection, and asks the server what it saw.
    async fn seen(&self, backend: &dyn Backend) -> Result<Seen, Failure> {
        let mut report = open(backend, &Behaviour::Report { id: self.id }).await?;
        let mut messages = Vec::new();
        loop {
            let message = next(&mut report).await?;
            if let Some(end) = message.as_text()
                && (end == "end" || end.starts_with("close "))
            {
                let end = end.to_owned();
                return Ok(Seen { messages, end });
            }
            messages.push(message);
        }
    }
}

/// Longer than any scenario: a wait that only a wish ends.
const HOUR: Duration = Duration::from_secs(3600);

/// How long it takes until something is seen that should not come.
const LONG_ENOUGH: Duration = Duration::from_millis(300);

/// A server whose connections behave in turn.
struct InTurn {
    id: u64,
    behaviour: Behaviour,
}

impl InTurn {
    fn new(turns: impl Into<Vec<Behaviour>>) -> Result<Self, Failure> {
        let (id, turns) = (new_id()?, turns.into());
        let behaviour = Behaviour::InTurn { id, turns };
        Ok(Self { id, behaviour })
    }

    /// The way to it.
    fn connect(&self, backend: &dyn Backend) -> Connect {
        backend.connect(&self.behaviour)
    }

    /// A channel that tries again soon.
    fn soon(&self, backend: &dyn Backend) -> Reconnecting {
        soon(self.connect(backend))
    }

    /// A channel that waits until it is told to go on.
    fn when_told(&self, backend: &dyn Backend) -> Reconnecting {
        when_told(self.connect(backend))
    }

    /// How many connections the server saw, and how many of them there still are.
    async fn connections(&self, backend: &dyn Backend) -> Result<(u32, u32), Failure> {
        let mut turns = open(backend, &Behaviour::Turns { id: self.id }).await?;
        let counts = next(&mut turns).await?;
        turns.close().await?;
        let counts = counts.as_text().and_then(|text| text.split_once(' '));
        let parsed = counts.map(|(begun, open)| Ok((begun.parse()?, open.parse()?)));
        parsed.unwrap_or_else(|| Err(Failure::new("no counts")))
    }

    /// Waits until the server has seen so many, and has so many.
    async fn see(&self, backend: &dyn Backend, begun: u32, open: u32) -> Outcome {
        while self.connections(backend).await? != (begun, open) {
            backend.sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// Tries again soon.
fn soon(connect: Connect) -> Reconnecting {
    let backoff = Backoff::default()
        .first(Duration::from_millis(20))
        .shortest(Duration::from_millis(5))
        .longest(Duration::from_millis(80));
    connect.reconnect().backoff(backoff)
}

/// Waits until it is told to go on.
fn when_told(connect: Connect) -> Reconnecting {
    soon(connect).decide(|_, _| Verdict::RetryAfter(HOUR))
}

/// Waits until the channel is in this state; that it hangs is told by the time of the scenario.
async fn in_state(backend: &dyn Backend, channel: &Sender, state: ChannelState) {
    while channel.state() != state {
        backend.sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until the channel has had so many connections.
async fn had_connections(backend: &dyn Backend, channel: &Sender, count: u64) {
    while channel.link().connection() < count {
        backend.sleep(Duration::from_millis(5)).await;
    }
}
