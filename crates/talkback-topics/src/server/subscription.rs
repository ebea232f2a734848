//! How far a subscriber has read a topic.

use std::array;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::position::Position;
use crate::server::entry::Entry;
use crate::server::event::{Gap, Reset};
use crate::server::log::Log;
use crate::server::mailbox::News;
use crate::server::roster::Key;
use crate::server::slow::Slow;
use crate::server::state::{Joined, TopicState};

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
    key: Option<Key>,
    /// Whether it waits until an earlier one of the same topic is at its end.
    pub(crate) is_behind: bool,
    /// Whether the topic has begun another life, which is not told yet.
    is_reset: bool,
    epoch: u64,
    /// The number of the publication to read next, counted on over all lives of the topic: with [`Log::base`].
    next: u64,
    /// Most have read all that there is, and hold nothing but the above.
    aside: Option<Box<Aside>>,
}

/// What a subscription has that began with earlier publications, has missed some, or has left.
struct Aside {
    /// Since when it is subscribed, and the last publication that was there before.
    since: Option<(Instant, u64)>,
    /// How many before the next one it has missed, and the subscriber is not told yet.
    missed: u64,
    /// The last that it gets.
    end: u64,
}

impl Default for Aside {
    fn default() -> Self {
        Self {
            since: None,
            missed: 0,
            end: u64::MAX,
        }
    }
}

impl Subscription {
    pub(crate) fn new(topic: &Arc<TopicState>, joined: &Joined) -> Self {
        let Joined { next, begun, .. } = joined;
        let aside = (begun.waiting > 0).then(|| {
            let since = Some((Instant::now(), next - 1 + begun.waiting));
            Box::new(Aside {
                since,
                ..Aside::default()
            })
        });
        Self {
            topic: Arc::clone(topic),
            key: Some(joined.key),
            is_behind: false,
            is_reset: false,
            epoch: begun.position.epoch,
            next: *next,
            aside,
        }
    }

    /// Whether it is one of this topic, which has not been left.
    pub(crate) fn is_of(&self, topic: &Arc<TopicState>) -> bool {
        self.key.is_some() && self.is_in(topic)
    }

    pub(crate) fn is_in(&self, topic: &Arc<TopicState>) -> bool {
        Arc::ptr_eq(&self.topic, topic)
    }

    pub(crate) fn is_in_topic_of(&self, other: &Self) -> bool {
        self.is_in(&other.topic)
    }

    pub(crate) fn topic(&self) -> &Arc<str> {
        &self.topic.name
    }

    /// What says that there is something in its topic.
    pub(crate) fn news(&self) -> News {
        self.topic.news()
    }

    /// Ends it with what was published so far.
    pub(crate) fn leave(&mut self) {
        if let Some(key) = self.key.take() {
            self.aside.get_or_insert_default().end = self.topic.leave(key);
        }
    }

    fn end(&self) -> u64 {
        self.aside.as_ref().map_or(u64::MAX, |aside| aside.end)
    }

    fn missed(&self) -> u64 {
        self.aside.as_ref().map_or(0, |aside| aside.missed)
    }

    /// From when on a publication that is next waits for it.
    fn waits_since(&self, entry: &Entry) -> Instant {
        let since = self.aside.as_ref().and_then(|aside| aside.since);
        since.map_or(entry.at, |(since, _)| since.max(entry.at))
    }

    /// Lets go what it does not need any more.
    fn settle(&mut self) {
        let next = self.next;
        let is_done = |aside: &Aside| {
            let is_past = aside.since.is_none_or(|(_, last)| next > last);
            is_past && aside.missed == 0 && aside.end == u64::MAX
        };
        if self.aside.as_deref().is_some_and(is_done) {
            self.aside = None;
        }
    }

    /// Whether it has read all that it gets.
    pub(crate) fn is_over(&self) -> bool {
        self.next > self.end() && !self.has_to_tell()
    }

    /// Whether there is something to read or to tell, which is only where there is news.
    pub(crate) fn has_news(&self, news: News) -> bool {
        if self.is_behind || !news.has(self.news()) {
            return false;
        }
        let has_more = match self.key {
            Some(_) => self.topic.has(self.next),
            None => self.next <= self.end(),
        };
        has_more || self.has_to_tell()
    }

    fn has_to_tell(&self) -> bool {
        self.missed() > 0 || self.is_reset
    }

    /// The same, of one that was not so when there was news before.
    pub(crate) fn has_become_stale(&self, news: News) -> bool {
        news.has(self.news()) && self.is_stale()
    }

    /// Whether nothing comes from its backplane for a time.
    pub(crate) fn is_stale(&self) -> bool {
        self.topic.is_stale()
    }

    /// Whether what is next is not kept any more.
    pub(crate) fn has_lost(&self) -> bool {
        !self.is_behind && self.topic.has_lost(self.next)
    }

    /// What was next is delivered, or not for it.
    pub(crate) fn advance(&mut self) {
        self.next += 1;
        self.settle();
    }

