//! The link to Redis, which comes back for ever.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use crate::server::backplane::{Inbox, Unavailable};
use crate::server::log::random;
use crate::server::redis::fault::Fault;
use crate::server::redis::lines::{Lines, Listener, Order, Setup};
use crate::server::redis::packed;
use crate::server::sync::{Mutex, lock};

/// How long is waited before it is tried again: at first, and at most.
const DELAY: Duration = Duration::from_millis(50);
const DELAY_MAX: Duration = Duration::from_secs(2);

/// What is asked of Redis, and what is listened to.
pub(crate) struct Link {
    pub(crate) setup: Setup,
    state: Mutex<State>,
}

struct State {
    attached: HashSet<Arc<str>>,
    session: Option<Session>,
    /// Why there is no session.
    why: Arc<str>,
}

/// What there is while both connections stand.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) commands: MultiplexedConnection,
    task: AbortHandle,
    orders: UnboundedSender<Order>,
}

impl Link {
    pub(crate) fn new(setup: Setup, why: Option<String>) -> Arc<Self> {
        let why = why.unwrap_or_else(|| "it has not been started".to_owned());
        let state = State {
            attached: HashSet::new(),
            session: None,
            why: why.into(),
        };
        let state = Mutex::new(state);
        Arc::new(Self { setup, state })
    }

    pub(crate) fn session(&self) -> Result<Session, Unavailable> {
        let state = lock(&self.state);
        match &state.session {
            // What is asked of one that is over is not sent.
            Some(session) if session.task.is_finished() => {
                Err(Unavailable::new("the connection was lost"))
            }
            Some(session) => Ok(session.clone()),
            None => Err(Unavailable::new(Arc::clone(&state.why))),
        }
    }

    /// Listens to these topics from now on, until they are detached.
    pub(crate) fn attach(&self, topics: &[Arc<str>]) -> Result<Attaching, Unavailable> {
        let (done, confirmed) = oneshot::channel();
        let channels = topics.iter();
        let channels = channels.map(|it| self.setup.names.channel(it)).collect();
        let mut state = lock(&self.state);
        let State {
            attached,
            session,
            why,
        } = &mut *state;
        let Some(session) = session else {
            return Err(Unavailable::new(Arc::clone(why)));
        };
        attached.extend(topics.iter().cloned());
        // If the session is over meanwhile, nobody confirms it.
        let _ = session.orders.send(Order::Subscribe(channels, done));
        let commands = session.commands.clone();
        Ok(Attaching {
            commands,
            confirmed,
        })
    }

    pub(crate) fn detach(&self, topics: &[Arc<str>]) {
        let channels = topics
            .iter()
            .map(|it| self.setup.names.channel(it))
            .collect();
        let mut state = lock(&self.state);
        for topic in topics {
            state.attached.remove(topic);
        }
        if let Some(session) = &state.session {
            let _ = session.orders.send(Order::Unsubscribe(channels));
        }
    }

    /// Connects, again and again, for as long as it is polled.
    pub(crate) async fn run(self: Arc<Self>, inbox: Inbox) {
        let mut delay = DELAY;
        loop {
            let why = match self.connect(&inbox).await {
                Ok((lines, mut orders)) => {
                    inbox.up();
                    let begin = Instant::now();
                    let why = lines.serve(&self.setup, &mut orders).await;
                    // One that is lost at once is not there again.
                    if begin.elapsed() >= DELAY_MAX {
                        delay = DELAY;
                    }
                    why
                }
                Err(fault) => fault.into_text(),
            };
            let why: Arc<str> = format!("Redis at {}: {why}", self.setup.address).into();
            let session = {
                let mut state = lock(&self.state);
                state.why = Arc::clone(&why);
                state.session.take()
            };
            drop(session);
            inbox.down(&why);
            // Not all hubs at the same time.
            sleep(delay.mul_f64(0.5 + random() as f64 / u64::MAX as f64 / 2.0)).await;
            delay = (delay * 2).min(DELAY_MAX);
        }
    }

    async fn connect(
        self: &Arc<Self>,
        inbox: &Inbox,
    ) -> Result<(Lines, UnboundedReceiver<Order>), Fault> {
        let mut lines = Lines::open(&self.setup, self.listener(inbox.clone())).await?;
        let topics: Vec<_> = lock(&self.state).attached.iter().cloned().collect();
        let names = &self.setup.names;
        let channels: Vec<_> = topics.iter().map(|it| names.channel(it)).collect();
        lines.subscribe(&channels).await?;
        let (sender, orders) = mpsc::unbounded_channel();
        let session = Session {
            commands: lines.commands.calls.clone(),
            task: lines.commands.watch(),
            orders: sender,
        };
        let mut state = lock(&self.state);
        // Meanwhile none is attached, as there was no session, but some may be detached.
        let detached = topics.iter().zip(channels);
        let detached = detached.filter(|(topic, _)| !state.attached.contains(*topic));
        let detached: Vec<_> = detached.map(|(_, channel)| channel).collect();
        if !detached.is_empty() {
            let _ = session.orders.send(Order::Unsubscribe(detached));
        }
        state.session = Some(session);
        drop(state);
        Ok((lines, orders))
    }

    /// What hands on what is published.
    fn listener(self: &Arc<Self>, inbox: Inbox) -> Listener {
        let link = Arc::downgrade(self);
        Arc::new(move |channel, message| {
            if let Some(link) = Weak::upgrade(&link) {
                link.hear(&inbox, channel, message);
            }
        })
    }

    fn hear(&self, inbox: &Inbox, channel: &[u8], message: Option<Vec<u8>>) {
        let Some(topic) = self.setup.names.topic(channel) else {
            return inbox.lost();
        };
        let Some(topic) = lock(&self.state).attached.get(topic).cloned() else {
            return;
        };
        match message.and_then(|it| packed::unpack(Bytes::from(it))) {
            Some(stored) => inbox.publication(topic, stored),
            None => inbox.lost(),
        }
    }
}

/// Topics that begin to be listened to.
pub(crate) struct Attaching {
    commands: MultiplexedConnection,
    confirmed: oneshot::Receiver<Result<(), String>>,
}

impl Attaching {
    /// Waits until the store publishes them to us, and gives what to ask it by.
    pub(crate) async fn confirmed(self) -> Result<MultiplexedConnection, Unavailable> {
        match self.confirmed.await {
            Ok(Ok(())) => Ok(self.commands),
            Ok(Err(why)) => Err(Unavailable::new(why)),
            Err(_) => Err(Unavailable::new("the connection was lost meanwhile")),
        }
    }
}
