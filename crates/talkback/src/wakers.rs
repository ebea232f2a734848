//! One waker for the transport that wakes whoever waits on it.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use atomic_waker::AtomicWaker;

/// Which half of a socket waits. Both may read and write: a receiver flushes answers, a sender
/// that closes reads for the peer's close frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Half {
    Receiver,
    Sender,
}

/// The tasks of both halves.
///
/// A transport remembers one waker for each direction, the last one it was polled with. As the
/// halves may live in two tasks that both read and write, it is always given the one that wakes
/// both.
#[derive(Debug, Default)]
struct Tasks {
    receiver: AtomicWaker,
    sender: AtomicWaker,
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.receiver.wake();
        self.sender.wake();
    }
}

/// The waker to poll a transport with.
#[derive(Debug)]
pub(crate) struct Wakers {
    tasks: Arc<Tasks>,
    both: Waker,
}

impl Wakers {
    pub(crate) fn new() -> Self {
        let tasks = Arc::new(Tasks::default());
        Self {
            both: Waker::from(Arc::clone(&tasks)),
            tasks,
        }
    }

    /// Wakes both, as something has happened that neither the transport nor a timer tells.
    pub(crate) fn wake(&self) {
        self.both.wake_by_ref();
    }

    /// Registers the task that polls this half; returns the waker for the transport.
    pub(crate) fn register(&self, half: Half, cx: &Context<'_>) -> Waker {
        match half {
            Half::Receiver => self.tasks.receiver.register(cx.waker()),
            Half::Sender => self.tasks.sender.register(cx.waker()),
        }
        self.both.clone()
    }
}
