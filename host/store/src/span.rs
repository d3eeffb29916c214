//! Addresses as numbers, and as blobs whose order is the numbers'.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The addresses of one family from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) family: u8,
    pub(super) first: u128,
    pub(super) last: u128,
}

impl Span {
    /// All of a subnet.
    pub(super) fn of(subnet: &IpNet) -> Self {
        Self { family: family(subnet.addr()), first: number(subnet.network()), last: number(subnet.broadcast()) }
    }

    /// What hosts of a subnet can have: not the subnet's own address, nor IPv4's broadcast. In the smallest subnets
    /// every address is a host's (RFC 3021, RFC 6164).
    pub(super) fn hosts(subnet: &IpNet) -> Self {
        let all = Self::of(subnet);
        match subnet {
            IpNet::V4(net) if net.prefix_len() <= 30 => Self { first: all.first + 1, last: all.last - 1, ..all },
            IpNet::V6(net) if net.prefix_len() <= 126 => Self { first: all.first + 1, ..all },
            _ => all,
        }
    }

    /// What is in both; `first` is past `last` if nothing is.
    pub(super) fn and(self, other: Self) -> Self {
        Self { first: self.first.max(other.first), last: self.last.min(other.last), ..self }
    }

    pub(super) fn holds(&self, address: IpAddr) -> bool {
        self.family == family(address) && (self.first..=self.last).contains(&number(address))
    }

    /// The blob of one of its addresses.
    pub(super) fn blob(&self, number: u128) -> Vec<u8> {
        blob(address(self.family, number))
    }
}

/// 4 or 6.
pub(super) fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { 4 } else { 6 }
}

/// The address as a number.
pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The number as an address.
pub(super) fn address(family: u8, number: u128) -> IpAddr {
    match u32::try_from(number) {
        Ok(v4) if family == 4 => Ipv4Addr::from_bits(v4).into(),
        _ => Ipv6Addr::from_bits(number).into(),
    }
}

/// The address as 4 or 16 bytes.
pub(super) fn blob(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// The number of a blob of at most 16 bytes.
pub(super) fn number_of(blob: &[u8]) -> u128 {
    blob.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}
