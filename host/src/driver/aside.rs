//! A driver that keeps trapping is put aside for a while, longer each time: each of its calls costs the host a log line, an undo and up to a
//! deadline, and whoever waits for it is better told at once.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::operation::driver::PUT_ASIDE;

/// Traps in a row after which a driver is put aside. One that works for some of its networks is not.
pub const TRAPS: u32 = 10;

/// For how long at first. It doubles with each trap that follows,
const FIRST: Duration = Duration::from_secs(1);

/// up to this: whoever mends a network does not wait for a person.
const LONGEST: Duration = Duration::from_secs(300);

/// Whether a driver is put aside.
#[derive(Debug, Default)]
pub struct Aside(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    traps: u32,
    until: Option<Instant>,
}

/// A driver is put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutAside {
    /// Traps in a row.
    pub traps: u32,
    /// For how long yet.
    pub left: Duration,
}

impl Aside {
    /// Notes how a call ended.
    pub fn ended(&self, trapped: bool, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !trapped {
            *state = State::default();
        } else if state.until.is_none_or(|until| until <= now) {
            // Calls that were on their way when it was put aside say nothing new.
            state.traps = state.traps.saturating_add(1);
            let more = state.traps.checked_sub(TRAPS);
            state.until = more.map(|more| now + FIRST.saturating_mul(1 << more.min(16)).min(LONGEST));
        }
    }

    /// Whether it is put aside now.
    pub fn get(&self, now: Instant) -> Option<PutAside> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = state.until?.checked_duration_since(now).filter(|left| !left.is_zero())?;
        Some(PutAside { traps: state.traps, left })
    }
}

impl std::fmt::Display for PutAside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.left.as_secs() + u64::from(self.left.subsec_nanos() > 0);
        write!(f, "{PUT_ASIDE}: it trapped {} times in a row; it is called again in {seconds} s", self.traps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traps_in_a_row_put_a_driver_aside_for_longer_and_longer() {
        let (aside, begin) = (Aside::default(), Instant::now());
        (1..TRAPS).for_each(|_| aside.ended(true, begin));
        assert_eq!(aside.get(begin), None);
        aside.ended(true, begin);
        assert_eq!(aside.get(begin), Some(PutAside { traps: TRAPS, left: FIRST }));
        assert_eq!(aside.get(begin + FIRST), None, "it gets another try");
        // Those that were on their way change nothing.
        (0..64).for_each(|_| aside.ended(true, begin));
        assert_eq!(aside.get(begin).map(|aside| aside.traps), Some(TRAPS));
        let mut now = begin;
        for expected in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            now += LONGEST;
            aside.ended(true, now);
            assert_eq!(aside.get(now).map(|aside| aside.left), Some(Duration::from_secs(expected)));
        }
    }

    #[test]
    fn a_call_that_ends_well_forgives_all() {
        let (aside, now) = (Aside::default(), Instant::now());
        for trapped in [true; 9].into_iter().chain([false]).chain([true; 9]) {
            aside.ended(trapped, now);
        }
        assert_eq!(aside.get(now), None);
        aside.ended(true, now);
        assert_eq!(
            aside.get(now).unwrap().to_string(),
            "put aside: it trapped 10 times in a row; it is called again in 1 s"
        );
        aside.ended(false, now);
        assert_eq!(aside.get(now), None);
    }
}
