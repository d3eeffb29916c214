//! Loaded drivers: which bytes are admitted, compiled and kept, and what is known of each.
//!
//! - [`trust`]: whose components are loaded
//! - [`admit`]: what a component must be before anything runs
//! - [`manifest`]: what the author says of it
//! - [`pack`]: puts a manifest into a component
//! - [`component`]: makes a component of a compiler's core module
//! - [`compile`]: the child process that compiles
//! - [`cache`]: what it made, kept
//! - [`components`]: their files
//! - [`code`]: where their code runs
//! - [`Recorder`]: the recorded calls that are kept
//! - [`aside`]: what becomes of a function that keeps trapping; [`probation`]: of a new version whose first calls trap
//! - [`Migrated`]: state in the form of a version that does not serve yet
//! - [`archive`]: a driver as one file
//! - [`Drivers`]: those that are loaded, by name, with their versions

pub mod admit;
pub mod archive;
pub mod aside;
pub mod cache;
pub mod code;
pub mod compile;
pub mod component;
pub mod components;
pub mod manifest;
mod migrated;
pub mod pack;
pub mod probation;
mod recorder;
mod registry;
pub mod trust;

pub use migrated::Migrated;
pub use recorder::Recorder;
pub use registry::{Candidate, Driver, Drivers, EARLIER};
