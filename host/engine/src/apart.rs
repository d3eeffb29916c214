//! An engine process as whoever makes calls sees it: lines into it, one for each call at a time.

use std::os::fd::OwnedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ask::{Arguments, Refusal, Returned};
use words::foreign::{MESSAGE_BYTES, printable};
use words::limit::TRAP_BYTES;
use words::{Error, Kind};

use crate::call::FRAMES;
use crate::channel::{Broken, FromEngine, Line, MESSAGE, ToEngine};
use crate::{Call, Failure, Trap};

/// How much later than its deadline a call is given up: its engine ends it before that.
const GRACE: Duration = Duration::from_millis(500);

/// An engine process.
#[derive(Debug)]
pub struct Process {
    free: Mutex<Vec<Line>>,
    freed: Condvar,
}

impl Process {
    /// One that has the other ends of these sockets. It gets its code ready first, until then at most. None of the errors: the code can't
    /// be run here.
    pub fn start(
        lines: Vec<OwnedFd>,
        parts: &[String],
        until: Instant,
    ) -> std::result::Result<std::result::Result<Self, Error>, Broken> {
        let mut lines: Vec<_> = lines.into_iter().map(Line::with_time).collect::<std::result::Result<_, _>>()?;
        let first = lines.first_mut().ok_or(Broken::Gone)?;
        first.put(&ToEngine::Load { parts: parts.to_vec() })?;
        first.flush(Some(until))?;
        match first.next(Some(until))? {
            FromEngine::Loaded(loaded) => {
                Ok(loaded.map(|()| Self { free: Mutex::new(lines), freed: Condvar::new() }).map_err(foreign))
            }
            other => Err(senseless(&other)),
        }
    }

    /// Whether it waits for calls, and has not ended.
    pub fn is_well(&self) -> bool {
        self.lines().last().is_none_or(Line::is_quiet)
    }

    /// Calls a function with its arguments. Broken: the process is not to be used again, and the call is to be undone.
    pub fn call(
        &self,
        call: Call,
        arguments: Arguments,
    ) -> std::result::Result<std::result::Result<Returned, Failure>, Broken> {
        let (function, part) = (arguments.function(), arguments.part());
        let (milliseconds, memory) = limits(&call);
        match self.converse(&call, &ToEngine::Call { arguments, milliseconds, memory })? {
            FromEngine::Ended(Ok(returned)) if (returned.part(), returned.function()) != (part, function) => {
                Err(Broken::Babble(format!("{function} returned what {} returns", returned.function())))
            }
            FromEngine::Ended(ended) => Ok(ended.map_err(checked)),
            other => Err(senseless(&other)),
        }
    }

    /// Whether every part that the component exports has the types of the interface.
    pub fn fits(&self, call: &Call) -> std::result::Result<std::result::Result<(), Failure>, Broken> {
        let (milliseconds, memory) = limits(call);
        match self.converse(call, &ToEngine::Fits { milliseconds, memory })? {
            FromEngine::Fitted(fitted) => Ok(fitted.map_err(checked)),
            other => Err(senseless(&other)),
        }
    }

    /// Says the first word and answers, up to the last one.
    fn converse(&self, call: &Call, first: &ToEngine) -> std::result::Result<FromEngine, Broken> {
        let until = call.deadline + GRACE;
        let mut line = self.line(until)?;
        let last = converse(&mut line, call, first, until)?;
        line.rest();
        self.lines().push(line);
        self.freed.notify_one();
        Ok(last)
    }

    /// A line on which no call is.
    fn line(&self, until: Instant) -> std::result::Result<Line, Broken> {
        let left = until.saturating_duration_since(Instant::now());
        let lines = self.freed.wait_timeout_while(self.lines(), left, |lines| lines.is_empty());
        lines.unwrap_or_else(PoisonError::into_inner).0.pop().ok_or(Broken::Late)
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn limits(call: &Call) -> (u64, u64) {
    let left = call.deadline.saturating_duration_since(Instant::now());
    (u64::try_from(left.as_millis()).unwrap_or(u64::MAX), call.memory as u64)
}

fn converse(
    line: &mut Line,
    call: &Call,
    first: &ToEngine,
    mut until: Instant,
) -> std::result::Result<FromEngine, Broken> {
    if line.put(first).is_err() {
        let long = format!("what the driver would be called with has more than {MESSAGE} bytes: say less");
        return Ok(FromEngine::Ended(Err(Failure::Refused(Error::invalid(long)))));
    }
    line.flush(Some(until))?;
    let mut trap = None;
    loop {
        let message = line.next(Some(until))?;
        let failed = matches!(
            message,
            FromEngine::Ended(Err(Failure::Trapped(_))) | FromEngine::Fitted(Err(Failure::Trapped(_)))
        );
        match (&trap, failed) {
            (Some(trap), false) => return Err(Broken::Babble(format!("it goes on after a trap: {trap}"))),
            (_, true) => return Ok(message),
            (None, false) => {}
        }
        let mut host = call.host.lock().unwrap_or_else(PoisonError::into_inner);
        match message {
            FromEngine::Asks(ask) => {
                let answer = host.answer(ask);
                drop(host);
                trap = trap_of(&answer);
                // Where the host itself took that long, the engine has yet to notice. After the deadline it is answered once.
                if Instant::now() > call.deadline {
                    until = until.max(Instant::now() + GRACE);
                }
                if line.put(&ToEngine::Answer(answer)).is_err() {
                    let long = format!("the answer has more than {MESSAGE} bytes: ask for less");
                    line.put(&ToEngine::Answer(Err(Error::new(Kind::Unavailable, long).into())))?;
                }
                line.flush(Some(until))?;
            }
            FromEngine::Says(ask) => trap = trap_of(&host.answer(ask)),
            FromEngine::Dropped(handle) => host.dropped(handle),
            last => return Ok(last),
        }
    }
}

fn trap_of<T>(answer: &std::result::Result<T, Refusal>) -> Option<String> {
    match answer {
        Err(Refusal::Trap(trap)) => Some(trap.clone()),
        _ => None,
    }
}

/// What a driver's process says of a failure, as far as a person can read it.
fn checked(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(error) => Failure::Refused(foreign(error)),
        Failure::Trapped(Trap { error, mut backtrace, mut details, .. }) => {
            backtrace.truncate(FRAMES);
            backtrace.iter_mut().for_each(|frame| *frame = printable(frame, MESSAGE_BYTES));
            details = printable(&details, TRAP_BYTES);
            Failure::Trapped(Trap { error: foreign(error), backtrace, details, coredump: None })
        }
    }
}

fn foreign(error: Error) -> Error {
    Error { message: printable(&error.message, MESSAGE_BYTES), ..error }
}

fn senseless(message: &FromEngine) -> Broken {
    let what = match message {
        FromEngine::Loaded(_) => "its code is ready",
        FromEngine::Asks(_) | FromEngine::Says(_) | FromEngine::Dropped(_) => "the driver asks",
        FromEngine::Ended(_) => "a call has ended",
        FromEngine::Fitted(_) => "the types were compared",
    };
    Broken::Babble(format!("an answer to another question: {what}"))
}
