//! What comes to a topic from its backplane.

use std::mem;
use std::sync::Arc;

use talkback::Prepared;
use tokio::time::Instant;

use crate::position::Position;
use crate::server::backplane::{Page, Stored};
use crate::server::entry::Entry;
use crate::server::fan_out;
use crate::server::form::Made;
use crate::server::link::{Errand, Found, Link, Stage};
use crate::server::log::{Follows, Left, Log};
use crate::server::metrics;
use crate::server::state::TopicState;
use crate::server::sync::MutexGuard;

/// What became of something that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    Done,
    /// The caller is to see to it that the engine is asked.
    ToBeTended,
}

impl TopicState {
    fn entry(&self, stored: Stored) -> Arc<Entry> {
        let Stored {
            position,
            previous,
            carried,
        } = stored;
        let number = self.uplink().plane.number;
        let except = carried.except.filter(|(hub, _)| *hub == number);
        Arc::new(Entry {
            topic: Arc::clone(&self.name),
            position,
            previous,
            at: Instant::now(),
            prepared: Prepared::new(carried.message),
            compression: carried.compression,
            except: except.map(|(_, connection)| connection),
            made: Made::default(),
        })
    }

    /// Takes what came to the inbox: it is the next one, or there, or has to wait until what lies between is fetched.
    pub(crate) fn arrive(self: &Arc<Self>, stored: Stored) -> Arrived {
        let entry = self.entry(stored);
        let mut log = self.log();
        let is_on = match link(&mut log).stage {
            Stage::Off | Stage::Detaching => return Arrived::Done,
            Stage::Attaching => false,
            Stage::On => true,
        };
        let follows = log.follows(&entry);
        let it = link(&mut log);
        if follows == Follows::Next {
            // What is there, or late, does not say where the store stands.
            it.heard = entry.at;
        }
        let is_held = match follows {
            _ if !is_on || it.is_behind => true,
            Follows::Next => false,
            Follows::Known => return Arrived::Done,
            Follows::Astray => {
                it.is_behind = true;
                true
            }
        };
        if !is_held {
            self.put_and_tell(log, entry);
            return Arrived::Done;
        }
        let dropped = it.hold(entry);
        let is_to_be_tended = is_on && follows == Follows::Astray && it.begin_tending();
        drop(log);
        drop(dropped);
        match is_to_be_tended {
            true => Arrived::ToBeTended,
            false => Arrived::Done,
        }
    }

    fn put_and_tell(self: &Arc<Self>, log: MutexGuard<'_, Log>, entry: Arc<Entry>) {
        if self.put(log, entry, None).is_to_be_told {
            fan_out::tell(self);
        }
    }

    /// Ends a change of the log other than by a publication.
    fn note_and_tell(self: &Arc<Self>, mut log: MutexGuard<'_, Log>, left: &Left) {
        self.note(&log);
        let is_to_be_told = log.begin_round();
        drop(log);
        self.let_go([left]);
        if is_to_be_told {
            fan_out::tell(self);
        }
    }

    /// Has all subscribers look.
    pub(crate) fn tell_all(self: &Arc<Self>) {
        let log = self.log();
        self.note_and_tell(log, &Left::default());
    }

    /// What its task is to ask next; if nothing, there is no task any more.
    pub(crate) fn next_errand(&self) -> Option<Errand> {
        let mut log = self.log();
        let fill = log.fillable(&self.shared.keep);
        let link = link(&mut log);
        match link.stage {
            Stage::Attaching => return Some(Errand::Attach),
            Stage::On => {}
            Stage::Off | Stage::Detaching => {
                link.is_tended = false;
                return None;
            }
        }
        if let Some(epoch) = link.forked {
            return Some(Errand::Renew { epoch });
        }
        if link.is_behind {
            link.reads += 1;
            return Some(Errand::Read {
                held: link.held.len(),
            });
        }
        if mem::take(&mut link.is_fill_wanted)
            && let Some(after) = fill
        {
            return Some(Errand::Fill { after });
        }
        link.is_tended = false;
        None
    }

