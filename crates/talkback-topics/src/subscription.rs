//! How far a subscriber has read a topic.

use std::array;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::entry::Entry;
use crate::event::{Gap, Reset};
use crate::position::Position;
use crate::slow::Slow;
use crate::state::{Joined, TopicState};

/// How many publications of a topic are read before others have their turn.
pub(crate) const BATCH_MAX: usize = 64;

/// Publications that were read, and are to be dropped before the subscriber waits: it holds none meanwhile.
pub(crate) struct Batch {
    entries: [Option<Arc<Entry>>; BATCH_MAX],
    len: usize,
    size: usize,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self {
            entries: array::from_fn(|_| None),
            len: 0,
            size: 0,
        }
    }

    fn push(&mut self, entry: &Arc<Entry>) {
        self.entries[self.len] = Some(Arc::clone(entry));
        self.len += 1;
        self.size += entry.size();
    }

    pub(crate) fn take(&mut self) -> impl Iterator<Item = Arc<Entry>> {
        self.entries[..self.len].iter_mut().filter_map(Option::take)
    }
}

/// What is told beside publications.
pub(crate) enum Told {
    Gap(Gap),
    Reset(Reset),
}

/// How to read.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) slow: Slow,
    pub(crate) lag_max: Duration,
    pub(crate) now: Instant,
    /// How many publications at most.
    pub(crate) count: usize,
    /// How many bytes the first of them may have.
    pub(crate) room: usize,
}

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// There is a gap or a reset to be told, else what was read; so many were skipped.
    Skipped(u64),
    /// There is a gap to be told: the backplane has lost so many.
    Missed(u64),
    /// There is no room for the next one: nothing has happened.
    NoRoom,
    /// The subscriber is to end.
    TooFar,
}

/// A subscriber's place in a topic, which it leaves when it is dropped.
pub(crate) struct Subscription {
    topic: Arc<TopicState>,
    /// Its place among those that are woken, until it has left.
    key: Option<usize>,
    epoch: u64,
    /// The number of the publication to read next.
    next: u64,
    /// What is added to it for a look without the lock.
    base: u64,
    /// The one that the subscriber takes for the next: those between are missed, and it is not told yet.
    told: u64,
    /// The last that it gets.
    end: u64,
    /// Whether the topic has begun another life, which is not told yet.
    is_reset: bool,
    since: Instant,
    /// Whether it waits until an earlier one of the same topic is at its end.
    pub(crate) is_behind: bool,
}

impl Subscription {
    pub(crate) fn new(topic: &Arc<TopicState>, joined: &Joined) -> Self {
        Self {
            topic: Arc::clone(topic),
            key: Some(joined.key),
            epoch: joined.begun.position.epoch,
            next: joined.next,
            base: joined.base,
            told: joined.next,
            end: u64::MAX,
            is_reset: false,
            since: Instant::now(),
            is_behind: false,
        }
    }

    /// Whether it is one of this topic, which has not been left.
    pub(crate) fn is_of(&self, topic: &Arc<TopicState>) -> bool {
        self.key.is_some() && self.is_in(topic)
    }

    fn is_in(&self, topic: &Arc<TopicState>) -> bool {
        Arc::ptr_eq(&self.topic, topic)
    }

    pub(crate) fn is_in_topic_of(&self, other: &Self) -> bool {
        self.is_in(&other.topic)
    }

    pub(crate) fn topic(&self) -> &Arc<str> {
        &self.topic.name
    }

    /// Ends it with what was published so far.
    pub(crate) fn leave(&mut self) {
        if let Some(key) = self.key.take() {
            self.end = self.topic.leave(key);
        }
    }

    /// Whether it has read all that it gets.
    pub(crate) fn is_over(&self) -> bool {
        self.next > self.end && !self.has_to_tell()
    }

    /// Whether there is something to read or to tell.
    pub(crate) fn has_news(&self) -> bool {
        if self.is_behind {
            return false;
        }
        let has_more = match self.key {
            Some(_) => self.topic.has(self.base.wrapping_add(self.next)),
            None => self.next <= self.end,
        };
        has_more || self.has_to_tell()
    }

    fn has_to_tell(&self) -> bool {
        self.told != self.next || self.is_reset
    }

