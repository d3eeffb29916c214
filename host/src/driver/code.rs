//! Where drivers' code runs: in processes without rights, one for each driver; or here, for an author's tests.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::components::Components;
use crate::launcher::Launcher;
use ask::{Arguments, Returned};
use engine::channel::Broken;
use engine::{Call, Engine, Failure, Process, Trap};
use words::foreign::{MESSAGE_BYTES, printable};
use words::limit::{DRIVER_CALLS, ENGINES, IDLE};
use words::{Error, Kind, Result};

/// Where code runs.
pub enum Engines {
    /// In this process.
    Here(Engine),
    /// In processes of their own.
    Apart(Arc<Processes>),
}

/// A component that can be called.
pub enum Code {
    /// In this process.
    Here(engine::Code),
    /// In a process of its own.
    Apart(Arc<Apart>),
}

impl Engines {
    /// In processes that a launcher starts; without one, in this one.
    pub fn new(launcher: Option<Arc<Launcher>>) -> Result<Self> {
        match launcher {
            Some(launcher) => Ok(Self::Apart(Processes::new(launcher)?)),
            None => Ok(Self::Here(Engine::new()?)),
        }
    }

    /// A component's code, ready to be called.
    pub fn code(&self, components: &Arc<Components>, digest: &str, parts: &[String]) -> Result<Code> {
        match self {
            Self::Here(engine) => engine.load(&components.code(digest)?, parts).map(Code::Here).map_err(unfit),
            Self::Apart(processes) => {
                components.compile(digest)?;
                Ok(Code::Apart(processes.apart(components.clone(), digest, parts)))
            }
        }
    }
}

impl Code {
    /// Calls a function with its arguments.
    pub fn call(&self, call: Call, arguments: Arguments) -> std::result::Result<Returned, Failure> {
        let function = arguments.function();
        let ended = match self {
            Self::Here(code) => code.call(call, arguments),
            Self::Apart(apart) => apart.with(function, call.deadline, |process| process.call(call, arguments)),
        };
        ended.inspect_err(|failure| log(function, failure))
    }

    /// Whether every part that the component exports has the types of the interface.
    pub fn fits(&self, call: Call) -> std::result::Result<(), Failure> {
        let fitted = match self {
            Self::Here(code) => code.fits(call),
            Self::Apart(apart) => apart.with("start", call.deadline, |process| process.fits(&call)),
        };
        fitted.inspect_err(|failure| log("start", failure))
    }
}

/// The engine processes.
pub struct Processes {
    launcher: Arc<Launcher>,
    /// How many there are, those included that are about to be.
    count: AtomicUsize,
    all: Mutex<Vec<Weak<Apart>>>,
}

/// A component whose code runs in a process of its own, from its first call until it has had none for a while.
pub struct Apart {
    processes: Arc<Processes>,
    components: Arc<Components>,
    digest: String,
    parts: Vec<String>,
    running: Mutex<Option<Running>>,
}

/// A process, and when it was last needed.
struct Running {
    started: Arc<Started>,
    last: Instant,
}

/// A process that has its code ready.
struct Started {
    process: Process,
    child: Child,
}

/// A process that was started, and ends with this.
struct Child {
    number: i32,
    end: OnceLock<String>,
    processes: Arc<Processes>,
}

impl Processes {
    fn new(launcher: Arc<Launcher>) -> Result<Arc<Self>> {
        let processes = Arc::new(Self { launcher, count: AtomicUsize::new(0), all: Mutex::default() });
        let weak = Arc::downgrade(&processes);
        let watch = move || {
            while let Some(processes) = weak.upgrade() {
                processes.end_idle(IDLE);
                drop(processes);
                thread::sleep(IDLE / 10);
            }
        };
        let watching = thread::Builder::new().name("engines".into()).spawn(watch);
        watching.map_err(|e| Error::internal(format!("can't start a thread: {e}")))?;
        Ok(processes)
    }

