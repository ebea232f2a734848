//! What a channel that reconnects knows of its connections.

use std::time::Duration;

use crate::channel::lifecycle::{ChannelState, Opened};
use crate::channel::marks::{Mark, Marks};
use crate::channel::waiting_messages::{WaitingLimits, WaitingMessages};
use crate::error::Error;
use crate::reconnect::event;
use crate::reconnect::link::Link;
use crate::reconnect::lost::{Lost, LostCause};
use crate::timer::Clock;

/// How long after a sleep a connection may be found to be lost by it.
#[cfg(not(browser))]
const JUST_SLEPT: Duration = Duration::from_secs(30);

/// What only a channel that reconnects has; every other one has a null pointer in its place.
#[derive(Debug)]
pub(crate) struct Reconnection {
    /// What the times here count from.
    clock: Clock,
    phase: Phase,
    /// How many connections were open; the last one's number.
    connection: u64,
    /// When that was.
    opened_at: Duration,
    /// When it was lost.
    lost_at: Duration,
    /// How many tries were begun since then, or since a pause.
    tries: u32,
    /// The last loss, or why the last try failed.
    lost: Option<Lost>,
    /// What is shown of the last connection while there is none.
    pub(crate) last: Option<Opened>,
    /// What the handles want of the loop.
    wish: Option<Wish>,
    /// A loss that the loop has not seen yet.
    found: Option<Lost>,
    pub(crate) marks: Marks,
    /// When it was seen that the machine had slept.
    #[cfg(not(browser))]
    slept_at: Option<Duration>,
    /// For who flushes.
    in_flight_lost: InFlightLost,
    pub(crate) waiting: WaitingMessages,
}

/// What the loop does while the channel is not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It makes a try.
    Trying,
    /// It has yet to see that the connection is lost.
    Lost,
    /// It waits until then, by the clock.
    Waiting(Duration),
    Paused(Pause),
}

/// Who has asked for a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    Program,
    /// The page was left, and may be shown again.
    #[cfg(browser)]
    Page,
}

/// What a handle, or the page, wants of the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Another connection, now.
    Now,
    /// None until further notice.
    Pause,
    /// An end of the pause.
    Resume,
    /// A try within so long, if none would come sooner: the network is there again, or a person looks. An open
    /// connection is asked whether it is there, as by the next.
    #[cfg(browser)]
    Hasten(Duration),
    /// Longer waits: the network seems to be away.
    #[cfg(browser)]
    Stretch,
    /// No connection while the page is not there: a page with an open socket cannot be kept for the way back.
    #[cfg(browser)]
    LeavePage,
    #[cfg(browser)]
    ShowPage,
}

impl Wish {
    /// The pause that is wanted, if one is.
    pub(crate) fn pause(self) -> Option<Pause> {
        match self {
            Self::Pause => Some(Pause::Program),
            #[cfg(browser)]
            Self::LeavePage => Some(Pause::Page),
            _ => None,
        }
    }
}

/// The messages that were in flight at losses.
#[derive(Clone, Copy, Debug, Default)]
struct InFlightLost {
    /// How many there were; it may wrap.
    count: usize,
    /// How many before the last such loss.
    before: usize,
    /// How many messages had been written at that.
    written: u64,
}

impl Reconnection {
    pub(crate) fn new(limits: WaitingLimits) -> Self {
        Self {
            clock: Clock::start(),
            phase: Phase::Trying,
            connection: 0,
            opened_at: Duration::ZERO,
            lost_at: Duration::ZERO,
            tries: 0,
            lost: None,
            last: None,
            wish: None,
            found: None,
            marks: Marks::default(),
            #[cfg(not(browser))]
            slept_at: None,
            in_flight_lost: InFlightLost::default(),
            waiting: WaitingMessages::new(limits),
        }
    }

