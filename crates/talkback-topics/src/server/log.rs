//! What a topic remembers: a ring of its last publications.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use tokio::time::Instant;

use crate::position::Position;
use crate::server::entry::Entry;
use crate::server::ids::Ids;
use crate::server::keep::Keep;
use crate::server::link::Link;
use crate::start::Start;

/// A topic's publications, of which it keeps the last ones; guarded by its lock. What leaves it is handed out, to be dropped
/// once that is released.
pub(crate) struct Log {
    /// Which of its lives the topic is in; 0 before the first, and while it is forgotten.
    epoch: u64,
    /// The number of the last publication.
    head: u64,
    /// Its mark.
    mark: Option<u16>,
    /// What its numbers are counted on from for those who wait, so that a new life under their eyes is news to them.
    base: u64,
    ring: VecDeque<Arc<Entry>>,
    /// How many numbers from the oldest on are in no entry, as a backplane has lost them.
    missing: u64,
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
    /// If it is over a backplane.
    pub(crate) link: Option<Box<Link>>,
}

/// How something that came from a backplane stands to what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    /// It is the next one.
    Next,
    /// It is there, or of a life that is over.
    Known,
    /// Something lies between, or it is of another life.
    Astray,
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
            mark: None,
            base: 0,
            ring: VecDeque::new(),
            missing: 0,
            bytes: 0,
            ids: None,
            subscribers: 0,
            readers: 0,
            used: now,
            is_idle: false,
            rounds: Rounds::None,
            link: None,
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// What to add to a number, so that none comes twice.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// The number of the oldest publication that is kept, or of the next one; where some are lost before that, of the first of them.
    pub(crate) fn first(&self) -> u64 {
        self.head + 1 - self.ring.len() as u64 - self.missing
    }

    pub(crate) fn at(&self, offset: u64) -> Option<&Arc<Entry>> {
        let index = offset.checked_sub(self.first())? as usize;
        if self.missing == 0 {
            return self.ring.get(index);
        }
        let entry = self.ring.get(self.index_from(offset))?;
        (entry.position.offset == offset).then_some(entry)
    }

    /// The place in the ring of the first that has this number or a later one.
    fn index_from(&self, offset: u64) -> usize {
        let ring = &self.ring;
        ring.partition_point(|entry| entry.position.offset < offset)
    }

    pub(crate) fn position(&self, offset: u64) -> Position {
        Position::new(self.epoch, offset, self.mark_at(offset).flatten())
    }

    /// The mark of a publication, if that is known.
    pub(crate) fn mark_at(&self, offset: u64) -> Option<Option<u16>> {
        if offset == self.head {
            return Some(self.mark);
        }
        let marked = self.at(offset).map(|entry| entry.position.mark);
        marked.or_else(|| self.at(offset + 1).map(|entry| entry.previous))
    }

    /// Where those begin that have a number from this one on, and are lost.
    pub(crate) fn lost_at(&self, offset: u64) -> Option<(u64, u64)> {
        if self.missing == 0 || offset < self.first() || offset > self.head {
            return None;
        }
        let next = self.ring.get(self.index_from(offset));
        let next = next.map_or(self.head + 1, |entry| entry.position.offset);
        (next > offset).then_some((offset, next - 1))
    }

    /// The last that are lost and have a number from this one on.
    pub(crate) fn lost_since(&self, offset: u64) -> Option<(u64, u64)> {
        if self.missing == 0 {
            return None;
        }
        let mut next = self.head + 1;
        let numbers = self.ring.iter().rev().map(|entry| entry.position.offset);
        for number in numbers.chain([self.first() - 1]) {
            if number + 1 < next {
                let lost = (offset.max(number + 1), next - 1);
                return (lost.0 <= lost.1).then_some(lost);
            }
            next = number;
        }
        None
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
        (self.epoch, self.head, self.mark, self.ids) = (0, 0, None, None);
        self.ring = VecDeque::new();
        left
    }

    /// The position of a publication with this id.
    pub(crate) fn find(&mut self, id: &str, now: Instant) -> Option<Position> {
        let offset = self.ids.as_mut()?.find(id, now)?;
        Some(self.position(offset))
    }

    /// Adds a publication, which gets the next number if it has none, and drops what is then too much.
    pub(crate) fn push(
        &mut self,
        mut entry: Arc<Entry>,
        id: Option<Arc<str>>,
        keep: &Keep,
    ) -> Left {
        let next = self.head + 1;
        if entry.position.offset == 0 {
            let new = Arc::get_mut(&mut entry).expect("nobody else has it yet");
            new.position = Position::new(self.epoch, next, None);
        }
        let Position { offset, mark, .. } = entry.position;
        self.missing += offset - next;
        (self.head, self.mark) = (offset, mark);
        if let Some(id) = id {
            let ids = self.ids.get_or_insert_default();
            ids.insert(id, offset, entry.at);
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
        let left = self.trim(|log| !log.ring.is_empty());
        self.missing = 0;
        left
    }

    fn trim(&mut self, is_too_much: impl Fn(&Self) -> bool) -> Left {
        let mut left = Left::default();
        while is_too_much(self) {
            let first = self.first();
            let Some(entry) = self.ring.pop_front() else {
                break;
            };
            // What is lost before it goes with it.
            self.missing -= entry.position.offset - first;
            self.bytes -= entry.size();
            left.push(entry);
        }
        if left.len() > 0
            && let Some(link) = &mut self.link
        {
            // It would be too much again.
            link.floor = self.head + 1 - self.ring.len() as u64 - self.missing;
        }
        left
    }

    /// Whether somebody has to go round the subscribers, for something new.
    pub(crate) fn begin_round(&mut self) -> bool {
        if self.subscribers == 0 {
            return false;
        }
        let is_first = self.rounds == Rounds::None;
        self.rounds = match is_first {
            true => Rounds::One,
            false => Rounds::Another,
        };
        is_first
    }

    /// How something that has come stands to what is there.
    pub(crate) fn follows(&self, entry: &Entry) -> Follows {
        let Position {
            epoch,
            offset,
            mark,
        } = entry.position;
        if epoch != self.epoch {
            let is_late = self.link.as_ref().is_some_and(|it| it.former == epoch);
            return match is_late {
                true => Follows::Known,
                false => Follows::Astray,
            };
        }
        if offset > self.head {
            return match offset == self.head + 1 && entry.previous == self.mark {
                true => Follows::Next,
                false => Follows::Astray,
            };
        }
        match self.mark_at(offset) {
            Some(known) if known != mark => Follows::Astray,
            _ => Follows::Known,
        }
    }

    /// Takes what lies up to there for lost.
    pub(crate) fn lose(&mut self, to: Position) {
        self.missing += to.offset - self.head;
        (self.head, self.mark) = (to.offset, to.mark);
    }

    /// Begins another life behind a position, under the eyes of those who wait.
    pub(crate) fn restart(&mut self, at: Position) -> Left {
        let next = self.base + self.head + 1;
        let left = self.clear();
        if let Some(link) = &mut self.link {
            (link.former, link.start, link.floor) = (self.epoch, at.offset, 0);
        }
        (self.epoch, self.head, self.mark) = (at.epoch, at.offset, at.mark);
        self.base = next;
        left
    }

    /// Puts older ones before the oldest, the newest of them first, as far as they join on to it and are not too much; how many
    /// bytes more it takes then.
    pub(crate) fn fill(&mut self, older: &mut Vec<Arc<Entry>>, room: usize, keep: &Keep) -> usize {
        let mut cost = 0;
        while let Some(entry) = older.pop() {
            let last = self.first() - 1;
            let is_joined = self.missing == 0
                && entry.position.epoch == self.epoch
                && entry.position.offset == last
                && self.mark_at(last) == Some(entry.position.mark);
            let is_kept = self.ring.len() < keep.messages
                && (self.bytes + entry.size() <= keep.bytes || self.ring.is_empty());
            if !is_joined || !is_kept || cost + entry.cost() > room {
                older.push(entry);
                break;
            }
            self.bytes += entry.size();
            cost += entry.cost();
            self.ring.push_front(entry);
        }
        let first = self.first();
        if let Some(link) = &mut self.link {
            link.floor = first;
        }
        cost
    }

    /// The number behind which so much would be kept as may be, if the store may have more than is here.
    pub(crate) fn fillable(&self, keep: &Keep) -> Option<u64> {
        let link = self.link.as_ref()?;
        let room = keep.messages.saturating_sub(self.ring.len()) as u64;
        let first = self.first();
        let is_whole = self.missing > 0 || link.floor >= first || first == 1;
        (keep.is_history && room > 0 && !is_whole).then(|| (first - 1).saturating_sub(room))
    }

    /// What a subscription that begins there reads first, and whether it continues the position that was asked for.
    pub(crate) fn begin(&self, start: Start, keep: &Keep) -> (u64, Recovery) {
        let next = self.head + 1;
        let lost = self.lost_since(0);
        let first = lost.map_or_else(|| self.first(), |(_, lost)| lost + 1);
        match start {
            Start::Now => (next, Recovery::NotAsked),
            Start::Last(_) if !keep.is_history => (next, Recovery::NotAsked),
            Start::Last(count) => {
                let kept = (count as u64).min(next - first);
                (next - kept, Recovery::NotAsked)
            }
            Start::After(position)
                if position.epoch != self.epoch || position.offset > self.head =>
            {
                (next, Recovery::OtherEpoch)
            }
            Start::After(position) => {
                let after = position.offset + 1;
                let mark = self.mark_at(position.offset);
                if mark.is_some_and(|mark| mark != position.mark) {
                    return (next, Recovery::OtherEpoch);
                }
                match after == next || (keep.is_history && after >= first) {
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
    /// As it was read from the store for it.
    FromStore,
    TooOld,
    /// It is of another life of the topic, or ahead of this one.
    OtherEpoch,
}

/// 64 bits, not 0, that no two lives of a topic share.
pub(crate) fn random() -> u64 {
    loop {
        // Each has keys of its own, drawn at random for the thread.
        match RandomState::new().hash_one(0) {
            0 => {}
            epoch => return epoch,
        }
    }
}
