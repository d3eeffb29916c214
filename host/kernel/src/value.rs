//! The words that the kernel layer is spoken to with: values only, no handles, so that it can become a process of its own.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize};

use words::{LinkName, MacAddress};

use crate::{
    Device, HostPort, LinkOptions, NftElement, NftMap, NftMember, NftOwnChain, NftRejection, NftSetKind, NftStatement,
    PortWish, Rate, SetPeers,
};

/// Which network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Namespace {
    /// The one that Pontoon works in.
    Host,
    /// The one at a path. It is opened for each use and never kept, or it could not die.
    At(NamespacePath),
}

/// A network namespace by path and identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NamespacePath {
    /// Where it is bound, e.g. `/run/netns/a`.
    pub path: PathBuf,
    /// The nsfs inode that was there when it was first seen; anything else there later is "gone".
    pub inode: u64,
}

/// One link: its namespace and its interface index there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LinkKey {
    /// Where it is.
    pub namespace: Namespace,
    /// The kernel's ifindex.
    pub index: u32,
}

/// The name of a link that is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NewName {
    /// This one.
    Exact(LinkName),
    /// This and the lowest free number (the kernel's `eth%d`).
    Prefix(LinkName),
}

/// One end of a link that is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkEnd {
    /// Where it is made.
    pub namespace: Namespace,
    /// Its name.
    pub name: NewName,
    /// Its MAC; none: the kernel's choice.
    pub mac: Option<MacAddress>,
    /// Bytes; none: the kernel's choice.
    pub mtu: Option<u32>,
    /// The ifindex of the bridge that it becomes a port of, in the same namespace.
    pub master: Option<u32>,
    /// Addresses that it gets (IPv6 without duplicate address detection).
    pub addresses: Vec<IpNet>,
    /// Set up.
    pub up: bool,
}

/// A link to make. It carries the instance's mark from the message that makes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkSpec {
    /// The link, or the first end of a pair.
    pub end: LinkEnd,
    /// What it is.
    pub kind: LinkKind,
}

/// The kinds of links (IFLA_INFO_KIND and its data in linux/if_link.h).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LinkKind {
    /// A bridge.
    Bridge,
    /// A pair, with its other end.
    Veth(Box<LinkEnd>),
    /// A VXLAN tunnel.
    Vxlan(Vxlan),
    /// A macvlan on `parent` (an ifindex of the host's namespace).
    #[expect(missing_docs, reason = "the fields say it")]
    Macvlan { parent: u32, mode: MacvlanMode },
    /// A macvlan whose packets a program of the host's reads and writes, by the file `/dev/tapN`, where N is its index.
    #[expect(missing_docs, reason = "the fields say it")]
    Macvtap { parent: u32, mode: MacvlanMode },
    /// An ipvlan on `parent`.
    #[expect(missing_docs, reason = "the fields say it")]
    Ipvlan { parent: u32, mode: IpvlanMode, flag: IpvlanFlag },
    /// A VLAN on `parent`.
    #[expect(missing_docs, reason = "the fields say it")]
    Vlan { parent: u32, id: u16 },
    /// A dummy.
    Dummy,
    /// One that what others receive goes through ([`Change::Redirect`]).
    Ifb,
    /// A WireGuard link, on the host, that listens on a UDP port. Its private key is made when it is made, and is in the kernel alone.
    #[expect(missing_docs, reason = "the field says it")]
    Wireguard { port: u16 },
}

impl LinkKind {
    /// The link that one of this kind lies on, by its ifindex in the host's namespace: the kernel deletes both together.
    pub fn parent(&self) -> Option<u32> {
        match self {
            Self::Vxlan(Vxlan { parent, .. }) => *parent,
            Self::Macvlan { parent, .. }
            | Self::Macvtap { parent, .. }
            | Self::Ipvlan { parent, .. }
            | Self::Vlan { parent, .. } => Some(*parent),
            Self::Bridge | Self::Veth(_) | Self::Dummy | Self::Ifb | Self::Wireguard { .. } => None,
        }
    }
}

