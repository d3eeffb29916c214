//! A host call that fails although nothing is wrong with it.

use ask::{Answer, Answers, Ask, Refusal};
use words::Error;

/// A failure to inject, for tests: at the host call of this number, the first being 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The host call does not happen and answers an error.
    Error(u32),
    /// The host call happens, or is refused; then the driver traps.
    Trap(u32),
}

/// Answers as what it is around does, but for one host call.
pub struct Faulty<A> {
    /// What it is around.
    pub host: A,
    fault: Option<Fault>,
    host_calls: u32,
}

impl<A> Faulty<A> {
    /// With this failure, if there is to be one.
    pub fn new(host: A, fault: Option<Fault>) -> Self {
        Self { host, fault, host_calls: 0 }
    }
}

impl<A: Answers> Answers for Faulty<A> {
    fn answer(&mut self, ask: Ask) -> Result<Answer, Refusal> {
        self.host_calls = self.host_calls.saturating_add(1);
        if self.fault == Some(Fault::Error(self.host_calls)) {
            return Err(Error::internal("a failure that was asked for").into());
        }
        let answer = self.host.answer(ask);
        if self.fault == Some(Fault::Trap(self.host_calls)) {
            return Err(Refusal::trap("a trap that was asked for"));
        }
        answer
    }

    fn dropped(&mut self, handle: u32) {
        self.host.dropped(handle);
    }
}
