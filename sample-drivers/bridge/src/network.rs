//! A network: the bridge, its subnets, and the conflicts with other networks.

use std::net::IpAddr;

use ipnet::IpNet;
use pontoon_outside::{Outside, Pool};
use pontoon_sdk::links::{self, Link, LinkEnd, LinkSpec};
use pontoon_sdk::nftables::{self, RuleId};
use pontoon_sdk::store::Key;
use pontoon_sdk::{Context, Error, ErrorKind, IpamData, MacAddress, NetworkOptions, Result, ipnet};
use serde::{Deserialize, Serialize};

use crate::options::{self, Options};
use crate::policy;

/// What is remembered of a network.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Network {
    /// The bridge's name.
    pub bridge: String,
    /// The IPv4 subnet.
    pub ipv4: Option<Subnet>,
    /// The IPv6 subnet.
    pub ipv6: Option<Subnet>,
    /// It has no way out.
    pub internal: bool,
    /// See [`Options`].
    pub icc: bool,
    /// See [`Options`].
    pub masquerade: bool,
    /// Where ports are published that name no host address; none: on all addresses of both families.
    pub host_binding: Option<IpAddr>,
    /// See [`Options`].
    pub mtu: Option<u32>,
    /// See [`Options`].
    pub interface_prefix: String,
    /// See [`Options`]. (What older versions remember lacks it.)
    #[serde(default)]
    pub allow_from: Option<Vec<IpNet>>,
    /// Its rules, without those of its endpoints.
    pub rules: Vec<RuleId>,
}

/// The subnet of one family.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Subnet {
    /// Where the containers' addresses are from.
    pub pool: IpNet,
    /// The bridge's own address.
    pub bridge: Option<IpNet>,
    /// The gateway that containers are given.
    pub gateway: Option<IpAddr>,
    /// The source address of what leaves; none: that of the link that it leaves by.
    pub source: Option<IpAddr>,
}

impl Network {
    /// The network of this id, which must exist.
    pub(crate) fn find(network: &str) -> Result<Self> {
        Self::key(network).get()?.ok_or_else(|| Error::not_found(format!("no network {network}")))
    }

    pub(crate) fn key(network: &str) -> Key<Self> {
        Key::new(format!("network/{network}"))
    }

    /// The subnets of both families.
    pub(crate) fn subnets(&self) -> impl Iterator<Item = &Subnet> {
        self.ipv4.iter().chain(&self.ipv6)
    }

    /// What there is between its bridge and the rest.
    fn outside<'a>(&self, bridge: &'a Link) -> Outside<'a> {
        let pools = self.subnets().map(|subnet| Pool { subnet: subnet.pool, source: subnet.source }).collect();
        Outside { bridge, pools, internal: self.internal, icc: self.icc, masquerade: self.masquerade }
    }

    fn new(network: &str, options: &NetworkOptions, ipv4: &[IpamData], ipv6: &[IpamData]) -> Result<Self> {
        let internal = options.internal;
        let mut ipv4 = subnet(ipv4, "DefaultGatewayIPv4")?;
        let mut ipv6 = subnet(ipv6, "DefaultGatewayIPv6")?;
        options::check_made(&options.generic, ipv4.is_some(), ipv6.is_some(), internal)?;
        let options = Options::read(&options.generic)?;
        if options.inhibit_ipv4 {
            ipv4 = ipv4.map(|subnet| Subnet { bridge: None, ..subnet });
        }
        for (subnet, source) in [&mut ipv4, &mut ipv6].into_iter().zip(options.sources) {
            match (source, &mut *subnet) {
                (None, _) => {}
                (Some(address), _) if internal => {
                    return Err(options::useless_source(address, "nothing leaves an internal network"));
                }
                (Some(address), None) => {
                    return Err(options::useless_source(address, "the network has no subnet of that family"));
                }
                (Some(_), Some(subnet)) => subnet.source = source,
            }
        }
        Ok(Self {
            bridge: options.name.unwrap_or_else(|| default_name(network)),
            ipv4,
            ipv6,
            internal,
            icc: options.icc,
            masquerade: options.masquerade,
            host_binding: options.host_binding,
            mtu: options.mtu,
            interface_prefix: options.interface_prefix,
            allow_from: options.allow_from,
            rules: Vec::new(),
        })
    }
}

