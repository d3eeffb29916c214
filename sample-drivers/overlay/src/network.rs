//! A network on this host: the bridge, the vxlan link to the others, and its number.

use std::net::IpAddr;

use pontoon_outside::{Outside, Pool};
use pontoon_sdk::ipnet::IpNet;
use pontoon_sdk::links::{self, Link, LinkChanges, LinkEnd, LinkKind, LinkSpec, VxlanOptions};
use pontoon_sdk::nftables::{self, RuleId};
use pontoon_sdk::store::{self, Key};
use pontoon_sdk::{Context, Error, ErrorKind, IpamData, MacAddress, NetworkOptions, Result};
use serde::{Deserialize, Serialize};

use crate::options::{self, Options};
use crate::peers::Peer;
use crate::{hash, name, unknown};

/// What VXLAN is sent to (RFC 7348).
const PORT: u16 = 4789;
/// Numbers that are chosen begin here, as Docker's do: those below are for whoever names one.
const FIRST_VNI: u32 = 4096;
const VNIS: u32 = 1 << 24;
/// Claims that go by one call, which may write 1,000 keys.
const CLAIMS: usize = 900;

/// What is remembered of a network.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Network {
    /// The address by which the other hosts reach this one.
    pub address: IpAddr,
    pub subnets: Vec<Subnet>,
    /// Nothing leaves it, but to the other hosts' containers.
    pub internal: bool,
    /// Of the containers' links.
    pub mtu: u32,
    vni: u32,
    bridge: String,
    pub vxlan: String,
    rules: Vec<RuleId>,
}

/// One of its subnets.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Subnet {
    pub pool: IpNet,
    /// Each host's bridge has it.
    pub gateway: Option<IpNet>,
}

impl Network {
    pub(crate) fn find(network: &str) -> Result<Self> {
        Self::key(network).get()?.ok_or_else(|| unknown("network", network))
    }

    fn key(network: &str) -> Key<Self> {
        Key::new(format!("network/{network}"))
    }

    pub(crate) fn create(network: &str, options: &NetworkOptions, pools: &[&[IpamData]]) -> Result<()> {
        if Self::key(network).get()?.is_some() {
            return Err(Error::already_exists(format!("network {network} is there already")));
        }
        let Options { address, parent, mtu } = Options::read(options)?;
        let subnet = |data: &IpamData| Some(Subnet { pool: data.pool?.trunc(), gateway: data.gateway });
        let vni = choose_vni(network, options::vni(&options.generic)?, &[])?;
        vni_key(vni).set(&network.to_owned())?;
        let mut new = Self {
            address,
            vni,
            subnets: pools.iter().flat_map(|pools| pools.iter()).filter_map(subnet).collect(),
            internal: options.internal,
            mtu: 0,
            bridge: name("ov-", network),
            vxlan: name("ox-", network),
            rules: Vec::new(),
        };
        let parent = parent.map(|name| links::get(None, &name).context(format!("parent=\"{name}\""))).transpose()?;
        // What the underlay's packets carry beside a container's: Ethernet, IP, UDP and VXLAN headers.
        let headers = if address.is_ipv4() { 50 } else { 70 };
        let of_parent = parent.as_ref().map(Link::info).transpose()?.map(|info| info.mtu.saturating_sub(headers));
        let bridge = new.add_bridge(mtu.or(of_parent))?;
        new.mtu = match mtu.or(of_parent) {
            Some(mtu) => mtu,
            // The host gives a bridge what its way out carries.
            None => bridge.info()?.mtu.saturating_sub(headers),
        };
        bridge.set(&LinkChanges { mtu: Some(new.mtu), ..LinkChanges::default() })?;
        new.add_vxlan(vni, parent.as_ref(), &bridge).context(format!("{}={vni}", options::VNI))?;
        let outside = new.outside(&bridge);
        outside.prepare()?;
        new.rules = nftables::add(None, &outside.rules())?;
        Self::key(network).set(&new)
    }

    pub(crate) fn delete(network: &str) -> Result<()> {
        let Some(old) = Self::key(network).take()? else { return Ok(()) };
        nftables::remove(&old.rules)?;
        [&old.vxlan, &old.bridge].into_iter().try_for_each(|name| remove_link(name))?;
        // Others' containers. What is more than a call may list or write the host takes away with the network.
        let claims = store::list_bytes(&format!("at/{network}/")).unwrap_or_default();
        claims.iter().take(CLAIMS).try_for_each(|(key, _)| store::remove(key))?;
        vni_key(old.vni).remove()
    }