/// Options of a VXLAN link.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the WIT's, documented there")]
pub struct Vxlan {
    pub vni: u32,
    pub port: u16,
    pub parent: Option<u32>,
    pub local: Option<IpAddr>,
    pub remote: Option<IpAddr>,
    pub learning: bool,
    pub proxy: bool,
}

/// MACVLAN_MODE_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the kernel's names")]
pub enum MacvlanMode {
    Private,
    Vepa,
    Bridge,
    Passthru,
}

/// IPVLAN_MODE_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the kernel's names")]
pub enum IpvlanMode {
    L2,
    L3,
    L3s,
}

/// IPVLAN_F_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the kernel's names")]
pub enum IpvlanFlag {
    Bridge,
    Private,
    Vepa,
}

/// What to change of a link; none: leave it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkChanges {
    /// A new name.
    pub name: Option<NewName>,
    /// A new MAC.
    pub mac: Option<MacAddress>,
    /// A new MTU in bytes.
    pub mtu: Option<u32>,
    /// Up or down.
    pub up: Option<bool>,
    /// The bridge that it becomes a port of (an ifindex), or 0 for none.
    pub master: Option<u32>,
    /// IFLA_BRPORT_MODE.
    pub hairpin: Option<bool>,
    /// IFLA_BRPORT_ISOLATED.
    pub isolated: Option<bool>,
    /// IFLA_BRPORT_LEARNING.
    pub learning: Option<bool>,
}

/// What the kernel says of a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkInfo {
    /// The ifindex.
    pub index: u32,
    /// The name.
    pub name: String,
    /// The kind; empty for a physical device.
    pub kind: String,
    /// The MAC, where it has one of six bytes.
    pub mac: Option<MacAddress>,
    /// Bytes.
    pub mtu: u32,
    /// IFF_UP.
    pub up: bool,
    /// IFF_RUNNING.
    pub running: bool,
    /// The ifindex of the link that it is a port of.
    pub master: Option<u32>,
    /// IFLA_LINK: the ifindex of its parent or of the other end of a pair, in whichever namespace that is.
    pub parent: Option<u32>,
    /// Whose it is.
    pub mark: Mark,
}

/// What a link's group (IFLA_GROUP, 32 bits) says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mark {
    /// Made by this instance of Pontoon.
    Owned,
    /// Made by this instance and waiting for the reaper.
    Condemned,
    /// Not this instance's.
    Foreign,
    /// The same, and this instance has taken it for a container: see [`Device`].
    Taken,
}

impl Mark {
    /// This instance has made the link.
    pub fn is_made(self) -> bool {
        matches!(self, Self::Owned | Self::Condemned)
    }
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    /// The link that packets leave through.
    pub link: LinkKey,
    /// Where to.
    pub destination: IpNet,
    /// The next hop; none: on-link.
    pub gateway: Option<IpAddr>,
    /// The preferred source.
    pub source: Option<IpAddr>,
    /// The table; none: main.
    pub table: Option<u32>,
    /// The priority.
    pub metric: Option<u32>,
}

/// A route that goes by several next hops, by a link of others, or nowhere. The kernel tells it apart by destination, table and metric.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RoutePath {
    /// Where it is.
    pub namespace: Namespace,
    /// Where to.
    pub destination: IpNet,
    /// What becomes of packets.
    pub way: Way,
    /// The preferred source.
    pub source: Option<IpAddr>,
    /// The table; none: main.
    pub table: Option<u32>,
    /// The priority.
    pub metric: Option<u32>,
    /// The largest packet, in bytes (RTAX_MTU).
    pub mtu: Option<u32>,
}

/// What becomes of the packets of a [`RoutePath`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Way {
    /// RTN_BLACKHOLE
    Blackhole,
    /// RTN_UNREACHABLE
    Unreachable,
    /// RTN_PROHIBIT
    Prohibit,
    /// One of these, by flow.
    Hops(Vec<Hop>),
}

