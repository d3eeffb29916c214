//! Ports of the transport layer.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// An IP protocol, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP, 1.
    pub const ICMP: Self = Self(1);
    /// TCP, 6.
    pub const TCP: Self = Self(6);
    /// UDP, 17.
    pub const UDP: Self = Self(17);
    /// ICMPv6, 58.
    pub const ICMPV6: Self = Self(58);
    /// SCTP, 132.
    pub const SCTP: Self = Self(132);
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ICMP => f.write_str("icmp"),
            Self::TCP => f.write_str("tcp"),
            Self::UDP => f.write_str("udp"),
            Self::ICMPV6 => f.write_str("icmpv6"),
            Self::SCTP => f.write_str("sctp"),
            Self(number) => write!(f, "{number}"),
        }
    }
}

/// A port of the transport layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TransportPort {
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// The port's number.
    pub port: u16,
}

/// A port that is to be published on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PortBinding {
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// The address in the container; none: the endpoint's.
    pub container_address: Option<IpAddr>,
    /// The port in the container.
    pub container_port: u16,
    /// The address on the host; none: every address of both families.
    pub host_address: Option<IpAddr>,
    /// The first port that will do; 0: any free one.
    pub host_port: u16,
    /// The last port that will do; the same as `host_port` or 0 where only one will.
    pub host_port_end: u16,
}
