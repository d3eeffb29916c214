//! Links: what is asked of the kernel for each verb, and what it answers.
//!
//! - `message`: the request that makes one; `add`: all that making one takes
//! - `read`: what the kernel has; `set`: changes; `moving`: into another namespace; `naming`: what policy rules call it
//! - `condemn`: out of everybody's way now, deleted as a group later; `made`: those that a call made
//! - `known`: what the kernel has said of them while one operation runs
//! - `device`: devices of others in containers
//! - `wireguard`: keys and peers
//! - `options`: how a bridge and its ports pass packets on, their VLANs, and properties of any link; `feature`: those that ethtool has
//! - `mark`: how a link is told to be ours

pub mod add;
pub mod condemn;
pub mod device;
pub mod feature;
pub mod known;
pub mod made;
pub mod mark;
pub mod message;
pub mod moving;
pub mod naming;
pub mod options;
pub mod read;
pub mod set;
pub mod wireguard;
