//! Random numbers from a seed (splitmix64): what failed once fails again.

use std::time::Duration;

/// Numbers that follow from a seed.
pub struct Random(u64);

impl Random {
    /// Those of a seed, far apart from those of the seeds beside it.
    pub fn new(seed: u64) -> Self {
        Self(Self(seed).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// One of 0 to `count` - 1.
    pub fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    /// One in so many times.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// One of these.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Shorter than this.
    pub fn moment(&mut self, longest: Duration) -> Duration {
        Duration::from_nanos(self.next() % (longest.as_nanos() as u64).max(1))
    }
}