/// A next hop.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hop {
    /// The link's index in the path's namespace.
    pub link: u32,
    /// The machine there; none: on-link.
    pub gateway: Option<IpAddr>,
    /// The gateway is on the link, whatever routes say (RTNH_F_ONLINK).
    pub on_link: bool,
    /// Its share, 1 to 256.
    pub weight: u16,
}

/// An address that the host answers for on a link, as if it had it (NTF_PROXY): ARP and neighbour solicitations.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Proxy {
    /// On which link.
    pub link: LinkKey,
    /// The address.
    pub address: IpAddr,
}

/// The table that routes are in if nothing else is said (linux/rtnetlink.h).
pub const RT_TABLE_MAIN: u32 = 254;

/// The table of a rule that refuses what it matches, instead of looking anywhere (FR_ACT_PROHIBIT).
pub const RT_TABLE_NONE: u32 = 0;

/// A policy rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rule {
    /// Where it holds.
    pub namespace: Namespace,
    /// IPv6 instead of IPv4.
    pub ipv6: bool,
    /// 1 to 32,765; 0, right after the table of local addresses, is the host's own.
    pub priority: u32,
    /// Packets from here.
    pub source: Option<IpNet>,
    /// Packets to there.
    pub destination: Option<IpNet>,
    /// Packets that came in by the link of this name: a rule made now has the link's [`own_name`].
    pub input: Option<LinkName>,
    /// Packets with this mark under this mask.
    pub mark: Option<(u32, u32)>,
    /// The table to look into, or [`RT_TABLE_NONE`].
    pub table: u32,
}

/// A permanent neighbour entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Neighbour {
    /// On which link.
    pub link: LinkKey,
    /// The address.
    pub address: IpAddr,
    /// Who has it.
    pub mac: MacAddress,
}

/// A permanent forwarding entry of a bridge port (no `remote`: NTF_MASTER) or of a vxlan link (NTF_SELF).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Forwarding {
    /// On which link.
    pub link: LinkKey,
    /// Which MAC.
    pub mac: MacAddress,
    /// The remote tunnel end.
    pub remote: Option<IpAddr>,
}

/// What the name of a table of family bridge ends with. Its rules are for what passes bridges; one of any other name is of family inet.
pub const FRAMES: &str = "-frames";

/// An nftables rule in a table of family inet, or bridge ([`FRAMES`]). Table and chain are made with it and go with their last rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NftRule {
    /// Its base chain.
    pub chain: NftChain,
    /// All must hold.
    pub conditions: Vec<NftCondition>,
    /// What is done then, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<NftStatement>,
    /// What happens at last.
    pub verdict: NftVerdict,
    /// The name of the own chain behind that chain in which it stands; none: it stands in the base chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<String>,
    /// The comment (NFTA_RULE_USERDATA, at most 128 bytes): who made it.
    pub comment: String,
}

/// A base chain; its name follows from the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NftChain {
    /// nat instead of filter.
    pub nat: bool,
    /// The hook.
    pub hook: NftHook,
    /// The priority.
    pub priority: i32,
}

/// NF_INET_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the kernel's names")]
pub enum NftHook {
    Prerouting,
    Input,
    Forward,
    Output,
    Postrouting,
}

/// A property and whether it must not hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NftCondition {
    /// The property.
    pub property: NftProperty,
    /// It must not hold.
    pub negated: bool,
}

