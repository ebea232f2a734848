//! The loop of a channel that stays connected.
//!
//! One task owns everything: the tries, the waits between them, the hooks, the connection that is open, and
//! what is left of the one before. So a try, a wait or a connection that is given up can touch nothing
//! any more.

use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use talkback_proto::{CloseCause, CloseCode, CloseInfo, Initiator};

use crate::channel::link::Wish;
#[cfg(not(browser))]
use crate::driver::attendant::{Attendant as Open, Rest};
#[cfg(browser)]
use crate::driver::browser::page::PageEvents;
#[cfg(browser)]
use crate::driver::browser::{Open, Rest};
use crate::driver::heart::Beating;
use crate::driver::port::Port;
use crate::driver::port::reconnecting::{OfOpen, Wanted};
use crate::driver::pump::Pump;
use crate::driver::trace::Trace;
use crate::driver::wait::{Wait, Waited};
use crate::error::connect::ConnectError;
use crate::reconnect::hooks::{BoxFuture, Tried};
use crate::reconnect::lost::{Lost, LostCause};
use crate::reconnect::plan::{ChannelSocket, Failed, Plan};
use crate::reconnect::schedule::{Next, Schedule};
#[cfg(not(browser))]
use crate::reconnect::verdict::Verdict;
#[cfg(not(browser))]
use crate::sleep::SleepWatch;
use crate::socket::Socket;
use crate::timer::{Timer, poll_timer, timer};

/// How long is waited on when a timer was early.
const EARLY: Duration = Duration::from_millis(1);

/// Within how long it tries again after the machine has slept: a person looks at it.
#[cfg(not(browser))]
const SLEPT_WITHIN: Duration = Duration::from_secs(1);

/// Keeps a channel connected until it ends.
pub(crate) struct Reconnect {
    port: Port,
    plan: Plan,
    schedule: Schedule,
    phase: Phase,
    /// What is left of the connections before: each ends within the close timeout.
    rests: Vec<Rest>,
    /// Made when the channel is closed while there is no connection.
    close_timer: Option<Timer>,
    close_timeout: Duration,
    /// The subprotocol of the last connection, once there was one.
    subprotocol: Option<Option<Box<str>>>,
    /// The last loss or failure.
    lost: Option<Lost>,
    /// Counts the tries; it may wrap.
    begun: u32,
    trace: Trace,
    /// Looks at each wake, as the connection does at its own.
    #[cfg(not(browser))]
    sleep: SleepWatch,
    /// What happens to the page asks for tries and pauses.
    #[cfg(browser)]
    _page: PageEvents,
}

enum Phase {
    /// It was not polled yet: what it needs of a runtime is there only then.
    New,
    Trying(Try),
    Open(Open),
    Waiting(Wait),
    Paused,
    /// The channel has ended, and its last connection, if there is one, is being ended.
    Over(Option<Open>),
}

/// A try that is under way.
struct Try {
    opening: BoxFuture<Result<ChannelSocket, Failed>>,
    /// When all tries together have had their time.
    deadline: Option<Timer>,
}

impl Reconnect {
    pub(crate) fn new(port: Port, mut plan: Plan, close_timeout: Duration) -> Self {
        Self {
            schedule: plan.schedule(),
            trace: Trace::new(&plan.connect),
            plan,
            #[cfg(browser)]
            _page: PageEvents::listen(port.wisher()),
            port,
            phase: Phase::New,
            rests: Vec::new(),
            close_timer: None,
            close_timeout,
            subprotocol: None,
            lost: None,
            begun: 0,
            #[cfg(not(browser))]
            sleep: SleepWatch::start(),
        }
    }

    /// Makes the first try, unless it cannot be told when others are to follow.
    fn begin(&mut self) {
        match self.plan.backoff.check() {
            Ok(()) => self.begin_try(),
            Err(error) => {
                let option = "backoff";
                let cause = LostCause::Connect(ConnectError::Option { option, error });
                let lost = self.port.fail(cause);
                self.trace.lost(&lost, None);
                self.phase = Phase::Over(None);
                self.port.stopped(&lost);
            }
        }
    }

