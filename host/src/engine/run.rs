//! Running one exported function in a fresh store.

use std::time::Instant;

use wasmtime::{FrameInfo, Store, Trap, WasmBacktrace, WasmCoreDump};

use super::arguments::Arguments;
use super::bindings::imports::types as wit;
use super::code::{Code, ticks};
use super::state::{CallState, DEADLINE_PASSED, TrapPlace};
use crate::capability::convert;
use words::limit::{HOST_CALL_BYTES, TRAP_BYTES};
use words::{Error, Kind};

/// How a call ended, with its state: the changes that are to be committed or undone, and what was answered through handles.
pub struct Outcome<T> {
    /// The call's state after its end.
    pub state: CallState,
    /// What the driver returned.
    pub result: Result<T, Failure>,
}

/// Why a call did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// The driver returned an error.
    Refused(Error),
    /// It trapped, or a limit ended it.
    Trapped(Error),
}

impl<T> Outcome<T> {
    /// The same end with another value.
    pub fn map<U>(self, value: impl FnOnce(T) -> U) -> Outcome<U> {
        Outcome { state: self.state, result: self.result.map(value) }
    }
}

impl Failure {
    /// The error for whoever asked for the operation.
    pub fn error(self) -> Error {
        match self {
            Self::Refused(error) | Self::Trapped(error) => error,
        }
    }

    /// The same, to look at.
    pub fn as_error(&self) -> &Error {
        match self {
            Self::Refused(error) | Self::Trapped(error) => error,
        }
    }
}

/// Runs `body` in a fresh store with this state.
pub(super) fn run<T>(
    code: &Code,
    mut state: CallState,
    arguments: impl Into<Option<Arguments>>,
    body: impl FnOnce(&mut Store<CallState>) -> wasmtime::Result<Result<T, wit::Error>>,
) -> Outcome<T> {
    state.arguments = arguments.into();
    let left = state.deadline.saturating_duration_since(Instant::now());
    let mut store = Store::new(&code.engine, state);
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(HOST_CALL_BYTES);
    store.set_epoch_deadline(ticks(left));
    let result = match body(&mut store) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::Refused(convert::error(error))),
        Err(trap) => {
            store.data_mut().trap = place(&mut store, &trap);
            Err(Failure::Trapped(trapped(store.data(), &trap)))
        }
    };
    Outcome { state: store.into_data(), result }
}

fn place(store: &mut Store<CallState>, trap: &wasmtime::Error) -> TrapPlace {
    let backtrace = trap.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
    let frame = |frame: &FrameInfo| {
        let name = frame.func_name().map_or_else(|| format!("wasm function {}", frame.func_index()), str::to_owned);
        let offset = frame.module_offset().map_or_else(String::new, |offset| format!("{offset:#x} "));
        words::foreign::printable(&format!("{offset}{name}"), words::foreign::MESSAGE_BYTES)
    };
    let backtrace = backtrace.iter().map(frame).collect();
    let coredump = trap.downcast_ref::<WasmCoreDump>().map(|dump| dump.serialize(store, "driver"));
    TrapPlace { backtrace, coredump }
}

/// The error for a trap: what the author can act on, in one line.
fn trapped(state: &CallState, trap: &wasmtime::Error) -> Error {
    let function = &state.facts.function;
    let text = format!("{trap:#}");
    if matches!(trap.downcast_ref::<Trap>(), Some(Trap::Interrupt)) || text.ends_with(DEADLINE_PASSED) {
        return Error::new(Kind::Unavailable, format!("{function} ran past its deadline and was ended"));
    }
    if text.contains("borrow handles still remain") {
        return Error::internal(format!(
            "{function} returned without dropping every handle that it had borrowed (the SDKs do it; bindings of one's own: wit-bindgen c \
             --autodrop-borrows yes, and in Go defer info.Drop())"
        ));
    }
    let hint = match state.memory.exceeded {
        true => format!(" (it asked for more than {} MiB of memory)", state.memory.most >> 20),
        false => String::new(),
    };
    let said = state.last_words.as_ref().map_or_else(String::new, |words| format!("; it had said: {words}"));
    // The backtrace's lines are for the log; the names in it are the driver's.
    let lines: Vec<_> = text.split_whitespace().collect();
    tracing::warn!(function, "a driver trapped: {}", words::foreign::printable(&lines.join(" "), TRAP_BYTES));
    let cause = trap.root_cause().to_string();
    let text = format!("{function} trapped{hint}: {cause}{said}");
    Error::internal(words::foreign::printable(&text, words::foreign::MESSAGE_BYTES))
}
