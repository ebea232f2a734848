//! How a subscriber is woken.

use std::sync::Arc;
use std::task::Waker;

use crate::server::sync::{AtomicUsize, Mutex, Ordering, lock};

/// What a topic knows of a subscriber: in which topics there is something for it, and whom to wake, while it sleeps.
///
/// The subscriber leaves its waker, and only then looks whether there is news. Whoever has published leaves that, and
/// takes the waker afterwards: if there is none, the subscriber has not looked yet.
pub(crate) struct Mailbox {
    news: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

/// In which topics there is news: a bit for each, which it may share with others. Nothing of a topic is read to tell its bit, so
/// that one of ten that has news costs no look at the other nine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct News(usize);

impl News {
    pub(crate) const NONE: Self = Self(0);

    /// Of a topic, by where it lies.
    pub(crate) fn at(address: usize) -> Self {
        // The upper bits of the product depend on all of the address.
        let mixed = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        Self(1 << (mixed % u64::from(usize::BITS)))
    }

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl Mailbox {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            news: AtomicUsize::new(0),
            // It has not slept: it looks by itself.
            waker: Mutex::new(None),
        })
    }

    /// Has it look at a topic: whom to wake for that, once no lock is held.
    pub(crate) fn rouse(&self, news: News) -> Option<Waker> {
        self.post(news);
        lock(&self.waker).take()
    }

    /// Has it look once it looks at all.
    pub(crate) fn post(&self, news: News) {
        self.news.fetch_or(news.0, Ordering::AcqRel);
    }

    /// Where it is to look: whoever takes that, does.
    pub(crate) fn take_news(&self) -> News {
        News(self.news.swap(0, Ordering::AcqRel))
    }

    pub(crate) fn has_news(&self) -> bool {
        self.news.load(Ordering::Acquire) != 0
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
