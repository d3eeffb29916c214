//! All scenarios, in one program.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a scenario that can't go on has failed")]

mod http;
mod inspect;
mod packets;
mod refusals;
