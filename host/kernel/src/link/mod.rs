//! Links: what is asked of the kernel for each verb, and what it answers.
//!
//! - `message`: the request that makes one; `add`: all that making one takes
//! - `read`: what the kernel has; `set`: changes; `moving`: into another namespace
//! - `condemn`: out of everybody's way now, deleted as a group later
//! - `mark`: how a link is told to be ours

pub mod add;
pub mod condemn;
pub mod mark;
pub mod message;
pub mod moving;
pub mod read;
pub mod set;