    /// Where it stands.
    pub(crate) fn head(&self) -> Position {
        let log = self.log();
        log.position(log.head())
    }

    /// The engine listens to it, which stands there.
    pub(crate) fn attached(self: &Arc<Self>, head: Position) {
        let now = Instant::now();
        let mut log = self.log();
        let left = log.restart(head);
        log.touch(now);
        let link = link(&mut log);
        (link.stage, link.former, link.heard) = (Stage::On, 0, now);
        // What has come meanwhile follows on that, as far as it is not there.
        link.is_behind = true;
        self.note(&log);
        drop(log);
        self.let_go([&left]);
        self.release(0);
    }

    /// The engine does not listen to it: those who wait are told.
    pub(crate) fn not_attached(&self, why: &str) {
        let mut log = self.log();
        let link = link(&mut log);
        link.stage = Stage::Off;
        link.fail(why);
        let held = mem::take(&mut link.held);
        drop(log);
        drop(held);
    }

    /// The engine has not answered: whether to ask it again.
    pub(crate) fn put_off(&self, why: &str) -> bool {
        let mut log = self.log();
        let link = link(&mut log);
        link.fail(why);
        // Under this lock, so that whoever finds it reached later finds that nobody asks.
        link.is_tended = self.uplink().plane.is_up();
        link.is_tended
    }

    /// What should have been read from the store cannot be.
    pub(crate) fn not_filled(&self, why: &str) {
        link(&mut self.log()).fail(why);
    }

    /// Takes what the store has behind its head, and what was held once nothing lies between any more. Of that, so many were
    /// held before the store was asked.
    pub(crate) fn take_page(self: &Arc<Self>, page: Page, held: usize) {
        let mut log = self.log();
        let (epoch, head) = (log.epoch(), log.head());
        if page.head.epoch != epoch {
            let first = page.publications.first();
            let at = first.map_or(page.head, |first| {
                let before = first.position.offset.saturating_sub(1);
                Position::new(page.head.epoch, before, first.previous)
            });
            self.reset(log, at);
        } else if page.head.offset < head
            || (page.head.offset == head && log.mark_at(head) != Some(page.head.mark))
        {
            link(&mut log).forked = Some(epoch);
            return;
        } else {
            drop(log);
        }
        let entries = page.publications.into_iter().map(|it| self.entry(it));
        for entry in entries {
            if !self.take_read(entry) {
                return;
            }
        }
        if self.is_caught_up(page.head, (epoch, head)) {
            self.release(held);
        }
    }

    /// Begins another life.
    fn reset(self: &Arc<Self>, mut log: MutexGuard<'_, Log>, at: Position) {
        let left = log.restart(at);
        self.note_and_tell(log, &left);
        self.uplink().plane.trace.reset();
    }

    /// Takes one that was read; `false` if it is of another life than what is here.
    fn take_read(self: &Arc<Self>, entry: Arc<Entry>) -> bool {
        let mut log = self.log();
        let (position, next) = (entry.position, log.head() + 1);
        let is_fork = position.epoch != log.epoch()
            || (position.offset == next && log.follows(&entry) != Follows::Next);
        if is_fork {
            let epoch = log.epoch();
            link(&mut log).forked = Some(epoch);
            return false;
        }
        if position.offset < next {
            return true;
        }
        let gone = position.offset - next;
        let found = match gone {
            0 => Found::Healed,
            _ => Found::Gone,
        };
        let link = link(&mut log);
        link.found = link.found.max(found);
        self.put_and_tell(log, entry);
        self.trace_gone(gone);
        true
    }

    fn trace_gone(&self, gone: u64) {
        if gone > 0 {
            self.uplink().plane.trace.gone(gone);
        }
    }

