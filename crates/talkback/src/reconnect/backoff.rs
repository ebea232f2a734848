//! How long to wait before each try.

use std::time::Duration;

use crate::reconnect::draw::Window;

/// How long a channel waits before it tries to connect again.
///
/// The first wait is drawn at random from zero to [`first`](Self::first), as RFC 6455 §7.2.3 has it. Each
/// further one is drawn up to a window that is larger by [`factor`](Self::factor), until it is
/// [`longest`](Self::longest); its lower end is [`shortest`](Self::shortest). It stays random there, so that
/// the clients of a server that is down for long do not come all at once.
///
/// The waits begin anew after a connection that lasted: at least [`stable`](Self::stable), and as long as the
/// window of the wait that led to it. So a server that accepts and hangs up meets longer and longer waits.
///
/// A server may ask for other waits: by `Retry-After`, and by the close codes 1012 (5 to 30 s) and 1013 (half
/// of `longest` to `longest`).
///
/// ```
/// use std::time::Duration;
///
/// use talkback::Backoff;
///
/// // For a device on the same network: windows of 1, 2, 4, 5, 5 s…
/// let backoff = Backoff::default()
///     .first(Duration::from_secs(1))
///     .longest(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    first: Duration,
    factor: f64,
    longest: Duration,
    shortest: Duration,
    stable: Duration,
}

/// Windows of 5, 10, 20, 30, 30 s…, no wait but the first below 0.5 s, a connection of 5 s is stable.
impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(5),
            factor: 2.0,
            longest: Duration::from_secs(30),
            shortest: Duration::from_millis(500),
            stable: Duration::from_secs(5),
        }
    }
}

impl Backoff {
    /// The longest first wait, 5 s by default: it is drawn from zero to this. With zero the first try follows
    /// a loss at once, and the windows grow from [`shortest`](Self::shortest).
    #[must_use]
    pub fn first(mut self, first: Duration) -> Self {
        self.first = first;
        self
    }

    /// By how much each window is larger than the one before, 2 by default; 1 for one that stays.
    ///
    /// A number below 1, or none that is finite, is an error, which the channel's `ready` gives.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// The longest wait, 30 s by default. Only a server that asks for more (`Retry-After`) is waited for
    /// longer.
    ///
    /// It wins over `first` and [`shortest`](Self::shortest). Zero is an error, which the channel's `ready` gives.
    #[must_use]
    pub fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// The shortest wait but for the first, 0.5 s by default, so that no draw makes a hot loop.
    ///
    /// Zero is an error if [`first`](Self::first) is zero too, which the channel's `ready` gives.
    #[must_use]
    pub fn shortest(mut self, shortest: Duration) -> Self {
        self.shortest = shortest;
        self
    }

    /// How long a connection must have been open at least, 5 s by default, for the waits to begin anew.
    ///
    /// Zero is an error if [`first`](Self::first) is zero too.
    #[must_use]
    pub fn stable(mut self, stable: Duration) -> Self {
        self.stable = stable;
        self
    }

