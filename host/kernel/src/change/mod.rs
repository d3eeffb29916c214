//! One list of changes: planned, applied, undone.
//!
//! - `plan`: each change as a step with its undo
//! - `above`: what that takes from links that lie on others
//! - `apply`: all of them, or none
//! - `describe`: each in words

pub mod above;
pub mod apply;
pub mod describe;
pub mod plan;
