//! Sets and maps, and packet rules with more than a rule of [`nftables`](crate::nftables) has. Both kinds of rules stand in the same chains, and
//! [`nftables::remove`](crate::nftables::remove) and [`nftables::list`](crate::nftables::list) are for both.
//!
//! Each rule has to be tied to the network as one of `nftables`: what is more in it ties it to nothing.

use std::net::SocketAddr;

use ipnet::IpNet;

use crate::namespaces::Namespace;
use crate::nftables::{self, Chain, PortRange, RuleId, Verdict};
use crate::{Protocol, Result, sys};

/// What is in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetKind {
    /// IPv4 networks.
    Ipv4,
    /// IPv6 networks.
    Ipv6,
    /// Ranges of ports.
    Ports,
    /// A map, for [`Action::DestinationNatBy`]: from ports of the host to IPv4 addresses and ports.
    Ipv4HostPorts,
    /// The same to IPv6 addresses.
    Ipv6HostPorts,
    /// A map, for [`Statement::SetMarkBy`]: from IPv4 networks to marks.
    Ipv4Marks,
    /// From IPv6 networks to marks.
    Ipv6Marks,
}

/// An element of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// One address is a network of its full length.
    Network(IpNet),
    /// Ports.
    Ports(PortRange),
    /// Of a map: what comes to this port on every address of the host goes there. The port is one that the call's owner has taken, the address one of
    /// the network's.
    #[expect(missing_docs, reason = "the names say it")]
    HostPort { protocol: Protocol, port: u16, to: SocketAddr },
    /// Of a map: the mark of what comes from there or goes there, of bits that the grant names.
    #[expect(missing_docs, reason = "the names say it")]
    Mark { network: IpNet, mark: u32 },
}

impl From<IpNet> for Element {
    fn from(network: IpNet) -> Self {
        Self::Network(network)
    }
}

impl From<PortRange> for Element {
    fn from(range: PortRange) -> Self {
        Self::Ports(range)
    }
}

/// Which part of a packet a set is looked into for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Its source address.
    Source,
    /// Its destination address.
    Destination,
    /// Needs a protocol of TCP, UDP or SCTP before it in the rule.
    SourcePort,
    /// The same.
    DestinationPort,
}

/// Bits of a packet's mark: those that count, and what they are. A value has no other bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkBits {
    /// What they are.
    pub value: u32,
    /// Those that count.
    pub mask: u32,
}

/// Flags of a TCP packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are TCP's")]
pub struct TcpFlags {
    pub fin: bool,
    pub syn: bool,
    pub rst: bool,
    pub psh: bool,
    pub ack: bool,
    pub urg: bool,
}

/// A property of a packet.
#[derive(Clone, Copy, Debug)]
pub enum Property<'a> {
    /// One that a rule of `nftables` has.
    Plain(nftables::Property<'a>),
    /// A set of the network's or of the same endpoint's, in the rule's namespace, has a part of the packet in it.
    #[expect(missing_docs, reason = "the names say it")]
    Member { field: Field, set: &'a str },
    /// Its mark has these bits.
    Mark(MarkBits),
    /// Of the flags in `mask`, those in `set` are set and no others. Needs a protocol of TCP before it.
    #[expect(missing_docs, reason = "the names say it")]
    TcpFlags { set: TcpFlags, mask: TcpFlags },
    /// The type of an ICMP message. Needs a protocol of ICMP or ICMPv6 before it.
    IcmpType(u8),
}

impl<'a> From<nftables::Property<'a>> for Property<'a> {
    fn from(property: nftables::Property<'a>) -> Self {
        Self::Plain(property)
    }
}

/// A property that must hold, or must not.
#[derive(Clone, Copy, Debug)]
pub struct Condition<'a> {
    /// The property.
    pub property: Property<'a>,
    /// The condition holds where the property does not.
    pub negated: bool,
}

/// What a rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum RateUnit {
    Packets,
    Bytes,
}

/// So much of all packets that come this far in the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Packets or bytes a second, 1 or more.
    pub amount: u32,
    /// Which.
    pub unit: RateUnit,
    /// Packets, 1 to 65,535, or bytes that may come at once beyond that.
    pub burst: u32,
    /// The rule goes on for what is beyond the rate, and ends for the rest.
    pub over: bool,
}

/// What a rule does before its action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement<'a> {
    /// Counts packets and bytes: see [`counters`]. Once in a rule.
    Counter,
    /// The rule goes on for packets up to this rate, and ends for the rest.
    Limit(Rate),
    /// Sets bits of the packet's mark. The grant names them (`mark-bits`).
    SetMark(MarkBits),
    /// The packet's mark becomes what a map has for its source or destination. The rule ends where that has nothing, and where the mark has other bits
    /// than the mask's. The grant names those (`mark-bits`).
    #[expect(missing_docs, reason = "the names say it")]
    SetMarkBy { field: Field, map: &'a str, mask: u32 },
    /// Makes the largest segment that a TCP connection is told smaller: bytes, 536 to 65,495, or what fits the route. Needs a protocol of TCP.
    ClampSegmentSize(Option<u16>),
    /// The packet is in no connection, and nothing translates it. A permission of its own (`untracked-packets`).
    Untrack,
}

/// What the sender of a packet is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejection {
    /// The port is unreachable.
    PortUnreachable,
    /// The host is unreachable.
    HostUnreachable,
    /// Administratively prohibited.
    Prohibited,
    /// Needs a protocol of TCP.
    TcpReset,
}

