//! What runs in an engine process: one component, and a thread for each line from the daemon. It asks nothing of the machine that it is on.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ask::{Answer, Answers, Ask, Refusal};
use words::{Error, Result};

use crate::channel::{Broken, FromEngine, Line, ToEngine};
use crate::{Call, Code, Engine, Failure};

/// What an engine process is about to do.
#[derive(Clone, Copy, Debug)]
pub enum Stage {
    /// Load code: it is copied to where it can be run, and memories' first contents to files in memory.
    Loads,
    /// Run it.
    Runs,
}

/// Runs the code that it is handed until the other ends of all lines are closed. `confine` is called when all threads are there and before
/// anything is read, and again when the code is loaded and before it runs.
pub fn serve(engine: &Engine, lines: Vec<OwnedFd>, code: OwnedFd, confine: impl Fn(Stage)) -> Result<()> {
    engine.tick()?;
    let (ready, started) = (Arc::new(OnceLock::new()), Arc::new(Barrier::new(lines.len())));
    let mut lines = lines.into_iter().map(Line::new);
    let mut first = lines.next().ok_or_else(|| Error::internal("an engine process without a line"))?;
    let rest: Vec<_> = lines.map(|line| wait_for(&ready, &started, line)).collect::<Result<_>>()?;
    started.wait();
    confine(Stage::Loads);
    let ToEngine::Load { parts } = first.next(None)? else {
        return Err(Error::internal("the first word is another one"));
    };
    let loaded = read(&code).and_then(|bytes| engine.load(&bytes, &parts));
    drop(code);
    let (code, said) = match loaded {
        Ok(code) => (Some(code), Ok(())),
        Err(error) => (None, Err(error)),
    };
    confine(Stage::Runs);
    first.put(&FromEngine::Loaded(said))?;
    first.flush(None)?;
    let Some(code) = code else { return Ok(()) };
    let code = ready.get_or_init(|| code);
    attend(code, first);
    rest.into_iter().for_each(|thread| drop(thread.join()));
    Ok(())
}

/// A thread that waits for the code, and then attends a line.
fn wait_for(ready: &Arc<OnceLock<Code>>, started: &Arc<Barrier>, line: Line) -> Result<thread::JoinHandle<()>> {
    let (ready, started) = (ready.clone(), started.clone());
    let work = move || {
        started.wait();
        attend(ready.wait(), line);
    };
    thread::Builder::new()
        .name("line".into())
        .spawn(work)
        .map_err(|e| Error::internal(format!("can't start a thread: {e}")))
}

fn read(code: &OwnedFd) -> Result<Vec<u8>> {
    let failed = |e| Error::internal(format!("reading the code: {e}"));
    let size = rustix::fs::seek(code, rustix::fs::SeekFrom::End(0)).map_err(failed)?;
    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
    let mut read = 0;
    while read < bytes.len() {
        match rustix::io::pread(code.as_fd(), &mut bytes[read..], read as u64).map_err(failed)? {
            0 => return Err(Error::internal("the code is cut off")),
            more => read += more,
        }
    }
    Ok(bytes)
}

/// Makes one call after the other, until the other end is gone.
fn attend(code: &Code, line: Line) {
    let asking = Arc::new(Mutex::new(Asking(line)));
    loop {
        let told = lock(&asking).0.next(None);
        let said = match told {
            Ok(ToEngine::Call { arguments, milliseconds, memory }) => {
                let tell = |ended| end(&mut lock(&asking).0, &FromEngine::Ended(ended));
                code.call_and_tell(call(&asking, milliseconds, memory), arguments, tell)
            }
            Ok(ToEngine::Fits { milliseconds, memory }) => {
                let fitted = code.fits(call(&asking, milliseconds, memory));
                end(&mut lock(&asking).0, &FromEngine::Fitted(fitted))
            }
            _ => return,
        };
        if said.is_err() {
            return;
        }
    }
}

fn call(asking: &Arc<Mutex<Asking>>, milliseconds: u64, memory: u64) -> Call {
    Call {
        deadline: Instant::now() + Duration::from_millis(milliseconds),
        memory: usize::try_from(memory).unwrap_or(usize::MAX),
        host: asking.clone(),
    }
}

/// Says how it went; what is too long to be said is told as a failure.
fn end(line: &mut Line, last: &FromEngine) -> std::result::Result<(), Broken> {
    if let Err(broken) = line.put(last) {
        let failed = Failure::Refused(Error::invalid(format!("what the driver returned: {broken}")));
        line.put(&FromEngine::Ended(Err(failed)))?;
    }
    line.flush(None)
}

fn lock(asking: &Mutex<Asking>) -> MutexGuard<'_, Asking> {
    asking.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks the daemon.
struct Asking(Line);

impl Asking {
    fn ask(&mut self, ask: Ask) -> std::result::Result<std::result::Result<Answer, Refusal>, Broken> {
        let Self(line) = self;
        // Nobody waits for what this one answers.
        if let Ask::LogLog { .. } = ask {
            line.put(&FromEngine::Says(ask))?;
            if line.is_full() {
                line.flush(None)?;
            }
            return Ok(Ok(Answer::LogLog(())));
        }
        line.put(&FromEngine::Asks(ask))?;
        line.flush(None)?;
        match line.next(None)? {
            ToEngine::Answer(answer) => Ok(answer),
            _ => Err(Broken::Babble("no answer".into())),
        }
    }
}

impl Answers for Asking {
    fn answer(&mut self, ask: Ask) -> std::result::Result<Answer, Refusal> {
        self.ask(ask).unwrap_or_else(|broken| Err(Refusal::trap(format!("asking the host: {broken}"))))
    }

    fn dropped(&mut self, handle: u32) {
        // Too long it can't be. It goes with the next question, or with the end.
        let _ = self.0.put(&FromEngine::Dropped(handle));
    }
}
