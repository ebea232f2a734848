//! Where drivers run: on the current tokio runtime, else on a thread of their own.

use std::future::Future;
#[cfg(not(shuttle))]
use std::io;
#[cfg(not(shuttle))]
use std::sync::{Mutex, PoisonError};
#[cfg(not(shuttle))]
use std::thread;

#[cfg(not(shuttle))]
use tokio::runtime::{Builder, Handle};

/// Starts a task from any thread, without blocking.
///
/// Where the operating system gives no thread for it, the task is dropped, which ends its channel.
#[cfg(not(shuttle))]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(task);
    } else if let Ok(runtime) = background() {
        runtime.spawn(task);
    }
}

/// Starts a task of the schedule checker.
#[cfg(shuttle)]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    shuttle::future::spawn(task);
}

/// The one thread that drives all channels of programs without a runtime.
#[cfg(not(shuttle))]
fn background() -> io::Result<Handle> {
    static BACKGROUND: Mutex<Option<Handle>> = Mutex::new(None);
    let mut background = BACKGROUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*background {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("talkback".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    *background = Some(handle.clone());
    Ok(handle)
}