    fn begin_try(&mut self) {
        let now = self.port.now();
        if let Some(Next::GaveUp { tries, after }) = self.schedule.gave_up(now) {
            return self.give_up(tries, after);
        }
        self.begun = self.begun.wrapping_add(1);
        self.schedule.begin_try(now);
        self.port.begin_try(self.schedule.tries());
        self.trace.begin_try(self.schedule.tries());
        let deadline = self.schedule.deadline();
        let tried = Tried::new(self.schedule.tries(), self.lost.clone());
        self.phase = Phase::Trying(Try {
            opening: self.plan.attempt(tried, self.subprotocol.clone()),
            deadline: deadline.map(|deadline| timer(deadline.saturating_sub(now))),
        });
    }

    /// Goes on as far as it can; ready once nothing is left to be done.
    fn poll_on(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let begun = self.begun;
        loop {
            if self.begun.wrapping_sub(begun) > 1 {
                // Tries that fail at once let other tasks run.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match &mut self.phase {
                Phase::New => self.begin(),
                Phase::Trying(_) => ready!(self.poll_try(cx)),
                Phase::Open(_) => ready!(self.poll_open(cx)),
                Phase::Waiting(_) | Phase::Paused => ready!(self.poll_wait(cx)),
                Phase::Over(open) => {
                    self.trace.closed(&self.port);
                    if let Some(open) = open {
                        ready!(Pin::new(open).poll(cx));
                        self.phase = Phase::Over(None);
                    }
                    return Poll::Ready(());
                }
            }
        }
    }

    // ── A try ────────────────────────────────────────────────────────────────────────────────

    fn poll_try(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Phase::Trying(attempt) = &mut self.phase else {
            return Poll::Ready(());
        };
        if let Poll::Ready(tried) = attempt.opening.as_mut().poll(cx) {
            match tried {
                Ok(socket) => self.open(socket),
                Err(Failed { cause, socket }) => {
                    if let Some((socket, known)) = socket {
                        let socket = Beating::new(*socket, None, self.port.of_connection());
                        self.rests.push(Rest::of(socket, known));
                    }
                    let lost = self.port.fail(cause);
                    self.lose(lost);
                }
            }
            return Poll::Ready(());
        }
        let deadline = attempt.deadline.as_mut();
        if deadline.is_some_and(|timer| poll_timer(timer, cx).is_ready()) {
            let now = self.port.now();
            match self.schedule.gave_up(now) {
                Some(Next::GaveUp { tries, after }) => self.give_up(tries, after),
                // A browser's timer may come early.
                _ => attempt.deadline = Some(timer(EARLY)),
            }
            return Poll::Ready(());
        }
        match self.port.poll_wanted(cx) {
            // It tries already.
            Wanted::Nothing => Poll::Pending,
            Wanted::Wish(wish) if wish.pause().is_some() => {
                self.pause();
                Poll::Ready(())
            }
            Wanted::Wish(_) => Poll::Pending,
            Wanted::Closing => {
                ready!(self.poll_close_timer(cx));
                self.end_unopened();
                Poll::Ready(())
            }
            Wanted::GivenUp => {
                self.end_unopened();
                Poll::Ready(())
            }
        }
    }

    fn open(&mut self, mut socket: ChannelSocket) {
        if let Some(timer) = self.close_timer.take() {
            socket.continue_close_timeout(timer);
        }
        self.schedule.opened(self.port.now());
        let subprotocol = Socket::subprotocol(&socket);
        let response = Socket::take_response(&mut socket);
        self.subprotocol = Some(subprotocol.clone());
        self.lost = None;
        self.port.opened(subprotocol, response);
        self.trace.opened(&self.port);
        let socket = Beating::new(socket, self.plan.heart(), self.port.of_connection());
        let pump = Pump::new(socket, self.port.of_connection());
        self.phase = Phase::Open(Open::new(pump));
    }

