//! The one gate.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::{Grant, HostCall};
use crate::operation::Error;

/// Proof that the gate allowed one host call on one object. Every effect takes one; only the gate makes one.
#[derive(Debug)]
pub struct Permit(HostCall);

impl Permit {
    /// What was allowed.
    pub fn call(&self) -> HostCall {
        self.0
    }
}

/// What a host call is about.
#[derive(Clone, Copy, Debug)]
pub enum Object<'a> {
    /// Something that the call's handles or keys reach anyway: they were checked when they were made.
    Own,
    /// An address for a link.
    Address(IpNet),
    /// An address that packets are sent to: translated, or a neighbour's.
    Target(IpAddr),
    /// Where packets are routed to.
    Destination(IpNet),
    /// A packet rule, with the links and addresses that tie it to the network.
    Rule(&'a [Tie]),
    /// A setting of a whole namespace.
    Namespace {
        /// It is the host's, or a container's: not one that the driver made.
        foreign: bool,
    },
}

/// What ties a packet rule to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// One of the driver's links.
    Link,
    /// An address range.
    Range(IpNet),
}

/// Decides for one call of a driver.
#[derive(Clone, Debug)]
pub struct Gate {
    grant: Arc<Grant>,
    /// The pools of the network at hand; none: the call is for no network, and gets nothing but what every call gets.
    pools: Option<Vec<IpNet>>,
}

impl Gate {
    /// The gate for a call under this grant, for the network with these pools.
    pub fn new(grant: Arc<Grant>, pools: Option<Vec<IpNet>>) -> Self {
        Self { grant, pools }
    }

    /// The pools of the network at hand changed.
    pub fn set_pools(&mut self, pools: Vec<IpNet>) {
        self.pools = Some(pools);
    }

    /// Allows a host call on an object, or says which permission is missing.
    pub fn permit(&self, call: HostCall, object: Object<'_>) -> Result<Permit, Error> {
        let name = call.name();
        if let Some(needed) = call.permission() {
            if self.pools.is_none() {
                return Err(Error::forbidden(format!(
                    "{name}: this call is for no network and gets no kernel, store or tables"
                )));
            }
            if !self.grant.permissions.contains(&needed) {
                return Err(Error::forbidden(format!("{name}: the driver's grant lacks {needed}")));
            }
        }
        match self.refuses(object) {
            None => Ok(Permit(call)),
            Some(why) => Err(Error::forbidden(format!("{name}: {why}"))),
        }
    }

    fn refuses(&self, object: Object<'_>) -> Option<String> {
        match object {
            Object::Own | Object::Namespace { foreign: false } => None,
            Object::Namespace { foreign: true } => Some(
                "the setting is of a namespace that is not the driver's own, and its grant does not name it".into(),
            ),
            Object::Address(net) => {
                self.outside(IpNet::from(net.addr())).then(|| format!("{net} lies in none of the network's pools"))
            }
            Object::Target(address) => {
                self.outside(address.into()).then(|| format!("{address} lies in none of the network's pools"))
            }
            Object::Destination(net) if net.prefix_len() == 0 => {
                Some("a default route is a permission of its own, and the grant lacks it".into())
            }
            Object::Destination(net) => self.outside(net).then(|| format!("{net} lies in none of the network's pools")),
            Object::Rule(ties) => {
                let ties_down = |t: &Tie| match t {
                    Tie::Link => true,
                    Tie::Range(net) => !self.outside(*net),
                };
                (!ties.iter().any(ties_down))
                    .then(|| "nothing ties the rule to the network: one of its links, or addresses of its pools".into())
            }
        }
    }

    /// A network that was made without pools has none to be outside of: its driver chooses addresses.
    fn outside(&self, net: IpNet) -> bool {
        !self.pools.iter().flatten().any(|pool| pool.contains(&net))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(grant: Grant) -> Gate {
        Gate::new(Arc::new(grant), Some(vec!["10.5.0.0/24".parse().unwrap()]))
    }

    #[test]
    fn an_empty_grant_allows_only_what_every_driver_has() {
        let gate = gate(Grant::default());
        for call in HostCall::ALL {
            assert_eq!(gate.permit(call, Object::Own).is_ok(), call.permission().is_none(), "{}", call.name());
        }
    }

    #[test]
    fn a_call_for_no_network_gets_nothing_of_a_grant() {
        let gate = Gate::new(Arc::new(Grant::standard()), None);
        for call in HostCall::ALL {
            assert_eq!(gate.permit(call, Object::Own).is_ok(), call.permission().is_none(), "{}", call.name());
        }
    }

    #[test]
    fn objects_outside_the_networks_pools_are_refused() {
        let gate = gate(Grant::standard());
        let permit = |object| gate.permit(HostCall::NftablesAdd, object).is_ok();
        assert!(permit(Object::Address("10.5.0.7/24".parse().unwrap())));
        assert!(!permit(Object::Address("10.6.0.7/8".parse().unwrap())));
        assert!(permit(Object::Destination("10.5.0.0/25".parse().unwrap())));
        assert!(!permit(Object::Destination("10.0.0.0/8".parse().unwrap())));
        assert!(!permit(Object::Destination("0.0.0.0/0".parse().unwrap())));
        assert!(!permit(Object::Target("192.168.0.1".parse().unwrap())));
        assert!(!permit(Object::Rule(&[])));
        assert!(permit(Object::Rule(&[Tie::Link])));
        let (wide, inside) =
            ([Tie::Range("10.0.0.0/8".parse().unwrap())], [Tie::Range("10.5.0.3/32".parse().unwrap())]);
        assert!(!permit(Object::Rule(&wide)));
        assert!(permit(Object::Rule(&inside)));
        assert!(!permit(Object::Namespace { foreign: true }));
    }
}