/// What happens to a packet at last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// It goes on to the next rule.
    Proceed,
    /// What a rule of `nftables` does.
    Plain(Verdict),
    /// It is dropped, and its sender is told. In filter chains at `Input`, `Forward` and `Output`.
    Reject(Rejection),
    /// It is logged with a prefix of 1 to 32 printable characters, up to 10 lines a second, and goes on. A permission of its own (`packet-log`).
    #[expect(missing_docs, reason = "the names say it")]
    Log { prefix: &'a str, rate: u32 },
    /// It goes on in a chain that [`chains::add`](crate::chains::add) made, and comes back to the next rule if it gets to the end there.
    Jump(&'a str),
    /// The same, and it does not come back: at the end it goes on where it would have gone from the end of this rule's chain.
    Goto(&'a str),
    /// Back behind the rule that led here. In such chains only.
    Return,
    /// What comes to a port of the host that this map has goes where it says, and the rest to the next rule.
    DestinationNatBy(&'a str),
}

impl From<Verdict> for Action<'_> {
    fn from(verdict: Verdict) -> Self {
        Self::Plain(verdict)
    }
}

/// A rule.
#[derive(Clone, Debug)]
pub struct PacketRule<'a> {
    /// Where it stands.
    pub chain: Chain,
    /// All of them must hold; at most 16.
    pub conditions: Vec<Condition<'a>>,
    /// In order; at most 8.
    pub statements: Vec<Statement<'a>>,
    /// What happens then.
    pub action: Action<'a>,
}

impl<'a> PacketRule<'a> {
    /// A rule without conditions and statements.
    pub fn new(chain: Chain, action: impl Into<Action<'a>>) -> Self {
        Self { chain, conditions: Vec::new(), statements: Vec::new(), action: action.into() }
    }

    /// And this must hold.
    #[must_use]
    pub fn when(mut self, property: impl Into<Property<'a>>) -> Self {
        self.conditions.push(Condition { property: property.into(), negated: false });
        self
    }

    /// And this must not hold.
    #[must_use]
    pub fn unless(mut self, property: impl Into<Property<'a>>) -> Self {
        self.conditions.push(Condition { property: property.into(), negated: true });
        self
    }

    /// And then this is done.
    #[must_use]
    pub fn and(mut self, statement: Statement<'a>) -> Self {
        self.statements.push(statement);
        self
    }
}

/// What a rule has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Counter {
    pub packets: u64,
    pub bytes: u64,
}

/// Makes an empty set, which belongs to the endpoint or network of the call. Its name: 1 to 32 letters, digits, `-` or `_`, not `_` at first.
///
/// # Errors
/// `AlreadyExists`: the network has a set of that name, or this call has removed it. `InvalidArgument`: the name. `Unavailable`: the driver has as
/// many as its grant says.
pub fn add_set(namespace: Option<&Namespace>, name: &str, kind: SetKind) -> Result<()> {
    sys::packets::add_set(namespace.map(|namespace| &namespace.0), name, kind)
}

/// Removes a set with all that is in it, when the call has returned `Ok`. Ok if it is not there.
///
/// # Errors
/// `Forbidden`: a rule looks into it.
pub fn remove_set(name: &str) -> Result<()> {
    sys::packets::remove_set(name)
}

/// The names of the network's sets.
///
/// # Errors
/// None to be expected.
pub fn list_sets() -> Result<Vec<String>> {
    sys::packets::list_sets()
}

/// Adds to a set. What is added belongs to the endpoint or network of the call, and goes with it.
///
/// # Errors
/// `NotFound`: there is no such set. `AlreadyExists`: one overlaps with what is in the set. `InvalidArgument`: an element of another kind.
/// `Forbidden`: a port that is not taken, an address that is not the network's, a mark that is not granted.
/// `Unavailable`: the driver has as many as its grant says, or the network's sets have 8,192.
pub fn add_elements(set: &str, elements: &[Element]) -> Result<()> {
    sys::packets::add_elements(set, elements)
}

/// Removes from a set, when the call has returned `Ok`. Ok for what is not in it.
///
/// # Errors
/// None to be expected.
pub fn remove_elements(set: &str, elements: &[Element]) -> Result<()> {
    sys::packets::remove_elements(set, elements)
}

/// What is in a set.
///
/// # Errors
/// `NotFound`: there is no such set.
pub fn list_elements(set: &str) -> Result<Vec<Element>> {
    sys::packets::list_elements(set)
}

/// Adds rules at the ends of their chains. They belong to the endpoint or network of the call.
///
/// # Errors
/// As [`nftables::add`](crate::nftables::add). `Forbidden`: marks, a log or untracked packets that the grant does not name; another endpoint's set.
/// `NotFound`: no such set. `InvalidArgument`: a statement or an action that can't stand in that chain. `Unavailable`: more than 8 rules that log.
pub fn add(namespace: Option<&Namespace>, rules: &[PacketRule]) -> Result<Vec<RuleId>> {
    sys::packets::add(namespace.map(|namespace| &namespace.0), rules)
}

/// What rules of the network have counted since they were made or, where somebody had flushed them, put back. None for a rule without a counter.
///
/// # Errors
/// `InvalidArgument`: more than 1,000.
pub fn counters(ids: &[RuleId]) -> Result<Vec<Option<Counter>>> {
    sys::packets::counters(ids)
}