    /// Whether nothing is missing up to what the store has told last. `before` is where it stood when that was asked.
    fn is_caught_up(self: &Arc<Self>, to: Position, before: (u64, u64)) -> bool {
        let mut log = self.log();
        if to.offset <= log.head() {
            return true;
        }
        if (log.epoch(), log.head()) != before {
            // There are more pages.
            return false;
        }
        // The store has none of it any more.
        let gone = to.offset - log.head();
        log.lose(to);
        link(&mut log).found = Found::Gone;
        self.note_and_tell(log, &Left::default());
        self.trace_gone(gone);
        true
    }

    /// Takes what was held, as far as it follows. Of what does not, so many are of no use: the store does not know them.
    fn release(self: &Arc<Self>, mut known: usize) {
        loop {
            let mut log = self.log();
            let link = link(&mut log);
            let Some(entry) = link.held.pop_front() else {
                let is_more = mem::take(&mut link.has_overflown) || link.reads < link.read_wanted;
                link.is_behind = is_more;
                let found = match is_more {
                    true => Found::Nothing,
                    false => mem::replace(&mut link.found, Found::Nothing),
                };
                drop(log);
                metrics::looked(found);
                return;
            };
            let is_known = known > 0;
            known = known.saturating_sub(1);
            match log.follows(&entry) {
                Follows::Next => self.put_and_tell(log, entry),
                Follows::Known => drop(log),
                Follows::Astray if is_known => drop(log),
                Follows::Astray => {
                    self::link(&mut log).held.push_front(entry);
                    return;
                }
            }
        }
    }

    /// An end was made to an epoch: where it stands in the new one.
    pub(crate) fn renewed(self: &Arc<Self>, epoch: u64, at: Position) {
        let mut log = self.log();
        link(&mut log).forked = None;
        if log.epoch() == epoch && at.epoch != epoch {
            // What was published in the new one meanwhile is read.
            self.reset(log, Position::new(at.epoch, 0, None));
        }
    }

    /// Puts what was read from the store before its ring.
    pub(crate) fn fill(&self, older: Vec<Stored>) {
        let keep = &self.shared.keep;
        let mut older: Vec<_> = older.into_iter().map(|it| self.entry(it)).collect();
        let room = keep.bytes_in_all.saturating_sub(self.shared.bytes());
        let mut log = self.log();
        let cost = log.fill(&mut older, room, keep);
        self.shared.take(cost);
        self.note(&log);
        drop(log);
        metrics::log_bytes(cost as isize);
    }

    /// Compares it with what the store says, which was asked when it stood there: whether the engine is to be asked for more.
    pub(crate) fn compare(&self, asked: Position, store: Position) -> Arrived {
        let now = Instant::now();
        let mut log = self.log();
        if link(&mut log).stage != Stage::On || log.epoch() != asked.epoch {
            return Arrived::Done;
        }
        let is_same = store.epoch == asked.epoch
            && (asked.offset..=log.head()).contains(&store.offset)
            && log
                .mark_at(store.offset)
                .is_none_or(|mark| mark == store.mark);
        let link = link(&mut log);
        link.heard = now;
        if !is_same {
            link.is_behind = true;
            // One that is under way may have been answered before.
            link.read_wanted = link.reads + 1;
        }
        match link.is_behind && link.begin_tending() {
            true => Arrived::ToBeTended,
            false => Arrived::Done,
        }
    }

    /// Whether the engine listens to it.
    pub(crate) fn is_on(&self) -> bool {
        link(&mut self.log()).stage == Stage::On
    }

    /// When it was last heard of.
    pub(crate) fn heard(&self) -> Instant {
        link(&mut self.log()).heard
    }

    /// Whether something lies between what it has and what has come.
    pub(crate) fn is_behind(&self) -> bool {
        let mut log = self.log();
        let link = link(&mut log);
        link.stage == Stage::On && link.is_behind
    }
}

fn link(log: &mut Log) -> &mut Link {
    log.link.as_mut().expect("it is over a backplane")
}
