//! The futures that wait for a change of a channel.

use std::mem;
use std::task::{Context, Waker};

/// The wakers of futures that wait, in the order in which they came, each under a key that it keeps
/// until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct WaitList {
    next_key: u64,
    /// Mostly nobody waits.
    waiting: Option<Box<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Those who wait for the channel to open, to close or to change.
    changes: Waiters,
    /// Those who wait for capacity in the queue, or for messages to be written.
    sends: Waiters,
}

/// What a future waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitFor {
    /// That the channel opens, closes or shows something else.
    Change,
    /// That the queue of sent messages has capacity, or that they are written.
    Sending,
}

impl WaitList {
    /// Whether anybody waits.
    #[cfg(not(browser))]
    pub(crate) fn has_waiters(&self) -> bool {
        let waiting = self.waiting.as_ref();
        waiting.is_some_and(|waiting| !waiting.is_empty())
    }

    /// Registers a future's waker under its key, which is made at the first time; returns the waker of
    /// another task that it has waited in, to be dropped outside of the lock.
    pub(crate) fn register(
        &mut self,
        key: &mut Option<u64>,
        what: WaitFor,
        cx: &Context<'_>,
    ) -> Option<Waker> {
        let key = *key.get_or_insert_with(|| {
            self.next_key += 1;
            self.next_key
        });
        let waiting = self.waiting.get_or_insert_default();
        waiting.waiters(what).register(key, cx)
    }

    /// Forgets a future that does not wait any more; returns its wakers, to be dropped outside of the
    /// lock.
    pub(crate) fn remove(&mut self, key: u64) -> [Option<Waker>; 2] {
        let Some(waiting) = &mut self.waiting else {
            return [None, None];
        };
        let wakers = [waiting.changes.remove(key), waiting.sends.remove(key)];
        if waiting.is_empty() {
            self.waiting = None;
        }
        wakers
    }

    /// Takes out all who wait for this, in the order in which they came, to be woken outside of the
    /// lock.
    #[inline]
    pub(crate) fn take(&mut self, what: WaitFor) -> Vec<(u64, Waker)> {
        match &mut self.waiting {
            Some(waiting) => mem::take(&mut waiting.waiters(what).0),
            None => Vec::new(),
        }
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.changes.0.is_empty() && self.sends.0.is_empty()
    }

    fn waiters(&mut self, what: WaitFor) -> &mut Waiters {
        match what {
            WaitFor::Change => &mut self.changes,
            WaitFor::Sending => &mut self.sends,
        }
    }
}

/// Those who wait for one thing, by their keys, which grow: mostly a new one comes last.
#[derive(Debug, Default)]
struct Waiters(Vec<(u64, Waker)>);

impl Waiters {
    fn register(&mut self, key: u64, cx: &Context<'_>) -> Option<Waker> {
        match self.find(key) {
            Ok(index) if self.0[index].1.will_wake(cx.waker()) => None,
            Ok(index) => Some(mem::replace(&mut self.0[index].1, cx.waker().clone())),
            Err(index) => {
                self.0.insert(index, (key, cx.waker().clone()));
                None
            }
        }
    }

    fn remove(&mut self, key: u64) -> Option<Waker> {
        let index = self.find(key).ok()?;
        Some(self.0.remove(index).1)
    }

    fn find(&self, key: u64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |(key, _)| *key)
    }
}
