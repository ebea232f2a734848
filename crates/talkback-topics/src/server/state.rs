//! A topic, as all its handles share it.

use std::mem;
use std::ptr;
use std::sync::Arc;

use talkback::{Compression, Prepared};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::position::Position;
use crate::server::entry::Entry;
use crate::server::form::Made;
use crate::server::link::{Link, Stage};
use crate::server::log::{Left, Log, Recovery, Rounds};
use crate::server::mailbox::{Mailbox, News};
use crate::server::metrics;
use crate::server::plane::Plane;
use crate::server::roster::{Key, Roster};
use crate::server::shared::Shared;
use crate::server::sync::{AtomicUsize, Mutex, MutexGuard, Ordering, lock};
use crate::start::{Begun, Start};

/// A topic: its log, and who is to be told of it.
///
/// Its two locks are never held at a time, and no foreign code runs under one: wakers are called, and payloads dropped, once
/// it is released.
pub(crate) struct TopicState {
    pub(crate) name: Arc<str>,
    pub(crate) shared: Arc<Shared>,
    log: Mutex<Log>,
    pub(crate) roster: Mutex<Roster>,
    /// The number of the last publication, and of the oldest that is kept: they are written under the log's lock, for a look
    /// without it. On 32 bits they wrap around.
    head: AtomicUsize,
    first: AtomicUsize,
    pub(crate) uplink: Option<Box<Uplink>>,
}

/// What a topic has that is over a backplane.
pub(crate) struct Uplink {
    pub(crate) plane: Arc<Plane<TopicState>>,
    /// Tells those who wait for what its task asks the engine.
    pub(crate) changed: Notify,
}

/// A place among the subscribers of a topic.
pub(crate) struct Joined {
    /// Its place among those that are woken.
    pub(crate) key: Key,
    /// What it reads first, with what is added to a number.
    pub(crate) next: u64,
    pub(crate) begun: Begun,
}

/// What is to be published.
pub(crate) struct New {
    pub(crate) prepared: Prepared,
    pub(crate) compression: Compression,
    pub(crate) except: Option<u64>,
    pub(crate) id: Option<Arc<str>>,
}

/// What came of a publication.
pub(crate) struct Appended {
    pub(crate) position: Position,
    pub(crate) subscribers: usize,
    pub(crate) is_duplicate: bool,
    /// Whether somebody has to go round the subscribers.
    pub(crate) is_to_be_told: bool,
}

impl TopicState {
    pub(crate) fn new(
        name: Arc<str>,
        shared: Arc<Shared>,
        plane: Option<&Arc<Plane<TopicState>>>,
    ) -> Arc<Self> {
        let now = Instant::now();
        let mut log = Log::new(now);
        log.link = plane.map(|_| Box::new(Link::new(now)));
        let uplink = |plane: &Arc<_>| Uplink {
            plane: Arc::clone(plane),
            changed: Notify::new(),
        };
        Arc::new(Self {
            name,
            shared,
            log: Mutex::new(log),
            roster: Mutex::default(),
            head: AtomicUsize::new(0),
            first: AtomicUsize::new(1),
            uplink: plane.map(uplink).map(Box::new),
        })
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }

    /// For a topic over a backplane.
    pub(crate) fn uplink(&self) -> &Uplink {
        self.uplink.as_ref().expect("it is over a backplane")
    }

    /// What tells a subscriber that there is something here.
    pub(crate) fn news(&self) -> News {
        News::at(ptr::from_ref(self).addr())
    }

    /// Whether something was published from this number on, with what is added to it.
    pub(crate) fn has(&self, next: u64) -> bool {
        self.head.load(Ordering::Acquire) != (next as usize).wrapping_sub(1)
    }

    /// Whether this number, with what is added to it, is not kept any more.
    pub(crate) fn has_lost(&self, next: u64) -> bool {
        let first = self.first.load(Ordering::Acquire);
        (first.wrapping_sub(next as usize) as isize) > 0
    }

    /// Whether nothing comes from its backplane for a time.
    pub(crate) fn is_stale(&self) -> bool {
        let uplink = self.uplink.as_ref();
        uplink.is_some_and(|uplink| uplink.plane.is_stale())
    }

    pub(crate) fn note(&self, log: &Log) {
        let (head, first) = (log.head(), log.first());
        let with_base = |number: u64| (log.base() + number) as usize;
        self.head.store(with_base(head), Ordering::Release);
        self.first.store(with_base(first), Ordering::Release);
    }

    /// Appends what is published here.
    pub(crate) fn append(&self, new: New) -> Appended {
        let (keep, now) = (&self.shared.keep, Instant::now());
        let New { id, except, .. } = new;
        let entry = Arc::new(Entry {
            topic: Arc::clone(&self.name),
            position: Position::new(0, 0, None),
            previous: None,
            at: now,
            prepared: new.prepared,
            compression: new.compression,
            except,
            made: Made::default(),
        });
        let mut log = self.log();
        let forgotten = log.wake(keep, now);
        if let Some(position) = id.as_deref().and_then(|id| log.find(id, now)) {
            return Appended {
                position,
                subscribers: log.subscribers,
                is_duplicate: true,
                is_to_be_told: false,
            };
        }
        let appended = self.put(log, entry, id);
        self.let_go([&forgotten]);
        appended
    }

