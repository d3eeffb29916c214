//! How netlink messages get to the kernel and back: sockets in the right namespace, attributes, errors.

pub mod announcer;
pub mod attribute;
pub mod doorman;
pub mod kept;
pub mod session;
pub mod socket;
