//! Where drivers run: on the current tokio runtime, else on a thread of their own.

use std::future::Future;
use std::sync::OnceLock;
use std::thread;

use tokio::runtime::{Builder, Handle};

/// Starts a task from any thread, without blocking.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(task)),
        Err(_) => drop(background().spawn(task)),
    }
}

/// The one thread that drives all channels of programs without a runtime.
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