    fn apart(self: &Arc<Self>, components: Arc<Components>, digest: &str, parts: &[String]) -> Arc<Apart> {
        let (processes, digest, parts) = (self.clone(), digest.to_owned(), parts.to_vec());
        let apart = Arc::new(Apart { processes, components, digest, parts, running: Mutex::default() });
        let mut all = lock(&self.all);
        all.retain(|apart| apart.strong_count() > 0);
        all.push(Arc::downgrade(&apart));
        apart
    }

    /// Ends those that have had no call for so long.
    fn end_idle(&self, time: Duration) {
        let all: Vec<_> = lock(&self.all).iter().filter_map(Weak::upgrade).collect();
        // One that is about to start holds its lock, and is not idle.
        let running = all.iter().filter_map(|apart| apart.running.try_lock().ok());
        running.for_each(|mut running| drop(running.take_if(|running| running.is_idle_since(time))));
    }

    /// Takes a place for one more, for which an idle one goes if there are as many as may be.
    fn reserve(&self) -> Result<()> {
        // Somebody else may take the place of the one that went.
        for _ in 0..ENGINES {
            let more = |count| (count < ENGINES).then_some(count + 1);
            if self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok() {
                return Ok(());
            }
            if !self.end_longest_idle() {
                break;
            }
        }
        Err(Error::new(Kind::Unavailable, format!("{ENGINES} engine processes run calls already: try again")))
    }

    /// Ends the one that has had no call for the longest; false: none is idle.
    fn end_longest_idle(&self) -> bool {
        let all: Vec<_> = lock(&self.all).iter().filter_map(Weak::upgrade).collect();
        let idle = all.iter().filter_map(|apart| {
            let running = apart.running.try_lock().ok()?;
            running.as_ref().filter(|running| running.is_idle_since(Duration::ZERO)).map(|running| running.last)
        });
        let longest = idle.min();
        longest.inspect(|longest| self.end_idle(longest.elapsed())).is_some()
    }

    /// A process with a component's code, until then at most.
    fn start(self: &Arc<Self>, code: &[u8], parts: &[String], until: Instant) -> Result<Arc<Started>> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..DRIVER_CALLS {
            let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
            let (one, other) =
                pair.map_err(|e| Error { kind: Kind::Unavailable, ..failed("making a pair of sockets", e) })?;
            ours.push(one);
            theirs.push(other);
        }
        // What the machine is short of is no fault of the driver's.
        let begun = sealed(code).and_then(|code| self.begin(&code, &theirs));
        let child = begun.map_err(|e| Error { kind: Kind::Unavailable, ..e })?;
        drop(theirs);
        match Process::start(ours, parts, until) {
            Ok(Ok(process)) => Ok(Arc::new(Started { process, child })),
            Ok(Err(error)) => Err(unfit(error)),
            Err(broken) => Err(broke_off(&broken, child.end()).context("starting")),
        }
    }

    fn begin(self: &Arc<Self>, code: &OwnedFd, lines: &[OwnedFd]) -> Result<Child> {
        self.reserve()?;
        let number = self.launcher.engine(code.as_fd(), lines).inspect_err(|_| {
            self.count.fetch_sub(1, Ordering::Relaxed);
        })?;
        Ok(Child { number, end: OnceLock::new(), processes: self.clone() })
    }
}

impl Apart {
    /// Has something done by the process. One that breaks off is ended, and so are all other calls in it.
    fn with<T>(
        &self,
        function: &str,
        deadline: Instant,
        work: impl FnOnce(&Process) -> std::result::Result<std::result::Result<T, Failure>, Broken>,
    ) -> std::result::Result<T, Failure> {
        let limit = deadline.saturating_duration_since(Instant::now());
        let failed = |error: Error| match error.kind {
            // No fault of the driver's.
            Kind::Unavailable => Failure::Refused(error),
            _ => trapped(error.context(function)),
        };
        let started = self.started(deadline).map_err(failed)?;
        work(&started.process).unwrap_or_else(|broken| {
            let ended = started.child.end();
            let error = match broken {
                Broken::Late => engine::late(function, limit),
                broken => broke_off(&broken, ended).context(function),
            };
            // Whoever has the lock sees that it has ended.
            if let Ok(mut running) = self.running.try_lock() {
                running.take_if(|running| Arc::ptr_eq(&running.started, &started));
            }
            Err(trapped(error))
        })
    }

