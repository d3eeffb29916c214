//! Running one exported function in a fresh store.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ask::log::Level;
use ask::{Answer, Answers, Arguments, Ask, PACKAGE, Refusal, Returned, VERSION};
use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentNamedList, Instance, Lift, Lower, TypedFunc};
use wasmtime::{AsContextMut, FrameInfo, PoolConcurrencyLimitError, Store, WasmBacktrace, WasmCoreDump};
use words::limit::{HOST_CALL_BYTES, STACK, TRAP_BYTES};
use words::{Error, Kind, foreign};

use crate::bindings::{call_export, compare_exports, error};
use crate::code::{Code, stale, ticks};
use crate::draft;
use crate::memory::Memory;

/// What one call gets.
pub struct Call {
    /// When it has to be over.
    pub deadline: Instant,
    /// Bytes of memory that it may have.
    pub memory: usize,
    /// Answers what the driver asks.
    pub host: Arc<Mutex<dyn Answers + Send>>,
}

/// Frames of a backtrace.
pub const FRAMES: usize = 20;

/// Why a call did not succeed.
#[derive(Debug, Serialize, Deserialize)]
pub enum Failure {
    /// The driver returned an error.
    Refused(Error),
    /// It trapped, or a limit ended it.
    Trapped(Trap),
}

/// A call that did not return.
#[derive(Debug, Serialize, Deserialize)]
pub struct Trap {
    /// What the author can act on, in one line.
    pub error: Error,
    /// Frames of WebAssembly, the innermost first.
    pub backtrace: Vec<String>,
    /// What wasmtime says of it, for the log; nothing where its deadline ended it.
    pub details: String,
    /// A core dump in WebAssembly's own format, from engines that take one. It stays where it was taken.
    #[serde(skip)]
    pub coredump: Option<Vec<u8>>,
}

impl Failure {
    /// The error for whoever asked for the operation.
    pub fn error(self) -> Error {
        match self {
            Self::Refused(error) | Self::Trapped(Trap { error, .. }) => error,
        }
    }

    /// The same, to look at.
    pub fn as_error(&self) -> &Error {
        match self {
            Self::Refused(error) | Self::Trapped(Trap { error, .. }) => error,
        }
    }
}

/// What wasmtime holds for a call.
pub struct State {
    begun: Instant,
    host: Arc<Mutex<dyn Answers + Send>>,
    memory: Memory,
    /// The last line that it logged as an error: a language's runtime says there why it traps.
    last_words: Option<String>,
}

impl State {
    /// Hands an ask to the host, and takes its answer apart.
    pub fn ask<T>(&mut self, ask: Ask, take: impl FnOnce(Answer) -> Option<T>) -> std::result::Result<T, Refusal> {
        if let Ask::LogLog { level: Level::Error, message } = &ask {
            self.last_words = Some(foreign::printable(&one_line(message), foreign::MESSAGE_BYTES));
        }
        let call = ask.call();
        let answer = self.host.lock().unwrap_or_else(PoisonError::into_inner).answer(ask)?;
        take(answer).ok_or_else(|| Refusal::trap(format!("the answer to {} is another call's", call.name())))
    }

    /// The driver has dropped a handle.
    pub fn dropped(&mut self, handle: u32) {
        self.host.lock().unwrap_or_else(PoisonError::into_inner).dropped(handle);
    }
}

/// Functions whose WIT has no error trap where they are refused.
pub fn fatal(refusal: Refusal) -> wasmtime::Error {
    match refusal {
        Refusal::Error(error) => wasmtime::Error::msg(error.message),
        Refusal::Trap(trap) => wasmtime::Error::msg(trap),
    }
}

/// An instance that was made for one call.
pub struct Started {
    pub store: Store<State>,
    pub instance: Instance,
}

impl Started {
    /// An exported function; its type is compared.
    pub fn function<P, R>(&mut self, part: &str, function: &str) -> wasmtime::Result<TypedFunc<P, R>>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let interface = format!("{PACKAGE}/{part}@{VERSION}");
        let found = self.instance.get_export_index(&mut self.store, None, &interface);
        let found = found.and_then(|part| self.instance.get_export_index(&mut self.store, Some(&part), function));
        let index = found.ok_or_else(|| wasmtime::Error::msg(format!("{interface} has no function {function}")))?;
        self.instance.get_typed_func(&mut self.store, index)
    }
}

impl Code {
    /// Calls a function with its arguments, in an instance of its own. `NotImplemented`: the driver does not export its part.
    pub fn call(&self, call: Call, arguments: Arguments) -> std::result::Result<Returned, Failure> {
        self.call_and_tell(call, arguments, |ended| ended)
    }

    /// The same for somebody who is told how it ended before the instance is cleared away.
    pub(crate) fn call_and_tell<T>(
        &self,
        call: Call,
        arguments: Arguments,
        tell: impl FnOnce(std::result::Result<Returned, Failure>) -> T,
    ) -> T {
        let (part, function, deadline) = (arguments.part(), arguments.function(), call.deadline);
        if !self.has(part) {
            let error = Error::new(Kind::NotImplemented, format!("the driver does not export {part}"));
            return tell(Err(Failure::Refused(error)));
        }
        let mut started = match self.start(function, call) {
            Ok(started) => started,
            Err(failure) => return tell(Err(failure)),
        };
        let called = match self.is_draft(part) {
            true => draft::call_export(&mut started, arguments),
            false => call_export(&mut started, arguments),
        };
        tell(match called {
            Ok(returned) => returned.map_err(|e| Failure::Refused(error(e))),
            Err(trap) => Err(Failure::Trapped(trapped(&mut started.store, function, deadline, &trap))),
        })
    }

