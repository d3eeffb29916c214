//! Drivers in OCI registries: pulled and pushed by the command line, whose user may connect somewhere. The daemon gets bytes.
//!
//! - [`Reference`], `oci://HOST/REPOSITORY:TAG@sha256:…`: which one
//! - [`layout`]: the documents of an artifact, as the CNCF's guide for wasm has them
//! - [`Kept`]: what was pulled, by digest
//! - [`Registry`]: pull, push, list tags; `blob`: one download, which goes on where it broke off; `http`: its requests, and who asks
//! - `credential`: passwords, from Docker's configuration; `failure`: what went wrong, in one line
//! - `progress`: how far it is, on a terminal

mod blob;
mod credential;
mod failure;
mod http;
mod kept;
pub mod layout;
mod progress;
mod reference;
mod registry;

pub use kept::Kept;
pub use reference::{Reference, SCHEME};
pub use registry::{Pulled, Registry, Ways};
