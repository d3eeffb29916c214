//! wasmtime: one call of a driver in a fresh instance, under limits.
//!
//! - [`bindings`]: what is generated from `wit/`
//! - [`CallState`]: what a call has on the host's side
//! - [`Code`]: a component that is ready to be called, and which parts it exports
//! - [`Engine`]: makes code, runs calls
//! - `export`: one function for each function that a driver exports; [`Arguments`]: what they are called with
//! - `answer`: what the host answers, as a recording keeps it; `replay`: a recorded call, made again

mod answer;
mod arguments;
pub mod bindings;
mod code;
mod export;
mod memory;
mod replay;
mod run;
mod state;

pub use arguments::Arguments;
pub use code::{Code, Engine, compile};
pub use export::{Registration, TableEvent};
pub use replay::{Difference, Replayed};
pub use run::{Failure, Outcome};
pub use state::{Asked, CallState, Facts, Fault, Interface, Join, Names, NetworkFacts, StaticRoute, TrapPlace, micros};
