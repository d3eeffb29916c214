//! What the drivers have in common whose containers hang on a bridge of the host's (`bridge`, `overlay`): the way out, and the ways in.
//!
//! - [`Outside`]: what may pass between the bridge and the rest: filter, translation, settings of the bridge.
//! - [`ports`]: published ports: taken on the host, and the rules behind them.
//!
//! It keeps nothing itself: a driver has the [`Published`](ports::Published) ports in its endpoint's record.

pub mod ports;
mod rules;

pub use rules::{Outside, Pool};
