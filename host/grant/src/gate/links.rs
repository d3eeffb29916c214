//! `links` and `namespaces`.

use kernel::{Change, IpvlanFlag, IpvlanMode, LinkChanges, LinkEnd, LinkKey, LinkKind, LinkSpec, MacvlanMode};
use kernel::{Mark, Namespace, NewName, Vxlan};
use words::{Error, Kind, LinkName, Result};

use super::{Gate, Granted, Link, Object, Place, View, names};
use crate::{HostCall, Limit, NamespaceKind, Permission};

/// A link that a driver wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The link, or the first end of a pair.
    pub end: WantedEnd,
    /// What it is.
    pub kind: WantedKind,
}

/// One end of it.
#[derive(Clone, Debug)]
pub struct WantedEnd {
    /// Where; none: in the host's namespace.
    pub place: Option<Place>,
    /// The bridge that it is a port of.
    pub master: Option<Link>,
    /// The rest, with its namespace and master left open.
    pub rest: LinkEnd,
}

/// The kinds of links, with what they are built on.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the kernel layer's kinds, documented there")]
pub enum WantedKind {
    Bridge,
    Dummy,
    Veth(Box<WantedEnd>),
    Vxlan(Option<Link>, Vxlan),
    Macvlan(Link, MacvlanMode),
    Macvtap(Link, MacvlanMode),
    Ipvlan(Link, IpvlanMode, IpvlanFlag),
    Vlan(Link, u16),
}

/// A namespace that is to be made, by its name and its file.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct NewNamespace {
    pub name: String,
    pub file: String,
}

/// A link that goes.
#[derive(Clone, Debug)]
pub struct Gone(pub LinkKey);

/// A namespace that goes, by the name under which the driver made it.
#[derive(Clone, Debug)]
pub struct GoneNamespace(pub String);

/// What the kernel does with a bridge's port it does with the link below, and so on down: promiscuous, all multicast.
const BRIDGED: &str = "as a port of a bridge it makes its parent take in the packets of others";

impl Gate {
    /// The namespace that a host call is about: the host's, where none is given.
    pub fn namespace(&self, call: HostCall, place: Option<&Place>) -> Result<Granted<Namespace>> {
        let (namespace, kind) = match place {
            Some(place) => (place.namespace.clone(), place.kind),
            None => (Namespace::Host, NamespaceKind::Host),
        };
        self.permit(call, Object::Namespace(kind))?;
        self.grant(call, namespace)
    }

    /// `namespaces.add`
    pub fn add_namespace(&self, view: &mut impl View, namespace: NewNamespace) -> Result<Granted<NewNamespace>> {
        let call = HostCall::NamespacesAdd;
        self.check_holding(view, call, Limit::Namespaces, 1)?;
        self.grant(call, namespace)
    }

    /// `namespaces.namespace.remove`
    pub fn remove_namespace(&self, place: &Place) -> Result<Granted<GoneNamespace>> {
        let Some(name) = place.made.clone() else {
            return Err(Error::forbidden("only a namespace that the driver made can be removed"));
        };
        self.grant(HostCall::NamespacesNamespaceRemove, GoneNamespace(name))
    }

    /// `links.get`: the link that was found under a name. A foreign link and none at all read the same: a driver learns nothing of what is
    /// not its own.
    pub fn find_link(
        &self,
        namespace: &Granted<Namespace>,
        name: LinkName,
        found: Option<(u32, Mark)>,
        is_own: bool,
    ) -> Result<Link> {
        let call = HostCall::LinksGet;
        let is_parent = |mark: Mark| {
            let named = Object::Parent(Some(name.as_str()));
            !mark.is_made() && **namespace == Namespace::Host && self.would_permit(call, named)
        };
        match found.filter(|(_, mark)| is_own || is_parent(*mark)) {
            Some((index, _)) => {
                let key = LinkKey { namespace: Namespace::clone(namespace), index };
                Ok(self.grant(call, Link { key, name, is_own })?.take())
            }
            None => Err(Error::not_found(format!(
                "the driver has no link {name} there, and its grant names no such parent"
            ))),
        }
    }

