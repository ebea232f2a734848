//! Futures that are dropped while they wait, and made anew.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// When a future that is not ready is dropped and made anew.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    Never,
    Always,
    /// At this poll, counted over the whole session, and never else.
    At(usize),
}

/// Polls futures to their end, dropping them as told.
pub(crate) struct Runner {
    cut: Cut,
    pub(crate) polls: usize,
}

impl Runner {
    pub(crate) fn new(cut: Cut) -> Self {
        Self { cut, polls: 0 }
    }

    /// Polls until the end, or `None` once the future was dropped.
    pub(crate) fn try_run<O>(&mut self, future: impl Future<Output = O>) -> Option<O> {
        let mut future = pin!(future);
        loop {
            let poll = future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            self.polls += 1;
            assert!(self.polls < 1_000_000, "the session makes no progress");
            match poll {
                Poll::Ready(output) => return Some(output),
                Poll::Pending => match self.cut {
                    Cut::Always => return None,
                    Cut::At(poll) if poll == self.polls => return None,
                    _ => {}
                },
            }
        }
    }
}

/// Polls a future to its end, and makes it anew each time that it was dropped.
macro_rules! run {
    ($runner:expr, $future:expr) => {
        loop {
            if let Some(output) = $runner.try_run($future) {
                break output;
            }
        }
    };
}

pub(crate) use run;
