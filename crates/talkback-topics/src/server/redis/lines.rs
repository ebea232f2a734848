//! The two connections that a hub has to Redis: one for what it asks, one for what is published.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use redis::{PushInfo, PushKind, RedisResult, Value};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::ClientConfig;

use crate::server::redis::address::Address;
use crate::server::redis::connection::Connection;
use crate::server::redis::fault::Fault;
use crate::server::redis::names::Names;
use crate::server::redis::script::Scripts;

/// How long it may take to have both connections.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// How long the store may take to confirm that it publishes to us.
const CONFIRM_LIMIT: Duration = Duration::from_secs(5);
/// How many channels are asked for at once.
const BATCH: usize = 512;
/// How often it is made sure that it can be written, and that what is published comes.
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// How long that may take, and how often it may fail.
const PROBE_LIMIT: Duration = Duration::from_secs(5);
const PROBES: usize = 2;
/// How long those get an answer who have asked when what is published was lost.
const LINGER: Duration = Duration::from_secs(5);

/// Everything to connect with.
pub(crate) struct Setup {
    pub(crate) address: Address,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) names: Names,
    pub(crate) scripts: Scripts,
    /// Whose probes are whose.
    pub(crate) hub: u64,
}

/// Who gets what is published: its channel, and what came. It must not wait.
pub(crate) type Listener = Arc<dyn Fn(&[u8], Option<Vec<u8>>) + Send + Sync>;

/// What is asked of the connection for what is published.
pub(crate) enum Order {
    /// Listen to these channels, and say when it is so.
    Subscribe(Vec<String>, oneshot::Sender<Result<(), String>>),
    Unsubscribe(Vec<String>),
}

/// Both connections.
pub(crate) struct Lines {
    pub(crate) commands: Connection,
    published: Connection,
    heard: Arc<Heard>,
}

/// What has come of what is published.
#[derive(Default)]
struct Heard {
    messages: AtomicU64,
    probe: Notify,
}

/// Why lines are over.
enum Over {
    /// The commands still get answers.
    Published,
    Both(&'static str),
}

impl Lines {
    pub(crate) async fn open(setup: &Setup, listener: Listener) -> Result<Self, Fault> {
        let opened = timeout(OPEN_LIMIT, Self::open_both(setup, listener)).await;
        let timed_out = || Err(Fault::Away("it takes too long to answer".to_owned()));
        let opened = opened.unwrap_or_else(|_| timed_out());
        opened.map_err(|fault| fault.without(setup.address.secret()))
    }

    async fn open_both(setup: &Setup, listener: Listener) -> Result<Self, Fault> {
        let (address, tls) = (&setup.address, setup.tls.as_ref());
        let mut commands = Connection::open(address, tls, None).await?;
        setup.scripts.load(&mut commands.calls).await?;
        let heard = Arc::<Heard>::default();
        let probe = setup.names.probe(setup.hub);
        let pushed = pushed(Arc::clone(&heard), probe.clone().into_bytes(), listener);
        let mut published = Connection::open(address, tls, Some(pushed)).await?;
        published.calls.subscribe(&probe).await?;
        // One that cannot be written is of no use, and is better told now.
        let _: Value = probing(&probe).query_async(&mut commands.calls).await?;
        Ok(Self {
            commands,
            published,
            heard,
        })
    }

    /// Listens to all these channels.
    pub(crate) async fn subscribe(&mut self, channels: &[String]) -> Result<(), Fault> {
        for batch in channels.chunks(BATCH) {
            confirmed(self.published.calls.subscribe(batch)).await?;
        }
        Ok(())
    }

    /// Serves until one of the connections is over: why.
    pub(crate) async fn serve(
        mut self,
        setup: &Setup,
        orders: &mut mpsc::UnboundedReceiver<Order>,
    ) -> String {
        let mut published = self.published.calls.clone();
        let mut commands = self.commands.calls.clone();
        let obey = async {
            let mut batch = Vec::new();
            while orders.recv_many(&mut batch, BATCH).await > 0 {
                for group in grouped(batch.drain(..)) {
                    group.carry_out(&mut published).await;
                }
            }
            std::future::pending().await
        };
        let probe = setup.names.probe(setup.hub);
        let over = {
            let mut obey = pin!(obey);
            let mut watch = pin!(self.heard.watch(&mut commands, &probe));
            let mut published = pin!(self.published.over());
            let mut commands = pin!(self.commands.over());
            poll_fn(|cx| {
                if commands.as_mut().poll(cx).is_ready() {
                    let why = "the connection for commands was closed";
                    return Poll::Ready(Over::Both(why));
                }
                if published.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Over::Published);
                }
                if watch.as_mut().poll(cx).is_ready() {
                    let why = "it does not write, or what is published to it does not come back";
                    return Poll::Ready(Over::Both(why));
                }
                obey.as_mut().poll(cx)
            })
            .await
        };
        match over {
            Over::Published => {
                drop(commands);
                self.commands.linger(LINGER);
                "the connection for what is published was closed".to_owned()
            }
            Over::Both(why) => why.to_owned(),
        }
    }
}

