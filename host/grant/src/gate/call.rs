//! What a driver answers through the handles of its call: addresses, routes and the link of its endpoint.

use ipnet::IpNet;
use kernel::LinkKey;
use words::{Error, Result};

use super::{Gate, Granted, Link, Object, View};
use crate::HostCall;

/// The link that a container gets.
#[derive(Clone, Debug)]
pub struct Source(pub LinkKey);

impl Gate {
    /// `capabilities.network-info.update-ipam-config`: the pools of a network that has none. They are checked here as an operator's are:
    /// from now on the call's addresses and routes may lie in them.
    pub fn choose_pools(&mut self, view: &impl View, pools: Vec<IpNet>) -> Result<()> {
        if self.chose_pools || self.pools.as_ref().is_some_and(|pools| !pools.is_empty()) {
            return Err(Error::forbidden("the network has pools already"));
        }
        for pool in &pools {
            self.permit(HostCall::CapabilitiesNetworkInfoUpdateIpamConfig, Object::Pool(*pool))?;
            view.check_pool(*pool)?;
        }
        self.pools = Some(pools);
        self.chose_pools = true;
        Ok(())
    }

    /// What `ipam.request-pool` answers: a pool for somebody's network. Of the grant only `pools` count.
    pub fn give_pool(&self, pool: IpNet) -> Result<Granted<IpNet>> {
        match self.missing(Object::Pool(pool)) {
            None => Ok(Granted(pool)),
            Some(missing) => {
                let why = missing.to_string();
                self.policy.audit.refused_answer(&self.about, &why);
                Err(Error::forbidden(why))
            }
        }
    }

    /// `capabilities.interface-info.set-ip-address`. A network without pools of a family has none to be outside of.
    pub fn endpoint_address(&self, address: IpNet) -> Result<Granted<IpNet>> {
        let call = HostCall::CapabilitiesInterfaceInfoSetIpAddress;
        if self.has_pools_like(address) {
            self.permit(call, Object::Endpoint(address))?;
        }
        self.grant(call, address)
    }

    /// `capabilities.join-info.add-static-route`. A container's traffic for the network's own addresses is the driver's business; whatever else
    /// it routes, it takes from others. A network without pools has none to be outside of, but a default route is never its own.
    pub fn static_route(&self, destination: IpNet) -> Result<Granted<IpNet>> {
        let call = HostCall::CapabilitiesJoinInfoAddStaticRoute;
        if self.has_pools_like(destination) || destination.prefix_len() == 0 {
            self.permit(call, Object::StaticRoute(destination))?;
        }
        self.grant(call, destination)
    }

    /// `capabilities.interface-name-info.set-names`
    pub fn source(&self, view: &impl View, link: &Link) -> Result<Granted<Source>> {
        link.is_there(view)?;
        if !view.is_endpoints_link(&link.key)? {
            return Err(Error::forbidden(format!(
                "{} was not made for this endpoint, so its container can't have it",
                link.name
            )));
        }
        self.grant(HostCall::CapabilitiesInterfaceNameInfoSetNames, Source(link.key.clone()))
    }

    fn has_pools_like(&self, net: IpNet) -> bool {
        self.pools.iter().flatten().any(|pool| pool.addr().is_ipv4() == net.addr().is_ipv4())
    }
}
