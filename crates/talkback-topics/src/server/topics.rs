//! All topics of a server.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::server::backplane::Backplane;
use crate::server::error::TopicNameError;
use crate::server::hub;
use crate::server::keep::Keep;
use crate::server::metrics;
use crate::server::plane::Plane;
use crate::server::shared::Shared;
use crate::server::state::TopicState;
use crate::server::sync::{AtomicBool, Mutex, MutexGuard, Ordering, lock, spawn, yield_now};
use crate::server::topic::Topic;

/// How many tables the topics are in, each with a lock of its own.
const SHARDS: usize = 64;
/// How long a topic over a backplane is listened to that nobody is subscribed to any more.
const DETACH_AFTER: Duration = Duration::from_secs(30);
/// How many are forgotten before other tasks have their turn.
const FORGOTTEN_AT_ONCE: usize = 1024;

/// The topics of a server, by name. They come when they are asked for, and go once nobody uses them.
///
/// It is a handle: clones are of the same topics, and cost little.
///
/// Topics without subscribers are forgotten by a task. A call of [`topic`](Self::topic) that makes one starts it, on a runtime of tokio; without
/// one, what they keep stays.
#[derive(Clone)]
pub struct Topics {
    registry: Arc<Registry>,
}

struct Registry {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    shared: Arc<Shared>,
    plane: Option<Arc<Plane<TopicState>>>,
    /// Whether a task looks after those that may be forgotten.
    is_looked_after: Arc<AtomicBool>,
}

type Shard = HashMap<Arc<str>, Arc<TopicState>>;

impl Topics {
    /// Topics of which there are none yet.
    #[must_use]
    pub fn new() -> Self {
        Self::keeping(Keep::default())
    }

    /// Topics that keep so much.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use talkback_topics::{Keep, Topics};
    ///
    /// let keep = Keep::default().messages(100).idle(Duration::from_secs(3600));
    /// let topics = Topics::keeping(keep);
    /// ```
    #[must_use]
    pub fn keeping(keep: Keep) -> Self {
        Self::with(keep, None)
    }

    /// Topics that a service shares: what is published in one of its processes gets to the subscribers in all of them, in one order, and
    /// a position of one is good in all.
    ///
    /// What is delivered is what came back from the backplane, also what was published here. A topic is listened to while somebody is
    /// subscribed to it, and 30 s longer; what was published meanwhile is kept here, so that those who come back rarely ask the
    /// backplane for it.
    ///
    /// # Panics
    /// Outside of a runtime of tokio.
    #[must_use]
    pub fn over(backplane: impl Backplane) -> Self {
        Self::over_keeping(backplane, Keep::default())
    }

    /// Topics that a service shares, and that keep so much here. How much the backplane keeps is its own matter: the lesser of the
    /// two counts for those who come back. With a [`Keep::idle`] of less than 30 s a topic is listened to for as much less.
    ///
    /// # Panics
    /// Outside of a runtime of tokio.
    #[must_use]
    pub fn over_keeping(backplane: impl Backplane, keep: Keep) -> Self {
        let idle = keep.idle.min(DETACH_AFTER);
        Self::with(keep.idle(idle), Some(hub::begin(Box::new(backplane))))
    }

    fn with(keep: Keep, plane: Option<Arc<Plane<TopicState>>>) -> Self {
        metrics::describe();
        Self {
            registry: Arc::new(Registry {
                shards: std::array::from_fn(|_| Mutex::default()),
                hasher: RandomState::new(),
                shared: Shared::new(keep),
                plane,
                is_looked_after: Arc::default(),
            }),
        }
    }

