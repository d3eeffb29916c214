//! Addresses, routes, policy rules, neighbours and forwarding entries.

pub mod address;
pub mod neighbour;
pub mod route;
pub mod rule;
