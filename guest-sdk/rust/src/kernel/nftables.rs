//! Packet filter and address translation: rules in a table (family inet) that is the network's own and goes with it.
//!
//! Every rule has to be tied to the network: by a condition that names one of its links or an address in its pools, or
//! by a translation into its pools. One that drops what is invalid at `Prerouting` may name a port of the host instead, which the call's owner
//! has taken, and a source or a destination of its family.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::links::Link;
use crate::namespaces::Namespace;
use crate::{Protocol, Result, sys};

/// What a chain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChainType {
    /// Letting pass and dropping.
    Filter,
    /// Translating addresses.
    Nat,
}

/// Where packets meet a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// All that come in, before routing.
    Prerouting,
    /// To the host itself.
    Input,
    /// From one link to another.
    Forward,
    /// From the host itself.
    Output,
    /// All that go out.
    Postrouting,
}

/// A base chain, its policy accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chain {
    /// What it is for.
    pub chain_type: ChainType,
    /// Where packets meet it.
    pub hook: Hook,
    /// The lower, the sooner.
    pub priority: i32,
}

impl Chain {
    /// What comes in, before connection tracking.
    pub const RAW_PREROUTING: Self = Self::filter(Hook::Prerouting, -300);
    /// What is forwarded.
    pub const FORWARD: Self = Self::filter(Hook::Forward, 0);
    /// What the host sends.
    pub const OUTPUT: Self = Self::filter(Hook::Output, 0);
    /// Destinations of what comes in.
    pub const NAT_PREROUTING: Self = Self::nat(Hook::Prerouting, -100);
    /// Destinations of what the host sends.
    pub const NAT_OUTPUT: Self = Self::nat(Hook::Output, -100);
    /// Sources of what goes out.
    pub const NAT_POSTROUTING: Self = Self::nat(Hook::Postrouting, 100);

    /// A filter chain.
    pub const fn filter(hook: Hook, priority: i32) -> Self {
        Self { chain_type: ChainType::Filter, hook, priority }
    }

    /// A translating chain.
    pub const fn nat(hook: Hook, priority: i32) -> Self {
        Self { chain_type: ChainType::Nat, hook, priority }
    }
}

/// States of a connection; a packet matches if its connection is in one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionStates {
    /// This packet begins it.
    pub new: bool,
    /// Packets went both ways.
    pub established: bool,
    /// It belongs to another one, like an ICMP error.
    pub related: bool,
    /// It makes no sense.
    pub invalid: bool,
}

impl ConnectionStates {
    /// Answers, and what belongs to them.
    pub const ESTABLISHED_RELATED: Self = Self { new: false, established: true, related: true, invalid: false };
}

/// Ports from `first` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl From<u16> for PortRange {
    fn from(port: u16) -> Self {
        Self { first: port, last: port }
    }
}

/// One property of a packet. One of addresses or ports holds only for packets of that family and protocol.
#[derive(Clone, Copy, Debug)]
pub enum Property<'a> {
    /// It came in by this link.
    InputLink(&'a Link),
    /// It leaves by this link.
    OutputLink(&'a Link),
    /// It comes from there.
    Source(IpNet),
    /// It goes there.
    Destination(IpNet),
    /// It goes to an address of this namespace (fib daddr type local).
    DestinationLocal,
    /// The IP protocol.
    Protocol(Protocol),
    /// Needs a `Protocol` of TCP, UDP or SCTP before it in the rule.
    SourcePort(PortRange),
    /// The same.
    DestinationPort(PortRange),
    /// The state of its connection.
    Connection(ConnectionStates),
    /// The connection's destination was translated (ct status dnat).
    DestinationTranslated,
}

/// A property that must hold, or must not.
#[derive(Clone, Copy, Debug)]
pub struct Condition<'a> {
    /// The property.
    pub property: Property<'a>,
    /// The condition holds where the property does not.
    pub negated: bool,
}

/// An address that packets are translated to, and a port if that changes as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The new address.
    pub address: IpAddr,
    /// The new port.
    pub port: Option<u16>,
}

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes this chain.
    Accept,
    /// It goes no further.
    Drop,
    /// Its source becomes the address of the link that it leaves by.
    Masquerade,
    /// Its source becomes this.
    SourceNat(Target),
    /// Its destination becomes this, in one of the network's pools.
    DestinationNat(Target),
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule<'a> {
    /// Where it stands.
    pub chain: Chain,
    /// All of them must hold.
    pub conditions: Vec<Condition<'a>>,
    /// What happens then.
    pub verdict: Verdict,
}

impl<'a> Rule<'a> {
    /// A rule without conditions.
    pub fn new(chain: Chain, verdict: Verdict) -> Self {
        Self { chain, conditions: Vec::new(), verdict }
    }

    /// And this must hold.
    #[must_use]
    pub fn when(mut self, property: Property<'a>) -> Self {
        self.conditions.push(Condition { property, negated: false });
        self
    }

    /// And this must not hold.
    #[must_use]
    pub fn unless(mut self, property: Property<'a>) -> Self {
        self.conditions.push(Condition { property, negated: true });
        self
    }
}

/// Names a rule; from then on the same, also after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleId(pub u64);

/// Adds rules at the ends of their chains. They belong to the endpoint or network of the call.
///
/// # Errors
/// `InvalidArgument`: translation in a chain that can't do it, or a rule that is not tied to the network. `Forbidden`: a hook with a priority
/// that the grant does not name, or packets that are not the driver's to translate. `NotFound`: a link is gone. `Unavailable`: the driver has as
/// many rules as its grant says.
pub fn add(namespace: Option<&Namespace>, rules: &[Rule]) -> Result<Vec<RuleId>> {
    sys::nftables::add(namespace.map(|namespace| &namespace.0), rules)
}

/// Removes rules, when the call has returned `Ok`. Ok for those that are not there.
///
/// # Errors
/// `InvalidArgument`: more than 1,000.
pub fn remove(ids: &[RuleId]) -> Result<()> {
    sys::nftables::remove(ids)
}

/// The rules of the call's endpoint, or of its network where the call has no endpoint; not those that this call has removed.
///
/// # Errors
/// None to be expected.
pub fn list() -> Result<Vec<RuleId>> {
    sys::nftables::list()
}