    /// Whether the backplane is reached at the moment; always, without one.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.registry.plane.as_ref().is_none_or(|it| it.is_up())
    }

    /// Waits until the backplane is reached: at once if it is, and without one.
    ///
    /// # Cancel safety
    /// A dropped call changes nothing.
    pub async fn up(&self) {
        if let Some(plane) = &self.registry.plane {
            plane.up().await;
        }
    }

    /// The topic with this name, which is any text of 1 to 255 bytes without control characters.
    ///
    /// # Errors
    /// The name is none.
    pub fn topic(&self, name: &str) -> Result<Topic, TopicNameError> {
        TopicNameError::check(name)?;
        let registry = &self.registry;
        let mut shard = registry.shard(name);
        if let Some(topic) = shard.get(name) {
            return Ok(Topic::new(Arc::clone(topic)));
        }
        let name: Arc<str> = name.into();
        let topic = TopicState::new(
            Arc::clone(&name),
            Arc::clone(&registry.shared),
            registry.plane.as_ref(),
        );
        shard.insert(Arc::clone(&name), Arc::clone(&topic));
        drop(shard);
        metrics::topics(1);
        registry.shared.idle.push(topic.begin_idle(), name);
        self.look_after();
        Ok(Topic::new(topic))
    }

    /// Visits all topics that there are at the moment. No lock is held meanwhile.
    pub fn each(&self, mut visit: impl FnMut(&Topic)) {
        for shard in &self.registry.shards {
            let topics: Vec<_> = lock(shard).values().cloned().collect();
            topics.into_iter().map(Topic::new).for_each(|it| visit(&it));
        }
    }

    /// How many topics there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let shards = self.registry.shards.iter();
        shards.map(|shard| lock(shard).len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Starts the task that forgets, if there is none.
    fn look_after(&self) {
        let is_looked_after = &self.registry.is_looked_after;
        if cfg!(shuttle) || is_looked_after.swap(true, Ordering::AcqRel) {
            return;
        }
        let guard = LookedAfter(Arc::clone(is_looked_after));
        let registry = Arc::downgrade(&self.registry);
        let shared = Arc::clone(&self.registry.shared);
        spawn(async move {
            let _guard = guard;
            loop {
                let changed = shared.idle.changed.notified();
                match shared.idle.first() {
                    Some(at) => drop(timeout_at(at, changed).await),
                    None => changed.await,
                }
                while let Some(registry) = registry.upgrade() {
                    if !registry.forget_some() {
                        break;
                    }
                    drop(registry);
                    yield_now().await;
                }
                if registry.strong_count() == 0 {
                    return;
                }
            }
        });
    }
}

/// While it is there, a task looks after the topics.
struct LookedAfter(Arc<AtomicBool>);

impl Drop for LookedAfter {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Registry {
    fn shard(&self, name: &str) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(name);
        lock(&self.shards[hash as usize % SHARDS])
    }

    /// Forgets those that it is time for; whether there are more.
    fn forget_some(&self) -> bool {
        let idle = &self.shared.idle;
        let now = Instant::now();
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some(name) = idle.pop(now) else {
                return false;
            };
            let topic = self.shard(&name).get(&name).cloned();
            let Some(topic) = topic else { continue };
            match topic.forget_if_over(now) {
                Ok(()) if self.remove(&name, topic) => {}
                Ok(()) => idle.push(now + self.shared.keep.idle, name),
                Err(Some(at)) => idle.push(at, name),
                // Whoever leaves it last puts it among the idle again.
                Err(None) => {}
            }
        }
        true
    }

    /// Removes a topic that was forgotten, unless somebody has its handle.
    fn remove(&self, name: &str, topic: Arc<TopicState>) -> bool {
        let mut shard = self.shard(name);
        drop(topic);
        // Whoever has it could have used it meanwhile.
        let is_unused =
            |topic: &Arc<TopicState>| Arc::strong_count(topic) == 1 && topic.is_forgotten();
        if !shard.get(name).is_some_and(is_unused) {
            return false;
        }
        let removed = shard.remove(name);
        let (len, capacity) = (shard.len(), shard.capacity());
        if capacity > 64 && len < capacity / 4 {
            shard.shrink_to(len * 2);
        }
        drop(shard);
        drop(removed);
        true
    }
}

/// The task that looks after them ends.
impl Drop for Registry {
    fn drop(&mut self) {
        self.shared.idle.changed.notify_one();
    }
}

impl Default for Topics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