    /// The subnet that an address lies in.
    pub(crate) fn subnet(&self, address: IpAddr) -> Option<&Subnet> {
        self.subnets.iter().find(|subnet| subnet.pool.contains(&address))
    }

    /// The bridge.
    pub(crate) fn link(&self) -> Result<Link> {
        links::get(None, &self.bridge)
    }

    /// Another host's container, as an entry of the table says it; an error says why there can be none such.
    pub(crate) fn peer(&self, key: &str, value: &[u8]) -> Result<Peer> {
        let peer = Peer::read(value)?;
        let Peer { host, ref addresses, .. } = peer;
        if host == self.address {
            return Err(Error::invalid_argument(format!("{key} would be on this host, {host}")));
        }
        if host.is_ipv4() != self.address.is_ipv4() || !options::is_a_hosts(host) {
            return Err(Error::invalid_argument(format!("{host} is no host that {} can send to", self.address)));
        }
        let is_gateway = |address: IpAddr| {
            self.subnets.iter().any(|subnet| subnet.gateway.is_some_and(|gateway| gateway.addr() == address))
        };
        match addresses.iter().find(|address| self.subnet(**address).is_none() || is_gateway(**address)) {
            Some(address) => Err(Error::invalid_argument(format!("{address} is no container's of this network"))),
            None => Ok(peer),
        }
    }

    fn add_bridge(&self, mtu: Option<u32>) -> Result<Link> {
        let gateways = self.subnets.iter().filter(|_| !self.internal).filter_map(|subnet| subnet.gateway);
        // Without a MAC of its own, a bridge takes that of a port, and changes it when ports come and go.
        let mac_address = Some(MacAddress::random());
        let end = LinkEnd { mac_address, mtu, addresses: gateways.collect(), up: true, ..LinkEnd::named(&self.bridge) };
        Ok(links::add_one(LinkSpec::bridge(end))?.link)
    }

    /// Where a frame goes that no entry takes, nothing says: it is dropped. So is what asks for an address that nobody is known to have.
    fn add_vxlan(&self, vni: u32, parent: Option<&Link>, bridge: &Link) -> Result<()> {
        let options = VxlanOptions {
            vni,
            port: PORT,
            parent,
            local: Some(self.address),
            remote: None,
            learning: false,
            proxy: true,
        };
        let end = LinkEnd { mtu: Some(self.mtu), master: Some(bridge), up: true, ..LinkEnd::named(&self.vxlan) };
        links::add_one(LinkSpec { end, kind: LinkKind::Vxlan(options) }).map(drop)
    }

    fn outside<'a>(&self, bridge: &'a Link) -> Outside<'a> {
        let pools = self.subnets.iter().map(|subnet| Pool { subnet: subnet.pool, source: None }).collect();
        Outside { bridge, pools, internal: self.internal, icc: true, masquerade: true }
    }
}

/// Removes one of the driver's links on the host, if it is there.
pub(crate) fn remove_link(name: &str) -> Result<()> {
    match links::get(None, name) {
        Ok(link) => link.remove(),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn vni_key(vni: u32) -> Key<String> {
    Key::new(format!("vni/{vni}"))
}

/// The number of a network: the one that was named or, of those that no network of this host and none of `elsewhere` has, the first from where the network's id leads: hosts
/// that do not know of each other's networks seldom choose the same. It is the network's when it is made: should another one take it before, that is
/// refused.
pub(crate) fn choose_vni(network: &str, wanted: Option<u32>, elsewhere: &[u32]) -> Result<u32> {
    let is_free = |vni: u32| vni_key(vni).get().map(|owner| owner.is_none_or(|other| other == network));
    if let Some(vni) = wanted {
        return match is_free(vni)? {
            true => Ok(vni),
            false => Err(Error::already_exists(format!(
                "{}=\"{vni}\": another network has it; name another one, or none",
                options::VNI
            ))),
        };
    }
    let choices = VNIS - FIRST_VNI;
    let start = (hash(network) % u64::from(choices)) as u32;
    // A host has far fewer links than this.
    let mut next = (0..1_000).map(|step| FIRST_VNI + (start + step) % choices).filter(|vni| !elsewhere.contains(vni));
    let found = next.find_map(|vni| is_free(vni).map(|free| free.then_some(vni)).transpose()).transpose()?;
    found.ok_or_else(|| Error::unavailable(format!("no {} is free: name one", options::VNI)))
}