/// A property of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NftProperty {
    /// meta iif: by the index, which the next link of a name does not get.
    InputLink(u32),
    /// meta oif.
    OutputLink(u32),
    /// meta iifgroup.
    InputGroup(u32),
    /// meta iif, any of these.
    InputLinks(Vec<u32>),
    /// meta oif, any of these.
    OutputLinks(Vec<u32>),
    /// ip saddr or ip6 saddr, with the family's check (meta nfproto) before it, which is never negated.
    Source(IpNet),
    /// ip daddr or ip6 daddr.
    Destination(IpNet),
    /// fib daddr type local.
    DestinationLocal,
    /// meta l4proto.
    Protocol(u8),
    /// th sport, both ends included.
    SourcePort(u16, u16),
    /// th dport.
    DestinationPort(u16, u16),
    /// ct state: the bits NEW 8, ESTABLISHED 2, RELATED 4, INVALID 1 (as nft's `ct state` has them).
    Connection(u32),
    /// ct status dnat.
    DestinationTranslated,
    /// @set
    Member(NftMember),
    /// meta mark: these bits have this value, which has no others.
    #[expect(missing_docs, reason = "the names say it")]
    Mark { value: u32, mask: u32 },
    /// tcp flags: of the mask's flags those that are set (struct tcphdr, byte 13).
    #[expect(missing_docs, reason = "the names say it")]
    TcpFlags { set: u8, mask: u8 },
    /// icmp type, or icmpv6 type.
    IcmpType(u8),
    /// ether saddr, in tables of [`FRAMES`].
    EtherSource(MacAddress),
    /// ether daddr, in tables of [`FRAMES`].
    EtherDestination(MacAddress),
    /// meta protocol: an EtherType, in tables of [`FRAMES`].
    EtherType(u16),
}

/// What happens to a packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NftVerdict {
    /// accept
    Accept,
    /// drop
    Drop,
    /// masquerade
    Masquerade,
    /// snat to an address, and a port
    SourceNat(IpAddr, Option<u16>),
    /// dnat to an address, and a port
    DestinationNat(IpAddr, Option<u16>),
    /// dnat to what a map of the host's ports has for the packet's; none there: on to the next rule
    DestinationNatBy(NftMap),
    /// No verdict: on to the next rule
    Proceed,
    /// reject
    Reject(NftRejection),
    /// log with a prefix, at most so many lines in a second; then on to the next rule
    #[expect(missing_docs, reason = "the names say it")]
    Log { prefix: String, rate: u32 },
    /// jump to an own chain behind the same base chain, by its name
    Jump(String),
    /// goto
    Goto(String),
    /// return
    Return,
}

/// A rule that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRule {
    /// Its table.
    pub table: String,
    /// Where it is found.
    pub handle: NftHandle,
    /// Its comment.
    pub comment: String,
}

/// A packet that is followed through the host's packet rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// It begins a connection from a container, and is forwarded: it came in by a bridge that no rule names, and nothing has translated its destination.
    Forwarded,
    /// UDP to this host, from another one.
    Udp {
        /// The name of the link that it comes in by.
        link: String,
        /// The ifindex of that.
        index: u32,
        /// IPv6 instead of IPv4.
        ipv6: bool,
        /// Where it goes to.
        port: u16,
    },
}

/// A base chain that drops a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppingChain {
    /// `FAMILY TABLE CHAIN`, as nft has them.
    pub chain: String,
    /// The chain of that table whose rule does it; none: the policy.
    pub rule_in: Option<String>,
}

/// Where a rule that was made is found again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NftHandle {
    /// Its base chain.
    pub chain: NftChain,
    /// The port in whose chain it is, to which the base chain leads; none: it is in the base chain itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<NftPort>,
    /// The name of the own chain behind the base chain in which it is; none: it is in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<String>,
    /// The kernel's handle in its table.
    pub handle: u64,
}

/// A port of a protocol. Rules for it alone have a chain of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NftPort {
    /// IPPROTO_*.
    pub protocol: u8,
    /// The destination's.
    pub port: u16,
}

/// A kernel setting. The kernel layer alone knows its path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Sysctl {
    /// /proc/sys/net/FAMILY/conf/LINK/NAME, or FAMILY/neigh/LINK/NAME for [`PROXY_DELAY`], where LINK is the name that the link of this index has
    /// at the moment; `family` is `ipv4` or `ipv6` and `name` a file there. Written for a link of this instance only. (Notes of 0.1.0 have no index, and are not done any more.)
    #[expect(missing_docs, reason = "the fields say it")]
    Link {
        #[serde(deserialize_with = "kept")]
        family: Fixed,
        #[serde(default)]
        index: u32,
        #[serde(deserialize_with = "kept")]
        name: Fixed,
    },
    /// net.ipv6.conf.LINK.accept_ra of whichever link: whether it goes on to heed routers when this host becomes one is for the host to say.
    #[expect(missing_docs, reason = "the field says it")]
    AcceptRa { index: u32 },
    /// /proc/sys/net/PATH.
    Namespace(#[serde(deserialize_with = "kept")] Fixed),
}

