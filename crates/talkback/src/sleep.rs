//! native: whether the machine has slept.

use std::time::{Duration, Instant, SystemTime};

use crate::timer::now;

/// How much further the wall clock has gone than the other one, which stands still meanwhile, after a sleep.
const SLEEP_MIN: Duration = Duration::from_secs(10);

/// Looks for sleeps of the machine.
///
/// The wall clock is used for nothing else: who sets it ahead is taken for one who has slept.
#[derive(Debug)]
pub(crate) struct SleepWatch {
    looked: Instant,
    wall: SystemTime,
}

impl SleepWatch {
    pub(crate) fn start() -> Self {
        Self {
            looked: now(),
            wall: wall(),
        }
    }

    /// Whether the machine has slept since the last look.
    pub(crate) fn has_slept(&mut self) -> bool {
        let before = std::mem::replace(self, Self::start());
        let passed = self.looked.saturating_duration_since(before.looked);
        let wall_passed = self.wall.duration_since(before.wall).unwrap_or_default();
        wall_passed.saturating_sub(passed) >= SLEEP_MIN
    }
}

#[cfg(not(test))]
fn wall() -> SystemTime {
    SystemTime::now()
}

/// That of the tests goes with their own time, except where they set it.
#[cfg(test)]
fn wall() -> SystemTime {
    tests::wall()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;
    use std::sync::LazyLock;

    use super::*;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);

    thread_local! {
        static AHEAD: Cell<Duration> = const { Cell::new(Duration::from_secs(1_000_000)) };
    }

    pub(super) fn wall() -> SystemTime {
        SystemTime::UNIX_EPOCH + AHEAD.get() + now().saturating_duration_since(*START)
    }

    /// Sets this thread's wall clock ahead.
    pub(crate) fn set_ahead(time: Duration) {
        AHEAD.set(AHEAD.get() + time);
    }

    /// Sets it back.
    pub(crate) fn set_back(time: Duration) {
        AHEAD.set(AHEAD.get() - time);
    }

    #[tokio::test(start_paused = true)]
    async fn re89_re90_only_a_wall_clock_that_has_gone_further_tells_of_a_sleep() {
        let mut watch = SleepWatch::start();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert!(!watch.has_slept());
        set_ahead(SLEEP_MIN - Duration::from_millis(1));
        assert!(!watch.has_slept());
        set_ahead(SLEEP_MIN);
        assert!(watch.has_slept());
        assert!(!watch.has_slept(), "once");
        set_back(Duration::from_secs(24 * 3600));
        assert!(!watch.has_slept());
    }
}