    /// The time that the loop counts by.
    pub(crate) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// How far a channel has come that is not open.
    pub(crate) fn state(&self) -> ChannelState {
        match self.phase {
            Phase::Trying => ChannelState::Connecting,
            Phase::Lost | Phase::Waiting(_) => ChannelState::Retrying,
            Phase::Paused(_) => ChannelState::Paused,
        }
    }

    /// How many connections were open.
    pub(crate) fn connection(&self) -> u64 {
        self.connection
    }

    /// What is shown of it, in this state.
    pub(crate) fn link(&self, state: ChannelState) -> Link {
        let next_try_in = match self.phase {
            Phase::Waiting(until) if state == ChannelState::Retrying => {
                Some(until.saturating_sub(self.now()))
            }
            _ => None,
        };
        Link::new(
            state,
            self.connection,
            self.tries,
            next_try_in,
            self.lost.clone(),
        )
        .with_dropped(self.waiting.dropped())
    }

    // ── The loop's ───────────────────────────────────────────────────────────────────────────

    /// A try begins, so many since a connection was open, or since a pause.
    pub(crate) fn begin_try(&mut self, tries: u32) {
        self.phase = Phase::Trying;
        self.tries = tries;
        self.keep_pause();
    }

    /// A try is made, or a connection is open: of what was wanted, only a pause is still to come.
    fn keep_pause(&mut self) {
        self.wish = self.wish.filter(|wish| wish.pause().is_some());
    }

    /// Its connection is open.
    pub(crate) fn open(&mut self, subprotocol: Option<Box<str>>) {
        let now = self.now();
        let after = (self.connection > 0).then(|| now.saturating_sub(self.lost_at));
        self.connection += 1;
        self.opened_at = now;
        self.tries = 0;
        self.last = None;
        self.keep_pause();
        let opened = event::Opened::new(self.connection, subprotocol, after);
        self.marks.push(Mark::Opened(opened));
    }

    /// The open connection is lost, and with it so many messages that were in flight, behind so many that were
    /// written. Returns the loss before, to be dropped outside of the lock.
    pub(crate) fn lose(
        &mut self,
        cause: LostCause,
        (written, unknown): (u64, u64),
        opened: Option<Opened>,
    ) -> Option<Lost> {
        self.lost_at = self.now();
        let lasted = self.lost_at.saturating_sub(self.opened_at);
        self.phase = match cause {
            LostCause::Paused => Phase::Paused(Pause::Program),
            #[cfg(browser)]
            LostCause::PageLeft => Phase::Paused(Pause::Page),
            _ => Phase::Lost,
        };
        let lost = Lost::new(self.connection, cause, Some(lasted), unknown);
        if unknown > 0 {
            let before = self.in_flight_lost.count;
            self.in_flight_lost = InFlightLost {
                count: before.wrapping_add(unknown as usize),
                before,
                written,
            };
        }
        self.last = opened;
        self.marks.push(Mark::Lost(lost.clone()));
        self.found = Some(lost.clone());
        self.lost.replace(lost)
    }

    /// The machine has slept, and the peer is asked whether it is there.
    #[cfg(not(browser))]
    pub(crate) fn note_slept(&mut self) {
        self.slept_at = Some(self.now());
    }

    /// Whether the connection was lost just after a sleep.
    #[cfg(not(browser))]
    pub(crate) fn take_slept(&mut self) -> bool {
        let slept_at = self.slept_at.take();
        slept_at.is_some_and(|at| self.lost_at.saturating_sub(at) <= JUST_SLEPT)
    }

    /// Whether a loss is to be taken by the loop.
    pub(crate) fn has_lost(&self) -> bool {
        self.found.is_some()
    }

    pub(crate) fn take_lost(&mut self) -> Option<Lost> {
        self.found.take()
    }

    /// A try has failed. Returns the loss before, too, to be dropped outside of the lock.
    pub(crate) fn fail(&mut self, cause: LostCause) -> (Lost, Option<Lost>) {
        self.phase = Phase::Lost;
        let lost = Lost::new(self.connection, cause, None, 0);
        (lost.clone(), self.lost.replace(lost))
    }

