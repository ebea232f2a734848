//! Those who look at a channel's snapshots, and what they have called when there is a new one.

use std::fmt;
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

/// What is called for a change; from any thread, so it is shared.
pub(crate) type Callback = Arc<dyn Fn() + Send + Sync>;

/// The watchers of a channel, each under a key that it keeps until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    last_key: u64,
    /// In the order of their keys, which is that in which they came.
    watchers: Vec<(u64, Watcher)>,
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
        self.watchers.push((self.last_key, Watcher::default()));
        self.last_key
    }

    /// Forgets one; returns its callback, to be dropped outside of the lock.
    pub(crate) fn remove(&mut self, key: u64) -> Option<Callback> {
        let index = self.watchers.iter().position(|(other, _)| *other == key)?;
        Some(self.watchers.remove(index).1.on_change?.0)
    }

    /// The version that this one has looked at.
    pub(crate) fn seen(&self, key: u64) -> Option<u64> {
        let mut watchers = self.watchers.iter();
        watchers.find(|(other, _)| *other == key)?.1.seen
    }

    /// It looks at this version, and is called for the next.
    pub(crate) fn look(&mut self, key: u64, version: u64) {
        if let Some(watcher) = self.watcher(key) {
            watcher.seen = Some(version);
        }
    }

    /// Sets what is called; returns what was called before, to be dropped outside of the lock.
    pub(crate) fn set_callback(&mut self, key: u64, callback: Callback) -> Option<Callback> {
        let watcher = self.watcher(key)?;
        let waker = Waker::from(Arc::new(Call(Arc::downgrade(&callback))));
        Some(watcher.on_change.replace((callback, waker))?.0)
    }

    fn watcher(&mut self, key: u64) -> Option<&mut Watcher> {
        let mut watchers = self.watchers.iter_mut();
        Some(&mut watchers.find(|(other, _)| *other == key)?.1)
    }

    /// Those who are to be called, as there is a version after this one: who had not looked at this
    /// one was called for it, and is not called again.
    pub(crate) fn called_after(&self, version: u64) -> impl Iterator<Item = Waker> {
        let watchers = self.watchers.iter().map(|(_, watcher)| watcher);
        let looked = watchers.filter(move |watcher| watcher.seen == Some(version));
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
