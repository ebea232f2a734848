//! The ids of a topic's last publications.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// How many ids are known of a topic.
const IDS_MAX: usize = 1024;
/// For how long.
const KNOWN_FOR: Duration = Duration::from_secs(120);

/// The ids of the last publications, with the offset of each.
#[derive(Default)]
pub(crate) struct Ids {
    offsets: HashMap<Arc<str>, u64>,
    order: VecDeque<(Instant, Arc<str>)>,
}

impl Ids {
    /// The offset of the publication with this id.
    pub(crate) fn find(&mut self, id: &str, now: Instant) -> Option<u64> {
        while let Some((at, _)) = self.order.front()
            && now.duration_since(*at) >= KNOWN_FOR
        {
            self.forget_oldest();
        }
        self.offsets.get(id).copied()
    }

    /// Notes an id that was not found.
    pub(crate) fn insert(&mut self, id: Arc<str>, offset: u64, now: Instant) {
        if self.order.len() >= IDS_MAX {
            self.forget_oldest();
        }
        self.offsets.insert(Arc::clone(&id), offset);
        self.order.push_back((now, id));
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.offsets.remove(&id);
        }
    }
}