    /// The loop waits so long.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.phase = Phase::Waiting(self.now().saturating_add(time));
    }

    /// What is wanted. If that is a pause, the channel is paused by now: what ends it comes behind.
    pub(crate) fn take_wish(&mut self) -> Option<Wish> {
        let wish = self.wish.take()?;
        if let Some(pause) = wish.pause() {
            self.phase = Phase::Paused(pause);
        } else if wish == Wish::Resume {
            // The loop tries at once: a pause that is wanted from now on comes behind.
            self.phase = Phase::Trying;
        }
        Some(wish)
    }

    // ── The handles' ─────────────────────────────────────────────────────────────────────────

    /// A message is queued.
    #[inline]
    pub(crate) fn note_queued(&mut self) {
        if self.waiting.has_age_max() {
            self.waiting.note_queued(self.clock.elapsed());
        }
    }

    /// Whether the oldest message in the queue has waited too long.
    pub(crate) fn is_oldest_aged(&self) -> bool {
        self.waiting.has_age_max() && self.waiting.is_oldest_aged(self.now())
    }

    /// Notes what is wanted; whether that is news to the loop, in this state.
    pub(crate) fn wish(&mut self, wish: Wish, state: ChannelState) -> bool {
        use ChannelState as S;
        let wish = match (wish, state) {
            #[cfg(browser)]
            (Wish::ShowPage, _) => match (self.phase, self.wish) {
                (Phase::Paused(Pause::Page), None) => Some(Wish::Resume),
                (_, Some(Wish::LeavePage)) => None,
                (_, before) => before,
            },
            #[cfg(browser)]
            (Wish::LeavePage, S::Paused) => self.wish,
            // A program that wants a pause has it when the page is shown again.
            #[cfg(browser)]
            (Wish::LeavePage, _) if self.wish == Some(Wish::Pause) => self.wish,
            #[cfg(browser)]
            (Wish::LeavePage, _) => Some(Wish::LeavePage),
            // A wish of the program's is more.
            #[cfg(browser)]
            (hint @ (Wish::Hasten(_) | Wish::Stretch), S::Retrying | S::Open) => {
                self.wish.or(Some(hint))
            }
            #[cfg(browser)]
            (Wish::Hasten(_) | Wish::Stretch, _) => self.wish,
            // One that is resumed tries at once; one that tries already goes on.
            (Wish::Now | Wish::Resume, S::Paused) => Some(Wish::Resume),
            (Wish::Resume, _) if self.wish == Some(Wish::Pause) => None,
            (Wish::Resume, _) => self.wish,
            (Wish::Now, S::Connecting) => self.wish.filter(|wish| *wish != Wish::Pause),
            (Wish::Now, _) => Some(Wish::Now),
            (Wish::Pause, S::Paused) => {
                self.phase = Phase::Paused(Pause::Program);
                None
            }
            (Wish::Pause, _) => Some(Wish::Pause),
        };
        let is_news = self.wish != wish;
        self.wish = wish;
        is_news && wish.is_some()
    }

    /// The last loss, or why the last try failed.
    pub(crate) fn lost(&self) -> Option<&Lost> {
        self.lost.as_ref()
    }

    /// The same as an error.
    pub(crate) fn error(&self) -> Option<Error> {
        self.lost.clone().map(Error::of_lost)
    }

    /// How many messages were in flight at losses; it may wrap.
    pub(crate) fn lost_in_flight(&self) -> usize {
        self.in_flight_lost.count
    }

    /// How many of them, if a flush up to `target` has to tell of them where `told` were told of before.
    pub(crate) fn untold_lost(&self, told: usize, target: u64) -> Option<usize> {
        let lost = &self.in_flight_lost;
        // Of the losses before the last one it is not known what was written.
        let is_before = told == lost.before && target <= lost.written;
        let untold = lost.count.wrapping_sub(told);
        (untold > 0 && !is_before).then_some(untold)
    }
}