    /// The one door by which something comes into the log, be it published here or come from a backplane.
    pub(crate) fn put(
        &self,
        mut log: MutexGuard<'_, Log>,
        entry: Arc<Entry>,
        id: Option<Arc<str>>,
    ) -> Appended {
        let keep = &self.shared.keep;
        let cost = entry.cost();
        let in_all = self.shared.take(cost);
        let left = log.push(entry, id, keep);
        let trimmed = match in_all - left.cost > keep.bytes_in_all {
            true => log.leave_newest(),
            false => Left::default(),
        };
        let unread = match keep.is_history || log.readers > 0 {
            true => Left::default(),
            false => log.clear(),
        };
        self.note(&log);
        let is_to_be_told = log.begin_round();
        let position = log.position(log.head());
        let subscribers = log.subscribers;
        drop(log);
        self.let_go([&left, &trimmed, &unread]);
        metrics::log_bytes(cost as isize);
        metrics::trimmed(trimmed.len());
        metrics::published();
        Appended {
            position,
            subscribers,
            is_duplicate: false,
            is_to_be_told,
        }
    }

    pub(crate) fn let_go<const N: usize>(&self, left: [&Left; N]) {
        let cost = left.iter().map(|left| left.cost).sum();
        if cost > 0 {
            self.shared.give_back(cost);
            metrics::log_bytes(-(cost as isize));
        }
    }

    /// Takes in a subscriber. From then on it is woken.
    pub(crate) fn join(&self, mailbox: &Arc<Mailbox>, start: Start) -> Joined {
        let keep = &self.shared.keep;
        // First of all, so that what is published once the log has said where it begins is told to it.
        let key = lock(&self.roster).insert(Arc::clone(mailbox));
        let mut log = self.log();
        let forgotten = log.wake(keep, Instant::now());
        self.note(&log);
        let (next, recovery) = log.begin(start, keep);
        let joined = Self::take_in(&mut log, key, next, recovery);
        drop(log);
        self.let_go([&forgotten]);
        metrics::subscribers(1);
        metrics::recovered(recovery);
        joined
    }

    /// Counts a subscriber, which has its place.
    pub(crate) fn take_in(log: &mut Log, key: Key, next: u64, recovery: Recovery) -> Joined {
        log.subscribers += 1;
        log.readers += 1;
        Joined {
            key,
            next: log.base() + next,
            begun: Begun {
                position: log.position(next - 1),
                is_recovered: matches!(recovery, Recovery::Done | Recovery::FromStore),
                waiting: log.head() + 1 - next,
            },
        }
    }

    /// Lets a subscriber go: the number of the last publication that it still gets, with what is added to it.
    pub(crate) fn leave(&self, key: Key) -> u64 {
        let now = Instant::now();
        let mut log = self.log();
        log.subscribers -= 1;
        let head = log.base() + log.head();
        log.touch(now);
        let end = log.end(&self.shared.keep);
        let is_idle = log.subscribers == 0 && !log.is_idle;
        log.is_idle |= is_idle;
        drop(log);
        let left = lock(&self.roster).remove(key);
        drop(left);
        if is_idle {
            self.shared.idle.push(end, Arc::clone(&self.name));
        }
        metrics::subscribers(-1);
        head
    }

    /// A subscriber reads no more.
    pub(crate) fn stop_reading(&self) {
        let mut log = self.log();
        log.readers -= 1;
        let left = match log.readers == 0 && !self.shared.keep.is_history {
            true => log.clear(),
            false => Left::default(),
        };
        self.note(&log);
        drop(log);
        self.let_go([&left]);
    }

    /// Counts it among the idle: until when.
    pub(crate) fn begin_idle(&self) -> Instant {
        let mut log = self.log();
        log.is_idle = true;
        log.end(&self.shared.keep)
    }

    /// Forgets it if it is time. If it is not, it is told when it is; not if it has subscribers: then it is no more among the idle.
    pub(crate) fn forget_if_over(&self, now: Instant) -> Result<(), Option<Instant>> {
        let mut log = self.log();
        if log.subscribers > 0 {
            log.is_idle = false;
            return Err(None);
        }
        if !log.is_over(&self.shared.keep, now) {
            return Err(Some(log.end(&self.shared.keep)));
        }
        let mut is_to_be_detached = false;
        if let Some(link) = &mut log.link {
            if link.is_tended {
                return Err(Some(now + self.shared.keep.idle));
            }
            if link.stage == Stage::On {
                link.stage = Stage::Detaching;
                is_to_be_detached = true;
            }
        }
        let left = log.forget();
        self.note(&log);
        drop(log);
        self.let_go([&left]);
        if is_to_be_detached {
            self.detach();
        }
        Ok(())
    }

    /// Has the engine listen to it no more; nobody attaches it meanwhile.
    fn detach(&self) {
        let Some(uplink) = &self.uplink else { return };
        uplink.plane.engine.detach(vec![Arc::clone(&self.name)]);
        uplink.plane.remove(&self.name);
        let mut log = self.log();
        let held = log.link.as_mut().map(|link| {
            link.stage = Stage::Off;
            (link.is_behind, link.forked) = (false, None);
            mem::take(&mut link.held)
        });
        drop(log);
        drop(held);
        uplink.changed.notify_waiters();
    }

    pub(crate) fn is_forgotten(&self) -> bool {
        self.log().epoch() == 0
    }

    /// After a round: whether there is to be another.
    pub(crate) fn goes_round_again(&self) -> bool {
        let mut log = self.log();
        let is_again = log.rounds == Rounds::Another;
        log.rounds = match is_again {
            true => Rounds::One,
            false => Rounds::None,
        };
        is_again
    }
}

impl Drop for TopicState {
    fn drop(&mut self) {
        let mut log = self.log();
        let left = log.clear();
        let is_attached = (log.link.as_ref()).is_some_and(|link| link.stage != Stage::Off);
        drop(log);
        self.let_go([&left]);
        if is_attached {
            self.detach();
        }
        metrics::topics(-1);
    }
}
