//! Making a recorded call again: what the driver asks is compared with the recording, and answered from it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::Recorded;
use ask::{Answer, Answers, Ask, Refusal};
use engine::{Call, Code, Failure, Trap};
use operation::recording::{self, End, HostAnswer, RecordedHostCall, Recording};
use words::limit::{DEADLINE, MEMORY};
use words::{Error, Result};

/// How a call went that was made again.
#[derive(Debug)]
pub struct Replayed {
    /// What the driver asked this time.
    pub host_calls: Vec<RecordedHostCall>,
    /// How it ended; where there is a difference, by the host.
    pub end: End,
    /// Where it asked for something else than the first time.
    pub difference: Option<Difference>,
    /// A core dump in WebAssembly's own format, if it trapped and the engine takes one.
    pub coredump: Option<Vec<u8>>,
}

/// The first host call that is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its number among the recorded ones without those to the log, the first being 1.
    pub number: usize,
    /// What was recorded; none: the recording ends before it.
    pub recorded: Option<String>,
    /// What was asked for this time.
    pub asked: String,
}

/// The answers that are left.
pub struct Replay {
    left: std::vec::IntoIter<RecordedHostCall>,
    number: usize,
    difference: Option<Difference>,
}

impl Replay {
    /// Those of a recording. What a driver writes to the log may be anything: it changes nothing.
    fn new(recording: &Recording) -> Self {
        let is_log = |call: &RecordedHostCall| matches!(call.ask, Ask::LogLog { .. });
        let calls: Vec<_> = recording.host_calls.iter().filter(|call| !is_log(call)).cloned().collect();
        Self { left: calls.into_iter(), number: 0, difference: None }
    }
}

impl Answers for Replay {
    fn answer(&mut self, ask: Ask) -> std::result::Result<Answer, Refusal> {
        if let Ask::LogLog { .. } = ask {
            return Ok(Answer::LogLog(()));
        }
        self.number += 1;
        match self.left.next() {
            Some(recorded) if recorded.ask == ask => match recorded.answer {
                HostAnswer::Ok(answer) => Ok(answer),
                HostAnswer::Error(error) => Err(error.into()),
                HostAnswer::Trap(trap) => Err(Refusal::trap(trap)),
            },
            other => {
                let recorded = other.map(|call| recording::text(&call.ask));
                let asked = recording::text(&ask);
                self.difference = Some(Difference { number: self.number, recorded, asked });
                Err(Refusal::trap("the recording has no answer to this"))
            }
        }
    }

    fn dropped(&mut self, _: u32) {}
}

/// Makes a recorded call again.
pub fn replay(code: &Code, recording: &Recording) -> Result<Replayed> {
    if recording.cut {
        return Err(Error::invalid("the recording is not whole: its host calls were too large to be kept"));
    }
    let host = Arc::new(Mutex::new(Recorded::new(Replay::new(recording))));
    let call = Call { deadline: Instant::now() + DEADLINE, memory: MEMORY, host: host.clone() };
    let (end, coredump) = match code.call(call, recording.arguments.clone()) {
        Ok(returned) => (End::Returned(returned), None),
        Err(Failure::Refused(error)) => (End::Failed(error), None),
        Err(Failure::Trapped(Trap { error, backtrace, coredump, .. })) => {
            (End::Trapped(recording::Trap { message: error.message, backtrace }), coredump)
        }
    };
    let mut host = host.lock().unwrap_or_else(PoisonError::into_inner);
    let (host_calls, _) = host.take();
    Ok(Replayed { host_calls, end, difference: host.host.difference.take(), coredump })
}