    /// When what is next has waited too long.
    pub(crate) fn deadline(&self, lag_max: Duration) -> Option<Instant> {
        if self.is_behind {
            return None;
        }
        let log = self.topic.log();
        let next = self.next.wrapping_sub(log.base());
        let entry = log.at(next).filter(|_| log.epoch() == self.epoch)?;
        Some(self.waits_since(entry) + lag_max)
    }

    /// Reads what is next, unless there is something to be told first. Nothing counts as read yet.
    pub(crate) fn read(&mut self, how: &Reading, batch: &mut Batch) -> Read {
        let log = self.topic.log();
        let is_same = log.epoch() == self.epoch;
        if !is_same && let Some(link) = &log.link {
            let (epoch, next) = (log.epoch(), log.base() + link.start + 1);
            drop(log);
            self.reset(epoch, next);
            return Read::Skipped(0);
        }
        if let Some((from, to)) = self.lost(&log, how.slow) {
            drop(log);
            return Read::Missed(self.leave_out(from, to));
        }
        let base = log.base();
        // Of a topic that was forgotten, nothing is left for who has left it.
        let (first, head) = match is_same {
            true => (base + log.first(), base + log.head()),
            false => (self.end() + 1, self.end()),
        };
        let last = head.min(self.end());
        let is_old = |entry: &Arc<Entry>| self.waits_since(entry) + how.lag_max <= how.now;
        let target = match how.slow {
            _ if self.next > last => self.next,
            Slow::Latest => last.max(first),
            _ if self.next < first => first,
            _ if log.at(self.next - base).is_some_and(is_old) => last + 1,
            _ => self.next,
        };
        let target = target.min(last + 1).max(self.next);
        let next = log.at(target - base).filter(|_| is_same && target <= last);
        if next.is_some_and(|entry| entry.size() > how.room) {
            return Read::NoRoom;
        }
        let skipped = target - self.next;
        if skipped > 0 {
            match how.slow {
                Slow::Close => return Read::TooFar,
                Slow::Skip => self.aside.get_or_insert_default().missed += skipped,
                Slow::Latest => {}
            }
            self.next = target;
        }
        if !self.has_to_tell() {
            // Up to where the backplane has lost some.
            let entries = (self.next..=last).map_while(|it| log.at(it - base));
            for entry in entries {
                if batch.len == how.count || batch.size >= how.room {
                    break;
                }
                batch.push(entry);
            }
        }
        Read::Skipped(skipped)
    }

    /// Goes on in another life of the topic; who has left is at its end.
    fn reset(&mut self, epoch: u64, next: u64) {
        self.epoch = epoch;
        self.next = match self.key {
            Some(_) => next,
            None => self.end() + 1,
        };
        self.is_reset = true;
        if let Some(aside) = &mut self.aside {
            aside.missed = 0;
        }
        self.settle();
    }

    /// What the backplane has lost, if that comes next, or, for whoever takes the newest alone, at all.
    fn lost(&self, log: &Log, slow: Slow) -> Option<(u64, u64)> {
        let base = log.base();
        let next = self.next.checked_sub(base)?;
        let (from, to) = match slow {
            Slow::Latest => log.lost_since(next),
            _ => log.lost_at(next),
        }?;
        let (from, to) = (base + from, (base + to).min(self.end()));
        (from <= to).then_some((from, to))
    }

    /// Goes on behind what is lost, which is to be told; how many were left out for that.
    fn leave_out(&mut self, from: u64, to: u64) -> u64 {
        let missed = to + 1 - self.next;
        let aside = self.aside.get_or_insert_default();
        aside.missed += match aside.missed {
            // What comes before is of no use to it.
            0 => to + 1 - from,
            _ => missed,
        };
        self.next = to + 1;
        missed
    }

    /// What it has missed and was not told of.
    pub(crate) fn take_told(&mut self) -> Option<Told> {
        if self.is_reset {
            self.is_reset = false;
            let reset = Reset {
                topic: Arc::clone(&self.topic.name),
                position: self.position(self.next - 1)?,
            };
            return Some(Told::Reset(reset));
        }
        let aside = self.aside.as_mut().filter(|aside| aside.missed > 0)?;
        let missed = mem::take(&mut aside.missed);
        self.settle();
        let gap = Gap {
            topic: Arc::clone(&self.topic.name),
            from: self.position(self.next - missed)?,
            to: self.position(self.next - 1)?,
        };
        Some(Told::Gap(gap))
    }

    /// The position of this number; none if the topic has begun another life, which is then told.
    fn position(&self, number: u64) -> Option<Position> {
        let log = self.topic.log();
        let is_same = log.epoch() == self.epoch;
        // A topic that was forgotten in memory has had one.
        let is_here = is_same || log.link.is_none();
        let offset = number.wrapping_sub(log.base());
        match is_same {
            true => Some(log.position(offset)),
            false => is_here.then(|| Position::new(self.epoch, offset, None)),
        }
    }

    /// How many publications wait for it.
    pub(crate) fn waiting(&self) -> u64 {
        let head = match self.key {
            Some(_) => {
                let log = self.topic.log();
                log.base() + log.head()
            }
            None => self.end(),
        };
        (head + 1).saturating_sub(self.next)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.topic.leave(key);
        }
        self.topic.stop_reading();
    }
}
