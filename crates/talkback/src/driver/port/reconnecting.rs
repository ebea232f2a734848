//! What the loop of a channel that reconnects sees of it.

use std::task::Context;
use std::time::Duration;

use talkback_proto::{CloseCause, CloseCode, CloseInfo, Initiator};

use crate::channel::link::{Pause, Reconnection, Wish};
use crate::channel::state::Locked;
use crate::channel::sync::Arc;
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

    /// What is wanted of an open connection.
    pub(crate) fn peek_wish(&self) -> Option<Wish> {
        self.of_loop(|reconnection| Reconnection::peek_wish(reconnection))
    }

    /// That is done.
    pub(crate) fn forget_wish(&self) {
        self.of_loop(Reconnection::take_wish);
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
        let mut state = self.shared.lock();
        if state.lifecycle.is_ended() || state.outbox.is_close_requested() {
            return false;
        }
        if let Some(progress) = progress {
            state.outbox.report(progress);
        }
        let connection = state.connections();
        state.outbox.settle_taken(connection);
        let unknown = state.outbox.lose_connection();
        let opened = state.lifecycle.lose();
        if let Some(reconnection) = &mut state.reconnection {
            reconnection.lose(cause, unknown, opened);
        }
        state.wake_senders();
        state.wake_observers();
        state.note_driver_awake();
        state.wake_driver_task();
        true
    }

    pub(crate) fn begin_try(&self) {
        self.change(Reconnection::begin_try);
    }

    /// A try has failed.
    pub(crate) fn fail(&self, cause: LostCause) -> Lost {
        self.of_loop(|reconnection| reconnection.fail(cause))
    }

    /// The loop waits so long until it tries again.
    pub(crate) fn wait(&self, time: Duration) {
        self.change(|reconnection| reconnection.wait(time));
    }

    pub(crate) fn pause(&self, pause: Pause) {
        self.change(|reconnection| reconnection.pause(pause));
    }

    /// What tells the loop of a wish, from a callback.
    #[cfg(browser)]
    pub(crate) fn wisher(&self) -> impl Fn(Wish) + Clone + use<> {
        let shared = Arc::clone(&self.shared);
        move |wish| {
            shared.lock().wish(wish);
        }
    }

    /// The time that the loop counts by.
    pub(crate) fn now(&self) -> Duration {
        self.of_loop(|reconnection| Reconnection::now(reconnection))
    }

    /// The channel was closed while there was no connection.
    pub(crate) fn closed_unopened(&self) {
        self.end(|state| {
            let lost = state.reconnection.as_ref().and_then(|state| state.lost());
            let what = match lost {
                Some(lost) => format!("closed while waiting to connect again: {lost}"),
                None => "this end closed or dropped it before it was open".to_owned(),
            };
            let cause = CloseCause::NotOpened(what.into());
            let info = CloseInfo::abnormal(CloseCode::ABNORMAL, Initiator::Local, cause);
            state.lifecycle.end_for_good(info, None);
        });
    }

    /// There is to be no other connection after this loss.
    pub(crate) fn stopped(&self, lost: &Lost) {
        self.end(|state| match lost.cause() {
            LostCause::Closed(info) => state.lifecycle.end(info.clone()),
            _ => state
                .lifecycle
                .end_unopened(Some(Error::of_lost(lost.clone()))),
        });
    }

    /// There was to be a connection within so many tries, or so much time.
    pub(crate) fn gave_up(&self, tries: u32, after: Duration, last: Option<Lost>) {
        let error = Error::GaveUp { tries, after, last };
        self.end(|state| state.lifecycle.end_unopened(Some(error)));
    }

    /// Changes what the loop does, which everyone sees.
    fn change(&self, change: impl FnOnce(&mut Reconnection)) {
        self.of_loop(|reconnection| change(reconnection));
        self.shared.lock().wake_observers();
    }

    fn of_loop<T>(&self, of: impl FnOnce(&mut Reconnection) -> T) -> T {
        let mut state: Locked<'_> = self.shared.lock();
        let reconnection = state.reconnection.as_mut();
        of(reconnection.expect("only a channel that reconnects has a loop"))
    }
}