    /// Whether every part that it exports has the types of the interface. wasmtime compares the types of exported functions when
    /// they are looked up in an instance, which for a part would be at its first use.
    pub fn fits(&self, call: Call) -> std::result::Result<(), Failure> {
        let mut started = self.start("start", call)?;
        self.parts.iter().try_for_each(|part| {
            let compared = match self.is_draft(part) {
                true => draft::compare_exports(&mut started),
                false => compare_exports(&mut started, part),
            };
            compared.map_err(|e| {
                let text = format!("the component's part {part} does not have the interface's types: {e:#}");
                Failure::Refused(stale(Error::invalid(foreign::printable(&text, foreign::MESSAGE_BYTES))))
            })
        })
    }

    /// An instance for one call, which runs the component's own initialisers.
    pub(crate) fn start(&self, function: &str, call: Call) -> std::result::Result<Started, Failure> {
        let Call { deadline, memory, host } = call;
        let state = State { begun: Instant::now(), host, memory: Memory::new(memory), last_words: None };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(HOST_CALL_BYTES);
        store.set_epoch_deadline(ticks(deadline.saturating_duration_since(Instant::now())));
        match self.ready.instantiate(&mut store) {
            Ok(instance) => Ok(Started { store, instance }),
            Err(full) if full.is::<PoolConcurrencyLimitError>() => {
                // No fault of the driver's.
                let text = format!("{function}: too many calls at the same time ({full}): try again");
                Err(Failure::Refused(Error::new(Kind::Unavailable, text)))
            }
            Err(trap) => Err(Failure::Trapped(trapped(&mut store, function, deadline, &trap))),
        }
    }
}

fn trapped(store: &mut Store<State>, function: &str, deadline: Instant, trap: &wasmtime::Error) -> Trap {
    let backtrace = trap.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
    let frame = |frame: &FrameInfo| {
        let demangled = |name: &str| format!("{:#}", rustc_demangle::demangle(name));
        let name = frame.func_name().map_or_else(|| format!("wasm function {}", frame.func_index()), demangled);
        let offset = frame.module_offset().map_or_else(String::new, |offset| format!("{offset:#x} "));
        foreign::printable(&format!("{offset}{name}"), foreign::MESSAGE_BYTES)
    };
    let backtrace = backtrace.iter().map(frame).collect();
    let coredump = trap.downcast_ref::<WasmCoreDump>().map(|dump| dump.serialize(store.as_context_mut(), "driver"));
    let (error, details) = explained(store.data(), function, deadline, trap);
    Trap { error, backtrace, details, coredump }
}

/// What to do where the stack was too small.
const RECURSION: &str = "look for a recursion without an end, or for large local arrays";

/// A text on one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The error of a call that was ended because its time was over: this long, to the second where it is more than one.
pub fn late(function: &str, limit: Duration) -> Error {
    let limit = match limit.as_secs_f64() {
        seconds if seconds < 1.0 => format!("{:.0} ms", seconds * 1_000.0),
        seconds => format!("{seconds:.0} s"),
    };
    let text = format!(
        "{function} ran past its deadline of {limit} and was ended (`pontoon driver trace` shows what it asked the host for until then)"
    );
    Error::new(Kind::Unavailable, text)
}

/// The error for a trap: what the author can act on, in one line. And what is for the log, where the line does not say it all.
fn explained(state: &State, function: &str, deadline: Instant, trap: &wasmtime::Error) -> (Error, String) {
    let interrupted = matches!(trap.downcast_ref::<wasmtime::Trap>(), Some(wasmtime::Trap::Interrupt));
    if interrupted || Instant::now() >= deadline {
        return (late(function, deadline.saturating_duration_since(state.begun)), String::new());
    }
    let text = format!("{trap:#}");
    if text.contains("borrow handles still remain") {
        let text = format!(
            "{function} returned without dropping every handle that it had borrowed (the SDKs do it; bindings of one's own: wit-bindgen c \
             --autodrop-borrows yes, and in Go defer info.Drop())"
        );
        return (Error::internal(text), String::new());
    }
    let hint = match trap.downcast_ref::<wasmtime::Trap>() {
        _ if state.memory.exceeded => format!(" (it asked for more than {} MiB of memory)", state.memory.most >> 20),
        Some(wasmtime::Trap::StackOverflow) => format!(" (a call has {} KiB of stack: {RECURSION})", STACK >> 10),
        // A compiler puts its own stack at the beginning of the memory.
        Some(wasmtime::Trap::MemoryOutOfBounds) => format!(" (if no pointer is wrong, {RECURSION})"),
        _ => String::new(),
    };
    let said = state.last_words.as_ref().map_or_else(String::new, |words| format!("; it had said: {words}"));
    // The backtrace's lines are for the log; the names in it are the driver's.
    let details = foreign::printable(&one_line(&text), TRAP_BYTES);
    // A line's end would read as something that can't be printed.
    let cause = one_line(&trap.root_cause().to_string());
    let text = format!("{function} trapped{hint}: {cause}{said}");
    (Error::internal(foreign::printable(&text, foreign::MESSAGE_BYTES)), details)
}