    /// `links.add`
    pub fn add_links(&self, view: &mut impl View, links: Vec<Wanted>) -> Result<Granted<Vec<LinkSpec>>> {
        self.new_links(HostCall::LinksAdd, view, links)
    }

    /// `links.add-macvtap`
    pub fn add_macvtap(&self, view: &mut impl View, link: Wanted) -> Result<Granted<Vec<LinkSpec>>> {
        self.new_links(HostCall::LinksAddMacvtap, view, vec![link])
    }

    fn new_links(&self, call: HostCall, view: &mut impl View, links: Vec<Wanted>) -> Result<Granted<Vec<LinkSpec>>> {
        let specs = links.into_iter().map(|link| self.spec(view, link)).collect::<Result<Vec<_>>>()?;
        self.check_holding(view, call, Limit::Links, specs.iter().map(LinkSpec::links).sum())?;
        let addresses = specs.iter().flat_map(LinkSpec::ends).map(|end| end.addresses.len());
        self.check_holding(view, call, Limit::Addresses, addresses.sum())?;
        let ports = specs.iter().filter(|spec| matches!(spec.kind, LinkKind::Vxlan(_))).count();
        self.check_holding(view, call, Limit::Ports, ports)?;
        self.grant(call, specs)
    }

    fn spec(&self, view: &impl View, link: Wanted) -> Result<LinkSpec> {
        let is_port = link.end.master.is_some();
        let usual = match &link.kind {
            WantedKind::Vlan(parent, id) if !parent.is_own => Some(format!("{}.{id}", parent.name)),
            _ => None,
        };
        let end = self.end(view, link.end, usual.as_deref())?;
        let also = |permission, why| self.permit(HostCall::LinksAdd, Object::Also(permission, why));
        match &link.kind {
            WantedKind::Vxlan(..) => {
                also(Permission::HostPorts, "a vxlan takes a UDP port on all of the host's addresses")?
            }
            WantedKind::Macvlan(..) | WantedKind::Macvtap(..) | WantedKind::Ipvlan(..) | WantedKind::Vlan(..)
                if is_port =>
            {
                also(Permission::ChangedParents, BRIDGED)?
            }
            WantedKind::Macvlan(parent, MacvlanMode::Passthru) | WantedKind::Macvtap(parent, MacvlanMode::Passthru)
                if !parent.is_own =>
            {
                also(
                    Permission::ChangedParents,
                    "in passthru mode a macvlan changes its parent's MAC address and flags",
                )?;
            }
            _ => {}
        }
        let kind = match link.kind {
            WantedKind::Bridge => LinkKind::Bridge,
            WantedKind::Dummy => LinkKind::Dummy,
            WantedKind::Veth(peer) => LinkKind::Veth(Box::new(self.end(view, *peer, None)?)),
            WantedKind::Vxlan(Some(parent), vxlan) => {
                LinkKind::Vxlan(Vxlan { parent: Some(self.parent(view, &parent)?), ..vxlan })
            }
            WantedKind::Vxlan(None, vxlan) => {
                self.permit(HostCall::LinksAdd, Object::Parent(None))?;
                LinkKind::Vxlan(Vxlan { parent: None, ..vxlan })
            }
            WantedKind::Macvlan(parent, mode) => LinkKind::Macvlan { parent: self.parent(view, &parent)?, mode },
            WantedKind::Macvtap(parent, mode) => LinkKind::Macvtap { parent: self.parent(view, &parent)?, mode },
            WantedKind::Ipvlan(parent, mode, flag) => {
                LinkKind::Ipvlan { parent: self.parent(view, &parent)?, mode, flag }
            }
            WantedKind::Vlan(parent, id) => LinkKind::Vlan { parent: self.parent(view, &parent)?, id },
        };
        Ok(LinkSpec { end, kind })
    }

    pub(super) fn end(&self, view: &impl View, end: WantedEnd, usual: Option<&str>) -> Result<LinkEnd> {
        let namespace = self.namespace(HostCall::LinksAdd, end.place.as_ref())?.take();
        let addresses = &end.rest.addresses;
        addresses.iter().try_for_each(|address| self.permit(HostCall::LinksAdd, Object::Address(*address)))?;
        names::check(view, &end.rest.name, namespace == Namespace::Host, usual)?;
        let master = end.master.map(|bridge| master(view, &namespace, &bridge)).transpose()?;
        Ok(LinkEnd { namespace, master, ..end.rest })
    }

