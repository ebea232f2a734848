//! Whom a change wakes, once the lock is released.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;
use std::thread::panicking;

use talkback_proto::Message;

#[cfg(not(browser))]
use crate::channel::pump_slot::Placed;

/// Whoever is woken when this is dropped. Mostly that is one, or nobody.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    first: Option<Waker>,
    more: Option<Box<MoreWakes>>,
}

#[derive(Debug, Default)]
pub(crate) struct MoreWakes {
    wakers: Vec<Waker>,
    /// The callbacks, which are called when all others are awake: they may take their time.
    pub(crate) calls: Vec<Waker>,
    /// What is dropped after the lock, too: a waker may hold a task, and that anything.
    spent: Vec<Waker>,
    /// So are these: their memory may belong to foreign code.
    pub(crate) messages: Vec<Message>,
    #[cfg(not(browser))]
    pub(crate) pump: Option<Box<Placed>>,
}

impl Drop for Wakes {
    #[inline(always)]
    fn drop(&mut self) {
        let (first, more) = (self.first.take(), self.more.take());
        if let Some(more) = more {
            more.wake(first);
        } else if let Some(first) = first {
            wake(first);
        }
    }
}

fn wake(waker: Waker) {
    if panicking() {
        MoreWakes::default().wake(Some(waker));
    } else {
        waker.wake();
    }
}

impl Wakes {
    #[inline]
    pub(crate) fn add(&mut self, waker: Option<Waker>) {
        match waker {
            Some(waker) if self.first.is_some() => self.more().wakers.push(waker),
            Some(waker) => self.first = Some(waker),
            None => {}
        }
    }

    #[inline]
    pub(crate) fn add_all(&mut self, waiters: Vec<(u64, Waker)>) {
        if !waiters.is_empty() {
            let wakers = waiters.into_iter().map(|(_, waker)| waker);
            self.more().wakers.extend(wakers);
        }
    }

    /// Has a waker dropped.
    #[inline]
    pub(crate) fn spend(&mut self, waker: Option<Waker>) {
        if waker.is_some() {
            self.more().spent.extend(waker);
        }
    }

    #[cold]
    pub(crate) fn more(&mut self) -> &mut MoreWakes {
        self.more.get_or_insert_default()
    }
}

impl MoreWakes {
    /// Wakes all, in order.
    #[cold]
    fn wake(self, first: Option<Waker>) {
        let mut panic = None;
        let wakers = first.into_iter().chain(self.wakers);
        for waker in wakers.chain(self.calls) {
            // A waker or a callback that panics leaves nobody else asleep.
            let woken = catch_unwind(AssertUnwindSafe(|| waker.wake()));
            panic = panic.or(woken.err());
        }
        // What unwinds already, as when a program's panic drops its channel, would abort.
        if let Some(panic) = panic
            && !panicking()
        {
            resume_unwind(panic);
        }
    }
}
