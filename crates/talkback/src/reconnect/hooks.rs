//! What a program does at each try, and at each opening.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::connect::Connect;
use crate::reconnect::connected::Connected;
use crate::reconnect::hook_error::HookError;
use crate::reconnect::lost::Lost;
use crate::timer::{poll_timer, timer};

/// What may pass to another thread, where there are threads: in a browser, anything.
#[cfg(not(browser))]
pub trait MaybeSend: Send {}
#[cfg(not(browser))]
impl<T: Send> MaybeSend for T {}
#[cfg(browser)]
pub trait MaybeSend {}
#[cfg(browser)]
impl<T> MaybeSend for T {}

/// What several threads may use, where there are threads.
#[cfg(not(browser))]
pub trait MaybeSync: Sync {}
#[cfg(not(browser))]
impl<T: Sync> MaybeSync for T {}
#[cfg(browser)]
pub trait MaybeSync {}
#[cfg(browser)]
impl<T> MaybeSync for T {}

/// A future of a hook, or of a try.
#[cfg(not(browser))]
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
#[cfg(browser)]
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A hook of the program's.
#[cfg(not(browser))]
type Hook<A, T> = dyn Fn(A) -> BoxFuture<Result<T, HookError>> + Send + Sync;
#[cfg(browser)]
type Hook<A, T> = dyn Fn(A) -> BoxFuture<Result<T, HookError>>;

/// A program's hooks.
#[derive(Clone)]
pub(crate) struct Hooks {
    pub(crate) before_try: Option<Arc<Hook<(Connect, Tried), Connect>>>,
    pub(crate) on_connected: Option<Arc<Hook<Connected, ()>>>,
    /// How long each may take; the default of each if none was set.
    pub(crate) timeout: Option<Duration>,
}

/// How long `before_try` may take: a token may need a person's network.
const BEFORE_TRY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long `on_connected` may take: servers give 3 to 10 seconds for a login.
const ON_CONNECTED_TIMEOUT: Duration = Duration::from_secs(10);

impl Hooks {
    pub(crate) fn new() -> Self {
        Self {
            before_try: None,
            on_connected: None,
            timeout: None,
        }
    }

    /// What the next try connects with.
    pub(crate) async fn before_try(
        &self,
        connect: Connect,
        tried: Tried,
    ) -> Result<Connect, HookError> {
        let Some(hook) = &self.before_try else {
            return Ok(connect);
        };
        let within = self.timeout.unwrap_or(BEFORE_TRY_TIMEOUT);
        run("before_try", within, || hook((connect, tried))).await
    }

    /// What comes before all that is queued.
    pub(crate) async fn on_connected(&self, connected: Connected) -> Result<(), HookError> {
        let Some(hook) = &self.on_connected else {
            return Ok(());
        };
        let within = self.timeout.unwrap_or(ON_CONNECTED_TIMEOUT);
        run("on_connected", within, || hook(connected)).await
    }
}

/// Runs a hook for so long. One that panics ends the channel, and nothing else.
async fn run<T>(
    name: &str,
    within: Duration,
    begin: impl FnOnce() -> BoxFuture<Result<T, HookError>>,
) -> Result<T, HookError> {
    let begun = catch_unwind(AssertUnwindSafe(begin));
    let mut hook = begun.map_err(|panic| panicked(name, &*panic))?;
    let mut time = timer(within);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| hook.as_mut().poll(cx)));
        match polled {
            Ok(Poll::Ready(done)) => return Poll::Ready(done),
            Ok(Poll::Pending) => {}
            Err(panic) => return Poll::Ready(Err(panicked(name, &*panic))),
        }
        poll_timer(&mut time, cx).map(|()| Err(HookError::timed_out(within)))
    })
    .await
}

/// Says no more than the program itself: the text is the program's.
fn panicked(name: &str, panic: &(dyn Any + Send)) -> HookError {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    HookError::stop(match text {
        Some(text) => format!("the hook `{name}` panicked: {text}"),
        None => format!("the hook `{name}` panicked"),
    })
}

/// What a try comes after; see [`Reconnecting::before_try`](crate::Reconnecting::before_try).
#[derive(Clone, Debug)]
pub struct Tried {
    number: u32,
    lost: Option<Lost>,
}

impl Tried {
    pub(crate) fn new(number: u32, lost: Option<Lost>) -> Self {
        Self { number, lost }
    }

    /// The number of the try that is about to be made, since the last connection was open, or since a pause: 1 for the first.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What went wrong last, if something did.
    pub fn lost(&self) -> Option<&Lost> {
        self.lost.as_ref()
    }

    /// Whether the server, or the proxy, wanted other credentials (401, 407): a token that was kept is of no use
    /// any more.
    pub fn is_unauthorized(&self) -> bool {
        self.lost.as_ref().is_some_and(Lost::is_unauthorized)
    }
}
