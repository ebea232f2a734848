//! Who is woken by the transport: the one task that polls a socket, or the tasks of its two halves.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use atomic_waker::AtomicWaker;

/// Which half of a socket waits. Both may read and write: a receiver flushes answers, a sender
/// that closes reads for the peer's close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Receiver,
    Sender,
}

/// The tasks of both halves.
#[derive(Debug, Default)]
struct Tasks {
    receiver: AtomicWaker,
    sender: AtomicWaker,
}

impl Tasks {
    fn register(&self, half: Half, waker: &Waker) {
        match half {
            Half::Receiver => self.receiver.register(waker),
            Half::Sender => self.sender.register(waker),
        }
    }
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
///
/// A transport remembers one waker for each direction, the last one it was polled with. As long as
/// one task polls the socket, that is its own. Once there are two that both read and write, the
/// transport is always given the one that wakes both.
#[derive(Debug, Default)]
pub(crate) enum Wakers {
    /// No task has polled yet.
    #[default]
    Nobody,
    /// The task that has polled so far.
    Sole(Waker),
    /// Two tasks have.
    Shared(Box<Shared>),
}

#[derive(Debug)]
pub(crate) struct Shared {
    tasks: Arc<Tasks>,
    /// Away while the transport is polled, which costs less than another one.
    both: Option<Waker>,
}

impl Wakers {
    /// Notes the task that polls this half. The transport is polled with the waker that is lent,
    /// if one is, and with the task's own otherwise.
    pub(crate) fn lend(&mut self, half: Half, cx: &Context<'_>) -> Option<Waker> {
        if self.is_sole(cx) {
            return None;
        }
        if matches!(self, Self::Nobody) {
            *self = Self::Sole(cx.waker().clone());
            return None;
        }
        if let Self::Sole(first) = self {
            // The task that has polled so far may wait for the other half.
            let other = match half {
                Half::Receiver => Half::Sender,
                Half::Sender => Half::Receiver,
            };
            let shared = Box::new(Shared::new());
            shared.tasks.register(other, first);
            *self = Self::Shared(shared);
        }
        let Self::Shared(shared) = self else {
            return None;
        };
        shared.tasks.register(half, cx.waker());
        let new = || Waker::from(Arc::clone(&shared.tasks));
        Some(shared.both.take().unwrap_or_else(new))
    }

    /// Whether this task alone has polled so far: what it was given to last time wakes it still.
    #[inline]
    pub(crate) fn is_sole(&self, cx: &Context<'_>) -> bool {
        matches!(self, Self::Sole(sole) if sole.will_wake(cx.waker()))
    }

    /// Whether two tasks have polled.
    #[cfg(feature = "server")]
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// One that wakes whoever has polled.
    #[cfg(feature = "server")]
    pub(crate) fn waker(&self) -> Option<Waker> {
        match self {
            Self::Nobody => None,
            Self::Sole(sole) => Some(sole.clone()),
            Self::Shared(shared) => Some(Waker::from(Arc::clone(&shared.tasks))),
        }
    }

    /// Keeps a waker that was lent for the next time.
    #[inline]
    pub(crate) fn take_back(&mut self, waker: Option<Waker>) {
        if let (Self::Shared(shared), Some(_)) = (self, &waker) {
            shared.both = waker;
        }
    }

    /// Wakes whoever waits, as something has happened that neither the transport nor a timer
    /// tells. One task may have both halves, and poll one that waits before the other.
    pub(crate) fn wake(&self) {
        match self {
            Self::Nobody => {}
            Self::Sole(sole) => sole.wake_by_ref(),
            Self::Shared(shared) => shared.tasks.wake_by_ref(),
        }
    }
}

impl Shared {
    fn new() -> Self {
        Self {
            tasks: Arc::default(),
            both: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Task {
        fn woken(&self) -> usize {
            self.0.swap(0, Ordering::Relaxed)
        }
    }

    #[test]
    fn a_task_that_polls_alone_lends_its_own_waker() {
        let waker = Waker::from(Arc::new(Task::default()));
        let mut wakers = Wakers::default();
        for half in [Half::Receiver, Half::Sender, Half::Receiver] {
            assert!(wakers.lend(half, &Context::from_waker(&waker)).is_none());
            wakers.take_back(None);
        }
    }

    #[test]
    fn of_two_tasks_the_transport_wakes_both() {
        for half in [Half::Receiver, Half::Sender] {
            let other = match half {
                Half::Receiver => Half::Sender,
                Half::Sender => Half::Receiver,
            };
            let tasks = [Arc::new(Task::default()), Arc::new(Task::default())];
            let [first, second] = [0, 1].map(|n| Waker::from(Arc::clone(&tasks[n])));
            let mut wakers = Wakers::default();
            assert!(wakers.lend(half, &Context::from_waker(&first)).is_none());
            // It waits, and its own waker is with the transport, when another task comes.
            for _ in 0..2 {
                let lent = wakers.lend(other, &Context::from_waker(&second));
                let for_transport = lent.clone().expect("there are two tasks");
                wakers.take_back(lent);
                for_transport.wake();
                assert!(tasks[1].woken() > 0);
                // The first is woken from now on, too: it polls again.
                assert!(tasks[0].woken() > 0);
                let lent = wakers.lend(half, &Context::from_waker(&first));
                assert!(lent.is_some());
                wakers.take_back(lent);
            }
            wakers.lend(other, &Context::from_waker(&second));
            wakers.wake();
            assert_eq!(tasks.each_ref().map(|task| task.woken()), [1, 1]);
        }
    }
}
