//! How a subscriber is woken.

use std::sync::Arc;
use std::task::Waker;

use crate::sync::{Mutex, lock};

/// What a topic knows of a subscriber: whom to wake, while it sleeps.
///
/// The subscriber leaves its waker, and only then looks whether there is something for it. Whoever has published takes the
/// waker afterwards: if there is none, the subscriber has not looked yet.
pub(crate) struct Mailbox {
    waker: Mutex<Option<Waker>>,
}

impl Mailbox {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            // It has not slept: it looks by itself.
            waker: Mutex::new(None),
        })
    }

    /// Has it look: whom to wake for that, once no lock is held.
    pub(crate) fn rouse(&self) -> Option<Waker> {
        lock(&self.waker).take()
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
    }
}