    /// Whether nothing comes from its backplane for a time.
    pub(crate) fn is_stale(&self) -> bool {
        self.topic.is_stale()
    }

    /// Whether what is next is not kept any more.
    pub(crate) fn has_lost(&self) -> bool {
        !self.is_behind && self.topic.has_lost(self.base.wrapping_add(self.next))
    }

    /// What was next is delivered, or not for it.
    pub(crate) fn advance(&mut self) {
        self.next += 1;
        self.told = self.next;
    }

    /// When what is next has waited too long.
    pub(crate) fn deadline(&self, lag_max: Duration) -> Option<Instant> {
        if self.is_behind {
            return None;
        }
        let log = self.topic.log();
        let entry = log.at(self.next).filter(|_| log.epoch() == self.epoch)?;
        Some(entry.at.max(self.since) + lag_max)
    }

    /// Reads what is next, unless there is a gap to be told first. Nothing counts as read yet.
    pub(crate) fn read(&mut self, how: &Reading, batch: &mut Batch) -> Read {
        let log = self.topic.log();
        let is_same = log.epoch() == self.epoch;
        if !is_same && let Some(link) = &log.link {
            (self.epoch, self.base) = (log.epoch(), log.base());
            self.next = match self.key {
                Some(_) => link.start + 1,
                None => self.end + 1,
            };
            (self.told, self.is_reset) = (self.next, true);
            return Read::Skipped(0);
        }
        // Of a topic that was forgotten, nothing is left for who has left it.
        let (first, head) = match is_same {
            true => (log.first(), log.head()),
            false => (self.end + 1, self.end),
        };
        let last = head.min(self.end);
        let lost = match how.slow {
            Slow::Latest => log.lost_since(self.next),
            _ => log.lost_at(self.next),
        };
        if let Some((from, to)) = lost.filter(|(from, _)| is_same && *from <= last) {
            if how.slow == Slow::Latest && self.told == self.next {
                // What comes before is of no use to it.
                self.told = from;
            }
            let next = to.min(last) + 1;
            let missed = next - self.next;
            self.next = next;
            return Read::Missed(missed);
        }
        let is_old = |entry: &Arc<Entry>| entry.at.max(self.since) + how.lag_max <= how.now;
        let target = match how.slow {
            _ if self.next > last => self.next,
            Slow::Latest => last.max(first),
            _ if self.next < first => first,
            _ if log.at(self.next).is_some_and(is_old) => last + 1,
            _ => self.next,
        };
        let target = target.min(last + 1).max(self.next);
        let next = log.at(target).filter(|_| is_same && target <= last);
        if next.is_some_and(|entry| entry.size() > how.room) {
            return Read::NoRoom;
        }
        let skipped = target - self.next;
        if skipped > 0 {
            match how.slow {
                Slow::Close => return Read::TooFar,
                Slow::Skip => {}
                Slow::Latest => self.told = target,
            }
            self.next = target;
        }
        if !self.has_to_tell() {
            for offset in self.next..=last {
                if batch.len == how.count || batch.size >= how.room {
                    break;
                }
                batch.push(log.at(offset).expect("it is kept"));
            }
        }
        Read::Skipped(skipped)
    }

    /// What it has missed and was not told of.
    pub(crate) fn take_told(&mut self) -> Option<Told> {
        let topic = Arc::clone(&self.topic.name);
        if self.is_reset {
            self.is_reset = false;
            let position = self.position(self.next - 1);
            return Some(Told::Reset(Reset { topic, position }));
        }
        if self.told == self.next {
            return None;
        }
        let gap = Gap {
            topic,
            from: self.position(self.told),
            to: self.position(self.next - 1),
        };
        self.told = self.next;
        Some(Told::Gap(gap))
    }

    fn position(&self, offset: u64) -> Position {
        let log = self.topic.log();
        match log.epoch() == self.epoch {
            true => log.position(offset),
            false => Position::new(self.epoch, offset, None),
        }
    }

    /// How many publications wait for it.
    pub(crate) fn waiting(&self) -> u64 {
        let head = match self.key {
            Some(_) => self.topic.log().head(),
            None => self.end,
        };
        (head + 1).saturating_sub(self.next)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.leave();
        self.topic.stop_reading();
    }
}
