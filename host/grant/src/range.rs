//! Ranges of addresses, as a grant says them.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use words::Error;

/// `network`, `default`, or a range such as `10.1.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Range {
    /// The pools that the front end gave to the network at hand.
    Network,
    /// The way to everywhere: of routes only.
    Default,
    /// These addresses.
    Net(IpNet),
}

impl Range {
    /// Whether it has all of another one, whatever the network.
    pub fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::Net(own), Self::Net(other)) => own.contains(&other),
            (own, other) => own == other,
        }
    }

    /// Whether it has these addresses in a network with these pools.
    pub fn contains(self, net: IpNet, pools: &[IpNet]) -> bool {
        match self {
            Self::Network => pools.iter().any(|pool| pool.contains(&net)),
            Self::Default => net.prefix_len() == 0,
            Self::Net(own) => own.contains(&net),
        }
    }
}

impl TryFrom<String> for Range {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        match text.as_str() {
            "network" => return Ok(Self::Network),
            "default" => return Ok(Self::Default),
            _ => {}
        }
        let shown: String = text.chars().take(80).collect();
        let net: IpNet = text.parse().map_err(|_| {
            Error::invalid(format!(
                "{shown:?} is no range: write network, a range such as 10.1.0.0/16, or, for routes, default"
            ))
        })?;
        if net.prefix_len() == 0 {
            return Err(Error::invalid(format!("{shown:?} is everything and no range: for routes, write default")));
        }
        if net != net.trunc() {
            return Err(Error::invalid(format!("{shown:?} names a host in a range: write {}", net.trunc())));
        }
        Ok(Self::Net(net))
    }
}

impl From<Range> for String {
    fn from(range: Range) -> Self {
        range.to_string()
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network => f.write_str("network"),
            Self::Default => f.write_str("default"),
            Self::Net(net) => net.fmt(f),
        }
    }
}
