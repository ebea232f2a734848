//! The futures that wait for a change of a channel.

use std::task::{Context, Waker};

/// The wakers of futures that wait, in the order in which they came, each under a key that it keeps
/// until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct WaitList {
    next_key: u64,
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
    /// Registers a future's waker under its key, which is made at the first time.
    pub(crate) fn register(&mut self, key: &mut Option<u64>, what: WaitFor, cx: &Context<'_>) {
        let key = *key.get_or_insert_with(|| {
            self.next_key += 1;
            self.next_key
        });
        self.waiters(what).register(key, cx);
    }

    /// Forgets a future that does not wait any more.
    pub(crate) fn remove(&mut self, key: u64) {
        self.changes.remove(key);
        self.sends.remove(key);
    }

    /// Takes out all who wait for this, in the order in which they came, to be woken outside of the
    /// lock.
    pub(crate) fn take(&mut self, what: WaitFor) -> impl Iterator<Item = Waker> + use<> {
        let waiters = std::mem::take(&mut self.waiters(what).0);
        waiters.into_iter().map(|(_, waker)| waker)
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
    fn register(&mut self, key: u64, cx: &Context<'_>) {
        match self.find(key) {
            Ok(index) => self.0[index].1.clone_from(cx.waker()),
            Err(index) => self.0.insert(index, (key, cx.waker().clone())),
        }
    }

    fn remove(&mut self, key: u64) {
        if let Ok(index) = self.find(key) {
            self.0.remove(index);
        }
    }

    fn find(&self, key: u64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |(key, _)| *key)
    }
}
