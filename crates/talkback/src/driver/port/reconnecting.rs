//! What the loop of a channel that reconnects sees of it.

use std::task::Context;
use std::time::Duration;

#[cfg(feature = "tracing")]
use talkback_proto::CloseInfo;
use talkback_proto::Initiator;

use crate::channel::lifecycle::{Lifecycle, not_opened, unopened};
use crate::channel::link::{Reconnection, Wish};
use crate::channel::state::{Locked, State};
use crate::channel::sync::Arc;
#[cfg(not(browser))]
use crate::channel::sync::Ordering;
use crate::driver::port::{Port, Unopened};
use crate::error::Error;
use crate::reconnect::lost::{Lost, LostCause};
use crate::socket::SendProgress;

/// What is to become of a channel that is not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// What the loop would do by itself.
    Nothing,
    Wish(Wish),
    /// It was closed, and has messages to be sent within the close timeout.
    Closing,
    /// It was closed, and nothing is left to be done.
    GivenUp,
}

/// What is to become of an open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfOpen {
    Nothing,
    /// It is given up.
    Lost,
    /// Its peer is asked whether it is there.
    #[cfg(browser)]
    Ask,
}

impl Port {
    /// One more, for a connection.
    pub(crate) fn of_connection(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }

    /// Whether there is to be another connection after this one.
    pub(crate) fn reconnects(&self) -> bool {
        self.shared.lock().reconnection.is_some()
    }

    /// The loop is dropped, as when a runtime shuts down.
    pub(crate) fn abandoned(&self) {
        self.end_dropped();
    }

    /// Has the loop woken when something changes, and says what is wanted.
    pub(crate) fn poll_wanted(&self, cx: &Context<'_>) -> Wanted {
        match self.poll_unopened(cx) {
            Unopened::GivenUp => Wanted::GivenUp,
            Unopened::Closing => Wanted::Closing,
            Unopened::Wanted => {
                let wish = self.of_loop(Reconnection::take_wish);
                wish.map_or(Wanted::Nothing, Wanted::Wish)
            }
        }
    }

    /// What is to become of an open connection, unless the channel closes. One that is given up is lost now.
    pub(crate) fn take_wish_of_open(&self) -> OfOpen {
        let mut state = self.shared.lock();
        // One that a call of the program found lost just now is lost already.
        let is_open = matches!(state.lifecycle, Lifecycle::Open(_));
        if !is_open || state.outbox.is_close_requested() {
            return OfOpen::Nothing;
        }
        let reconnection = state.reconnection.as_mut();
        let cause = match reconnection.and_then(|state| state.take_wish()) {
            Some(Wish::Now) => LostCause::Asked,
            Some(Wish::Pause) => LostCause::Paused,
            #[cfg(browser)]
            Some(Wish::LeavePage) => LostCause::PageLeft,
            #[cfg(browser)]
            Some(Wish::Hasten(_) | Wish::Stretch) => return OfOpen::Ask,
            _ => return OfOpen::Nothing,
        };
        self.lose_now(state, cause, None);
        OfOpen::Lost
    }

    /// Has the socket of the open connection looked at.
    #[cfg(not(browser))]
    pub(crate) fn note_due(&self) {
        self.shared.is_pump_due.store(true, Ordering::Release);
    }

    /// The machine has slept, and the peer is asked whether it is there.
    #[cfg(not(browser))]
    pub(crate) fn note_slept(&self) {
        self.of_loop(Reconnection::note_slept);
    }

    /// Whether the connection was lost just after a sleep.
    #[cfg(not(browser))]
    pub(crate) fn take_slept(&self) -> bool {
        self.of_loop(Reconnection::take_slept)
    }

    /// Whether this end closes.
    pub(crate) fn is_closing(&self) -> bool {
        self.shared.lock().outbox.is_close_requested()
    }

    /// Whether the open connection is lost.
    pub(crate) fn has_lost(&self) -> bool {
        self.of_loop(|reconnection| Reconnection::has_lost(reconnection))
    }

