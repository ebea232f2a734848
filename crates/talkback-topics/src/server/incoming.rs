//! What comes from a backplane, and waits for its hub.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::server::sync::{AtomicBool, Mutex, Ordering, lock};

/// How much waits at most.
const WAITING_MAX: usize = if cfg!(shuttle) { 2 } else { 65_536 };

/// Whether the backplane is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It has not said yet.
    Unknown,
    Up,
    /// For this reason.
    Down(Arc<str>),
}

/// What waits.
pub(crate) enum Arrived<T> {
    One(T),
    /// Some may have been lost.
    Lost,
    /// The hub is gone.
    Over,
}

/// What an engine tells: it waits for nobody. The hub has one task that takes what came one after another, and another that looks
/// whether the engine is reached.
pub(crate) struct Incoming<T> {
    queue: Sender<Arrived<T>>,
    /// Whether something was lost that nobody has looked for.
    is_lost: AtomicBool,
    /// With how often it has changed.
    reach: Mutex<(u64, Reach)>,
    /// Tells all that wait for the engine.
    pub(crate) reached: Notify,
    /// Tells the hub's task: the reach has changed, something was lost, a topic was healed, or it is over.
    pub(crate) changed: Notify,
}

impl<T> Incoming<T> {
    pub(crate) fn new() -> (Arc<Self>, Receiver<Arrived<T>>) {
        let (queue, waiting) = channel(WAITING_MAX);
        let incoming = Self {
            queue,
            is_lost: AtomicBool::new(false),
            reach: Mutex::new((0, Reach::Unknown)),
            reached: Notify::new(),
            changed: Notify::new(),
        };
        (Arc::new(incoming), waiting)
    }

    pub(crate) fn push(&self, one: T) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Arrived::One(one)) {
            self.lost();
        }
    }

    pub(crate) fn lost(&self) {
        self.is_lost.store(true, Ordering::Release);
        // If it is full, it is looked at anyway. If not, whoever emptied it meanwhile may not have seen the flag, and is told.
        let _ = self.queue.try_send(Arrived::Lost);
    }

    pub(crate) fn over(&self) {
        let _ = self.queue.try_send(Arrived::Over);
        self.changed.notify_one();
    }

    /// Whether something was lost; then it is for the caller to look for it.
    pub(crate) fn take_lost(&self) -> bool {
        self.is_lost.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn has_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }

    pub(crate) fn set_reach(&self, reach: Reach) {
        let mut current = lock(&self.reach);
        current.0 += 1;
        let before = std::mem::replace(&mut current.1, reach);
        drop(current);
        drop(before);
        self.reached.notify_waiters();
        self.changed.notify_one();
    }

    /// How often it has changed, and what it is.
    pub(crate) fn reach(&self) -> (u64, Reach) {
        lock(&self.reach).clone()
    }
}
