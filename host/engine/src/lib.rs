//! wasmtime: one call of a driver in a fresh instance, under limits. What the driver asks is answered by whoever makes the call: this crate
//! knows no gate, no kernel and no store.
//!
//! - [`Engine`]: compiles and loads components
//! - [`Code`]: a component that is ready to be called, and which parts it exports
//! - [`Call`]: what one call gets; [`Failure`]: why it did not succeed
//! - [`Process`]: the same in a process without rights, and [`serve`]: what runs there; `channel`: what crosses between the two
//! - `bindings`: wasmtime's values, made from `wit/`, from and to `ask`'s; `draft`: those that `wit/draft` changes, from and to these

mod apart;
mod bindings;
mod call;
pub mod channel;
mod code;
mod draft;
mod inside;
mod memory;

pub use apart::Process;
pub use call::{Call, Failure, Trap, late};
pub use code::{Code, Engine, compatibility, compile};
pub use inside::{Stage, serve};
