//! Around whatever answers what a driver asks: each is a layer, or stands in its place.
//!
//! - [`Recorded`]: notes what was asked and answered
//! - [`Faulty`]: fails one host call, for tests
//! - [`ReadOnly`]: refuses what would change something
//! - [`Replay`]: answers from a recording, without a host

mod faulty;
mod read_only;
mod recorded;
mod replay;

pub use faulty::{Fault, Faulty};
pub use read_only::ReadOnly;
pub use recorded::{Recorded, micros};
pub use replay::{Difference, Replayed, replay};
