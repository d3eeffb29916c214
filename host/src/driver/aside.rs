//! A function of a driver that keeps trapping is put aside for a while, longer each time: each call of it costs the host a log line, an undo and up
//! to a deadline, and whoever waits for it is better told at once. The driver's other functions go on: what is to be taken down can be.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use operation::driver::PUT_ASIDE;

/// Traps in a row after which a function is put aside. One that works for some of the driver's networks is not.
pub const TRAPS: u32 = 10;

/// For how long at first. It doubles with each trap that follows,
const FIRST: Duration = Duration::from_secs(1);

/// up to this: whoever mends a network does not wait for a person.
const LONGEST: Duration = Duration::from_secs(300);

/// Which functions of a driver are put aside. Those that work are not in it.
#[derive(Debug, Default)]
pub struct Aside(Mutex<BTreeMap<&'static str, State>>);

#[derive(Debug, Default)]
struct State {
    traps: u32,
    until: Option<Instant>,
}

/// A function is put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutAside {
    /// Its name.
    pub function: &'static str,
    /// Traps in a row.
    pub traps: u32,
    /// For how long yet.
    pub left: Duration,
}

impl Aside {
    /// Notes how a call ended.
    pub fn ended(&self, function: &'static str, trapped: bool, now: Instant) {
        let mut functions = self.lock();
        if !trapped {
            functions.remove(function);
            return;
        }
        let state = functions.entry(function).or_default();
        // Calls that were on their way when it was put aside say nothing new.
        if state.until.is_none_or(|until| until <= now) {
            state.traps = state.traps.saturating_add(1);
            let more = state.traps.checked_sub(TRAPS);
            state.until = more.map(|more| now + FIRST.saturating_mul(1 << more.min(16)).min(LONGEST));
        }
    }

    /// Whether a function is put aside now.
    pub fn get(&self, function: &'static str, now: Instant) -> Option<PutAside> {
        let functions = self.lock();
        let State { traps, until } = functions.get(function)?;
        let left = (*until)?.checked_duration_since(now).filter(|left| !left.is_zero())?;
        Some(PutAside { function, traps: *traps, left })
    }

    /// One that is put aside now.
    pub fn any(&self, now: Instant) -> Option<PutAside> {
        let functions: Vec<_> = self.lock().keys().copied().collect();
        functions.into_iter().find_map(|function| self.get(function, now))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Display for PutAside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { function, traps, left } = self;
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        write!(f, "{PUT_ASIDE}: {function} trapped {traps} times in a row; it is called again in {seconds} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traps_in_a_row_put_a_function_aside_for_longer_and_longer() {
        let (aside, begin) = (Aside::default(), Instant::now());
        let (ended, get) = (|now| aside.ended("join", true, now), |now| aside.get("join", now));
        (1..TRAPS).for_each(|_| ended(begin));
        // Another function's ends are its own.
        aside.ended("leave", false, begin);
        assert_eq!(get(begin), None);
        ended(begin);
        assert_eq!(get(begin), Some(PutAside { function: "join", traps: TRAPS, left: FIRST }));
        assert_eq!((aside.get("leave", begin), aside.any(begin)), (None, get(begin)));
        assert_eq!(get(begin + FIRST), None, "it gets another try");
        // Those that were on their way change nothing.
        (0..64).for_each(|_| ended(begin));
        assert_eq!(get(begin).map(|aside| aside.traps), Some(TRAPS));
        let mut now = begin;
        for expected in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            now += LONGEST;
            ended(now);
            assert_eq!(get(now).map(|aside| aside.left), Some(Duration::from_secs(expected)));
        }
    }

    #[test]
    fn a_call_that_ends_well_forgives_all() {
        let (aside, now) = (Aside::default(), Instant::now());
        for trapped in [true; 9].into_iter().chain([false]).chain([true; 9]) {
            aside.ended("join", trapped, now);
        }
        assert_eq!(aside.any(now), None);
        aside.ended("join", true, now);
        assert_eq!(
            aside.any(now).unwrap().to_string(),
            "put aside: join trapped 10 times in a row; it is called again in 1 s"
        );
        aside.ended("join", false, now);
        assert_eq!(aside.any(now), None);
    }
}
