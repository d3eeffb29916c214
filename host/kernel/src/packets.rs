//! What a packet rule can have beside plain conditions and verdicts: sets that it looks into, and statements.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{HostPort, NftChain, NftHandle, NftRule};

/// What is in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NftSetKind {
    /// IPv4 networks.
    Ipv4,
    /// IPv6 networks.
    Ipv6,
    /// Ranges of ports.
    Ports,
    /// A map: from a protocol and a port of the host to an IPv4 address and a port.
    HostPorts4,
    /// The same to IPv6 addresses.
    HostPorts6,
    /// A map: from IPv4 networks to marks.
    Marks4,
    /// From IPv6 networks to marks.
    Marks6,
}

impl NftSetKind {
    /// Bytes of a key. Of two parts, each has a register of four.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Ipv4 | Self::Marks4 => 4,
            Self::Ipv6 | Self::Marks6 => 16,
            Self::Ports => 2,
            Self::HostPorts4 | Self::HostPorts6 => 8,
        }
    }

    /// Whether its elements lead to something: rules look it up, and don't ask whether it is in there.
    pub fn is_map(self) -> bool {
        !matches!(self, Self::Ipv4 | Self::Ipv6 | Self::Ports)
    }

    /// Whether it leads from ports of the host to where packets go.
    pub fn is_of_host_ports(self) -> bool {
        matches!(self, Self::HostPorts4 | Self::HostPorts6)
    }

    /// Whether it leads from addresses to marks.
    pub fn is_of_marks(self) -> bool {
        matches!(self, Self::Marks4 | Self::Marks6)
    }
}

/// An element of a set: values from a first to a last one. Of a map, what they lead to, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NftElement {
    /// Addresses.
    Network(IpNet),
    /// Ports, both ends included.
    Ports(u16, u16),
    /// Of a map: where a packet goes that comes to this port on whichever address of the host.
    #[expect(missing_docs, reason = "the names say it")]
    HostPort { protocol: u8, port: u16, to: SocketAddr },
    /// Of a map: addresses, and the mark of their packets.
    Mark(IpNet, u32),
}

impl NftElement {
    /// The kind of sets that it can be in.
    pub fn kind(self) -> NftSetKind {
        match self {
            Self::Network(IpNet::V4(_)) => NftSetKind::Ipv4,
            Self::Network(IpNet::V6(_)) => NftSetKind::Ipv6,
            Self::Ports(..) => NftSetKind::Ports,
            Self::HostPort { to: SocketAddr::V4(_), .. } => NftSetKind::HostPorts4,
            Self::HostPort { to: SocketAddr::V6(_), .. } => NftSetKind::HostPorts6,
            Self::Mark(IpNet::V4(_), _) => NftSetKind::Marks4,
            Self::Mark(IpNet::V6(_), _) => NftSetKind::Marks6,
        }
    }

    /// The port of the host whose packets it sends elsewhere: on all addresses of its target's family.
    pub fn host_port(self) -> Option<HostPort> {
        let Self::HostPort { protocol, port, to } = self else { return None };
        let address = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        Some(HostPort { protocol, port, more: 0, address })
    }

    /// Its first and its last value, as numbers.
    pub fn range(self) -> (u128, u128) {
        let number = |address| match address {
            IpAddr::V4(v4) => u32::from(v4).into(),
            IpAddr::V6(v6) => v6.into(),
        };
        match self {
            Self::Network(net) | Self::Mark(net, _) => (number(net.network()), number(net.broadcast())),
            Self::Ports(first, last) => (first.into(), last.into()),
            Self::HostPort { protocol, port, .. } => {
                let key = u128::from(protocol) << 16 | u128::from(port);
                (key, key)
            }
        }
    }

    /// The bytes of its first value, and of the one behind its last; none: there is none.
    pub(crate) fn bounds(self) -> (Vec<u8>, Option<Vec<u8>>) {
        let length = self.kind().bytes();
        if let Self::HostPort { protocol, port, .. } = self {
            let [high, low] = port.to_be_bytes();
            return (vec![protocol, 0, 0, 0, high, low, 0, 0], None);
        }
        let bytes = |number: u128| number.to_be_bytes()[16 - length..].to_vec();
        let (first, last) = self.range();
        let most = u128::MAX >> (128 - 8 * length);
        (bytes(first), (last < most).then(|| bytes(last + 1)))
    }

    /// The bytes of what it leads to; of a set, none.
    pub(crate) fn value(self) -> Vec<u8> {
        match self {
            Self::Network(_) | Self::Ports(..) => Vec::new(),
            Self::HostPort { to, .. } => {
                let address = match to.ip() {
                    IpAddr::V4(v4) => v4.octets().to_vec(),
                    IpAddr::V6(v6) => v6.octets().to_vec(),
                };
                let [high, low] = to.port().to_be_bytes();
                [address, vec![high, low, 0, 0]].concat()
            }
            Self::Mark(_, mark) => mark.to_ne_bytes().to_vec(),
        }
    }
}

/// A map that a rule looks up, in the rule's table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NftMap {
    /// Its name.
    pub name: String,
    /// What leads to what.
    pub kind: NftSetKind,
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NftStatement {
    /// counter
    Counter,
    /// limit rate
    Limit(NftRate),
    /// meta mark set: these bits become this value, which has no others.
    #[expect(missing_docs, reason = "the names say it")]
    SetMark { value: u32, mask: u32 },
    /// meta mark set ip saddr map, or daddr: to what the map has, where the mark has no bits but these. Else the rule ends.
    #[expect(missing_docs, reason = "the names say it")]
    SetMarkBy { field: NftField, map: NftMap, mask: u32 },
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

    #[test]
    fn an_element_of_a_map_has_a_key_and_leads_somewhere() {
        let four = NftElement::HostPort { protocol: 6, port: 8080, to: "10.0.0.2:80".parse().unwrap() };
        assert_eq!((four.kind(), four.bounds()), (NftSetKind::HostPorts4, (vec![6, 0, 0, 0, 31, 144, 0, 0], None)));
        assert_eq!(four.value(), [10, 0, 0, 2, 0, 80, 0, 0]);
        let held = HostPort { protocol: 6, port: 8080, more: 0, address: Ipv4Addr::UNSPECIFIED.into() };
        assert_eq!(four.host_port(), Some(held));
        let six = NftElement::HostPort { protocol: 17, port: 53, to: "[fd00::2]:5353".parse().unwrap() };
        assert_eq!(
            (six.kind(), six.value().len(), &six.value()[16..]),
            (NftSetKind::HostPorts6, 20, &[20, 233, 0, 0][..])
        );
        let mark = NftElement::Mark("10.0.0.0/24".parse().unwrap(), 0x100);
        assert_eq!((mark.kind(), mark.bounds().1), (NftSetKind::Marks4, Some(vec![10, 0, 1, 0])));
        assert_eq!((mark.value(), mark.host_port()), (0x100u32.to_ne_bytes().to_vec(), None));
    }
}