/// How long answers for others wait, at most, in hundredths of a second: a setting of a link's neighbours.
pub const PROXY_DELAY: &str = "proxy_delay";

/// A part of a setting's path: the program's own.
type Fixed = &'static str;

/// Records of links are read with each endpoint, and name the same few settings: each is kept once.
fn kept<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fixed, D::Error> {
    static KEPT: Mutex<BTreeSet<Fixed>> = Mutex::new(BTreeSet::new());
    let read = String::deserialize(deserializer)?;
    let mut all = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(name) = all.get(read.as_str()) {
        return Ok(name);
    }
    let name = read.leak();
    all.insert(name);
    Ok(name)
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Change {
    /// Answers [`Outcome::Link`].
    AddLink(LinkSpec),
    /// A link of this instance only: its mark is looked at right before, or was seen in the same operation ([`KnownLinks`](crate::KnownLinks)).
    SetLink(LinkKey, LinkChanges),
    /// A link of this instance only, with its name, into another namespace. Answers [`Outcome::Link`].
    MoveLink(LinkKey, Namespace),
    /// A link of this instance only. Ok if it is gone.
    RemoveLink(LinkKey),
    /// A device of the host's that is not this instance's, for a container: it stays as it is. Answers [`Outcome::Device`]. `EEXIST`: it is taken
    /// already. `EBUSY`: it is a port, or a link lies on it.
    TakeDevice(LinkKey),
    /// From the host into its container. Answers [`Outcome::Link`].
    MoveDevice(Box<Device>),
    /// Back to the host, as it was. Ok if it is gone.
    GiveBack(Box<Device>),
    /// IPv6 without duplicate address detection.
    AddAddress(LinkKey, IpNet),
    /// Ok if it is gone.
    RemoveAddress(LinkKey, IpNet),
    /// Gives a link of this instance its [`own_name`] beside the one that it has. Ok if it has it.
    AddOwnName(LinkKey),
    /// Ok if it is gone.
    RemoveOwnName(LinkKey),
    /// With this instance's route protocol.
    AddRoute(Route),
    /// Ok if it is gone.
    RemoveRoute(Route),
    /// With this instance's route protocol.
    AddPath(RoutePath),
    /// Ok if it is gone.
    RemovePath(RoutePath),
    /// With this instance's protocol.
    AddRule(Rule),
    /// Ok if it is gone.
    RemoveRule(Rule),
    /// Replaces; the old entry comes back with undo.
    AddNeighbour(Neighbour),
    /// Ok if it is gone.
    RemoveNeighbour(Neighbour),
    /// Replaces; the old entry comes back with undo.
    AddForwarding(Forwarding),
    /// Ok if it is gone.
    RemoveForwarding(Forwarding),
    /// `EEXIST`: there is one of that address.
    AddProxy(Proxy),
    /// Ok if it is gone.
    RemoveProxy(Proxy),
    /// Peers of a WireGuard link of this instance. What they were comes back with undo.
    SetPeers(SetPeers),
    /// Rules for one table. Answers [`Outcome::Rules`].
    #[expect(missing_docs, reason = "the fields say it")]
    AddNftRules { namespace: Namespace, table: String, rules: Vec<NftRule> },
    /// Removes rules, chains that are empty then, and the table if all are. Ok for what is gone.
    #[expect(missing_docs, reason = "the fields say it")]
    RemoveNftRules { namespace: Namespace, table: String, rules: Vec<NftHandle> },
    /// An empty chain in a table, which is made with it. Rules of its base chain lead there. `EEXIST`: there is one.
    #[expect(missing_docs, reason = "the fields say it")]
    AddNftChain { namespace: Namespace, table: String, chain: NftOwnChain },
    /// Removes a chain, and the table if nothing else is in it. Ok if it is gone. `EBUSY`: a rule stands in it, or leads there.
    #[expect(missing_docs, reason = "the fields say it")]
    RemoveNftChain { namespace: Namespace, table: String, chain: NftOwnChain },
    /// An empty set in a table, which is made with it.
    #[expect(missing_docs, reason = "the fields say it")]
    AddNftSet { namespace: Namespace, table: String, set: String, kind: NftSetKind },
    /// Removes a set, and the table if nothing else is in it. Ok if it is gone. `EBUSY`: a rule looks into it.
    #[expect(missing_docs, reason = "the fields say it")]
    RemoveNftSet { namespace: Namespace, table: String, set: String, kind: NftSetKind },
    /// `EEXIST`: one overlaps with what is in the set.
    #[expect(missing_docs, reason = "the fields say it")]
    AddNftElements { namespace: Namespace, table: String, set: String, elements: Vec<NftElement> },
    /// Ok for what is gone.
    #[expect(missing_docs, reason = "the fields say it")]
    RemoveNftElements { namespace: Namespace, table: String, set: String, elements: Vec<NftElement> },
    /// Removes a table with all in it. Ok if it is gone.
    #[expect(missing_docs, reason = "the fields say it")]
    RemoveNftTable { namespace: Namespace, table: String },
    /// Answers [`Outcome::Value`] with the value before; undo writes it back.
    #[expect(missing_docs, reason = "the fields say it")]
    SetSysctl { namespace: Namespace, sysctl: Sysctl, value: i32 },
    /// What a link of this instance's may send from now on; none: as fast as it can. `EEXIST`: somebody else limits it.
    #[expect(missing_docs, reason = "the fields say it")]
    SetRate { link: LinkKey, rate: Option<Rate> },
    /// Has what a link of this instance's receives go first to one of kind ifb in the same namespace, by its ifindex, or no more.
    #[expect(missing_docs, reason = "the fields say it")]
    Redirect { link: LinkKey, to: Option<u32> },
    /// Properties of a link of this instance's; of a port whose bridge is this instance's, too. What they were comes back with undo.
    #[expect(missing_docs, reason = "the fields say it")]
    SetOptions { link: LinkKey, options: LinkOptions },
    /// A namespace bound in the run folder, loopback up. Answers [`Outcome::Namespace`].
    AddNamespace(String),
    /// Ok if it is gone.
    RemoveNamespace(String),
    /// Answers [`Outcome::Port`], of a range the first. `EADDRINUSE`: none is free. `EADDRNOTAVAIL`: an address that the host does not have.
    TakePort(PortWish),
    /// Ok if it is not taken.
    ReleasePort(HostPort),
}

/// What a change made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to tell.
    Done,
    /// A link, and the other end of a pair.
    Link(NewLink, Option<NewLink>),
    /// A device as it was when it was taken.
    Device(Box<Device>),
    /// Rules, in the order in which they were given.
    Rules(Vec<NftHandle>),
    /// The value before.
    Value(i32),
    /// Where the namespace is bound.
    Namespace(NamespacePath),
    /// The port that was taken.
    Port(u16),
}