    // ── An open connection ───────────────────────────────────────────────────────────────────

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Phase::Open(open) = &mut self.phase else {
            return Poll::Ready(());
        };
        #[cfg(not(browser))]
        if self.sleep.has_slept() {
            self.port.note_due();
        }
        let polled = Pin::new(&mut *open).poll(cx);
        if self.port.is_over() {
            return self.poll_over(cx);
        }
        match self.port.take_wish_of_open() {
            OfOpen::Nothing => {}
            OfOpen::Lost => return self.poll_over(cx),
            #[cfg(browser)]
            OfOpen::Ask => {
                open.ask();
                return Poll::Ready(());
            }
        }
        if polled.is_ready() {
            // It is gone, and has not said how.
            let cause = CloseCause::Transport("the connection was dropped".into());
            let info = CloseInfo::abnormal(CloseCode::ABNORMAL, Initiator::Local, cause);
            match self.port.lose(LostCause::Closed(info), None) {
                true => return self.poll_over(cx),
                false => self.end_unopened(),
            }
        }
        polled
    }

    /// The connection is lost, or the channel has ended with it.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Phase::Open(open) = &mut self.phase else {
            return Poll::Ready(());
        };
        if self.port.has_lost() {
            // While a call of the program polls it, it is asked again.
            let Some(mut rest) = open.take_rest() else {
                return Poll::Pending;
            };
            // One that has ended knows how.
            rest.give_up();
            let lost = self.port.take_lost();
            let is_silent = |lost: &Lost| matches!(lost.cause(), LostCause::Heartbeat);
            match lost.as_ref().is_some_and(is_silent) {
                // It is told, and nothing is waited for of a peer that is not there.
                true => _ = has_ended(&mut rest, cx),
                false => self.rests.push(rest),
            }
            if let Some(lost) = lost {
                self.lose(lost);
            }
        } else if let Phase::Open(open) = mem::replace(&mut self.phase, Phase::Over(None)) {
            self.phase = Phase::Over(Some(open));
        }
        Poll::Ready(())
    }

    // ── Between connections ──────────────────────────────────────────────────────────────────

    /// What comes after a loss, or after a try that failed.
    fn lose(&mut self, lost: Lost) {
        self.lost = Some(lost.clone());
        if self.port.is_closing() {
            self.trace.lost(&lost, None);
            if lost.lasted().is_none() {
                // The try was the last, whether or not it was made for what is queued.
                return self.end_unopened();
            }
            self.phase = Phase::Paused;
            return;
        }
        let now = self.port.now();
        let verdict = self.schedule.lost(&lost, now);
        if matches!(lost.cause(), LostCause::Paused | LostCause::PageLeft) {
            // Everyone was told when it was lost.
            self.trace.lost(&lost, None);
            self.phase = Phase::Paused;
            return;
        }
        let verdict = self.plan.decide(&lost, verdict);
        let next = self.schedule.next(&lost, verdict, now);
        #[cfg(not(browser))]
        let next = self.after_sleep(&lost, verdict, next);
        self.trace.lost(&lost, Some(&next));
        match next {
            Next::Wait(Duration::ZERO) => self.begin_try(),
            Next::Wait(time) => self.wait(time),
            Next::Stop => {
                self.phase = Phase::Over(None);
                self.port.stopped(&lost);
            }
            Next::GaveUp { tries, after } => self.give_up(tries, after),
        }
    }

    fn wait(&mut self, time: Duration) {
        self.port.wait(time);
        self.phase = Phase::Waiting(Wait::new(time, self.port.now()));
    }

    /// What comes next behind a connection that a sleep has ended: a wait is short.
    #[cfg(not(browser))]
    fn after_sleep(&mut self, lost: &Lost, verdict: Verdict, next: Next) -> Next {
        // Where the server has said when, that holds.
        let says_when = |info: &CloseInfo| {
            [CloseCode::SERVICE_RESTART, CloseCode::TRY_AGAIN_LATER].contains(&info.code)
        };
        let is_backoff = matches!(verdict, Verdict::Retry | Verdict::RetryFew)
            && !lost.close_info().is_some_and(says_when);
        match next {
            Next::Wait(time)
                if !time.is_zero()
                    && lost.lasted().is_some()
                    && self.port.take_slept()
                    && is_backoff =>
            {
                Next::Wait(time.min(self.schedule.hasten(self.port.now(), SLEPT_WITHIN)))
            }
            next => next,
        }
    }

    /// The channel is paused, as was wanted of it.
    fn pause(&mut self) {
        self.phase = Phase::Paused;
        self.port.tell();
    }

    /// Waits no longer than until a try that somebody asks for.
    fn hasten(&mut self, within: Duration) {
        let now = self.port.now();
        let time = self.schedule.hasten(now, within);
        match &self.phase {
            Phase::Waiting(wait) if wait.until() <= now.saturating_add(time) => {}
            _ if time.is_zero() => self.begin_try(),
            _ => self.wait(time),
        }
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.port.poll_wanted(cx) {
            Wanted::Nothing => {
                let Phase::Waiting(wait) = &mut self.phase else {
                    return Poll::Pending;
                };
                match ready!(wait.poll(|| self.port.now(), cx)) {
                    Waited::Over => self.begin_try(),
                    #[cfg(not(browser))]
                    Waited::Slept => self.hasten(SLEPT_WITHIN),
                }
                Poll::Ready(())
            }
            Wanted::Wish(wish) => {
                self.grant(wish);
                Poll::Ready(())
            }
            // One try more, at once, for what is queued.
            Wanted::Closing => {
                self.close_timer = Some(timer(self.close_timeout));
                self.schedule.resumed();
                self.begin_try();
                Poll::Ready(())
            }
            Wanted::GivenUp => {
                self.end_unopened();
                Poll::Ready(())
            }
        }
    }

    /// Does what is wanted of a channel that waits, or is paused.
    fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::Now => self.hasten(Duration::ZERO),
            Wish::Resume => {
                self.schedule.resumed();
                self.begin_try();
            }
            Wish::Pause => self.pause(),
            #[cfg(browser)]
            Wish::LeavePage => self.pause(),
            #[cfg(browser)]
            Wish::Hasten(within) => self.hasten(within),
            #[cfg(browser)]
            Wish::Stretch => self.schedule.stretch(),
            // It is there.
            #[cfg(browser)]
            Wish::ShowPage => {}
        }
    }

    fn poll_close_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let close_timeout = self.close_timeout;
        let timer = self.close_timer.get_or_insert_with(|| timer(close_timeout));
        poll_timer(timer, cx)
    }

    // ── The end ──────────────────────────────────────────────────────────────────────────────

    fn give_up(&mut self, tries: u32, after: Duration) {
        self.phase = Phase::Over(None);
        self.port.gave_up(tries, after, self.lost.take());
    }

    fn end_unopened(&mut self) {
        self.phase = Phase::Over(None);
        self.port.closed_unopened();
    }
}

/// Whether what is left of a connection has ended.
fn has_ended(rest: &mut Rest, cx: &mut Context<'_>) -> bool {
    // A transport that panics in its end is none of the channel's.
    let ended = catch_unwind(AssertUnwindSafe(|| Pin::new(rest).poll(cx).is_ready()));
    ended.unwrap_or(true)
}

impl Future for Reconnect {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let polled = this.poll_on(cx);
        this.rests.retain_mut(|rest| !has_ended(rest, cx));
        match this.rests.is_empty() {
            true => polled,
            false => Poll::Pending,
        }
    }
}

impl Drop for Reconnect {
    fn drop(&mut self) {
        self.port.abandoned();
        self.trace.closed(&self.port);
    }
}

#[cfg(all(test, feature = "test-util", not(shuttle)))]
mod tests;
