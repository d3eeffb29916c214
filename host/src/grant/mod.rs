//! What a driver may do, and the one gate that decides every host call.
//!
//! - [`Grant`]: what the operator allows a driver
//! - [`Gate`]: asked for every host call with the operation and its object; only it makes a [`Permit`]
//! - [`HostCall`]: every function that a driver can import, read from `wit/` when the host is built
//! - [`Permission`]: what each of them needs

mod gate;
mod permission;

use std::collections::BTreeSet;

pub use gate::{Gate, Object, Permit, Tie};
pub use permission::Permission;

use crate::operation::driver::Asks;

include!(concat!(env!("OUT_DIR"), "/host_call.rs"));

/// What a driver may do beside what every driver may. Nothing named, nothing allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Kinds of host calls.
    pub permissions: BTreeSet<Permission>,
}

impl Grant {
    /// What every driver gets until operators write grants: its own networks and all in them (settings of namespaces only
    /// in those that it made), forwarding for its links, ports that nobody else has, nothing else of the host.
    pub fn standard() -> Self {
        use Permission as P;
        let permissions = [P::Links, P::LinkSettings, P::Namespaces, P::NamespaceSettings, P::Routing, P::PacketFilter];
        Self {
            permissions: permissions.into_iter().chain([P::Forwarding, P::HostPorts, P::Store, P::Tables]).collect(),
        }
    }

    /// What is asked for and not granted.
    pub fn lacks(&self, asks: &Asks) -> Vec<Permission> {
        asks.permissions.difference(&self.permissions).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_beyond_the_grant() {
        let permissions = BTreeSet::from([Permission::Links, Permission::HostPorts, Permission::Store]);
        let (asks, some) = (Asks { permissions }, Grant { permissions: BTreeSet::from([Permission::Links]) });
        assert_eq!(some.lacks(&asks), [Permission::HostPorts, Permission::Store]);
        assert_eq!(Grant::standard().lacks(&asks), []);
        assert_eq!(Grant::default().lacks(&Asks::default()), []);
        assert_eq!(Permission::HostPorts.to_string(), "host-ports");
    }
}
