//! Those who look at a channel's snapshots, and what they have called when there is a new one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

/// What is called for a change; from any thread, so it is shared.
pub(crate) type Callback = Arc<dyn Fn() + Send + Sync>;

/// The watchers of a channel, each under a key that it keeps until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    last_key: u64,
    watchers: BTreeMap<u64, Watcher>,
}

/// One who looks at snapshots.
#[derive(Default)]
struct Watcher {
    /// The version that it has looked at.
    seen: Option<u64>,
    on_change: Option<(Callback, Waker)>,
}

/// Calls as long as the watcher has the callback: one that is dropped, or has another by now, is not
/// called, however late whoever took the waker gets to it.
struct Call(Weak<dyn Fn() + Send + Sync>);

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        if let Some(callback) = self.0.upgrade() {
            callback();
        }
    }
}

impl Watchers {
    pub(crate) fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }

    /// Takes in one who has not looked yet; returns its key.
    pub(crate) fn add(&mut self) -> u64 {
        self.last_key += 1;
        self.watchers.insert(self.last_key, Watcher::default());
        self.last_key
    }

    /// Forgets one; returns its callback, to be dropped outside of the lock.
    pub(crate) fn remove(&mut self, key: u64) -> Option<Callback> {
        Some(self.watchers.remove(&key)?.on_change?.0)
    }

    /// The version that this one has looked at.
    pub(crate) fn seen(&self, key: u64) -> Option<u64> {
        self.watchers.get(&key).and_then(|watcher| watcher.seen)
    }

    /// It looks at this version, and is called for the next.
    pub(crate) fn look(&mut self, key: u64, version: u64) {
        if let Some(watcher) = self.watchers.get_mut(&key) {
            watcher.seen = Some(version);
        }
    }

    /// Sets what is called; returns what was called before, to be dropped outside of the lock.
    pub(crate) fn set_callback(&mut self, key: u64, callback: Callback) -> Option<Callback> {
        let watcher = self.watchers.get_mut(&key)?;
        let waker = Waker::from(Arc::new(Call(Arc::downgrade(&callback))));
        Some(watcher.on_change.replace((callback, waker))?.0)
    }

    /// Those who are to be called, as there is a version after this one: who had not looked at this
    /// one was called for it, and is not called again.
    pub(crate) fn called_after(&self, version: u64) -> impl Iterator<Item = Waker> {
        let looked = self.watchers.values();
        let looked = looked.filter(move |watcher| watcher.seen == Some(version));
        looked.filter_map(|watcher| Some(watcher.on_change.as_ref()?.1.clone()))
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}
