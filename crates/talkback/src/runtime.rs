//! Where drivers run: on the current tokio runtime, else on a thread of their own.

use std::future::Future;
#[cfg(not(shuttle))]
use std::{sync::OnceLock, thread};

#[cfg(not(shuttle))]
use tokio::runtime::{Builder, Handle};

/// Starts a task from any thread, without blocking.
#[cfg(not(shuttle))]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(task)),
        Err(_) => drop(background().spawn(task)),
    }
}

/// Starts a task of the schedule checker.
#[cfg(shuttle)]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    shuttle::future::spawn(task);
}

/// The one thread that drives all channels of programs without a runtime.
#[cfg(not(shuttle))]
fn background() -> &'static Handle {
    static BACKGROUND: OnceLock<Handle> = OnceLock::new();
    BACKGROUND.get_or_init(|| {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("the operating system gives a process one more event queue");
        let handle = runtime.handle().clone();
        thread::Builder::new()
            .name("talkback".to_owned())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))
            .expect("the operating system gives a process one more thread");
        handle
    })
}
