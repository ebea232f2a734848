//! Random waits.

use std::time::Duration;

/// What a wait is drawn from: both ends may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) lowest: Duration,
    pub(crate) highest: Duration,
}

impl Window {
    /// From no wait at all up to this one.
    pub(crate) fn up_to(highest: Duration) -> Self {
        let lowest = Duration::ZERO;
        Self { lowest, highest }
    }
}

/// Where the draws come from.
///
/// Nobody is harmed by whoever guesses when a channel tries next, so that a generator of one word will do.
#[derive(Clone, Debug)]
pub(crate) enum Draw {
    /// Uniform ones: a seed, which each draw moves on.
    Random(u64),
    /// Always the lowest, for tests.
    #[cfg(test)]
    Lowest,
    /// Always the highest, for tests.
    #[cfg(test)]
    Highest,
}

impl Draw {
    /// A wait within the window.
    pub(crate) fn within(&mut self, window: Window) -> Duration {
        let span = window.highest.saturating_sub(window.lowest);
        window.lowest.saturating_add(part_of(span, self.fraction()))
    }

    /// A number below this one, which is less than 2^32.
    #[cfg(all(feature = "server", not(browser)))]
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((self.fraction() * end as u64) >> 32) as usize
    }

    /// A part of 2^32.
    fn fraction(&mut self) -> u64 {
        match self {
            Self::Random(state) => splitmix64(state) >> 32,
            #[cfg(test)]
            Self::Lowest => 0,
            #[cfg(test)]
            Self::Highest => 1 << 32,
        }
    }
}

/// The next number of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators", 2014), whose first ones are good for any seed.
fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// So many parts of 2^32 of a duration, to the nanosecond: all of it at most.
fn part_of(span: Duration, parts: u64) -> Duration {
    const SECOND: u64 = 1_000_000_000;
    // In 64 bits, of which each half of the seconds makes no more: to divide 128 bits is large in a page.
    let (high, low) = (span.as_secs() >> 32, span.as_secs() & 0xffff_ffff);
    let low = low * parts;
    let seconds = high * parts + (low >> 32);
    let of_a_second = ((low & 0xffff_ffff) * SECOND) >> 32;
    let nanoseconds = (u64::from(span.subsec_nanos()) * parts) >> 32;
    Duration::from_secs(seconds).saturating_add(Duration::from_nanos(of_a_second + nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_generator_is_splitmix64() {
        // The first numbers of its authors' program for the seed 1234567.
        let mut state = 1_234_567;
        let numbers = [(); 3].map(|()| splitmix64(&mut state));
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(numbers, expected);
    }

    #[test]
    fn a_draw_lies_within_its_window_and_both_ends_may_come() {
        let ends = [
            Duration::ZERO,
            Duration::from_nanos(1),
            SECOND / 2,
            SECOND * 5,
            SECOND * 3600,
            Duration::MAX,
        ];
        for (index, lowest) in ends.into_iter().enumerate() {
            for highest in ends.into_iter().skip(index) {
                let window = Window { lowest, highest };
                assert_eq!(Draw::Lowest.within(window), lowest);
                assert_eq!(Draw::Highest.within(window), highest);
                let mut random = Draw::Random(7);
                for _ in 0..100 {
                    let drawn = random.within(window);
                    assert!((lowest..=highest).contains(&drawn), "{drawn:?}");
                }
            }
        }
    }

    #[test]
    fn a_window_that_is_none_is_its_lower_end() {
        let window = Window {
            lowest: SECOND,
            highest: Duration::ZERO,
        };
        assert_eq!(Draw::Highest.within(window), SECOND);
    }
}
