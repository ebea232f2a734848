//! The platform's timer.

use std::future::Future as _;
use std::pin::Pin;
#[cfg(not(browser))]
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;
#[cfg(not(browser))]
use std::time::Instant;

#[cfg(not(browser))]
use tokio::runtime::Handle;

/// Ready once its time has come.
#[cfg(not(browser))]
pub(crate) type Timer = Pin<Box<tokio::time::Sleep>>;

/// Ready once its time has come.
#[cfg(browser)]
pub(crate) type Timer = Pin<Box<gloo_timers::future::TimeoutFuture>>;

/// Now, by tokio's clock, which tests can pause.
#[cfg(not(browser))]
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(not(browser))]
#[track_caller]
pub(crate) fn timer(after: Duration) -> Timer {
    check_runtime();
    Box::pin(tokio::time::sleep(after))
}

/// As [`timer`], for a point in time.
#[cfg(not(browser))]
#[track_caller]
pub(crate) fn timer_at(deadline: Instant) -> Timer {
    check_runtime();
    Box::pin(tokio::time::sleep_until(deadline.into()))
}

/// Panics outside of tokio, and says what to do.
#[cfg(not(browser))]
#[track_caller]
pub(crate) fn check_runtime() {
    assert!(
        Handle::try_current().is_ok(),
        "a `WebSocket` needs a tokio runtime for its timeouts, and there is none here: await it within one (`#[tokio::main]`, `Runtime::block_on`), or use a `WebSocketChannel`, which needs none"
    );
}

/// Polls once, for what is done at once or not at all, whatever else the task has done in this go.
#[cfg(all(feature = "server", not(browser)))]
pub(crate) fn poll_once<O>(poll: impl FnMut(&mut Context<'_>) -> Poll<O>) -> Poll<O> {
    let once = pin!(tokio::task::unconstrained(std::future::poll_fn(poll)));
    once.poll(&mut Context::from_waker(std::task::Waker::noop()))
}

/// Polls a timer behind something else that is not ready.
///
/// What was polled before it may have used up what tokio lets a task do in one go; for the timer too
/// that would mean to come again later, and each time anew.
#[cfg(not(browser))]
pub(crate) fn poll_timer(timer: &mut Timer, cx: &mut Context<'_>) -> Poll<()> {
    pin!(tokio::task::unconstrained(timer)).poll(cx)
}

#[cfg(browser)]
pub(crate) fn poll_timer(timer: &mut Timer, cx: &mut Context<'_>) -> Poll<()> {
    timer.as_mut().poll(cx)
}

#[cfg(browser)]
pub(crate) fn timer(after: Duration) -> Timer {
    // A browser's timers hold 31 bits of milliseconds, 24 days.
    let milliseconds = after.as_secs().saturating_mul(1000);
    let milliseconds = milliseconds.saturating_add(after.subsec_millis().into());
    let milliseconds = milliseconds.min(i32::MAX as u64) as u32;
    Box::pin(gloo_timers::future::TimeoutFuture::new(milliseconds))
}

/// Time since it was started, by the clock that timers go by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    #[cfg(not(browser))]
    start: Instant,
    /// In milliseconds.
    #[cfg(browser)]
    start: f64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        #[cfg(not(browser))]
        return Self { start: now() };
        #[cfg(browser)]
        return Self {
            start: milliseconds(),
        };
    }

    pub(crate) fn elapsed(&self) -> Duration {
        #[cfg(not(browser))]
        return now().saturating_duration_since(self.start);
        #[cfg(browser)]
        // As an integer: what turns a number into a duration is large in a page.
        return Duration::from_millis((milliseconds() - self.start) as u64);
    }
}

/// Since the page was opened, by a clock that nobody sets; a worker has it, too.
#[cfg(browser)]
fn milliseconds() -> f64 {
    use wasm_bindgen::{JsCast, JsValue};

    let property = |object: &JsValue, name: &str| js_sys::Reflect::get(object, &name.into()).ok();
    let now = || {
        let performance = property(&js_sys::global(), "performance")?;
        let now = property(&performance, "now")?
            .dyn_into::<js_sys::Function>()
            .ok()?;
        now.call0(&performance).ok()?.as_f64()
    };
    now().unwrap_or_else(js_sys::Date::now)
}
