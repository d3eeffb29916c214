//! Published ports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pontoon_sdk::nftables::Property::{DestinationLocal, DestinationPort, Protocol};
use pontoon_sdk::nftables::{self, Chain, Rule, Target, Verdict};
use pontoon_sdk::{PortBinding, Result, ports};

use crate::endpoint::{self, Endpoint};
use crate::{network, planted};

/// Publishes these ports instead of those of before, for the families whose gateway is the endpoint itself.
pub(crate) fn publish(network: &str, endpoint: &str, own: [bool; 2], bindings: &[PortBinding]) -> Result<()> {
    let record = network::find(network)?;
    let mut of = endpoint::find(network, endpoint)?;
    withdraw(&mut of, !planted("doubles-rules"), true)?;
    let mut rules = Vec::new();
    if planted("publishes-nothing") {
        return Ok(());
    }
    for binding in bindings.iter().filter(|_| !record.internal) {
        let families = [(of.ipv4, IpAddr::from(Ipv4Addr::UNSPECIFIED)), (of.ipv6, Ipv6Addr::UNSPECIFIED.into())];
        for (container, host) in families.into_iter().zip(own).filter(|(_, own)| *own).map(|(family, _)| family) {
            let Some(address) = container else { continue };
            let last = if planted("takes-another-port") { u16::MAX } else { binding.host_port_end };
            let port = ports::take(binding.protocol, &[host], binding.host_port..=last)?;
            of.published.push((binding.protocol, host, port));
            let target = Target { address, port: Some(binding.container_port) };
            let rule = Rule::new(Chain::NAT_PREROUTING, Verdict::DestinationNat(target)).when(DestinationLocal);
            rules.push(rule.when(Protocol(binding.protocol)).when(DestinationPort(port.into())));
        }
    }
    nftables::add(None, &rules)?;
    endpoint::key(network, endpoint).set(&of)
}

/// Takes all ports back, or those of IPv4 alone. There is nothing to do for an endpoint without any, or for none.
pub(crate) fn revoke(network: &str, endpoint: &str, ipv6: bool) -> Result<()> {
    let key = endpoint::key(network, endpoint);
    let Some(mut of) = key.get()? else { return Ok(()) };
    if of.published.is_empty() {
        return Ok(());
    }
    let kept: Vec<_> = of.published.iter().filter(|(_, host, _)| host.is_ipv6() && !ipv6).copied().collect();
    of.published.retain(|published| !kept.contains(published));
    withdraw(&mut of, !planted("keeps-rules"), !planted("forgets-port"))?;
    of.published = kept;
    key.set(&of)
}

fn withdraw(of: &mut Endpoint, rules: bool, taken: bool) -> Result<()> {
    if rules && !of.published.is_empty() {
        nftables::remove(&nftables::list()?)?;
    }
    let published = std::mem::take(&mut of.published);
    published.iter().filter(|_| taken).try_for_each(|(protocol, host, port)| ports::release(*protocol, &[*host], *port))
}
