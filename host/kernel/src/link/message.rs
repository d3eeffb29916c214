//! The message that makes a link (RTM_NEWLINK with IFLA_LINKINFO, linux/if_link.h).

use std::net::IpAddr;
use std::os::fd::RawFd;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::link::{
    InfoData, InfoIpVlan, InfoKind, InfoMacVlan, InfoVeth, InfoVlan, InfoVxlan, IpVlanFlags, IpVlanMode, LinkAttribute,
    LinkFlags, LinkInfo as Info, LinkMessage, MacVlanMode,
};

use crate::link::mark::Marks;
use crate::link::read::{HEADER, IFLA_IFNAME};
use crate::link::set::RTM_SETLINK;
use crate::transport::attribute::Writer;
use crate::transport::socket::{Request, flag};
use crate::{IpvlanFlag, IpvlanMode, LinkEnd, LinkKind, MacvlanMode, Vxlan};

pub(crate) const RTM_NEWLINK: u16 = 16;
pub(crate) const IFLA_AF_SPEC: u16 = 26;
pub(crate) const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
pub(crate) const IN6_ADDR_GEN_MODE_NONE: u8 = 1;

/// One end as the message has it.
pub(crate) struct NewEnd<'a> {
    /// What was asked for.
    pub end: &'a LinkEnd,
    /// The name to make it under.
    pub name: String,
    /// Its namespace, where that isn't the one that the message goes to.
    pub namespace: Option<RawFd>,
}

/// The message that makes a link, or both ends of a pair. Each carries the mark from the start.
///
/// The first end gets its master and is set up in the same message. The other end of a pair can't: the kernel ignores its master, and it
/// can't be set up before the first end exists (`veth_open`). `index`: the ifindex of the first end; none: the kernel chooses.
pub(crate) fn request(
    first: &NewEnd,
    kind: &LinkKind,
    peer: Option<&NewEnd>,
    up: bool,
    index: Option<u32>,
    marks: Marks,
) -> Request {
    let mut message = end(first, marks);
    message.header.index = index.unwrap_or_default();
    let parent = match kind {
        LinkKind::Macvlan { parent, .. }
        | LinkKind::Macvtap { parent, .. }
        | LinkKind::Ipvlan { parent, .. }
        | LinkKind::Vlan { parent, .. } => Some(*parent),
        _ => None,
    };
    message.attributes.extend(parent.map(LinkAttribute::Link));
    message.attributes.extend(first.end.master.map(LinkAttribute::Controller));
    if up {
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
    }
    let mut info = vec![Info::Kind(InfoKind::from(kind.name()))];
    info.extend(data(kind, peer, marks).map(Info::Data));
    message.attributes.push(LinkAttribute::LinkInfo(info));
    Request::one(RTM_NEWLINK, flag::CREATE | flag::EXCL, &message)
}

/// Has a link, by its name, make no IPv6 link-local address when it comes up. A bridge's port receives no IP, and each such address costs the
/// kernel routes and a group that it joins, when it comes and when it goes.
pub(crate) fn without_link_local(name: &str) -> Request {
    let none = Writer::default().put(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE]);
    let of_ipv6 = Writer::default().nest(u8::from(AddressFamily::Inet6).into(), none);
    let body = Writer::after(&[0; HEADER]).put_text(IFLA_IFNAME, name).nest(IFLA_AF_SPEC, of_ipv6);
    Request::of(RTM_SETLINK, 0, body.finish())
}

fn end(new: &NewEnd, marks: Marks) -> LinkMessage {
    let mut message = LinkMessage::default();
    let attributes = &mut message.attributes;
    attributes.push(LinkAttribute::IfName(new.name.clone()));
    attributes.push(LinkAttribute::Group(marks.owned()));
    attributes.extend(new.namespace.map(LinkAttribute::NetNsFd));
    attributes.extend(new.end.mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
    attributes.extend(new.end.mtu.map(LinkAttribute::Mtu));
    message
}

fn data(kind: &LinkKind, peer: Option<&NewEnd>, marks: Marks) -> Option<InfoData> {
    match kind {
        LinkKind::Bridge | LinkKind::Dummy | LinkKind::Ifb | LinkKind::Wireguard { .. } => None,
        LinkKind::Veth(_) => peer.map(|peer| InfoData::Veth(InfoVeth::Peer(end(peer, marks)))),
        LinkKind::Vxlan(options) => Some(InfoData::Vxlan(vxlan(options))),
        // They have the same data.
        LinkKind::Macvlan { mode, .. } | LinkKind::Macvtap { mode, .. } => {
            Some(InfoData::MacVlan(vec![InfoMacVlan::Mode(macvlan_mode(*mode))]))
        }
        LinkKind::Ipvlan { mode, flag, .. } => {
            Some(InfoData::IpVlan(vec![InfoIpVlan::Mode(ipvlan_mode(*mode)), InfoIpVlan::Flags(ipvlan_flags(*flag))]))
        }
        LinkKind::Vlan { id, .. } => Some(InfoData::Vlan(vec![InfoVlan::Id(*id)])),
    }
}

fn vxlan(options: &Vxlan) -> Vec<InfoVxlan> {
    let mut data = vec![
        InfoVxlan::Id(options.vni),
        InfoVxlan::Port(options.port),
        InfoVxlan::Learning(options.learning),
        InfoVxlan::Proxy(options.proxy),
    ];
    data.extend(options.parent.map(InfoVxlan::Link));
    data.extend(options.local.map(|address| match address {
        IpAddr::V4(v4) => InfoVxlan::Local(v4),
        IpAddr::V6(v6) => InfoVxlan::Local6(v6),
    }));
    data.extend(options.remote.map(|address| match address {
        IpAddr::V4(v4) => InfoVxlan::Group(v4),
        IpAddr::V6(v6) => InfoVxlan::Group6(v6),
    }));
    data
}

fn macvlan_mode(mode: MacvlanMode) -> MacVlanMode {
    match mode {
        MacvlanMode::Private => MacVlanMode::Private,
        MacvlanMode::Vepa => MacVlanMode::Vepa,
        MacvlanMode::Bridge => MacVlanMode::Bridge,
        MacvlanMode::Passthru => MacVlanMode::Passthrough,
    }
}

fn ipvlan_mode(mode: IpvlanMode) -> IpVlanMode {
    match mode {
        IpvlanMode::L2 => IpVlanMode::L2,
        IpvlanMode::L3 => IpVlanMode::L3,
        IpvlanMode::L3s => IpVlanMode::L3S,
    }
}

fn ipvlan_flags(flag: IpvlanFlag) -> IpVlanFlags {
    match flag {
        IpvlanFlag::Bridge => IpVlanFlags::empty(),
        IpvlanFlag::Private => IpVlanFlags::Private,
        IpvlanFlag::Vepa => IpVlanFlags::Vepa,
    }
}
