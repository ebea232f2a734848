//! The futures that wait for a change of a channel.

use std::collections::BTreeMap;
use std::task::{Context, Waker};

/// The wakers of futures that wait, in the order in which they came, each under a key that it keeps
/// until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct WaitList {
    next_key: u64,
    /// Those who wait for the channel to open, to close or to change.
    changes: BTreeMap<u64, Waker>,
    /// Those who wait for capacity in the queue, or for messages to be written.
    sends: BTreeMap<u64, Waker>,
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
        match self.wakers(what).get_mut(&key) {
            Some(waker) => waker.clone_from(cx.waker()),
            None => {
                self.wakers(what).insert(key, cx.waker().clone());
            }
        }
    }

    /// Forgets a future that does not wait any more.
    pub(crate) fn remove(&mut self, key: u64) {
        self.changes.remove(&key);
        self.sends.remove(&key);
    }

    /// Takes out all who wait for this, in the order in which they came, to be woken outside of the
    /// lock.
    pub(crate) fn take(&mut self, what: WaitFor) -> impl Iterator<Item = Waker> + use<> {
        std::mem::take(self.wakers(what)).into_values()
    }

    fn wakers(&mut self, what: WaitFor) -> &mut BTreeMap<u64, Waker> {
        match what {
            WaitFor::Change => &mut self.changes,
            WaitFor::Sending => &mut self.sends,
        }
    }
}
