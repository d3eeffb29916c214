//! wasmtime: one call of a driver in a fresh instance, under limits. What the driver asks is answered by whoever makes the call: this crate
//! knows no gate, no kernel and no store.
//!
//! - [`Engine`]: compiles and loads components
//! - [`Code`]: a component that is ready to be called, and which parts it exports
//! - [`Call`]: what one call gets; [`Failure`]: why it did not succeed
//! - `bindings`: wasmtime's values, made from `wit/`, from and to `ask`'s

mod bindings;
mod call;
mod code;
mod memory;

pub use call::{Call, Failure, Trap};
pub use code::{Code, Engine, compile};