    /// The process, which is started if there is none, until then at most.
    fn started(&self, until: Instant) -> Result<Arc<Started>> {
        let mut running = lock_until(&self.running, until)
            .ok_or_else(|| Error::internal("the driver's process was not ready in time"))?;
        let last = Instant::now();
        if let Some(running) = &mut *running
            && running.started.process.is_well()
        {
            running.last = last;
            return Ok(running.started.clone());
        }
        // One that is not well goes before the next one comes, with the calls in it: a driver has one.
        if let Some(unwell) = running.take() {
            unwell.started.child.end();
        }
        let started = self.processes.start(&self.components.code(&self.digest)?, &self.parts, until)?;
        *running = Some(Running { started: started.clone(), last });
        Ok(started)
    }
}

impl Running {
    /// Without a call now, and for so long.
    fn is_idle_since(&self, time: Duration) -> bool {
        Arc::strong_count(&self.started) == 1 && self.last.elapsed() >= time
    }
}

impl Child {
    /// Ends it, and tells how it ended.
    fn end(&self) -> &str {
        self.end.get_or_init(|| {
            let how = match self.processes.launcher.kill(self.number) {
                Ok(status) if status.signal() == Some(libc::SIGKILL) => "it was killed".to_owned(),
                Ok(status) if status.signal() == Some(libc::SIGSYS) => {
                    tracing::warn!("process {}: the kernel's log has the number of the system call", self.number);
                    "it crashed, or made a system call that it may not make".to_owned()
                }
                Ok(status) => match status.code() {
                    Some(code) => format!("it ended with {code}"),
                    None => format!("it was ended by {status}"),
                },
                Err(error) => error.message,
            };
            self.processes.count.fetch_sub(1, Ordering::Relaxed);
            how
        })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

/// Bytes as a file that nobody can change any more.
fn sealed(bytes: &[u8]) -> Result<OwnedFd> {
    let file = memfd_create("code", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
        .map_err(|e| failed("making a file in memory", e))?;
    let mut left = bytes;
    while !left.is_empty() {
        let written = rustix::io::write(&file, left).map_err(|e| failed("writing a file in memory", e))?;
        left = &left[written..];
    }
    let all = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&file, all).map_err(|e| failed("sealing a file in memory", e))?;
    Ok(file)
}

fn log(function: &str, failure: &Failure) {
    if let Failure::Trapped(trap) = failure
        && !trap.details.is_empty()
    {
        tracing::warn!(function, "a driver trapped: {}", trap.details);
    }
}

/// Of a driver's word, or its process's, only the text.
fn unfit(error: Error) -> Error {
    Error::invalid(error.message).context("the component does not fit the interface")
}

/// Why a process is not to be used any more, and how it ended.
fn broke_off(broken: &Broken, ended: &str) -> Error {
    let text = format!("the driver's process broke off: {broken} ({ended})");
    Error::internal(printable(&text, MESSAGE_BYTES))
}

fn trapped(error: Error) -> Failure {
    Failure::Trapped(Trap { error, backtrace: Vec::new(), details: String::new(), coredump: None })
}

fn failed(doing: &str, error: rustix::io::Errno) -> Error {
    Error::internal(format!("{doing}: {error}"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same, until then at most: it is held as long as a process takes to start.
fn lock_until<T>(mutex: &Mutex<T>, until: Instant) -> Option<MutexGuard<'_, T>> {
    loop {
        match mutex.try_lock() {
            Ok(locked) => return Some(locked),
            Err(TryLockError::Poisoned(locked)) => return Some(locked.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => return None,
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_micros(100)),
        }
    }
}