    /// Whether the open connection is lost, or the channel has ended.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.shared.lock();
        let reconnection = state.reconnection.as_ref();
        state.lifecycle.is_ended() || reconnection.is_some_and(|state| state.has_lost())
    }

    /// How the open connection was lost; `None` if the channel has ended.
    pub(crate) fn take_lost(&self) -> Option<Lost> {
        self.of_loop(Reconnection::take_lost)
    }

    /// The open connection is lost, or given up, unless the channel closes; whether it is. What was taken has got
    /// so far, if that is known.
    pub(crate) fn lose(&self, cause: LostCause, progress: Option<SendProgress>) -> bool {
        let state = self.shared.lock();
        if Self::is_given_up(&state) {
            // It is lost already.
            return true;
        }
        if state.lifecycle.is_ended() || state.outbox.is_close_requested() {
            return false;
        }
        self.lose_now(state, cause, progress);
        true
    }

    fn lose_now(&self, mut state: Locked<'_>, cause: LostCause, progress: Option<SendProgress>) {
        // It may hold the program's own error, and is dropped after the lock.
        let mut _before = None;
        if let Some(progress) = progress {
            state.outbox.report(progress);
        }
        let connection = state.connections();
        state.outbox.settle_taken(connection);
        let (written, unknown) = (state.outbox.written(), state.outbox.lose_connection());
        let opened = state.lifecycle.lose();
        if let Some(reconnection) = &mut state.reconnection {
            _before = reconnection.lose(cause, (written, unknown), opened);
        }
        #[cfg(not(browser))]
        state.pings.lose_sent();
        state.wake_senders();
        state.wake_observers();
        state.note_driver_awake();
        state.wake_driver_task();
        drop(state);
    }

    /// Whether a connection of a channel that reconnects is not its own any more.
    pub(super) fn is_given_up(state: &State) -> bool {
        state.reconnection.is_some() && matches!(state.lifecycle, Lifecycle::Connecting)
    }

    /// A try begins, so many since a connection was open, or since a pause.
    pub(crate) fn begin_try(&self, tries: u32) {
        self.change(|reconnection| reconnection.begin_try(tries));
    }

    /// A try has failed.
    pub(crate) fn fail(&self, cause: LostCause) -> Lost {
        let (lost, _before) = self.of_loop(|reconnection| reconnection.fail(cause));
        lost
    }

    /// The loop waits so long until it tries again.
    pub(crate) fn wait(&self, time: Duration) {
        self.change(|reconnection| reconnection.wait(time));
    }

    /// The loop does what was wanted, which everyone sees.
    pub(crate) fn tell(&self) {
        self.shared.lock().wake_observers();
    }

    /// What tells the loop of a wish, from a callback.
    #[cfg(browser)]
    pub(crate) fn wisher(&self) -> impl Fn(Wish) + Clone + use<> {
        let shared = Arc::clone(&self.shared);
        move |wish| {
            shared.lock().wish(wish);
        }
    }

    /// The number of the connection that is open, or was last.
    #[cfg(feature = "tracing")]
    pub(crate) fn connection(&self) -> u64 {
        self.shared.lock().connections()
    }

    /// How the channel has ended, and its error, if it has.
    #[cfg(feature = "tracing")]
    pub(crate) fn end_of_channel(&self) -> Option<(CloseInfo, Option<Error>)> {
        let lifecycle = &self.shared.lock().lifecycle;
        Some((lifecycle.close_info()?.clone(), lifecycle.error().cloned()))
    }

    /// The time that the loop counts by.
    pub(crate) fn now(&self) -> Duration {
        self.of_loop(|reconnection| Reconnection::now(reconnection))
    }

    /// The channel was closed while there was no connection.
    pub(crate) fn closed_unopened(&self) {
        // What a program's own error says is said outside of the lock.
        let lost = self.of_loop(|reconnection| reconnection.lost().cloned());
        let info = match lost {
            Some(lost) => {
                let what = format!("closed while waiting to connect again: {}", in_short(&lost));
                not_opened(Initiator::Local, what)
            }
            None => unopened(None),
        };
        self.end(|state| state.lifecycle.end_with(info, None));
    }

    /// There is to be no other connection after this loss.
    pub(crate) fn stopped(&self, lost: &Lost) {
        if let LostCause::Closed(info) = lost.cause() {
            return self.end(|state| state.lifecycle.end(info.clone()));
        }
        let error = Error::of_lost(lost.clone());
        let info = unopened(Some(&error));
        self.end(|state| state.lifecycle.end_with(info, Some(error)));
    }

    /// There was to be a connection within so many tries, or so much time.
    pub(crate) fn gave_up(&self, tries: u32, after: Duration, last: Option<Lost>) {
        let what = match &last {
            Some(last) => format!("gave up after {tries} tries: {}", in_short(last)),
            None => format!("gave up after {tries} tries"),
        };
        let info = not_opened(Initiator::Local, what);
        let error = Error::GaveUp { tries, after, last };
        self.end(|state| state.lifecycle.end_with(info, Some(error)));
    }

    /// Changes what the loop does, which everyone sees.
    fn change(&self, change: impl FnOnce(&mut Reconnection)) {
        self.of_loop(|reconnection| change(reconnection));
        self.shared.lock().wake_observers();
    }

    fn of_loop<T>(&self, of: impl FnOnce(&mut Reconnection) -> T) -> T {
        let mut state = self.shared.lock();
        let reconnection = state.reconnection.as_mut();
        of(reconnection.expect("only a channel that reconnects has a loop"))
    }
}

/// Why it was lost, without what the peer said in closing: that is for a person, and may be a secret.
fn in_short(lost: &Lost) -> String {
    match lost.cause() {
        LostCause::Closed(info) => {
            let mut info = info.clone();
            info.reason.clear();
            info.to_string()
        }
        cause => cause.to_string(),
    }
}