/// A link that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLink {
    /// Where it is.
    pub key: LinkKey,
    /// The name that it got.
    pub name: LinkName,
    /// The MAC that it got.
    pub mac: Option<MacAddress>,
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What it made.
    pub outcome: Outcome,
    /// What takes it back, in this order; empty where nothing can or needs to.
    pub undo: Vec<Change>,
}

/// Why the kernel layer refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Error {
    /// What was tried, with which value, and what the kernel said.
    pub message: String,
    /// The errno (positive) where the kernel itself refused.
    pub errno: Option<i32>,
}

/// A name that only the link of this index is given, beside its first one, and that no other ever has as its first. Policy rules go by
/// names: the kernel looks for the link when a rule is made, and then for one whose first name is that, so such a rule ends with its link.
pub fn own_name(index: u32) -> Result<LinkName, words::Error> {
    LinkName::new(&format!("{OWN_NAMES}{index:08x}"))
}

/// What these names begin with.
pub const OWN_NAMES: &str = "pontoon";

/// The index of the link whose own name this is.
pub fn index_of_own_name(name: &LinkName) -> Option<u32> {
    let digits = name.as_str().strip_prefix(OWN_NAMES).filter(|digits| digits.len() == 8)?;
    u32::from_str_radix(digits, 16).ok()
}

