//! What all topics share.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::server::keep::Keep;
use crate::server::sync::{AtomicUsize, Mutex, Ordering, lock};

/// What all topics share: what they keep, how much that is, and which of them may be forgotten.
pub(crate) struct Shared {
    pub(crate) keep: Keep,
    /// What all logs take of memory, about.
    bytes: AtomicUsize,
    pub(crate) idle: Idle,
}

impl Shared {
    pub(crate) fn new(keep: Keep) -> Arc<Self> {
        Arc::new(Self {
            keep,
            bytes: AtomicUsize::new(0),
            idle: Idle::default(),
        })
    }

    /// Counts what is kept from now on; how much that makes in all.
    pub(crate) fn take(&self, bytes: usize) -> usize {
        self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// What all logs take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts what is kept no more.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The topics without subscribers, by name, in the order in which they may be forgotten.
#[derive(Default)]
pub(crate) struct Idle {
    queue: Mutex<VecDeque<(Instant, Arc<str>)>>,
    /// Tells of a first one, and of the end of it all.
    pub(crate) changed: Notify,
}

impl Idle {
    /// Notes a topic, which is not in the queue, with the time to look at it.
    pub(crate) fn push(&self, at: Instant, topic: Arc<str>) {
        let mut queue = lock(&self.queue);
        queue.push_back((at, topic));
        let is_first = queue.len() == 1;
        drop(queue);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// When to look at the first.
    pub(crate) fn first(&self) -> Option<Instant> {
        lock(&self.queue).front().map(|(at, _)| *at)
    }

    /// The first, if it is time.
    pub(crate) fn pop(&self, now: Instant) -> Option<Arc<str>> {
        let mut queue = lock(&self.queue);
        let (at, _) = queue.front()?;
        if *at > now {
            return None;
        }
        let (_, topic) = queue.pop_front()?;
        let (len, capacity) = (queue.len(), queue.capacity());
        if capacity > 1024 && len < capacity / 4 {
            queue.shrink_to(len * 2);
        }
        Some(topic)
    }
}
