//! Addresses, routes, policy rules, neighbours and forwarding entries; where packets go.

pub mod address;
pub mod announce;
pub mod neighbour;
pub mod path;
pub mod proxy;
pub mod reached;
pub mod route;
pub mod rule;
pub mod way;