impl NftRule {
    /// The names of the sets that it looks into, and of the maps that it looks up.
    pub fn sets(&self) -> impl Iterator<Item = &str> {
        let members = self.conditions.iter().filter_map(|condition| match &condition.property {
            NftProperty::Member(member) => Some(member.set.as_str()),
            _ => None,
        });
        let marks = self.statements.iter().filter_map(|statement| match statement {
            NftStatement::SetMarkBy { map, .. } => Some(map.name.as_str()),
            _ => None,
        });
        let by = match &self.verdict {
            NftVerdict::DestinationNatBy(map) => Some(map.name.as_str()),
            _ => None,
        };
        members.chain(marks).chain(by)
    }

    /// The links without which it holds for no packet, by their indexes in its namespace.
    pub fn needed_links(&self) -> Vec<u32> {
        let needed = |condition: &NftCondition| match condition {
            NftCondition {
                property: NftProperty::InputLink(index) | NftProperty::OutputLink(index),
                negated: false,
            } => Some(*index),
            _ => None,
        };
        self.conditions.iter().filter_map(needed).collect()
    }
}

impl RoutePath {
    /// The links that it goes by.
    pub fn links(&self) -> impl Iterator<Item = LinkKey> {
        let hops = if let Way::Hops(hops) = &self.way { hops.as_slice() } else { &[] };
        hops.iter().map(|hop| LinkKey { namespace: self.namespace.clone(), index: hop.link })
    }
}

impl LinkSpec {
    /// How many links it makes: a pair has two ends.
    pub fn links(&self) -> usize {
        self.ends().count()
    }

    /// The link's own end, and of a pair the other one.
    pub fn ends(&self) -> impl Iterator<Item = &LinkEnd> {
        let peer = match &self.kind {
            LinkKind::Veth(peer) => Some(&**peer),
            _ => None,
        };
        std::iter::once(&self.end).chain(peer)
    }
}

/// A value that can't be used, where the layer itself checks one.
impl From<words::Error> for Error {
    fn from(error: words::Error) -> Self {
        Self { message: error.message, errno: error.errno }
    }
}

impl words::Specific for Error {}

impl From<Error> for words::Error {
    fn from(error: Error) -> Self {
        use rustix::io::Errno;
        use words::Kind;

        let kind = match error.errno.map(Errno::from_raw_os_error) {
            Some(Errno::EXIST | Errno::ADDRINUSE) => Kind::AlreadyExists,
            Some(Errno::NODEV | Errno::NOENT | Errno::SRCH | Errno::ADDRNOTAVAIL) => Kind::NotFound,
            Some(Errno::PERM | Errno::ACCESS) => Kind::Forbidden,
            Some(Errno::OPNOTSUPP | Errno::AFNOSUPPORT | Errno::PROTONOSUPPORT) => Kind::NotImplemented,
            Some(
                Errno::PIPE | Errno::BUSY | Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM | Errno::MFILE | Errno::NFILE,
            ) => Kind::Unavailable,
            Some(Errno::INVAL | Errno::RANGE | Errno::NETUNREACH) => Kind::InvalidArgument,
            _ => Kind::Internal,
        };
        Self { kind, message: error.message, errno: error.errno }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_read_again_takes_no_more_memory() {
        let setting = Sysctl::Link { family: "ipv6", index: 7, name: "accept_dad" };
        let text = serde_json::to_string(&setting).unwrap();
        let read = || serde_json::from_str::<Sysctl>(&text).unwrap();
        let [first, second] = [read(), read()];
        assert_eq!((&first, &second), (&setting, &setting));
        let (Sysctl::Link { name: one, .. }, Sysctl::Link { name: other, .. }) = (first, second) else { panic!() };
        assert!(std::ptr::eq(one, other));
    }
}