/// What is done with what the store pushes.
fn pushed(
    heard: Arc<Heard>,
    probe: Vec<u8>,
    listener: Listener,
) -> Box<dyn Fn(PushInfo) + Send + Sync> {
    Box::new(move |info| {
        if info.kind != PushKind::Message {
            return;
        }
        heard.messages.fetch_add(1, Ordering::Relaxed);
        let mut parts = info.data.into_iter().map(bytes);
        let (channel, message) = (parts.next().flatten(), parts.next().flatten());
        match channel {
            Some(channel) if channel == probe => heard.probe.notify_one(),
            Some(channel) => listener(&channel, message),
            None => listener(&[], None),
        }
    })
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

impl Heard {
    /// Publishes something to itself from time to time, until that does not come any more.
    async fn watch(&self, commands: &mut redis::aio::MultiplexedConnection, probe: &str) {
        let mut failures = 0;
        while failures < PROBES {
            if failures == 0 {
                sleep(PROBE_EVERY).await;
            }
            let before = self.messages.load(Ordering::Relaxed);
            let came = async {
                let answer: RedisResult<Value> = probing(probe).query_async(commands).await;
                if answer.is_err() {
                    // If the connection is over, others notice. If this is no primary any more, its name leads elsewhere soon.
                    std::future::pending::<()>().await;
                }
                // Whatever comes shows that it does.
                while self.messages.load(Ordering::Relaxed) == before {
                    self.probe.notified().await;
                }
            };
            match timeout(PROBE_LIMIT, came).await {
                Ok(()) => failures = 0,
                Err(_) => failures += 1,
            }
        }
    }
}

/// Writes a key, and publishes: both for nobody else.
fn probing(name: &str) -> redis::Pipeline {
    let mut calls = redis::pipe();
    let life = PROBE_EVERY.as_millis() as u64;
    calls.cmd("SET").arg(name).arg("").arg("PX").arg(life);
    calls.cmd("PUBLISH").arg(name).arg("");
    calls
}

/// Orders of one kind, which are carried out as one.
enum Group {
    Subscribe(Vec<String>, Vec<oneshot::Sender<Result<(), String>>>),
    Unsubscribe(Vec<String>),
}

/// In the order that they came in: one may be about what the one before it was about.
fn grouped(orders: impl Iterator<Item = Order>) -> Vec<Group> {
    let mut groups = Vec::new();
    for order in orders {
        match (groups.last_mut(), order) {
            (Some(Group::Subscribe(channels, tell)), Order::Subscribe(more, done)) => {
                channels.extend(more);
                tell.push(done);
            }
            (Some(Group::Unsubscribe(channels)), Order::Unsubscribe(more)) => channels.extend(more),
            (_, Order::Subscribe(channels, done)) => {
                groups.push(Group::Subscribe(channels, vec![done]));
            }
            (_, Order::Unsubscribe(channels)) => groups.push(Group::Unsubscribe(channels)),
        }
    }
    groups
}

impl Group {
    async fn carry_out(self, published: &mut redis::aio::MultiplexedConnection) {
        match self {
            Self::Subscribe(channels, tell) => {
                let mut outcome = Ok(());
                for batch in channels.chunks(BATCH) {
                    let done = confirmed(published.subscribe(batch)).await;
                    outcome = outcome.and(done.map_err(Fault::into_text));
                }
                for tell in tell {
                    // Whoever does not wait any more has detached it.
                    let _ = tell.send(outcome.clone());
                }
            }
            Self::Unsubscribe(channels) => {
                for batch in channels.chunks(BATCH) {
                    // What comes of a channel that nobody asked for is passed over.
                    let _ = confirmed(published.unsubscribe(batch)).await;
                }
            }
        }
    }
}

async fn confirmed(call: impl Future<Output = RedisResult<()>>) -> Result<(), Fault> {
    match timeout(CONFIRM_LIMIT, call).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Fault::Away(
            "it takes too long to confirm a channel".to_owned(),
        )),
    }
}
