//! How a subscriber is woken.

use std::sync::Arc;
use std::task::Waker;

use crate::sync::{AtomicBool, Mutex, Ordering, lock};

/// What a topic knows of a subscriber: whether it sleeps, and whom to wake then.
///
/// The subscriber leaves its waker, then clears the flag, and only then looks whether there is something for it. Whoever has
/// published sets the flag afterwards: if that was clear, the waker is there; if it was set, the subscriber has not looked yet.
pub(crate) struct Mailbox {
    is_awake: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Mailbox {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            // It has not slept: it looks by itself.
            is_awake: AtomicBool::new(true),
            waker: Mutex::new(None),
        })
    }

    /// Has it look: whom to wake for that, once no lock is held.
    pub(crate) fn rouse(&self) -> Option<Waker> {
        match self.is_awake.swap(true, Ordering::AcqRel) {
            true => None,
            false => lock(&self.waker).take(),
        }
    }

    /// Has this waker woken from now on: to be called before the last look.
    pub(crate) fn rest(&self, waker: &Waker) {
        let is_left = lock(&self.waker)
            .as_ref()
            .is_some_and(|left| left.will_wake(waker));
        if !is_left {
            // Wakers are foreign code.
            let waker = waker.clone();
            let before = lock(&self.waker).replace(waker);
            drop(before);
        }
        self.is_awake.swap(false, Ordering::AcqRel);
    }
}
