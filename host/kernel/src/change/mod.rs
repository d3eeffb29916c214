//! One list of changes: planned, applied, undone.
//!
//! - `plan`: each change as a step with its undo
//! - `apply`: all of them, or none
//! - `describe`: each in words

pub mod apply;
pub mod describe;
pub mod plan;
