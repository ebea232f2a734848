//! The tasks that wait for a change of a channel.

use std::collections::BTreeMap;
use std::task::{Context, Waker};

/// Wakers of futures that wait, each under a key of its own until it is woken or dropped.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Waiters {
    /// Registers a future's waker under its key, which it keeps for the next time.
    pub(crate) fn register(&mut self, key: &mut Option<u64>, cx: &Context<'_>) {
        let key = *key.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        match self.wakers.get_mut(&key) {
            Some(waker) => waker.clone_from(cx.waker()),
            None => {
                self.wakers.insert(key, cx.waker().clone());
            }
        }
    }

    /// Forgets a future that does not wait any more.
    pub(crate) fn remove(&mut self, key: Option<u64>) {
        if let Some(key) = key {
            self.wakers.remove(&key);
        }
    }

    /// Takes all wakers out, in the order in which they came, to be woken outside of the lock.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Waker> + use<> {
        std::mem::take(&mut self.wakers).into_values()
    }
}
