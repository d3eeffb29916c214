//! What a packet rule can have beside plain conditions and verdicts: sets that it looks into, and statements.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{NftChain, NftHandle, NftRule};

/// What is in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NftSetKind {
    /// IPv4 networks.
    Ipv4,
    /// IPv6 networks.
    Ipv6,
    /// Ranges of ports.
    Ports,
}

impl NftSetKind {
    /// Bytes of a value.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Ipv4 => 4,
            Self::Ipv6 => 16,
            Self::Ports => 2,
        }
    }
}

/// An element of a set: values from a first to a last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NftElement {
    /// Addresses.
    Network(IpNet),
    /// Ports, both ends included.
    Ports(u16, u16),
}

impl NftElement {
    /// The kind of sets that it can be in.
    pub fn kind(self) -> NftSetKind {
        match self {
            Self::Network(IpNet::V4(_)) => NftSetKind::Ipv4,
            Self::Network(IpNet::V6(_)) => NftSetKind::Ipv6,
            Self::Ports(..) => NftSetKind::Ports,
        }
    }

    /// Its first and its last value, as numbers.
    pub fn range(self) -> (u128, u128) {
        let number = |address| match address {
            IpAddr::V4(v4) => u32::from(v4).into(),
            IpAddr::V6(v6) => v6.into(),
        };
        match self {
            Self::Network(net) => (number(net.network()), number(net.broadcast())),
            Self::Ports(first, last) => (first.into(), last.into()),
        }
    }

    /// The bytes of its first value, and of the one behind its last; none: there is none.
    pub(crate) fn bounds(self) -> (Vec<u8>, Option<Vec<u8>>) {
        let length = self.kind().bytes();
        let bytes = |number: u128| number.to_be_bytes()[16 - length..].to_vec();
        let (first, last) = self.range();
        let most = u128::MAX >> (128 - 8 * length);
        (bytes(first), (last < most).then(|| bytes(last + 1)))
    }
}

/// A set with all that is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NftSet {
    /// Its name in its table.
    pub name: String,
    /// What is in it.
    pub kind: NftSetKind,
    /// No two of them overlap.
    pub elements: Vec<NftElement>,
}

/// A chain that rules lead to, behind a base chain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NftOwnChain {
    /// Whose packets come there.
    pub base: NftChain,
    /// Its name behind that of its base chain.
    pub name: String,
}

impl NftOwnChain {
    /// The one that a rule is in.
    pub(crate) fn of(rule: &NftHandle) -> Option<Self> {
        Some(Self { base: rule.chain, name: rule.own.clone()? })
    }
}

/// A table as it is to be.
#[derive(Clone, Copy, Debug)]
pub struct NftTable<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its own chains.
    pub chains: &'a [NftOwnChain],
    /// Its sets.
    pub sets: &'a [NftSet],
    /// Its rules.
    pub rules: &'a [NftRule],
}

/// Which part of a packet a set is looked into for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum NftField {
    Source,
    Destination,
    SourcePort,
    DestinationPort,
}

/// A set has a part of the packet in it. Of addresses, with the family's check before it, which is never negated.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NftMember {
    /// Which part.
    pub field: NftField,
    /// The set's name; it is in the rule's table.
    pub set: String,
    /// What is in the set.
    pub kind: NftSetKind,
}

/// So much a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NftRate {
    /// Packets or bytes.
    pub amount: u32,
    /// Bytes.
    pub of_bytes: bool,
    /// What may come at once beyond that.
    pub burst: u32,
    /// The rule goes on beyond the rate, and not below.
    pub over: bool,
}

/// What a rule does before its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NftStatement {
    /// counter
    Counter,
    /// limit rate
    Limit(NftRate),
    /// meta mark set: these bits become this value, which has no others.
    #[expect(missing_docs, reason = "the names say it")]
    SetMark { value: u32, mask: u32 },
    /// tcp option maxseg size set; none: rt mtu.
    ClampSegments(Option<u16>),
    /// notrack
    Untrack,
}

/// What the sender is told of a packet that is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum NftRejection {
    PortUnreachable,
    HostUnreachable,
    Prohibited,
    TcpReset,
}

/// What a rule has counted: packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NftCount {
    pub packets: u64,
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_goes_up_to_the_value_behind_it() {
        let net = |text: &str| NftElement::Network(text.parse().unwrap());
        assert_eq!(net("10.0.0.0/24").bounds(), (vec![10, 0, 0, 0], Some(vec![10, 0, 1, 0])));
        assert_eq!(net("255.255.255.255/32").bounds(), (vec![255; 4], None));
        assert_eq!(net("0.0.0.0/0").bounds(), (vec![0; 4], None));
        assert_eq!(net("::/0").bounds(), (vec![0; 16], None));
        let mut next = vec![0; 16];
        next[15] = 2;
        let mut first = vec![0; 16];
        first[15] = 1;
        assert_eq!(net("::1/128").bounds(), (first, Some(next)));
        assert_eq!(NftElement::Ports(80, 90).bounds(), (vec![0, 80], Some(vec![0, 91])));
        assert_eq!(NftElement::Ports(1, 65_535).bounds(), (vec![0, 1], None));
    }
}
