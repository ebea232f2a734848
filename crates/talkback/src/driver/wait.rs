//! A wait for the next try.

use std::task::{Context, Poll};
use std::time::Duration;

#[cfg(not(browser))]
use crate::sleep::SleepWatch;
use crate::timer::{Timer, poll_timer, timer};

/// How long a wait goes on without a look whether the machine has slept. Longer ones are what a server asked for.
#[cfg(not(browser))]
const LOOK_AFTER: Duration = Duration::from_secs(60);

/// A wait for the next try.
pub(crate) struct Wait {
    timer: Timer,
    /// When it ends, by the channel's clock.
    until: Duration,
    #[cfg(not(browser))]
    sleep: SleepWatch,
}

/// What has come of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Over,
    /// The machine has slept meanwhile.
    #[cfg(not(browser))]
    Slept,
}

impl Wait {
    pub(crate) fn new(time: Duration, now: Duration) -> Self {
        Self {
            timer: part(time),
            until: now.saturating_add(time),
            #[cfg(not(browser))]
            sleep: SleepWatch::start(),
        }
    }

    /// When it ends, by the channel's clock.
    pub(crate) fn until(&self) -> Duration {
        self.until
    }

    #[cfg(not(browser))]
    pub(crate) fn poll(
        &mut self,
        now: impl Fn() -> Duration,
        cx: &mut Context<'_>,
    ) -> Poll<Waited> {
        loop {
            if self.sleep.has_slept() {
                return Poll::Ready(Waited::Slept);
            }
            std::task::ready!(poll_timer(&mut self.timer, cx));
            let left = self.until.saturating_sub(now());
            if left.is_zero() {
                return Poll::Ready(Waited::Over);
            }
            self.timer = part(left);
        }
    }

    /// A page's own clock goes on while the machine sleeps.
    #[cfg(browser)]
    pub(crate) fn poll(&mut self, _: impl Fn() -> Duration, cx: &mut Context<'_>) -> Poll<Waited> {
        poll_timer(&mut self.timer, cx).map(|()| Waited::Over)
    }
}

/// The timer until the next look.
#[cfg(not(browser))]
fn part(left: Duration) -> Timer {
    timer(left.min(LOOK_AFTER))
}

#[cfg(browser)]
fn part(left: Duration) -> Timer {
    timer(left)
}
