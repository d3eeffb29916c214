//! What an attacker has who broke out of wasmtime: an engine process whose code is theirs, under the confinement of every engine process. It
//! stands in that process's place for the component `sample-drivers/hostile`, and serves others as they are to be served.
//!
//! The option `attack` of a network or an endpoint names what it tries; `tests/scenarios/escaped.rs` says how each must end.
#![expect(clippy::unwrap_used, reason = "an attacker that can't go on has failed")]
#![expect(unsafe_code, reason = "system calls that no library makes")]

mod asks;
mod says;
mod system_calls;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier};

use ask::types::{Capability, Scope, TextMap};
use ask::{Answer, Arguments, Ask, Refusal, Returned, driver::Registration};
use engine::channel::{FromEngine, Line, ToEngine};
use engine::{Engine, Failure, Stage, Trap};
use pontoon::launcher::{self, Inside};
use words::Error;

/// What stands in the compiled code of that component only.
const MARK: &[u8] = b"there is no attack ";

/// A handle that an earlier call was given.
static EARLIER: AtomicU32 = AtomicU32::new(0);

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, _, folder] = &arguments[..] else { panic!("launcher FOLDER") };
    kernel::close_inherited().unwrap();
    let (engine, stalls) = (Engine::for_one_driver().unwrap(), shared());
    let inside = |inside: Inside| match has_mark(&inside.code) {
        true => {
            attack(inside, stalls);
            Ok(())
        }
        false => engine::serve(&engine, inside.lines, inside.code, pontoon::confine::engine_at),
    };
    launcher::work(Path::new(folder), inside).unwrap();
}

/// Whether all engine processes of that component stall from now on: memory that those have in common that one launcher makes.
fn shared() -> &'static AtomicBool {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: new memory, of which the first byte is 0: false.
    unsafe { &*libc::mmap(std::ptr::null_mut(), 4096, access, kind, -1, 0).cast::<AtomicBool>() }
}

fn has_mark(code: &OwnedFd) -> bool {
    let mut bytes = vec![0; usize::try_from(rustix::fs::fstat(code).unwrap().st_size).unwrap()];
    let mut read = 0;
    while read < bytes.len() {
        read += rustix::io::pread(code, &mut bytes[read..], read as u64).unwrap();
    }
    bytes.windows(MARK.len()).any(|window| window == MARK)
}

/// In place of `engine::serve`, and confined as that is.
fn attack(inside: Inside, stalls: &'static AtomicBool) {
    // Lines have their sockets to themselves: what is no message goes by copies.
    let raw: Arc<Vec<_>> = Arc::new(inside.lines.iter().map(|line| line.try_clone().unwrap()).collect());
    let mut lines = inside.lines.into_iter().map(Line::new).enumerate();
    let (_, mut first) = lines.next().unwrap();
    let started = Arc::new(Barrier::new(raw.len()));
    let threads: Vec<_> = lines
        .map(|(number, line)| {
            let (raw, started) = (raw.clone(), started.clone());
            std::thread::spawn(move || {
                started.wait();
                Attacker { line, number, raw, stalls }.attend();
            })
        })
        .collect();
    started.wait();
    pontoon::confine::engine_at(Stage::Loads);
    let ToEngine::Load { .. } = first.next(None).unwrap() else { return };
    pontoon::confine::engine_at(Stage::Runs);
    if stalls.load(Ordering::Relaxed) {
        std::thread::sleep(std::time::Duration::MAX);
    }
    first.put(&FromEngine::Loaded(Ok(()))).unwrap();
    first.flush(None).unwrap();
    Attacker { line: first, number: 0, raw, stalls }.attend();
    threads.into_iter().for_each(|thread| drop(thread.join()));
}

/// What attends one line, and an attack has to work with.
struct Attacker {
    line: Line,
    number: usize,
    /// All lines.
    raw: Arc<Vec<OwnedFd>>,
    stalls: &'static AtomicBool,
}

impl Attacker {
    fn attend(mut self) {
        while let Ok(told) = self.line.next(None) {
            let last = match told {
                ToEngine::Call { arguments, .. } => self.called(&arguments),
                ToEngine::Fits { .. } => Some(FromEngine::Fitted(Ok(()))),
                _ => None,
            };
            if let Some(last) = last {
                self.say(&last);
            }
        }
    }

    /// The last word of a call; none: all is said.
    fn called(&mut self, arguments: &Arguments) -> Option<FromEngine> {
        let returned = returned(arguments);
        let Some(name) = attack_of(arguments) else {
            if let Arguments::CreateNetwork { .. } = arguments
                && let Ok(Answer::NamespacesHost(host)) = self.ask(Ask::NamespacesHost {})
            {
                EARLIER.store(host.0, Ordering::Relaxed);
            }
            return Some(FromEngine::Ended(Ok(returned)));
        };
        if let Some((_, attack)) = says::ATTACKS.iter().find(|(known, _)| *known == name) {
            attack(self, &returned);
            return None;
        }
        let ended = match asks::ATTACKS.iter().find(|(known, _)| *known == name) {
            Some((_, attack)) => attack(self),
            None => Err(Error::invalid(system_calls::make(&name)).into()),
        };
        Some(FromEngine::Ended(ended.map(|()| returned).map_err(failure)))
    }

    /// What the host answers.
    fn ask(&mut self, ask: Ask) -> std::result::Result<Answer, Refusal> {
        self.say(&FromEngine::Asks(ask));
        match self.line.next(None) {
            Ok(ToEngine::Answer(answer)) => answer,
            _ => Err(Refusal::trap("no answer")),
        }
    }

    /// Says it. Whether there is anyone to hear it is not asked.
    fn say(&mut self, message: &FromEngine) {
        let _ = self.line.put(message);
        let _ = self.line.flush(None);
    }

    /// The line, for what is no message.
    fn raw(&self) -> BorrowedFd<'_> {
        self.raw[self.number].as_fd()
    }
}

fn failure(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Error(error) => Failure::Refused(error),
        Refusal::Trap(trap) => {
            let error = Error::internal(trap);
            Failure::Trapped(Trap { error, backtrace: Vec::new(), details: String::new(), coredump: None })
        }
    }
}

fn attack_of(arguments: &Arguments) -> Option<String> {
    let of = |options: &TextMap| options.iter().find(|(key, _)| key == "attack").map(|(_, name)| name.clone());
    match arguments {
        Arguments::CreateNetwork { options, .. } => of(&options.generic),
        Arguments::CreateEndpoint { options, .. } => of(&options.generic),
        _ => None,
    }
}

/// What a driver returns that does nothing.
fn returned(arguments: &Arguments) -> Returned {
    match arguments {
        Arguments::CreateNetwork { .. } => Returned::CreateNetwork(()),
        Arguments::DeleteNetwork { .. } => Returned::DeleteNetwork(()),
        Arguments::CreateEndpoint { .. } => Returned::CreateEndpoint(()),
        Arguments::DeleteEndpoint { .. } => Returned::DeleteEndpoint(()),
        Arguments::EndpointOperInfo { .. } => Returned::EndpointOperInfo(Vec::new()),
        Arguments::Join { .. } => Returned::Join(()),
        Arguments::Leave { .. } => Returned::Leave(()),
        _ => {
            let capability = Capability { data_scope: Scope::Local, connectivity_scope: Scope::Local };
            let network_type = "hostile".to_owned();
            Returned::Register(Registration { network_type, is_built_in: false, capability })
        }
    }
}
