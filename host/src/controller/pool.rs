//! Address pools: those that were asked for, checked, or free ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Inner;
use kernel::{LinkKey, Namespace};
use operation::driver::Scope;
use operation::network::{CreateNetwork, Pool, PoolRequest};
use words::{Error, Id, Result};

/// Networks of 254 addresses that a network without a subnet gets: 10.201.0.0/24 to 10.217.255.0/24. Docker's own are elsewhere
/// (172.17.0.0/12 and 192.168.0.0/16).
const IPV4_FIRST: u32 = u32::from_be_bytes([10, 201, 0, 0]);
const IPV4_COUNT: u32 = 17 * 256;
const IPV4_PREFIX: u8 = 24;

/// Networks of a /48 of unique local addresses (RFC 4193) whose 40 random bits come from the instance.
const IPV6_COUNT: u16 = u16::MAX;
const IPV6_PREFIX: u8 = 64;

impl Inner {
    /// Chooses a network's pools and claims them for it, so that no other network gets them. `skip`: reserve no gateway for
    /// IPv4, for IPv6.
    /// `others`: subnets that networks of the cluster have.
    pub(super) fn choose_pools(
        &self,
        id: &Id,
        create: &CreateNetwork,
        skip: (bool, bool),
        others: &[IpNet],
    ) -> Result<Vec<Pool>> {
        check_families(create)?;
        if create.no_pools {
            return Ok(Vec::new());
        }
        let asked = create.pools.iter().map(|r| checked(r, skip)).collect::<Result<Vec<_>>>()?;
        loop {
            let mut pools = asked.clone();
            for ipv4 in families_without_pool(create, &asked) {
                let subnet = self.free_pool(ipv4, create.scope == Some(Scope::Global), others)?;
                pools.push(checked(
                    &PoolRequest { subnet, range: None, gateway: None, aux_addresses: [].into() },
                    skip,
                )?);
            }
            let subnets: Vec<IpNet> = pools.iter().map(|p| p.subnet).collect();
            match self.store.claim_pools(id, &subnets) {
                Ok(()) => return Ok(pools),
                // Another network took a free one in between: there are others.
                Err(store::Error::Exists(_)) if asked.is_empty() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A subnet of the family that no network has and that the host does not reach by itself: a network on the host's LAN or VPN would cut it
    /// off from there. A default route does not count, and neither does what a network's own link reaches. One for all hosts comes from the
    /// other end than those of one host: a host that has not made it yet would take it.
    pub(super) fn free_pool(&self, ipv4: bool, global: bool, others: &[IpNet]) -> Result<IpNet> {
        let all: Box<dyn Iterator<Item = IpNet>> = match (ipv4, global) {
            (true, false) => Box::new(ipv4_candidates()),
            (true, true) => Box::new(ipv4_candidates().rev()),
            (false, _) => Box::new(self.ipv6_candidates()),
        };
        let mut candidates = all.filter(|one| !others.iter().any(|other| overlap(one, other)));
        let mut is_sure = false;
        loop {
            let subnet = self.store.free_pool(&mut candidates)?;
            let mut is_reached = self.may_be_reached(&subnet)?;
            if is_reached && !is_sure {
                self.kernel.read_reached()?;
                (is_reached, is_sure) = (self.may_be_reached(&subnet)?, true);
            }
            if !is_reached {
                return Ok(subnet);
            }
        }
    }

    /// Whether a network of this subnet would cut the host off from what it reaches by itself.
    pub(super) fn is_reached(&self, subnet: &IpNet) -> Result<bool> {
        if !self.may_be_reached(subnet)? {
            return Ok(false);
        }
        self.kernel.read_reached()?;
        self.may_be_reached(subnet)
    }

    /// Whether the host reaches addresses of a subnet by a link that is not a network's own, or did before.
    fn may_be_reached(&self, subnet: &IpNet) -> Result<bool> {
        for link in self.kernel.links_into(subnet)? {
            let Some(index) = link else { return Ok(true) };
            let link = self.kernel.link(&LinkKey { namespace: Namespace::Host, index })?;
            if link.is_some_and(|link| !link.mark.is_made()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn ipv6_candidates(&self) -> impl Iterator<Item = IpNet> {
        let digest = words::file::digest(&self.store.instance().to_le_bytes());
        let global = u64::from_str_radix(&digest[..10], 16).unwrap_or(0);
        let segment = |shift: u32| u16::try_from(global >> shift & 0xffff).unwrap_or(0);
        let (high, mid, low) = (0xfd00 | segment(32) & 0xff, segment(16), segment(0));
        (0..IPV6_COUNT).filter_map(move |n| {
            Ipv6Net::new(Ipv6Addr::new(high, mid, low, n, 0, 0, 0, 0), IPV6_PREFIX).ok().map(IpNet::from)
        })
    }
}

/// The families that are switched on and have no subnet: IPv4 is true.
pub(super) fn families_without_pool(create: &CreateNetwork, asked: &[Pool]) -> impl Iterator<Item = bool> {
    let lacks = |ipv4: bool| !asked.iter().any(|p| p.subnet.addr().is_ipv4() == ipv4);
    let families = [(create.ipv4 && lacks(true), true), (create.ipv6 && lacks(false), false)];
    families.into_iter().filter_map(|(lacks, ipv4)| lacks.then_some(ipv4))
}

/// A family is switched on where there is a subnet of it, and one of the two is.
pub(super) fn check_families(create: &CreateNetwork) -> Result<()> {
    if create.no_pools {
        return if create.pools.is_empty() {
            Ok(())
        } else {
            Err(Error::invalid("a network without pools can't have a subnet"))
        };
    }
    if !create.ipv4 && !create.ipv6 {
        return Err(Error::invalid("a network needs IPv4 or IPv6 addresses, or no pools at all (--no-pools)"));
    }
    for PoolRequest { subnet, .. } in &create.pools {
        let (family, on) = if subnet.addr().is_ipv4() { ("IPv4", create.ipv4) } else { ("IPv6", create.ipv6) };
        if !on {
            return Err(Error::invalid(format!(
                "the subnet {subnet} is {family}, and the network has no {family} addresses"
            )));
        }
    }
    Ok(())
}

/// Whether two subnets have an address in common.
pub(super) fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

fn ipv4_candidates() -> impl DoubleEndedIterator<Item = IpNet> {
    (0..IPV4_COUNT)
        .filter_map(|n| Ipv4Net::new(Ipv4Addr::from(IPV4_FIRST + (n << 8)), IPV4_PREFIX).ok().map(IpNet::from))
}

/// A pool as it was asked for: a whole network, with everything else inside of it.
pub(super) fn checked(request: &PoolRequest, skip: (bool, bool)) -> Result<Pool> {
    let subnet = request.subnet;
    checked_subnet(subnet)?;
    let outside =
        |what: &str, value: String| Error::invalid(format!("the {what} {value} lies outside of the subnet {subnet}"));
    if let Some(range) = request.range.filter(|r| !subnet.contains(r)) {
        return Err(outside("range", range.to_string()));
    }
    for address in request.gateway.iter().chain(request.aux_addresses.values()) {
        if !subnet.contains(address) {
            return Err(outside("address", address.to_string()));
        }
    }
    let skipped = if subnet.addr().is_ipv4() { skip.0 } else { skip.1 };
    let gateway = match request.gateway {
        None if !skipped => first_free(request),
        given => given,
    };
    Ok(Pool { subnet, range: request.range, gateway, aux_addresses: request.aux_addresses.clone() })
}

/// A whole network, and one that can be a pool.
pub(super) fn checked_subnet(subnet: IpNet) -> Result<()> {
    if subnet.trunc() != subnet {
        return Err(Error::invalid(format!("{subnet} has host bits set: did you mean {}?", subnet.trunc())));
    }
    if subnet.prefix_len() == 0 || subnet.addr().is_multicast() || subnet.addr().is_loopback() {
        return Err(Error::invalid(format!("{subnet} can't be a pool")));
    }
    Ok(())
}

/// The first address that can be a gateway.
fn first_free(request: &PoolRequest) -> Option<IpAddr> {
    let taken = |a: &IpAddr| request.aux_addresses.values().any(|aux| aux == a);
    let mut hosts = match request.subnet {
        IpNet::V4(net) => Box::new(net.hosts().map(IpAddr::from)) as Box<dyn Iterator<Item = IpAddr>>,
        // `hosts` of IPv6 begins with the subnet-router anycast address.
        IpNet::V6(net) => Box::new(net.hosts().skip(usize::from(net.prefix_len() < 127)).map(IpAddr::from)),
    };
    hosts.find(|a| !taken(a))
}