    /// The ifindex of a parent in the host's namespace: the driver's own, or one that its grant names, which must still have that name.
    fn parent(&self, view: &impl View, parent: &Link) -> Result<u32> {
        let mut parent = parent.clone();
        if parent.is_own {
            parent = parent.owned(view)?;
        } else {
            parent.is_there(view)?;
            self.permit(HostCall::LinksAdd, Object::Parent(Some(parent.name.as_str())))?;
            if view.any_link(&parent.key)?.as_deref() != Some(parent.name.as_str()) {
                return Err(Error::not_found(format!("{} is gone, or has another name by now", parent.name)));
            }
            if view.is_taken(&parent.key)? {
                return Err(Error::new(Kind::Unavailable, format!("{} was taken for a container", parent.name)));
            }
        }
        if parent.key.namespace != Namespace::Host {
            return Err(Error::invalid(format!("the parent {} is not in the host's namespace", parent.name)));
        }
        Ok(parent.key.index)
    }

    /// `links.link.set`. `bridge`: what it becomes a port of; nothing, or as it is.
    pub fn set_link(
        &self,
        view: &impl View,
        link: &Link,
        bridge: Option<Option<Link>>,
        changes: LinkChanges,
    ) -> Result<Granted<Vec<Change>>> {
        let Link { key, name, .. } = link.owned(view)?;
        if let Some(new) = &changes.name {
            names::check(view, new, key.namespace == Namespace::Host, None)?;
            if let Some(what) = view.goes_by_name(&key)? {
                return Err(Error::forbidden(format!("{name} keeps its name as long as the {what} goes by it")));
            }
        }
        let master = match bridge {
            None => None,
            Some(None) => Some(0),
            Some(Some(bridge)) => {
                if view.has_parent(&key)? {
                    self.permit(HostCall::LinksLinkSet, Object::Also(Permission::ChangedParents, BRIDGED))?;
                }
                Some(master(view, &key.namespace, &bridge)?)
            }
        };
        self.grant(HostCall::LinksLinkSet, vec![Change::SetLink(key, LinkChanges { master, ..changes })])
    }

    /// `links.link.remove`
    pub fn remove_link(&self, link: &Link) -> Result<Granted<Gone>> {
        link.own()?;
        self.grant(HostCall::LinksLinkRemove, Gone(link.key.clone()))
    }

    /// Refuses more of what a driver's networks hold than its grant allows. Answers what they hold then.
    pub(super) fn check_holding(&self, view: &mut impl View, call: HostCall, limit: Limit, more: usize) -> Result<u64> {
        if more == 0 {
            return Ok(0);
        }
        let holds = view.holds(limit, more as u64, self.limit(limit))?;
        self.permit(call, Object::Amount(limit, holds))?;
        Ok(holds)
    }

    /// The same of what all drivers share. Whoever has much leaves as much: then there is always some left for the next one, however many
    /// there are, and one alone gets half.
    pub(super) fn check_share(&self, view: &mut impl View, call: HostCall, limit: Limit, more: usize) -> Result<()> {
        let left = view.left(limit)?.saturating_sub(more as u64);
        let holds = self.check_holding(view, call, limit, more)?;
        self.permit(call, Object::Share(limit, holds, left))
    }
}

/// The ifindex of a master, which must be in the namespace of its port.
fn master(view: &impl View, namespace: &Namespace, bridge: &Link) -> Result<u32> {
    let bridge = bridge.owned(view)?;
    if bridge.key.namespace != *namespace {
        return Err(Error::invalid(format!("the bridge {} is in another namespace than its port", bridge.name)));
    }
    Ok(bridge.key.index)
}

/// A link's end that is still open.
impl From<LinkEnd> for WantedEnd {
    fn from(rest: LinkEnd) -> Self {
        Self { place: None, master: None, rest }
    }
}

/// The name that a link gets if these changes rename it.
pub fn new_name(changes: &LinkChanges) -> Option<&LinkName> {
    match &changes.name {
        Some(NewName::Exact(name)) => Some(name),
        _ => None,
    }
}