    /// Says what cannot be used, and what to do.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !self.factor.is_finite() || self.factor < 1.0 {
            // Without the number: what writes one is a third of what this costs a page.
            return Err("the backoff's factor is below 1 or no finite number, with which waits cannot grow: give a number of at least 1, such as 2".to_owned());
        }
        if self.longest.is_zero() {
            return Err("the backoff's longest wait is zero, so that tries would follow each other without a pause: give at least some milliseconds".to_owned());
        }
        if self.first.is_zero() && self.shortest.is_zero() {
            return Err("the backoff's first and shortest waits are both zero, so that tries would follow each other without a pause: give one of them".to_owned());
        }
        if self.first.is_zero() && self.stable.is_zero() {
            return Err("the backoff's first wait and its time to be stable are both zero, so that a server which accepts and hangs up would be tried without a pause: give one of them".to_owned());
        }
        Ok(())
    }

    /// What the wait with this index is drawn from; 0 is the first after a connection that lasted.
    pub(crate) fn window(&self, index: u32) -> Window {
        let highest = match index.checked_sub(1) {
            None => self.first,
            // What begins with nothing grows as well.
            Some(before) => self
                .grown(self.first, index)
                .max(self.grown(self.shortest, before)),
        };
        let highest = highest.min(self.longest);
        let lowest = match index {
            0 => Duration::ZERO,
            _ => self.shortest.min(highest),
        };
        Window { lowest, highest }
    }

    fn grown(&self, wait: Duration, times: u32) -> Duration {
        let factor = self.factor.powi(i32::try_from(times).unwrap_or(i32::MAX));
        // What is beyond a duration, or no number, is beyond the longest wait.
        Duration::try_from_secs_f64(wait.as_secs_f64() * factor).unwrap_or(Duration::MAX)
    }

    /// What the wait after the close code 1012 is drawn from: "a randomized delay of 5–30s" (the registry of
    /// close codes), in proportion where the program's longest wait is below that.
    pub(crate) fn window_of_a_restart(&self) -> Window {
        let highest = self.longest.min(Duration::from_secs(30));
        let lowest = highest / 6;
        Window { lowest, highest }
    }

    /// What the wait after the close code 1013, try again later, is drawn from.
    pub(crate) fn window_of_an_overload(&self) -> Window {
        Window {
            lowest: self.longest / 2,
            highest: self.longest,
        }
    }

    /// Whether a connection of this age, to which a wait with this window led, begins the waits anew.
    pub(crate) fn has_lasted(&self, age: Duration, window: Duration) -> bool {
        age >= self.stable.max(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);

    fn highest(backoff: &Backoff) -> Vec<Duration> {
        let windows = (0..8).map(|index| backoff.window(index));
        windows.map(|window| window.highest).collect()
    }

    #[test]
    fn re2_re3_windows_grow_up_to_the_longest() {
        let backoff = Backoff::default();
        let seconds = [5, 10, 20, 30, 30, 30, 30, 30].map(Duration::from_secs);
        assert_eq!(highest(&backoff), seconds);
        for index in 1..8 {
            assert_eq!(backoff.window(index).lowest, SECOND / 2);
        }
        assert_eq!(backoff.window(0).lowest, Duration::ZERO);
        // Forty years of tries, and what `offline` asks for.
        for index in [1_000, 1_025, 80_000_000, u32::MAX] {
            assert_eq!(backoff.window(index).highest, SECOND * 30);
        }
    }

    #[test]
    fn re4_with_no_first_wait_windows_grow_from_the_shortest() {
        let backoff = Backoff::default().first(Duration::ZERO);
        let waits = [0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
        assert_eq!(highest(&backoff), waits.map(Duration::from_millis));
        assert_eq!(backoff.window(1).lowest, SECOND / 2);
        assert_eq!(backoff.window(u32::MAX).highest, SECOND * 30);
    }

    #[test]
    fn re4_the_longest_wait_wins_over_the_others() {
        let backoff = Backoff::default().longest(20 * MS);
        for index in 0..8 {
            assert_eq!(backoff.window(index).highest, 20 * MS);
            assert!(backoff.window(index).lowest <= 20 * MS);
        }
        assert_eq!(backoff.window_of_a_restart().highest, 20 * MS);
        assert_eq!(backoff.window_of_an_overload().lowest, 10 * MS);
    }

    #[test]
    fn re4_a_factor_of_one_keeps_the_window() {
        let backoff = Backoff::default().factor(1.0);
        assert_eq!(highest(&backoff), [SECOND * 5; 8]);
        assert_eq!(backoff.window(u32::MAX).highest, SECOND * 5);
    }

    #[test]
    fn re4_what_cannot_be_used_is_told_with_what_to_do() {
        let default = Backoff::default;
        let zero = Duration::ZERO;
        for factor in [0.999, 0.0, -2.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let backoff = default().factor(factor);
            let error = backoff.check().unwrap_err();
            assert!(error.contains("at least 1"), "{error}");
            // It is an error of `ready`, and no panic before.
            highest(&backoff);
        }
        let error = default().longest(zero).check().unwrap_err();
        assert!(error.contains("longest"), "{error}");
        let error = default().first(zero).shortest(zero).check().unwrap_err();
        assert!(error.contains("shortest"), "{error}");
        for backoff in [
            default(),
            default().first(zero),
            default().shortest(zero),
            default().factor(1.0),
            default().factor(f64::MAX),
            default().first(Duration::MAX).longest(Duration::MAX),
        ] {
            assert_eq!(backoff.check(), Ok(()));
            highest(&backoff);
        }
    }
}
