//! All scenarios, in one program.
#![expect(clippy::unwrap_used, reason = "a scenario that can't go on has failed")]

mod author;
mod bounded;
mod claims;
mod confine;
mod conformance;
mod crash;
mod doctor;
mod engines;
mod escaped;
mod fake;
mod faults;
mod firewall;
mod forgotten;
mod grants;
mod hostile;
mod http;
mod inspect;
mod interface;
mod killed;
mod languages;
mod limits;
mod lost;
mod oracle;
mod packets;
mod plugin_socket;
mod ports;
mod property;
mod races;
mod recordings;
mod refusals;
mod released;
mod restart;
mod scene;
mod shares;
mod transactions;
