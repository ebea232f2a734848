//! What a topic remembers: a ring of its last publications.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use tokio::time::Instant;

use crate::entry::Entry;
use crate::ids::Ids;
use crate::keep::Keep;
use crate::position::Position;
use crate::start::Start;

/// A topic's publications, of which it keeps the last ones; guarded by its lock. What leaves it is handed out, to be dropped
/// once that is released.
pub(crate) struct Log {
    /// Which of its lives the topic is in; 0 before the first, and while it is forgotten.
    epoch: u64,
    /// The number of the last publication.
    head: u64,
    ring: VecDeque<Arc<Entry>>,
    /// Of the payloads in the ring.
    bytes: usize,
    ids: Option<Box<Ids>>,
    pub(crate) subscribers: usize,
    /// Those included that have unsubscribed and still read.
    pub(crate) readers: usize,
    /// When it was last published to, or subscribed to.
    used: Instant,
    /// Whether it is among those that may be forgotten.
    pub(crate) is_idle: bool,
    pub(crate) rounds: Rounds,
}

/// Whether somebody goes round the subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounds {
    None,
    One,
    /// And another one after it, for what was published meanwhile.
    Another,
}

/// What has left a log.
#[derive(Default)]
pub(crate) struct Left {
    first: Option<Arc<Entry>>,
    others: Vec<Arc<Entry>>,
    pub(crate) cost: usize,
}

impl Left {
    fn push(&mut self, entry: Arc<Entry>) {
        self.cost += entry.cost();
        // Mostly it is one, for which nothing is to be allocated.
        match self.first {
            None => self.first = Some(entry),
            Some(_) => self.others.push(entry),
        }
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }
}

impl Log {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            epoch: 0,
            head: 0,
            ring: VecDeque::new(),
            bytes: 0,
            ids: None,
            subscribers: 0,
            readers: 0,
            used: now,
            is_idle: false,
            rounds: Rounds::None,
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// The number of the oldest publication that is kept, or of the next one.
    pub(crate) fn first(&self) -> u64 {
        self.head + 1 - self.ring.len() as u64
    }

    pub(crate) fn at(&self, offset: u64) -> Option<&Arc<Entry>> {
        self.ring.get(offset.checked_sub(self.first())? as usize)
    }

    pub(crate) fn position(&self, offset: u64) -> Position {
        Position::new(self.epoch, offset, None)
    }

    /// Uses the topic: begins it anew if it was forgotten, or had to be.
    pub(crate) fn wake(&mut self, keep: &Keep, now: Instant) -> Left {
        let left = match self.is_over(keep, now) {
            true => self.forget(),
            false => Left::default(),
        };
        if self.epoch == 0 {
            self.epoch = random();
        }
        self.used = now;
        left
    }

    pub(crate) fn touch(&mut self, now: Instant) {
        self.used = now;
    }

    /// When it may be forgotten.
    pub(crate) fn end(&self, keep: &Keep) -> Instant {
        self.used + keep.idle
    }

    pub(crate) fn is_over(&self, keep: &Keep, now: Instant) -> bool {
        self.subscribers == 0 && self.end(keep) <= now
    }

    /// Ends this life of the topic.
    pub(crate) fn forget(&mut self) -> Left {
        let left = self.clear();
        (self.epoch, self.head, self.ids) = (0, 0, None);
        self.ring = VecDeque::new();
        left
    }

    /// The position of a publication with this id.
    pub(crate) fn find(&mut self, id: &str, now: Instant) -> Option<Position> {
        let offset = self.ids.as_mut()?.find(id, now)?;
        Some(self.position(offset))
    }

    /// Adds a publication, which gets the next number, and drops what is then too much.
    pub(crate) fn push(
        &mut self,
        mut entry: Arc<Entry>,
        id: Option<Arc<str>>,
        keep: &Keep,
    ) -> Left {
        self.head += 1;
        let position = self.position(self.head);
        let new = Arc::get_mut(&mut entry).expect("nobody else has it yet");
        new.position = position;
        if let Some(id) = id {
            let ids = self.ids.get_or_insert_default();
            ids.insert(id, position.offset, new.at);
        }
        self.bytes += entry.size();
        self.ring.push_back(entry);
        self.trim(|log| {
            let len = log.ring.len();
            len > keep.messages || (log.bytes > keep.bytes && len > 1)
        })
    }

    /// Leaves only the newest.
    pub(crate) fn leave_newest(&mut self) -> Left {
        self.trim(|log| log.ring.len() > 1)
    }

    /// Leaves none.
    pub(crate) fn clear(&mut self) -> Left {
        self.trim(|log| !log.ring.is_empty())
    }

    fn trim(&mut self, is_too_much: impl Fn(&Self) -> bool) -> Left {
        let mut left = Left::default();
        while is_too_much(self)
            && let Some(entry) = self.ring.pop_front()
        {
            self.bytes -= entry.size();
            left.push(entry);
        }
        left
    }

    /// What a subscription that begins there reads first, and whether it continues the position that was asked for.
    pub(crate) fn begin(&self, start: Start, keep: &Keep) -> (u64, Recovery) {
        let next = self.head + 1;
        match start {
            Start::Now => (next, Recovery::NotAsked),
            Start::Last(_) if !keep.is_history => (next, Recovery::NotAsked),
            Start::Last(count) => {
                let kept = count.min(self.ring.len());
                (next - kept as u64, Recovery::NotAsked)
            }
            Start::After(position)
                if position.epoch != self.epoch || position.offset > self.head =>
            {
                (next, Recovery::OtherEpoch)
            }
            Start::After(position) => {
                let after = position.offset + 1;
                match after == next || (keep.is_history && after >= self.first()) {
                    true => (after, Recovery::Done),
                    false => (next, Recovery::TooOld),
                }
            }
        }
    }
}

/// What came of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    NotAsked,
    Done,
    TooOld,
    /// It is of another life of the topic, or ahead of this one.
    OtherEpoch,
}

/// 64 bits, not 0, that no two lives of a topic share.
fn random() -> u64 {
    loop {
        // Each has keys of its own, drawn at random for the thread.
        match RandomState::new().hash_one(0) {
            0 => {}
            epoch => return epoch,
        }
    }
}
