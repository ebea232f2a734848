//! What a hub tells `tracing`, where the program has that feature: of each one line a second at most, with how many were left out
//! since the last. No topic and no message is in it.

#[cfg(feature = "tracing")]
mod told {
    use std::time::Duration;

    use tokio::time::Instant;

    use crate::server::sync::{Mutex, lock};

    /// How often there is a line of a kind at most.
    const EVERY: Duration = Duration::from_secs(1);
    const TARGET: &str = "talkback";

    /// When the last line of a kind was told, and how many were not since.
    #[derive(Default)]
    struct Line(Mutex<Option<(Instant, u64)>>);

    /// Each by itself: what is gone is found just after a backplane is reached.
    #[derive(Default)]
    pub(crate) struct Trace {
        down: Line,
        up: Line,
        gone: Line,
        reset: Line,
    }

    impl Line {
        /// How many were left out, if there may be a line now.
        fn take_left_out(&self) -> Option<u64> {
            let now = Instant::now();
            let mut told = lock(&self.0);
            match &mut *told {
                Some((at, left_out)) if now < *at + EVERY => {
                    *left_out += 1;
                    None
                }
                told => Some(told.replace((now, 0)).map_or(0, |(_, left_out)| left_out)),
            }
        }
    }

    impl Trace {
        pub(crate) fn down(&self, why: &str) {
            if let Some(left_out) = self.down.take_left_out() {
                tracing::warn!(target: TARGET, why, left_out, "the backplane is not reached");
            }
        }

        pub(crate) fn up(&self) {
            if let Some(left_out) = self.up.take_left_out() {
                tracing::info!(target: TARGET, left_out, "the backplane is reached");
            }
        }

        pub(crate) fn gone(&self, missed: u64) {
            if let Some(left_out) = self.gone.take_left_out() {
                tracing::warn!(target: TARGET, missed, left_out, "publications are gone");
            }
        }

        pub(crate) fn reset(&self) {
            if let Some(left_out) = self.reset.take_left_out() {
                tracing::warn!(target: TARGET, left_out, "a topic has begun anew");
            }
        }
    }
}

/// What is called where nobody is told.
#[cfg(not(feature = "tracing"))]
mod told {
    #[derive(Default)]
    pub(crate) struct Trace(());

    impl Trace {
        pub(crate) fn down(&self, _: &str) {}
        pub(crate) fn up(&self) {}
        pub(crate) fn gone(&self, _: u64) {}
        pub(crate) fn reset(&self) {}
    }
}

pub(crate) use told::Trace;
