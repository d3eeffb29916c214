//! What the gate looks up to decide, and what a driver's handles stand for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use kernel::{HostPort, LinkKey, Namespace, NftChain, Sysctl};
use words::{Error, LinkName, Result};

use crate::gate::chains::{SeenChain, Ways};
use crate::gate::sets::SeenSet;
use crate::{Limit, NamespaceKind};

/// A link that a driver has a handle of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which one.
    pub key: LinkKey,
    /// Its name when the handle was made.
    pub name: LinkName,
    /// The driver made it; else it is a parent interface that the grant names, which nobody may change.
    pub is_own: bool,
}

/// A network namespace that a driver has a handle of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which one.
    pub namespace: Namespace,
    /// What kind it is.
    pub kind: NamespaceKind,
    /// Its name, where the driver made it.
    pub made: Option<String>,
}

/// What kernel and store have now, as the call sees it. Only to look at.
pub trait View {
    /// Whether this call removes the link.
    fn has_removed(&self, link: &LinkKey) -> bool;

    /// The name that the driver's link has now: the kernel has it at this index with this instance's mark, and the store says that it is
    /// this driver's. None: it is gone, or is not.
    fn own_link(&self, link: &LinkKey) -> Result<Option<LinkName>>;

    /// The name that whichever link has that is there.
    fn any_link(&self, link: &LinkKey) -> Result<Option<String>>;

    /// Whether the link is a macvlan, ipvlan or vlan, on a parent.
    fn has_parent(&self, link: &LinkKey) -> Result<bool>;

    /// Whether packets of the host's for the outside may leave by this link.
    fn is_way_out(&self, link: &LinkKey) -> Result<bool>;

    /// Whether a link of others was taken for a container.
    fn is_taken(&self, link: &LinkKey) -> Result<bool>;

    /// The bridge that the link is a port of, whoever's that is.
    fn master(&self, link: &LinkKey) -> Result<Option<LinkKey>>;

    /// Whether the link belongs to the endpoint at hand, or is a device that it has taken.
    fn is_endpoints_link(&self, link: &LinkKey) -> Result<bool>;

    /// What goes by the link's name, in words: a policy rule, or its leave to forward.
    fn goes_by_name(&self, link: &LinkKey) -> Result<Option<String>>;

    /// Whether a link of another driver's on the host has this name, or is to have it again.
    fn is_others_name(&self, name: &LinkName) -> Result<bool>;

    /// Whether a link of the host's has this address.
    fn is_hosts_address(&self, address: IpAddr) -> Result<bool>;

    /// Whether a route of the host's goes by this router.
    fn is_router(&self, address: IpAddr) -> Result<bool>;

    /// The subnets that the host reaches by links and routes that are not this instance's, its own addresses among them.
    fn reached_by_others(&self) -> Result<Vec<IpNet>>;

    /// The value of a kernel setting.
    fn sysctl(&self, namespace: &Namespace, sysctl: &Sysctl) -> Result<i32>;

    /// Refuses a pool that overlaps with another network's.
    fn check_pool(&self, pool: IpNet) -> Result<()>;

    /// Whether the owner at hand, endpoint or network, has taken a port of the host, or every one of a range, on one of the two addresses.
    fn has_port(&self, ports: [HostPort; 2]) -> Result<bool>;

    /// The ports of the host whose packets the owner's rules send elsewhere, where this call has released any port.
    fn translated_ports(&self) -> Result<Vec<HostPort>>;

    /// The sets of the network at hand, with those that this call removes.
    fn sets(&self) -> Result<Vec<SeenSet>>;

    /// The chains of the network's own in the order in which they were made, with those that this call removes.
    fn chains(&self) -> Result<Vec<SeenChain>>;

    /// Where the rules of a base chain of the network's lead, those included that this call removes.
    fn ways(&self, namespace: &Namespace, base: NftChain) -> Result<Ways>;

    /// How many rules of the network at hand write a log.
    fn logging_rules(&self) -> Result<usize>;

    /// How many of something the driver's networks hold with `more` of them, of which there are to be at most `most` when the call is committed.
    /// What its calls have that are not committed yet is counted, too; where there are not more than `most`, these are from now on.
    fn holds(&mut self, limit: Limit, more: u64, most: u64) -> Result<u64>;

    /// How many of something that all drivers share are left.
    fn left(&self, limit: Limit) -> Result<u64>;

    /// How many keys and bytes this call wrote.
    fn written(&self) -> (usize, usize);

    /// Whether a table has an entry, and then whether it is the driver's own.
    fn is_own_entry(&mut self, table: &str, key: &str) -> Result<Option<bool>>;
}

impl Link {
    /// Refuses a parent interface.
    pub fn own(&self) -> Result<()> {
        match self.is_own {
            true => Ok(()),
            false => Err(Error::forbidden(format!(
                "{} is not the driver's own: as a parent interface it can be looked at and built on, nothing else",
                self.name
            ))),
        }
    }

    /// Refuses a link that this call has removed.
    pub fn is_there(&self, view: &impl View) -> Result<()> {
        match view.has_removed(&self.key) {
            true => Err(Error::not_found(format!("{} is gone: this call removed it", self.name))),
            false => Ok(()),
        }
    }

    /// What a write needs right before it: it is the driver's own, and there. Answers it with the name that it has now.
    pub(super) fn owned(&self, view: &impl View) -> Result<Self> {
        self.own()?;
        self.is_there(view)?;
        match view.own_link(&self.key)? {
            Some(name) => Ok(Self { name, ..self.clone() }),
            None => Err(Error::not_found(format!("{} is gone, or is not the driver's any more", self.name))),
        }
    }
}

/// Each of a list's links is [`Link::owned`]: the names that they have now. Each is looked at once.
pub(super) fn all_owned<'a>(
    view: &impl View,
    links: impl IntoIterator<Item = &'a Link>,
) -> Result<BTreeMap<LinkKey, LinkName>> {
    let mut names = BTreeMap::new();
    for link in links {
        link.own()?;
        if !names.contains_key(&link.key) {
            names.insert(link.key.clone(), link.owned(view)?.name);
        }
    }
    Ok(names)
}
