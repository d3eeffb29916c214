//! The neutral words between front ends and controller: what can be asked for, what is answered, and errors with a kind.
//!
//! - [`network`], [`endpoint`], [`driver`], [`table`], [`node`]: requests and replies, one file per object
//! - [`finding`]: what `pontoon doctor` found
//! - [`origin`]: for which engine an object was made
//! - [`recording`]: calls of a driver, kept whole
//! - [`engine`]: what a container engine asks of a network driver, with ids and addresses of its own choice

pub mod driver;
pub mod endpoint;
pub mod engine;
pub mod finding;
pub mod network;
pub mod node;
pub mod origin;
pub mod recording;
pub mod table;
