//! Where drivers run: on the tokio runtime of the thread that starts them, else on a thread of their own.

use std::future::Future;
#[cfg(all(unix, not(shuttle)))]
use std::os::unix::net::UnixDatagram;
use std::pin::pin;
#[cfg(not(shuttle))]
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(not(shuttle))]
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
#[cfg(not(shuttle))]
use std::thread;
#[cfg(not(shuttle))]
use std::time::Duration;

#[cfg(not(shuttle))]
use tokio::runtime::{Builder, RuntimeFlavor};
use tokio::runtime::{Handle, Id};

/// What a task can be started on, from any thread and without blocking.
#[cfg(not(shuttle))]
pub(crate) struct Runtime {
    handle: Handle,
    /// Whether it is the background thread's.
    is_background: bool,
}

/// A runtime that cannot do what the task needs panics here, in tokio's words: in a driver nobody would see
/// it who waits, and tokio has no way to ask.
#[cfg(not(shuttle))]
impl Runtime {
    fn new(handle: Handle, is_background: bool) -> Self {
        Self {
            handle,
            is_background,
        }
    }

    /// That of this thread, if it has one that runs; else the background thread's.
    ///
    /// # Errors
    /// What the operating system did not give for the background thread, and what to do.
    ///
    /// # Panics
    /// On a runtime without time.
    #[track_caller]
    pub(crate) fn current() -> Result<Self, String> {
        let Some(runtime) = running() else {
            return background().map(|handle| Self::new(handle, true));
        };
        drop(tokio::time::sleep(Duration::ZERO));
        Ok(Self::new(runtime, false))
    }

    /// The same, for a task that connects.
    ///
    /// # Errors
    /// As [`current`](Self::current).
    ///
    /// # Panics
    /// On a runtime without time or I/O. Where there is no socket that touches nothing, its driver does.
    #[track_caller]
    pub(crate) fn with_io() -> Result<Self, String> {
        let runtime = Self::current()?;
        #[cfg(unix)]
        if Handle::try_current().is_ok_and(|own| own.id() == runtime.handle.id())
            && let Ok(socket) = UnixDatagram::unbound()
            && socket.set_nonblocking(true).is_ok()
        {
            let _ = tokio::net::UnixDatagram::from_std(socket);
        }
        Ok(runtime)
    }

    /// Which one it is.
    pub(crate) fn id(&self) -> Option<Id> {
        Some(self.handle.id())
    }

    /// Whether it is the background thread's.
    pub(crate) fn is_background(&self) -> bool {
        self.is_background
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }
}

/// This thread's runtime, if tasks run on it as far as can be seen from here.
///
/// One that has workers runs by itself. One of a single thread runs where it is driven: a thread that
/// only entered it may wait for ever for its tasks.
#[cfg(not(shuttle))]
fn running() -> Option<Handle> {
    let runtime = Handle::try_current().ok()?;
    let runs = runtime.runtime_flavor() != RuntimeFlavor::CurrentThread || runs_tasks();
    runs.then_some(runtime)
}

/// Whether this runtime shuts down, perhaps on this very thread, which drops its tasks.
///
/// A task that is started then is cancelled at once.
pub(crate) fn shuts_down(runtime: &Handle) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    let polled = pin!(runtime.spawn(async {})).poll(&mut cx);
    matches!(polled, Poll::Ready(Err(error)) if error.is_cancelled())
}

/// Whether this thread runs tasks of a tokio runtime now.
///
/// Whoever yields there is woken once others had their turn; elsewhere nobody would do that, and tokio
/// wakes at once.
pub(crate) fn runs_tasks() -> bool {
    let woken = Arc::<Woken>::default();
    let waker = Waker::from(Arc::clone(&woken));
    let mut yielding = pin!(tokio::task::yield_now());
    let polled = yielding.as_mut().poll(&mut Context::from_waker(&waker));
    polled.is_pending() && !woken.0.load(Ordering::Relaxed)
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The one thread that drives all channels of programs without a runtime.
///
/// A child that was forked has none of its parent's threads, so it starts one of its own. Nor does it get
/// back a lock that another of those threads held at the fork: processes take different locks.
#[cfg(not(shuttle))]
fn background() -> Result<Handle, String> {
    const LOCKS: usize = 16;
    static BACKGROUND: [Mutex<Option<(u32, Handle)>>; LOCKS] = [const { Mutex::new(None) }; LOCKS];
    let process = process::id();
    let background = &BACKGROUND[process as usize % LOCKS];
    let mut background = background.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((owner, handle)) = &*background
        && *owner == process
    {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        format!(
            "the operating system gave no descriptor to drive the channel: {error}. Raise the limit of open files (`ulimit -n`)"
        )
    })?;
    let handle = runtime.handle().clone();
    let thread = thread::Builder::new().name("talkback".to_owned());
    let started = thread.spawn(move || runtime.block_on(std::future::pending::<()>()));
    started.map_err(|error| {
        format!(
            "the operating system gave no thread to drive the channel: {error}. Raise the limit of threads (`ulimit -u`)"
        )
    })?;
    *background = Some((process, handle.clone()));
    Ok(handle)
}

/// The schedule checker.
#[cfg(shuttle)]
pub(crate) struct Runtime;

#[cfg(shuttle)]
impl Runtime {
    pub(crate) fn current() -> Result<Self, String> {
        Ok(Self)
    }

    pub(crate) fn with_io() -> Result<Self, String> {
        Ok(Self)
    }

    pub(crate) fn id(&self) -> Option<Id> {
        None
    }

    pub(crate) fn is_background(&self) -> bool {
        false
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        shuttle::future::spawn(task);
    }
}
