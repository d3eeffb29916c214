//! So much in a second, and no more.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Seconds' worth that may come at once.
const BURST: f64 = 8.0;

/// A bucket that fills again as time goes by.
#[derive(Debug)]
pub struct Rate {
    state: Mutex<(Instant, f64, u64)>,
}

impl Rate {
    /// A full bucket.
    pub fn new() -> Self {
        Self { state: Mutex::new((Instant::now(), f64::INFINITY, 0)) }
    }

    /// Takes some of what `per_second` allows. None: there is not enough. Else how many were told so since the last time.
    pub fn take(&self, amount: u64, per_second: u64) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, per_second) = (Instant::now(), per_second as f64);
        let filled = (state.1 + now.duration_since(state.0).as_secs_f64() * per_second).min(per_second * BURST);
        if filled < amount as f64 {
            *state = (now, filled, state.2 + 1);
            return None;
        }
        let refused = state.2;
        *state = (now, filled - amount as f64, 0);
        Some(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_a_refusal_that_is_counted() {
        let rate = Rate::new();
        assert_eq!(rate.take(8_000, 1_000), Some(0));
        assert_eq!(rate.take(8_000, 1_000), None);
        assert_eq!(rate.take(8_000, 1_000), None);
        assert_eq!(rate.take(0, 1_000), Some(2));
        assert_eq!(rate.take(0, 1_000), Some(0));
        assert_eq!(rate.take(1, 0), None, "nothing allowed");
    }
}