/// Makes a network. Whatever fails on the way, the host undoes what was done before.
pub(crate) fn create(network: &str, options: &NetworkOptions, ipv4: &[IpamData], ipv6: &[IpamData]) -> Result<()> {
    let mut new = Network::new(network, options, ipv4, ipv6)?;
    check_conflicts(network, &new)?;
    let bridge = add_bridge(&new).context(format!("bridge {}", new.bridge))?;
    if let Some(from) = &new.allow_from {
        // Before the rule that accepts what is sent to published ports: nothing behind that one is asked.
        new.rules = policy::add(&bridge, from).context(options::ALLOW_FROM)?;
    }
    let rules = nftables::add(None, &new.outside(&bridge).rules());
    let rules =
        if new.subnets().any(|subnet| subnet.source.is_some()) { rules.context(options::SOURCES) } else { rules };
    new.rules.extend(rules?);
    bridge_key(&new.bridge).set(&network.to_owned())?;
    Network::key(network).set(&new)
}

/// Removes a network. There is nothing to do for one that is not there.
pub(crate) fn delete(network: &str) -> Result<()> {
    let Some(old) = Network::key(network).take()? else { return Ok(()) };
    nftables::remove(&old.rules)?;
    if old.allow_from.is_some() {
        policy::remove()?;
    }
    remove_link(&old.bridge)?;
    bridge_key(&old.bridge).remove()
}

/// Removes one of the driver's links on the host, if it is there.
pub(crate) fn remove_link(name: &str) -> Result<()> {
    match links::get(None, name) {
        Ok(link) => link.remove(),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn bridge_key(name: &str) -> Key<String> {
    Key::new(format!("bridge/{name}"))
}

/// `br-` and twelve digits: of Docker's ids the first ones, of any other sort a hash's, because it may begin like
/// its neighbours do.
fn default_name(network: &str) -> String {
    let is_hexadecimal = network.len() >= 32 && network.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = if is_hexadecimal { network.to_owned() } else { hash(network) };
    format!("br-{}", &digits[..12])
}

/// Sixteen hexadecimal digits of FNV-1a: short, and the same in every build.
pub(crate) fn hash(text: &str) -> String {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
}

/// The subnet of one family, if the network has that family.
fn subnet(pools: &[IpamData], gateway_name: &str) -> Result<Option<Subnet>> {
    let data = match pools {
        [] => return Ok(None),
        [data] => data,
        _ => return Err(Error::forbidden("the bridge driver doesn't support several subnets of one family")),
    };
    let pool = data.pool.ok_or_else(|| Error::invalid_argument("the bridge driver needs an address pool"))?;
    let gateway = data.aux_address(gateway_name).or(data.gateway).map(|gateway| gateway.addr());
    Ok(Some(Subnet { pool: pool.trunc(), bridge: data.gateway, gateway, source: None }))
}

/// No two networks have the same bridge. (That no two have overlapping subnets, whichever driver serves them, the host sees to.) Should another
/// network be made at the same time, the host sees that it changed what was read here, and runs the later call again.
fn check_conflicts(network: &str, new: &Network) -> Result<()> {
    if Network::key(network).get()?.is_some() {
        return Err(Error::already_exists(format!("network {network} is there already")));
    }
    match bridge_key(&new.bridge).get()? {
        Some(other) => Err(Error::forbidden(format!("bridge {} belongs to network {other}", new.bridge))),
        None => Ok(()),
    }
}

fn add_bridge(network: &Network) -> Result<Link> {
    let addresses = network.subnets().filter_map(|subnet| subnet.bridge).collect();
    // Without a MAC of its own, a bridge takes that of a port, and changes it when ports come and go.
    let mac_address = Some(MacAddress::random());
    let end = LinkEnd { mac_address, mtu: network.mtu, addresses, up: true, ..LinkEnd::named(&network.bridge) };
    let bridge = links::add_one(LinkSpec::bridge(end)).map_err(|error| cannot_adopt(&network.bridge, error))?.link;
    network.outside(&bridge).prepare()?;
    Ok(bridge)
}

/// There is a link of that name, an administrator's or another driver's: the network would change it, and remove it in the end.
fn cannot_adopt(name: &str, error: Error) -> Error {
    const EEXIST: u32 = 17;
    if error.kernel_errno != Some(EEXIST) {
        return error;
    }
    Error::already_exists(format!(
        "the host has a link {name} already, which is not this driver's, and a network can't adopt it: choose another name \
         (-o com.docker.network.bridge.name=NAME, or none)"
    ))
}
