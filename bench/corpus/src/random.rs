//! Numbers that look random and are the same on every run.

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// One of them, each as likely as the other.
    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }

    /// One of them, the first ones far more often than the last ones, as words are.
    pub(crate) fn word<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let share = self.below(1 << 20) as f64 / f64::from(1 << 20);
        let place = (from.len() as f64 + 1.0).powf(share) - 1.0;
        from[(place as usize).min(from.len() - 1)]
    }
}
