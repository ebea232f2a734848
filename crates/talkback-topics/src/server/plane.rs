//! A hub: what it is connected to, and which of its topics it listens to.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use crate::server::backplane::{
    Backplane, Carried, Inbox, Placed, PublishFailure, Reply, Stored, Unavailable,
};
use crate::server::error::{PublishError, PublishErrorKind};
use crate::server::incoming::{Incoming, Reach};
use crate::server::log::random;
use crate::server::metrics;
use crate::server::sync::{AtomicBool, Mutex, Ordering, Runtime, lock};
use crate::server::trace::Trace;

/// How long an answer is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How many publications are on their way at a time.
const IN_FLIGHT_MAX: usize = 1024;
/// How many topics ask the store at a time for what they lack.
const ASKING_MAX: usize = 64;

const NO_ANSWER: &str = "it has not answered within 2 s";

/// What comes, with the name of its topic.
pub(crate) type Arrival = (Arc<str>, Stored);

/// What all topics over a backplane share. `T` is a topic.
pub(crate) struct Plane<T> {
    pub(crate) engine: Box<dyn Backplane>,
    /// Tells its connections from those of other hubs.
    pub(crate) number: u64,
    pub(crate) incoming: Arc<Incoming<Arrival>>,
    pub(crate) runtime: Runtime,
    /// Those that are listened to.
    topics: Mutex<HashMap<Arc<str>, Weak<T>>>,
    in_flight: Semaphore,
    asking: Semaphore,
    /// Whether subscribers are told that nothing comes.
    is_stale: AtomicBool,
    pub(crate) trace: Trace,
}

impl<T> Plane<T> {
    pub(crate) fn new(engine: Box<dyn Backplane>, incoming: Arc<Incoming<Arrival>>) -> Self {
        Self {
            engine,
            number: random(),
            incoming,
            runtime: Runtime::current(),
            topics: Mutex::default(),
            in_flight: Semaphore::new(IN_FLIGHT_MAX),
            asking: Semaphore::new(ASKING_MAX),
            is_stale: AtomicBool::new(false),
            trace: Trace::default(),
        }
    }

    /// Begins to hear of its engine.
    pub(crate) fn start(&self) {
        self.engine.start(Inbox::new(Arc::clone(&self.incoming)));
    }

    /// Notes a topic, so that it gets what comes.
    pub(crate) fn insert(&self, name: &Arc<str>, topic: Weak<T>) {
        lock(&self.topics).insert(Arc::clone(name), topic);
    }

    pub(crate) fn remove(&self, name: &str) {
        let mut topics = lock(&self.topics);
        topics.remove(name);
        let (len, capacity) = (topics.len(), topics.capacity());
        if capacity > 1024 && len < capacity / 4 {
            topics.shrink_to(len * 2);
        }
    }

    pub(crate) fn topic(&self, name: &str) -> Option<Arc<T>> {
        lock(&self.topics).get(name)?.upgrade()
    }

    pub(crate) fn topics(&self) -> Vec<Arc<T>> {
        let topics = lock(&self.topics);
        topics.values().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::Acquire)
    }

    pub(crate) fn set_stale(&self, is_stale: bool) {
        self.is_stale.store(is_stale, Ordering::Release);
    }

    pub(crate) fn is_up(&self) -> bool {
        self.incoming.reach().1 == Reach::Up
    }

    /// Waits until the engine is reached.
    pub(crate) async fn up(&self) {
        loop {
            let reached = self.incoming.reached.notified();
            if self.is_up() {
                return;
            }
            reached.await;
        }
    }

    /// Why the engine is known not to be reached.
    pub(crate) fn down(&self) -> Option<Arc<str>> {
        match self.incoming.reach().1 {
            Reach::Down(why) => Some(why),
            Reach::Up | Reach::Unknown => None,
        }
    }

    /// Waits until the engine has said for the first time whether it is reached, which fails if it takes too long.
    pub(crate) async fn known(&self) -> Result<(), Arc<str>> {
        let end = Instant::now() + ANSWER_TIMEOUT;
        loop {
            let reached = self.incoming.reached.notified();
            if self.incoming.reach().1 != Reach::Unknown {
                return Ok(());
            }
            if timeout_at(end, reached).await.is_err() {
                return Err("it has not been reached yet".into());
            }
        }
    }

    /// Fails if the engine is known not to be reached.
    async fn check(&self) -> Result<(), Arc<str>> {
        self.known().await?;
        self.down().map_or(Ok(()), Err)
    }

    /// What the engine answers, if it does in time.
    pub(crate) async fn ask<R>(&self, reply: Reply<'_, R>) -> Result<R, Unavailable> {
        match timeout(ANSWER_TIMEOUT, reply).await {
            Ok(answer) => answer,
            Err(_) => Err(Unavailable::new(NO_ANSWER)),
        }
    }

    /// What the engine answers one of those who wait for their turn.
    pub(crate) async fn ask_in_turn<'a, R>(
        &'a self,
        ask: impl FnOnce(&'a dyn Backplane) -> Reply<'a, R>,
    ) -> Result<R, Unavailable> {
        let _turn = self.asking.acquire().await;
        self.ask(ask(&*self.engine)).await
    }

    pub(crate) async fn publish(
        &self,
        topic: Arc<str>,
        carried: Carried,
    ) -> Result<Placed, PublishError> {
        let placed = self.try_publish(topic, carried).await;
        metrics::carried(placed.as_ref().map_err(PublishError::kind).err());
        placed
    }

    async fn try_publish(&self, topic: Arc<str>, carried: Carried) -> Result<Placed, PublishError> {
        let unavailable =
            |why: Arc<str>| PublishError::because(PublishErrorKind::Unavailable, &why);
        self.check().await.map_err(unavailable)?;
        let place = timeout(ANSWER_TIMEOUT, self.in_flight.acquire()).await;
        let _place = place.map_err(|_| unavailable(NO_ANSWER.into()))?;
        self.check().await.map_err(unavailable)?;
        let publishing = self.engine.publish(topic, carried);
        match timeout(ANSWER_TIMEOUT, publishing).await {
            Ok(Ok(placed)) => Ok(placed),
            Ok(Err(PublishFailure::Unavailable(why))) => Err(unavailable(why.why().into())),
            Ok(Err(PublishFailure::Uncertain(why))) => Err(PublishError::because(
                PublishErrorKind::Uncertain,
                why.why(),
            )),
            Ok(Err(PublishFailure::TooLarge(size_max))) => {
                Err(PublishError::new(PublishErrorKind::TooLarge { size_max }))
            }
            Err(_) => Err(PublishError::because(
                PublishErrorKind::Uncertain,
                NO_ANSWER,
            )),
        }
    }
}

/// Its tasks end.
impl<T> Drop for Plane<T> {
    fn drop(&mut self) {
        self.incoming.over();
    }
}
