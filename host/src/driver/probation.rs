//! What a version of a driver has done since it came: whether a rollback would find the driver's state as it was, and whether its first calls
//! are so bad that it goes by itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::transaction::Assumed;
use words::{Error, Kind, Result};

/// So many first calls are looked at.
pub const CALLS: u32 = 10;

/// So many traps among them, and the version is rolled back: one may be a single endpoint's fault.
pub const TRAPS: u32 = 3;

/// Of one version, since it came or since the daemon's start.
#[derive(Debug)]
pub struct Probation(Mutex<State>);

/// A driver's state as it was before a version changed its form.
#[derive(Clone, Debug)]
pub struct Before {
    /// The schema that it had.
    pub schema: u32,
    /// The keys that the version has changed, as they were.
    pub state: Arc<Assumed>,
}

#[derive(Debug)]
struct State {
    /// The driver's state before this version changed its form; none: it did not, or has written since.
    before: Option<Before>,
    /// Its first calls are looked at.
    on_trial: bool,
    calls: u32,
    traps: u32,
    /// A call of it has been committed that changed something.
    has_written: bool,
    /// It was rolled back.
    ended: bool,
}

impl Probation {
    /// Of a version that comes now. `on_trial`: there is one that it can be rolled back to.
    pub fn begins(on_trial: bool) -> Self {
        Self(Mutex::new(State { before: None, on_trial, calls: 0, traps: 0, has_written: false, ended: false }))
    }

    /// Of a version that an earlier daemon had. What it did then nobody knows, so it has written.
    pub fn unknown() -> Self {
        let state = State { before: None, on_trial: false, calls: 0, traps: 0, has_written: true, ended: false };
        Self(Mutex::new(state))
    }

    /// It has changed the form of the driver's state, which was this before.
    pub fn changed(&self, before: Before) {
        self.lock().before = Some(before);
    }

    /// The driver's state before this version changed its form, if that can still be brought back.
    pub fn before(&self) -> Option<Before> {
        self.lock().before.clone()
    }

    /// A call of it commits changes now; refused if another version took its place while the call ran.
    pub fn writes(&self) -> Result<()> {
        let mut state = self.lock();
        if state.ended {
            let message = "another version of the driver took this one's place while the call ran: try again";
            return Err(Error::new(Kind::Unavailable, message));
        }
        state.has_written = true;
        // Large, and of no more use.
        state.before = None;
        Ok(())
    }

    /// Whether a call of it has been committed that changed something.
    pub fn has_written(&self) -> bool {
        self.lock().has_written
    }

    /// Ends it if it has written nothing, and answers whether that is so. From then on it writes nothing.
    pub fn end(&self) -> bool {
        let mut state = self.lock();
        state.ended |= !state.has_written;
        state.ended
    }

    /// Another version has changed the state's form: from now on this one writes nothing.
    pub fn stop(&self) {
        self.lock().ended = true;
    }

    /// The other version could not come, and it goes on.
    pub fn resume(&self) {
        self.lock().ended = false;
    }

    /// Notes how a call ended. Where its first calls are too bad and it has written nothing it ends, once: answers how many trapped of how many.
    pub fn called(&self, trapped: bool) -> Option<(u32, u32)> {
        let mut state = self.lock();
        if !state.on_trial {
            return None;
        }
        state.calls += 1;
        state.traps += u32::from(trapped);
        let is_bad = state.traps >= TRAPS && !state.has_written;
        state.on_trial = state.calls < CALLS && !state.has_written && !is_bad;
        state.ended |= is_bad;
        is_bad.then_some((state.traps, state.calls))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(probation: &Probation, calls: &[bool]) -> Vec<Option<(u32, u32)>> {
        calls.iter().map(|trapped| probation.called(*trapped)).collect()
    }

    #[test]
    fn three_traps_among_the_first_calls_end_it_once() {
        let probation = Probation::begins(true);
        assert_eq!(ends(&probation, &[true, false, true, true, true]), [None, None, None, Some((3, 4)), None]);
        assert_eq!(probation.writes().unwrap_err().kind, Kind::Unavailable);
        probation.resume();
        probation.writes().unwrap();
    }

    #[test]
    fn later_traps_and_those_of_one_that_has_written_do_not() {
        let late = Probation::begins(true);
        ends(&late, &[false; 8]);
        assert_eq!(ends(&late, &[true; 4]), [None; 4]);
        let wrote = Probation::begins(true);
        wrote.writes().unwrap();
        assert_eq!(ends(&wrote, &[true; 4]), [None; 4]);
        assert_eq!(ends(&Probation::begins(false), &[true; 4]), [None; 4]);
        assert_eq!(ends(&Probation::unknown(), &[true; 4]), [None; 4]);
    }

    #[test]
    fn the_state_before_is_kept_until_it_writes() {
        let probation = Probation::begins(true);
        probation.changed(Before { schema: 7, state: Arc::default() });
        assert_eq!(probation.before().map(|before| before.schema), Some(7));
        probation.writes().unwrap();
        assert!(probation.before().is_none());
    }

    #[test]
    fn one_that_has_written_is_not_ended() {
        let probation = Probation::begins(true);
        assert!(!probation.has_written() && probation.end());
        let wrote = Probation::begins(true);
        wrote.writes().unwrap();
        assert!(wrote.has_written() && !wrote.end());
        wrote.writes().unwrap();
        assert!(!Probation::unknown().end());
        wrote.stop();
        assert_eq!(wrote.writes().unwrap_err().kind, Kind::Unavailable);
    }
}
